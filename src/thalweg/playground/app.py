"""The web application: the page, and a WebSocket for each room."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from thalweg.base.record import Record
from thalweg.playground.guard import Guard
from thalweg.playground.inspection import measure_machine
from thalweg.playground.room import Room

__all__ = ["Limits", "make_app"]

STATIC = os.path.join(os.path.dirname(__file__), "static")
FRAME_S = 1 / 60
# What a page may load: only from here. It runs no script but the files of this folder.
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address may contain the token
    "Cache-Control": "no-cache",
}
# Codes with which a WebSocket is closed.
POLICY_VIOLATION, TOO_BIG, TRY_LATER, IDLE, OVER = 1008, 1009, 1013, 4000, 4001


class Limits(Record):
    """What one person may take of the machine.

    Attributes:
        rooms: how many there may be at a time.
        idle_s: after so many seconds without a message a room is closed.
        life_s: after so many it is closed in any case.
        message_bytes: of a message, at most.
        queue: messages that may wait; then no more are read.
        turn_s: the most that a room trains for in a frame; less if many rooms are busy.
    """

    rooms: int = 64
    idle_s: float = 1800.0
    life_s: float = 8 * 3600.0
    message_bytes: int = 1 << 20
    queue: int = 64
    turn_s: float = 0.008


class Hall:
    """All rooms, and the threads on which they take turns.

    A room hands in one turn and waits for it before it hands in another, and turns are taken in the
    order in which they came, so that of many rooms each has its share. What a person asks for has
    a thread of its own: it need not wait until all others have trained, nor they until another
    network is compiled.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.rooms = 0
        self._busy = 0
        # More threads than that would only wait for each other, since half of a turn is Python.
        self._trainers = min(4, max(1, _processors() - 1))
        self._training = ThreadPoolExecutor(self._trainers, thread_name_prefix="training")
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="asking")

    def begin(self) -> None:
        """Find out what the machine can do, while the first page is being opened."""
        self._asking.submit(measure_machine)

    async def turn(self, room: Room, messages: list[Any]) -> tuple[list[Any], bytes | None]:
        """A room's turn, on one of the threads."""
        asks = any(message.get("type") != "ack" for message in messages)
        pool = self._asking if asks else self._training
        self._busy += 1
        try:
            seconds = self.limits.turn_s * min(1.0, self._trainers / self._busy)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(pool, room.turn, messages, seconds)
        finally:
            self._busy -= 1

    async def leave(self, room: Room) -> None:
        """Free a room's memory, when its turn is over."""
        await asyncio.get_running_loop().run_in_executor(self._asking, room.close)

    def close(self) -> None:
        """End the threads."""
        for pool in (self._training, self._asking):
            pool.shutdown(wait=True, cancel_futures=True)


def _processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Visit:
    """A WebSocket and its room."""

    def __init__(self, hall: Hall, socket: WebSocket) -> None:
        self._hall, self._socket = hall, socket
        self._inbox: asyncio.Queue[Any] = asyncio.Queue(hall.limits.queue)
        self._end = time.monotonic() + hall.limits.life_s
        self._heard = time.monotonic()

    async def run(self) -> None:
        """Take messages and send frames, until the page goes or has been here for too long."""
        reader = asyncio.create_task(self._read())
        room = Room()
        try:
            await self._serve(room, reader)
        finally:
            reader.cancel()
            with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await reader
            await self._hall.leave(room)

    async def _read(self) -> None:
        """Put messages into the inbox; None when there will be no more."""
        limit = self._hall.limits.message_bytes
        while True:
            event = await self._socket.receive()
            if event["type"] == "websocket.disconnect":
                await self._inbox.put(None)
                return
            text = event.get("text")
            if text is None or len(text) > limit:
                await self._socket.close(TOO_BIG if text else POLICY_VIOLATION)
                await self._inbox.put(None)
                return
            await self._inbox.put(text)

    async def _serve(self, room: Room, reader: asyncio.Task[None]) -> None:
        while True:
            start = time.monotonic()
            texts = await self._messages(wait=not room.wants_turn)
            if texts is None:
                return
            if (code := self._is_over()) is not None:
                await self._socket.close(code)
                return
            answers, frame = await self._hall.turn(room, [_message(text) for text in texts])
            for answer in answers:
                await self._socket.send_text(json.dumps(answer, separators=(",", ":")))
            if frame is not None:
                await self._socket.send_bytes(frame)
                await self._pause(start + FRAME_S)

    async def _pause(self, until: float) -> None:
        """Wait for the time of the next frame; a message may come earlier."""
        await asyncio.sleep(max(0.0, until - time.monotonic()))

    async def _messages(self, wait: bool) -> list[str] | None:
        """What waits in the inbox; None if the page has gone."""
        texts = []
        if wait and self._inbox.empty():
            left = min(self._heard + self._hall.limits.idle_s, self._end) - time.monotonic()
            with suppress(TimeoutError):
                texts.append(await asyncio.wait_for(self._inbox.get(), max(0.0, left)))
        while not self._inbox.empty():
            texts.append(self._inbox.get_nowait())
        if texts:
            self._heard = time.monotonic()
        return None if None in texts else texts

    def _is_over(self) -> int | None:
        """The code with which to close it, if it is time."""
        now = time.monotonic()
        if now >= self._end:
            return OVER
        return IDLE if now >= self._heard + self._hall.limits.idle_s else None


def _message(text: str) -> Any:
    """What a text says; an object without a type if it is no JSON object."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


class Guarded:
    """Lets requests through that the guard admits, and adds headers to the answers."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not self._guard.admits_host(Request(scope).headers):
            await PlainTextResponse("wrong host", 421)(scope, receive, send)
            return

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                added = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def make_app(guard: Guard, limits: Limits | None = None) -> ASGIApp:
    """The application.

    Args:
        guard: decides who may come in.
        limits: what one person may take.
    """
    hall = Hall(limits or Limits())

    async def page(request: Request) -> Response:
        return FileResponse(os.path.join(STATIC, "index.html"))

    async def train(socket: WebSocket) -> None:
        await _visit(hall, guard, socket)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        hall.begin()
        yield
        hall.close()

    routes = [
        Route("/", page),
        Mount("/static", StaticFiles(directory=STATIC, check_dir=False)),
        WebSocketRoute("/train", train),
    ]
    return Guarded(Starlette(routes=routes, lifespan=lifespan), guard)


async def _visit(hall: Hall, guard: Guard, socket: WebSocket) -> None:
    """Let a page in, if there is room for it."""
    if not guard.admits_socket(socket.headers):
        await socket.close(POLICY_VIOLATION)
        return
    await socket.accept()
    if not guard.admits_token(socket.query_params.get("token", "")):
        await socket.close(POLICY_VIOLATION, "the link must contain the token")
        return
    if hall.rooms >= hall.limits.rooms:
        await socket.close(TRY_LATER, "all rooms are taken")
        return
    hall.rooms += 1
    try:
        with suppress(WebSocketDisconnect):
            await Visit(hall, socket).run()
    finally:
        hall.rooms -= 1
