"""Which runs of a session may overlap: a lock for many variables that lets readers share them."""

from __future__ import annotations

import time
from _thread import LockType, allocate_lock, get_ident
from collections.abc import Iterator
from contextlib import contextmanager

from thalweg.session.entry import Entry


class Ticket:
    """A run that goes on or waits.

    Attributes:
        lock: held until the run ends, if any other waits for that; made by the first who does.
    """

    lock: LockType | None = None


EVERYTHING = Entry(None, ())  # what disturbs all runs
LOOK_S = 5e-4  # between looks, where the time to wait is limited


class Turns(dict[Ticket, tuple[Entry, int]]):
    """The runs that go on or wait, in the order in which they came, with their threads.

    A run waits for those before it that it disturbs: one of them writes a variable that the other
    reads or writes. So it waits for no run that waits for it, and none waits for ever.

    A signal handler may run something in the middle of another run of its thread. That one goes on
    afterwards only, and with it all that wait for it; so the handler's run waits for none of these.

    Nothing here is under a lock, in which a signal handler might find its own thread. It is sound
    since a dictionary inserts, deletes and copies in one go, and keeps the order. A run is
    inserted before it looks for others: of two that disturb each other the later one sees the
    other. Code that takes part looks like `alone`: between what it does in order to begin and to
    end there is no call, after which Ctrl-C could be raised.
    """

    def wait(self, mine: Ticket) -> None:
        """Wait until a run may begin."""
        for other in self._obstacles(mine):
            held = allocate_lock()
            held.acquire()
            lock: LockType = vars(other).setdefault("lock", held)
            if other in self:  # so it sees the lock when it ends
                with lock:  # and not a call, after which a handler could run while this is held
                    pass

    def wait_for(self, mine: Ticket, seconds: float) -> bool:
        """Wait for so long at most; whether a run may begin then."""
        end = time.monotonic() + seconds
        obstacles = self._obstacles(mine)
        while any(other in self for other in obstacles):
            if time.monotonic() >= end:
                return False
            time.sleep(LOOK_S)
        return True

    def oldest(self) -> Ticket:
        """The run that came first."""
        return next(iter(self.copy()))  # of a copy, to which no other thread adds

    def _obstacles(self, mine: Ticket) -> list[Ticket]:
        """The runs that one has to wait for."""
        entry, thread = self[mine]
        after: list[Entry] = []  # those of this thread, and what waits for them
        found = []
        for ticket, (other, owner) in self.copy().items():
            if ticket is mine:
                break
            if owner == thread or any(_disturb(other, one) for one in after):
                after.append(other)
            elif _disturb(other, entry):
                found.append(ticket)
        return found

    @contextmanager
    def alone(self, entry: Entry) -> Iterator[Ticket]:
        """Take a turn for something that disturbs others as an entry does."""
        ticket = Ticket()
        self[ticket] = entry, get_ident()
        try:
            self.wait(ticket)
            yield ticket
        finally:
            del self[ticket]
            if ticket.lock is not None:
                ticket.lock.release()

    def keep_own(self) -> None:
        """Forget the runs of other threads: in the child of a fork, which has none."""
        for ticket, (_, thread) in self.copy().items():
            if thread != get_ident():
                del self[ticket]


def _disturb(one: Entry, other: Entry) -> bool:
    """Whether two runs cannot overlap."""
    if one is EVERYTHING or other is EVERYTHING:
        return True
    return not (one.writes.isdisjoint(other.uses) and other.writes.isdisjoint(one.uses))
