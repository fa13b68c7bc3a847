"""In which order kernels run that are in loops and branches.

A plan with such operations is cut into straight pieces, and each is made into kernels by itself:
see `kernels.link`. What one piece computes for others lies in memory that no piece owns alone: in
the arena, or, in a loop, where addresses tell that change from one iteration to the next.
"""

from __future__ import annotations

from thalweg.base.record import Record
from thalweg.kernels.values import Value


class Straight(Record):
    """Parts of a program that run one after the other, from the first to before the end."""

    first: int
    end: int


class Carried(Record, eq=False):
    """A value that an iteration takes from the one before it.

    It is not copied: two buffers take turns. An iteration reads what the one before has written.

    Attributes:
        initial: what the first iteration takes.
        now: what an iteration reads.
        next: what it writes.
        final: what the last one has written, or the initial value if there was none.
        buffers: that take turns.
    """

    initial: Value
    now: Value
    next: Value
    final: Value
    buffers: tuple[Value, Value]


class Element(Record, eq=False):
    """One element, for each iteration another, of a value along its first axis."""

    whole: Value
    one: Value


class Repeat(Record, eq=False):
    """What runs as often as a loop tells.

    Attributes:
        count: how often; None if a predicate tells.
        predicate: whether there is another iteration, or a first one.
        body: of an iteration.
        carried: from iteration to iteration.
        elements: that it reads or writes.
        reverse: whether the elements are walked from the last to the first.
    """

    count: int | None
    predicate: Value | None
    body: tuple[Straight | Repeat | Choice, ...]
    carried: tuple[Carried, ...]
    elements: tuple[Element, ...]
    reverse: bool


class Choice(Record, eq=False):
    """What runs if a predicate is true, and what else.

    Attributes:
        predicate: a bool scalar.
        then: runs if it is true.
        otherwise: runs if it is false.
    """

    predicate: Value
    then: tuple[Straight | Repeat | Choice, ...]
    otherwise: tuple[Straight | Repeat | Choice, ...]


Flow = tuple[Straight | Repeat | Choice, ...]
