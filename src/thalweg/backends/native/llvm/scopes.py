"""Where code goes: the loops and branches that are open, and what is known in each of them.

What depends on few axes is written in the outermost loop in which these are known, and remembered
there: hoisting and sharing are decided here, because only here is it known that nothing in between
writes to what is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from thalweg.backends.native.llvm.builder import Builder, EmittedLoop, Lines
from thalweg.backends.native.llvm.ssa import SsaValue
from thalweg.base.record import Record, field
from thalweg.formula import Axis


class Scope(Record, frozen=False):
    """A loop body or branch being written: which axes are known in it, and what it has computed.

    Attributes:
        bound: the axes.
        loop: whose body it is, if that is a loop over the axis that is known from here on.
        memo: what has been computed.
        place: where code may be added in front of what is open inside.
    """

    bound: frozenset[Axis]
    loop: EmittedLoop | None = None
    memo: dict[object, SsaValue] = field(default_factory=dict)
    place: Lines | None = None


class Scopes:
    """The open loops and branches of a kernel that is being written.

    Args:
        builder: writes it.

    Attributes:
        b: the builder.
        scopes: the loops and branches that are open, outermost first.
        seldom: the depth of a scope that runs more seldom than its surroundings, and the depth from
            which on these surround it; nothing of it is written into them.
    """

    def __init__(self, builder: Builder) -> None:
        self.b = builder
        self.scopes = [Scope(frozenset())]
        self.seldom: tuple[int, int] | None = None

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Mark the present place as the one where the innermost scope may still add code."""
        self.scopes[-1].place = self.b.preheader()
        yield
        self.scopes[-1].place = None

    @contextmanager
    def scope(self, *axes: Axis, loop: EmittedLoop | None = None) -> Iterator[None]:
        """An inner scope in which the axes are known, too; perhaps the body of a loop over one."""
        outer = self.scopes[-1]
        here = outer.place is None  # no loop was opened: the outer scope's code may go right here
        if here:
            outer.place = self.b.preheader()
        self.scopes.append(Scope(outer.bound | frozenset(axes), loop))
        yield
        self.scopes.pop()
        if here:
            outer.place = None

    def depth(self, deps: frozenset[Axis]) -> int:
        """The outermost scope in which all of these axes are known, and nothing runs in vain."""
        depth = last = len(self.scopes) - 1
        for d, scope in enumerate(self.scopes):
            if deps <= scope.bound:
                depth = d
                break
        if self.seldom is not None:
            own, surroundings = self.seldom
            if surroundings <= depth < own <= last:
                return own
        return depth

    @contextmanager
    def at_depth(self, depth: int) -> Iterator[None]:
        """Write into a scope, as if it were the innermost one."""
        if depth == len(self.scopes) - 1:
            yield
            return
        kept, place = self.scopes, self.scopes[depth].place
        assert place is not None
        self.scopes = kept[: depth + 1]
        with self.b.at(place):
            yield
        self.scopes = kept
