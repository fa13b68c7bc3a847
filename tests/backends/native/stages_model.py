"""A model of the threads that share a program's tasks, small enough to try every order of steps.

It follows `thalweg.backends.native.driver` word by word: each access to a word that threads
share is a step, and any thread that can make a step may make the next one. What one step writes,
all threads see at once: the model is of the order of steps, not of a processor that reorders them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Run = tuple[int, tuple[int, ...]]  # how many threads, and the tasks of each row that they share
Fault = Literal[
    "", "no stage in tickets", "describe first", "renew own", "look first", "tell early"
]
ENDED = -1


class BrokenError(Exception):
    """What must never happen has happened."""


@dataclass(frozen=True)
class Thread:
    """Where a thread is, and what it has read."""

    at: str = "wait"
    seen: int = 0
    stage: int = 0
    tasks: int = 0
    threads: int = 1
    victim: int = 0  # or the seat that is renewed or woken
    ticket: tuple[int, int] = (0, 0)
    claim: tuple[int, int] = (0, 0)
    sum: int = 0
    seats: int = 0  # how many are to be renewed


@dataclass(frozen=True)
class State:
    """All that threads share, and the threads."""

    threads: tuple[Thread, ...]
    tickets: tuple[tuple[int, int], ...]
    asleep: tuple[bool, ...]
    stage: int = 0
    tasks: int = 0  # from here on: the description
    sharing: int = 2
    done: int = 0
    run: int = -1  # which one is going on
    row: int = -1
    is_running: bool = False
    executed: frozenset[int] = frozenset()  # tasks of the row


class Model:
    """Runs of a program on a team.

    Args:
        runs: what the caller runs, one after the other.
        sleeps: whether a thread that waits may fall asleep.
        fault: what is wrong with it, to see that it would be found.
    """

    def __init__(self, runs: Sequence[Run], sleeps: bool, fault: Fault = "") -> None:
        self._runs, self._sleeps, self._fault = tuple(runs), sleeps, fault
        self._seated = max(threads for threads, _ in runs)

    def explore(self) -> int:
        """Try every order; how many states there are.

        Raises:
            BrokenError: a task was run twice, or never, or at the wrong time; or all threads wait.
        """
        n = self._seated
        callers = (Thread(at="begin"), *[Thread()] * (n - 1))
        first = State(callers, ((0, 0),) * n, (False,) * n)
        known, todo = {first}, [first]
        while todo:
            state = todo.pop()
            following = list(self._following(state))
            if not following and any(thread.at != "ended" for thread in state.threads):
                raise BrokenError(f"all wait: {state}")
            for new in following:
                if new not in known:
                    known.add(new)
                    todo.append(new)
        return len(known)

    def _following(self, state: State) -> Iterator[State]:
        for number, thread in enumerate(state.threads):
            yield from getattr(self, f"_{thread.at}")(state, number, thread)

    def _to(self, state: State, number: int, thread: Thread, at: str, **changes: object) -> State:
        """The state after the thread has gone on to there."""
        moved = replace(thread, at=at, **changes)  # type: ignore[arg-type]
        threads = (*state.threads[:number], moved, *state.threads[number + 1 :])
        return replace(state, threads=threads)

    # The caller.

    def _begin(self, state: State, number: int, me: Thread) -> Iterator[State]:
        run = state.run + 1
        if run == len(self._runs):
            ended = replace(state, stage=ENDED)
            yield self._to(ended, number, me, "wake", victim=0, threads=self._seated)
        else:
            begun = replace(state, run=run, row=-1, is_running=True)
            threads = self._runs[run][0]
            seats = threads if self._fault == "renew own" else self._seated
            yield self._to(
                begun, number, me, "go_on", threads=threads, seats=seats, seen=state.stage
            )

    # Waiting.

    def _is_mine(self, state: State, number: int, me: Thread, stage: int) -> bool:
        joins = number < state.sharing if stage % 2 else number == 0
        return stage != me.seen and (joins or stage == ENDED)

    def _wait(self, state: State, number: int, me: Thread) -> Iterator[State]:
        if self._is_mine(state, number, me, state.stage):
            yield self._found(state, number, me, state.stage)
        elif self._sleeps:
            if self._fault == "look first":  # before it says that it sleeps
                yield self._to(state, number, me, "say_so")
            else:
                yield self._to(self._asleep(state, number, True), number, me, "check")

    def _say_so(self, state: State, number: int, me: Thread) -> Iterator[State]:
        yield self._to(self._asleep(state, number, True), number, me, "doze")

    def _check(self, state: State, number: int, me: Thread) -> Iterator[State]:
        if self._is_mine(state, number, me, state.stage):
            risen = self._asleep(state, number, False)
            yield self._found(risen, number, me, state.stage)
        else:
            yield self._to(state, number, me, "doze")

    def _doze(self, state: State, number: int, me: Thread) -> Iterator[State]:
        return iter(())

    def _asleep(self, state: State, number: int, asleep: bool) -> State:
        flags = (*state.asleep[:number], asleep, *state.asleep[number + 1 :])
        return replace(state, asleep=flags)

    def _found(self, state: State, number: int, me: Thread, stage: int) -> State:
        if stage == ENDED:
            return self._to(state, number, Thread(), "ended")
        if stage % 2:
            return self._to(state, number, me, "read_tasks", stage=stage, seen=stage)
        return self._to(replace(state, is_running=False), number, Thread(), "begin")

    def _ended(self, state: State, number: int, me: Thread) -> Iterator[State]:
        return iter(())

    # Taking part.

    def _read_tasks(self, state: State, number: int, me: Thread) -> Iterator[State]:
        yield self._to(state, number, me, "read_threads", tasks=state.tasks)

    def _read_threads(self, state: State, number: int, me: Thread) -> Iterator[State]:
        ready = replace(me, threads=state.sharing, victim=0, sum=0)
        yield self._decide(state, number, ready, (me.stage, 0))

    def _share(self, number: int, me: Thread) -> tuple[int, int, int]:
        """Whose share is looked at, where it begins and how many tasks it has."""
        whose = (number + me.victim) % me.threads
        begin, end = me.tasks * whose // me.threads, me.tasks * (whose + 1) // me.threads
        return whose, begin, end - begin

    def _look(self, state: State, number: int, me: Thread) -> Iterator[State]:
        whose, _, _ = self._share(number, me)
        yield self._decide(state, number, me, state.tickets[whose])

    def _decide(self, state: State, number: int, me: Thread, ticket: tuple[int, int]) -> State:
        _, _, size = self._share(number, me)
        its = ticket[0] == me.stage or self._fault == "no stage in tickets"
        if its and ticket[1] < size:
            return self._to(state, number, me, "claim", ticket=ticket)
        if me.sum:
            return self._to(state, number, me, "tell")
        return self._next_share(state, number, me)

    def _next_share(self, state: State, number: int, me: Thread) -> State:
        if me.victim + 1 < me.threads:
            return self._to(state, number, me, "look", victim=me.victim + 1, sum=0)
        return self._to(state, number, me, "wait")

    def _claim(self, state: State, number: int, me: Thread) -> Iterator[State]:
        whose, begin, size = self._share(number, me)
        ticket = state.tickets[whose]
        if ticket != me.ticket:
            yield self._decide(state, number, me, ticket)
            return
        grain = max((size - ticket[1]) // 2, 1)
        renewed = (ticket[0], ticket[1] + grain)
        tickets = (*state.tickets[:whose], renewed, *state.tickets[whose + 1 :])
        start = begin + ticket[1]
        at = "tell" if self._fault == "tell early" else "execute"
        claimed = replace(state, tickets=tickets)
        claim = (start, start + grain)
        yield self._to(claimed, number, me, at, claim=claim, sum=me.sum + grain)

    def _execute(self, state: State, number: int, me: Thread) -> Iterator[State]:
        claim = frozenset(range(*me.claim))
        if not state.is_running or state.executed & claim or state.stage != me.stage:
            raise BrokenError(f"thread {number} runs {sorted(claim)}: {state}")
        if number >= self._runs[state.run][0] or max(claim) >= self._row(state):
            raise BrokenError(f"thread {number} has no part in {sorted(claim)}: {state}")
        yield self._to(replace(state, executed=state.executed | claim), number, me, "look")

    def _row(self, state: State) -> int:
        return self._runs[state.run][1][state.row]

    def _tell(self, state: State, number: int, me: Thread) -> Iterator[State]:
        done = state.done + me.sum
        if done != me.tasks:
            yield self._next_share(replace(state, done=done), number, me)
            return
        if len(state.executed) != self._row(state):
            raise BrokenError(f"not all is done: {state}")
        yield self._to(replace(state, done=done), number, me, "go_on", seats=me.threads)

    # The only thread at work.

    def _go_on(self, state: State, number: int, me: Thread) -> Iterator[State]:
        row = state.row + 1
        if row == len(self._runs[state.run][1]):
            closed = replace(state, stage=state.stage // 2 * 2 + 2, executed=frozenset())
            yield self._to(closed, number, me, "wake", victim=0, threads=1)
        else:
            opened = replace(state, row=row, executed=frozenset(), done=0)
            at = "describe_tasks" if self._fault == "describe first" else "renew"
            stage = state.stage // 2 * 2 + 3
            yield self._to(opened, number, me, at, stage=stage, victim=0)

    def _renew(self, state: State, number: int, me: Thread) -> Iterator[State]:
        n = me.victim
        tickets = (*state.tickets[:n], (me.stage, 0), *state.tickets[n + 1 :])
        renewed = replace(state, tickets=tickets)
        if n + 1 < me.seats:
            yield self._to(renewed, number, me, "renew", victim=n + 1)
        else:
            at = "open" if self._fault == "describe first" else "describe_tasks"
            yield self._to(renewed, number, me, at)

    def _describe_tasks(self, state: State, number: int, me: Thread) -> Iterator[State]:
        described = replace(state, tasks=self._row(state))
        yield self._to(described, number, me, "describe_threads")

    def _describe_threads(self, state: State, number: int, me: Thread) -> Iterator[State]:
        described = replace(state, sharing=self._runs[state.run][0])
        at = "renew" if self._fault == "describe first" else "open"
        yield self._to(described, number, me, at)

    def _open(self, state: State, number: int, me: Thread) -> Iterator[State]:
        opened = replace(state, stage=me.stage)
        threads = self._runs[state.run][0]
        yield self._to(opened, number, me, "wake", victim=0, threads=threads)

    def _wake(self, state: State, number: int, me: Thread) -> Iterator[State]:
        n = me.victim
        following = "wake" if n + 1 < me.threads else "wait"
        if not state.asleep[n]:
            yield self._to(state, number, me, following, victim=n + 1)
        else:
            yield self._to(state, number, me, "signal")

    def _signal(self, state: State, number: int, me: Thread) -> Iterator[State]:
        n = me.victim
        sleeper = state.threads[n]
        if sleeper.at == "check":  # it holds the mutex
            return
        if sleeper.at == "doze":
            state = self._to(state, n, sleeper, "check")
        following = "wake" if n + 1 < me.threads else "wait"
        yield self._to(state, number, me, following, victim=n + 1)
