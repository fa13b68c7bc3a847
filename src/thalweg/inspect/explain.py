"""What a run does: the kernels that its operations became, and what they cost."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from thalweg.base.errors import GraphError
from thalweg.base.record import Record
from thalweg.graph import Graph, default_graph
from thalweg.graph.node import Hooks
from thalweg.inspect.compilation import compilation
from thalweg.inspect.text import aligned, amount, cut
from thalweg.session.feeds import feedable
from thalweg.session.session import Session, get_default_session
from thalweg.session.staged import StagedProgram

if TYPE_CHECKING:
    from thalweg.backends.native.summary import KernelSummary

__all__ = ["Explanation", "StageExplanation", "explain"]

WIDTH = 100
MOST_NAMED = 3  # operations of one scope that are named one by one
# Operations that a list of what a kernel computes need not mention, unless there are no others.
_MINOR = frozenset(
    {"Broadcast", "Cast", "Const", "Identity", "ReadVariable", "Reshape", "RunCounter"}
)
_GRADIENT = re.compile(r"gradients(?:_\d+)?/(.+?)(?:/BroadcastLike(?:_\d+)?)?_grad/")


class StageExplanation(Record):
    """What a stage of a run does: a segment, or operations that Python runs.

    Attributes:
        lines: what it is and why, what it takes and makes.
        kernels: of a segment, if it has run: before that, its sizes may not be known.
    """

    lines: tuple[str, ...]
    kernels: tuple[KernelSummary, ...]


class Explanation(Record):
    """What a run does. Print it.

    Attributes:
        fetches: names of what is fetched.
        kernels: in the order in which they run; each has `ops`, `flops`, `bytes`, `loops`, `tile`,
            `tasks` and `formulas`. Empty with the reference backend.
        arena_bytes: memory for values that only live during the run.
        why_recompiled: a line for each plan of the session so far, with the reason for making it.
        listing: the operations one by one, if the backend has no kernels.
        formulas: whether `str` shows each kernel's formulas.
        stages: of a run that is more than one program; its kernels are those of all stages.
        compilation: what each stage of the compiler made of the run, if that was asked for.
    """

    fetches: str
    kernels: tuple[KernelSummary, ...]
    arena_bytes: int
    why_recompiled: tuple[str, ...]
    listing: str = ""
    formulas: bool = False
    stages: tuple[StageExplanation, ...] = ()
    compilation: str = ""

    @property
    def flops(self) -> int:
        """Floating-point operations of a run."""
        return sum(kernel.flops for kernel in self.kernels)

    @property
    def bytes(self) -> int:
        """Bytes that the kernels read and write, each element counted once a kernel."""
        return sum(kernel.bytes for kernel in self.kernels)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str | None:
        return Hooks.html(self)

    def text(self, width: int = WIDTH) -> str:
        """The explanation as text, in lines of at most `width` characters."""
        body = self._body(width)
        plans = [f"  {line}" for line in self.why_recompiled]
        lines = [f"{self.fetches or 'nothing'}: {self._totals()}", *body, "", "plans made:", *plans]
        shown = "\n".join(cut(line, width) for line in lines)
        return f"{shown}\n\n{self.compilation}" if self.compilation else shown

    def _body(self, width: int) -> list[str]:
        if not self.stages:
            table = _table(self.kernels, self.formulas, width) if self.kernels else []
            return table or self.listing.splitlines()
        lines = []
        for stage in self.stages:
            table = _table(stage.kernels, self.formulas, width) if stage.kernels else []
            lines += ["", *stage.lines, *table]
        return lines

    def _totals(self) -> str:
        totals = self._kernel_totals()
        return f"{len(self.stages)} stages, {totals}" if self.stages else totals

    def _kernel_totals(self) -> str:
        if not self.kernels and self.stages:
            return "not yet run"
        if not self.kernels:
            return "no kernels" if self.listing else "nothing to compute"
        count = len(self.kernels)
        return (
            f"{count} kernel{'' if count == 1 else 's'}, {amount(self.flops)}FLOP, "
            f"{amount(self.bytes)}B moved, {amount(self.arena_bytes)}B of temporaries"
        )


@runtime_checkable
class _Native(Protocol):
    """A program that consists of kernels."""

    arena_bytes: int

    def summary(self) -> tuple[KernelSummary, ...]: ...


def explain(
    fetches: Any,
    feed_dict: Mapping[Any, Any] | None = None,
    session: Session | None = None,
    feed_shapes: Mapping[Any, Sequence[int]] | None = None,
    formulas: bool = False,
    stages: bool = False,
) -> Explanation:
    """What a run of these fetches with these feeds does. It is compiled for it, but not run.

    Args:
        fetches: as for `Session.run`.
        feed_dict: as for `Session.run`.
        session: whose plans to look at; the default one or else a new one if not given.
        feed_shapes: for tensors that are not in `feed_dict`, just the shapes.
        formulas: whether to show each kernel's formulas when printed.
        stages: whether to show what each stage of the compiler made of the run: the graph, the
            plan, and of each kernel the loops, the schedule, the LLVM IR and the machine code.

    Raises:
        FetchError, FeedError, SessionClosedError: as `Session.run` does.
    """
    own = session or get_default_session()
    if own is None:
        with Session(graph=graph_of(fetches)) as temporary:
            return explain(fetches, feed_dict, temporary, feed_shapes, formulas, stages)
    feeds = dict(feed_dict or {})
    for key, shape in (feed_shapes or {}).items():
        dtype = feedable(own.graph, key).dtype.numpy
        feeds[key] = np.zeros(tuple(shape), dtype)
    names, program = own.program(fetches, feeds)
    reasons = tuple(own.why_recompiled)
    if program is None:
        return Explanation(names, (), 0, reasons)
    if isinstance(program, StagedProgram):
        return _of_stages(names, program, reasons, formulas)
    if not isinstance(program, _Native):
        return Explanation(names, (), 0, reasons, program.describe())
    kernels, arena = program.summary(), program.arena_bytes
    text = compilation(own, fetches, feeds, len(kernels)) if stages else ""
    return Explanation(names, kernels, arena, reasons, formulas=formulas, compilation=text)


def _of_stages(
    names: str, program: StagedProgram, reasons: tuple[str, ...], formulas: bool
) -> Explanation:
    """The explanation of a run of several stages, of which those are known that have run."""
    stages, arena = [], 0
    for lines, segment in program.parts():
        native = _native(segment)
        stages.append(StageExplanation(tuple(lines), native.summary() if native else ()))
        arena = max(arena, native.arena_bytes if native else 0)
    every = tuple([kernel for stage in stages for kernel in stage.kernels])
    listing = "" if every else program.describe()
    return Explanation(names, every, arena, reasons, listing, formulas, tuple(stages))


def _native(program: object) -> _Native | None:
    return program if isinstance(program, _Native) else None


def graph_of(fetches: Any) -> Graph:
    """The graph of the first fetch that has one."""
    for fetch in _leaves(fetches):
        graph = getattr(fetch, "graph", None)
        if isinstance(graph, Graph):
            return graph
        if isinstance(fetch, Graph):
            raise GraphError("explain takes fetches, not a graph: print the graph itself")
    return default_graph()


def _leaves(fetches: Any) -> Iterator[Any]:
    if isinstance(fetches, Mapping):
        fetches = list(fetches.values())
    if isinstance(fetches, list | tuple):
        for fetch in fetches:
            yield from _leaves(fetch)
    else:
        yield fetches


# -- text


def _table(kernels: Sequence[KernelSummary], formulas: bool, width: int) -> list[str]:
    head = ("#", "loops", "tile", "tasks", "FLOP", "bytes")
    starts = aligned([head, *(_row(n, kernel) for n, kernel in enumerate(kernels))], left={1, 2})
    lines = []
    for start, kernel in zip(starts, (None, *kernels), strict=True):
        room = width - len(start) - 2
        what = "operations" if kernel is None else operations(kernel, room)
        lines.append(f"{start}  {what}".rstrip())
        if kernel is not None and formulas:
            lines += ["      " + line for line in kernel.formulas]
    return ["", *lines]


def _row(number: int, kernel: KernelSummary) -> tuple[str, ...]:
    loops = " ".join(f"{name}<{extent}" for name, extent in kernel.loops) or "once"
    flops, size = amount(kernel.flops).strip(), amount(kernel.bytes).strip()
    return (str(number), loops, kernel.tile, f"{kernel.tasks:,}", flops, size)


def operations(kernel: KernelSummary, room: int) -> str:
    """What the kernel computes: names without the minor ones, gathered by scope.

    conv1/Conv2D, conv1/add, conv1/Relu               ->  conv1/{Conv2D, add, Relu}
    gradients/fc/MatMul_grad/MatMul, Adam/update_W/*  ->  grad fc/MatMul + Adam/update_W (9 ops)
    """
    pairs = list(zip(kernel.ops, kernel.types, strict=True))
    names = [name for name, kind in pairs if kind not in _MINOR] or list(kernel.ops)
    names = list(dict.fromkeys(map(_forward, names)))
    parts: list[str] = []
    for scope, group in itertools.groupby(names, key=_scope):
        parts += _gathered(scope, [name.removeprefix(f"{scope}/") for name in group])
    return cut(" + ".join(parts), room)


def _forward(name: str) -> str:
    """For an operation of a gradient, that whose gradient it is part of."""
    match = _GRADIENT.match(name)
    return f"grad {match[1]}" if match else name


def _scope(name: str) -> str:
    return name.rpartition("/")[0]


def _gathered(scope: str, inner: Sequence[str]) -> Iterable[str]:
    if not scope:
        return inner
    if len(inner) == 1:
        return [f"{scope}/{inner[0]}"]
    if len(inner) <= MOST_NAMED:
        return [f"{scope}/{{{', '.join(inner)}}}"]
    return [f"{scope} ({len(inner)} ops)"]
