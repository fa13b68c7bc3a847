"""Who may come in, how much they may take, and that the command serves."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.playground.frame import unpacked
from tests.playground.serving import serving
from thalweg.playground.app import Limits
from thalweg.playground.guard import Guard, is_loopback
from thalweg.playground.server import link

HELLO = json.dumps({"type": "hello", "hash": "#seed=0.5"})


def opened(port: int, path: str = "/train", host: str = "", **more: Any) -> ClientConnection:
    """A WebSocket to the server, which takes it for one to that host."""
    made = socket.create_connection(("127.0.0.1", port))
    try:
        name = host or f"127.0.0.1:{port}"
        page: ClientConnection = connect(f"ws://{name}{path}", sock=made, max_size=None, **more)
    except BaseException:
        made.close()
        raise
    return page


def refusal(port: int, path: str = "/train", host: str = "", **more: Any) -> int | None:
    """The status or code with which a socket is refused; None if it is not."""
    try:
        with opened(port, path, host, **more) as page:
            page.send(HELLO)
            page.recv()
    except InvalidStatus as error:
        return error.response.status_code
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 0
    return None


def status(port: int, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    """The status and headers of an answer."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as made:
        yield made


def test_only_our_own_page_may_open_a_socket(port: int) -> None:
    own = f"127.0.0.1:{port}"
    assert refusal(port) is None  # a program that is no browser
    assert refusal(port, origin=f"http://{own}") is None
    local = f"localhost:{port}"
    assert refusal(port, host=local, origin=f"http://{local}") is None
    for origin in ("http://evil.example", "http://127.0.0.1:9", "null", "http://["):
        assert refusal(port, origin=origin) == 403


def test_a_name_that_was_made_to_mean_this_machine_is_refused(port: int) -> None:
    name = f"evil.example:{port}"
    assert refusal(port, host=name, origin=f"http://{name}") == 403
    assert status(port, "/", Host=name)[0] == 421
    assert status(port, "/", Host="[::1")[0] == 421
    assert status(port, "/", Host="127.0.0.1")[0] != 421


def test_others_need_the_token() -> None:
    with serving(Guard("secret", False)) as port:
        name = f"classroom:{port}"
        page = {"host": name, "origin": f"http://{name}"}
        assert refusal(port, "/train?token=secret", **page) is None
        for path in ("/train", "/train?token=", "/train?token=Secret", "/train?token=%F0%9F%98%80"):
            assert refusal(port, path, **page) == 1008


def test_answers_forbid_what_the_page_does_not_need(port: int) -> None:
    assert status(port, "/")[0] == 200
    for path in ("none", "../app.py", "%2e%2e/app.py", "/etc/passwd"):
        found, headers = status(port, f"/static/{path}")
        assert found == 404
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_messages_are_bounded_and_nothing_breaks_a_room() -> None:
    with serving(limits=Limits(message_bytes=1000)) as port:
        with opened(port) as page:
            for text in ("", "{", "[]", "5", "[" * 900, '{"type": "hello"}', HELLO):
                page.send(text)
            kinds = [json.loads(page.recv())["type"] for _ in range(7)]
            assert kinds == ["error"] * 6 + ["presets"]
        for message, code in (("a" * 1001, 1009), (b"a", 1008)):
            with opened(port) as page:
                page.send(message)
                assert closed(page) == code


def closed(page: ClientConnection) -> int:
    """The code with which the server closes."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            page.recv()
    assert page.close_code is not None
    return page.close_code


def test_there_are_only_so_many_rooms() -> None:
    with serving(limits=Limits(rooms=1)) as port:
        with opened(port) as page:
            page.send(HELLO)
            page.recv()
            assert refusal(port) == 1013
        end = time.monotonic() + 20
        while refusal(port) is not None:  # until it is noticed that the first one has gone
            assert time.monotonic() < end


@pytest.mark.parametrize(
    ("limits", "code"), [(Limits(idle_s=0.05), 4000), (Limits(life_s=0.05), 4001)]
)
def test_rooms_are_closed_in_time(limits: Limits, code: int) -> None:
    with serving(limits=limits) as port, opened(port) as page:
        assert closed(page) == code


def test_addresses() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3")] == [
        True
    ] * 4
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "example.com", "", "localhost.evil")))
    assert link("127.0.0.1", 80, "") == "http://127.0.0.1:80/"
    assert link("::1", 80, "t") == "http://[::1]:80/?token=t"
    assert "0.0.0.0" not in link("0.0.0.0", 80, "t")


@contextmanager
def served(*arguments: str) -> Iterator[str]:
    """The link that the command prints."""
    command = [sys.executable, "-m", "thalweg", "playground", "--no-browser", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()
            process.wait()


def test_the_command_serves() -> None:
    with served("--token", "abc") as address:
        assert address.endswith("/?token=abc")
        where = address.replace("http:", "ws:").replace("/?", "/train?")
        with connect(where, max_size=None) as page:
            page.send(HELLO)
            kinds = [json.loads(page.recv())["type"] for _ in range(4)]
            assert kinds == ["presets", "state", "network", "data"]
            frame = page.recv()
            assert isinstance(frame, bytes)
            assert unpacked(frame)[0]["step"] == 0
            page.send('{"type": "run"}')
            last = 0
            while last < 1000:
                message = page.recv()
                if isinstance(message, bytes):
                    head, _ = unpacked(message)
                    last = head["step"]
                    page.send(json.dumps({"type": "ack", "frame": head["frame"]}))


def test_without_the_extra_the_command_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from thalweg.cli.main import main

    for name in [
        name for name in sys.modules if name.startswith(("thalweg.playground", "uvicorn"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["playground"]) == 1
    assert "needs `pip install thalweg[playground]` (uvicorn is missing)" in capsys.readouterr().err


def test_an_address_that_is_taken_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    from thalweg.cli.main import main

    assert main(["playground", "--host", "192.0.2.1", "--no-browser"]) == 1
    assert "cannot listen at 192.0.2.1:0" in capsys.readouterr().err
