"""Where the time goes: what each block of a graph costs, and how long it took."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from thalweg.backends.trace import RunTrace
from thalweg.base.errors import InvalidArgumentError
from thalweg.base.record import Record
from thalweg.graph import Graph, Operation, Origin
from thalweg.inspect import profile_text
from thalweg.inspect.attribution import Attributions, Role
from thalweg.inspect.chrome_trace import chrome_trace
from thalweg.inspect.explain import graph_of
from thalweg.inspect.static_costs import static_costs
from thalweg.passes.costs import OpCost
from thalweg.passes.signature import with_inner
from thalweg.session.feeds import feed_array, feedable
from thalweg.session.fetches import Structures
from thalweg.session.run_metadata import RunMetadata, RunOptions
from thalweg.session.session import Session, get_default_session

if TYPE_CHECKING:
    from thalweg.backends.native.peak import Peak

__all__ = ["Block", "OpProfile", "Profile", "profile"]


class OpProfile(Record):
    """What an operation costs, and how long it took in a run, as far as that was measured.

    Attributes:
        name: the operation's.
        type: its record's; "" for what the compiler has put in an operation's place.
        belongs_to: the forward operation, or the variable, that it is there for; itself if it is
            forward.
        role: whether it is forward, backward, or part of an update.
        source: the user's line that made it, such as "train.py:12: y = tf.matmul(x, W)".
        parameters: of a trainable variable, how many numbers it has.
        multiplications: in floating point, as the operation's formula has them.
        flops: floating-point operations, these included.
        bytes: that it reads and writes, each element counted once.
        output_bytes: memory of its outputs.
        is_counted: whether its arithmetic is known; if not, it counts as nothing.
        seconds: that it took of a run.
        least_seconds: that the machine's limits would allow for what its kernels do.
    """

    name: str
    type: str
    belongs_to: str
    role: Role
    source: str = ""
    parameters: int = 0
    multiplications: int = 0
    flops: int = 0
    bytes: int = 0
    output_bytes: int = 0
    is_counted: bool = True
    seconds: float = 0.0
    least_seconds: float = 0.0


class Block(Record):
    """A name scope, with everything in it.

    Attributes:
        name: in full; "" for the whole.
        ops: all operations that belong to it or to blocks in it.
        blocks: in it, in the order in which the graph was built.
    """

    name: str
    ops: tuple[OpProfile, ...]
    blocks: tuple[Block, ...]

    @property
    def parameters(self) -> int:
        """How many numbers its trainable variables have."""
        return self._total("parameters")

    @property
    def multiplications(self) -> int:
        """In floating point, in a run, by the operations' formulas."""
        return self._total("multiplications")

    @property
    def flops(self) -> int:
        """Floating-point operations of a run, by the operations' formulas."""
        return self._total("flops")

    @property
    def bytes(self) -> int:
        """That its operations read and write in a run, each by itself."""
        return self._total("bytes")

    @property
    def output_bytes(self) -> int:
        """Memory of all outputs of its operations, if all were kept."""
        return self._total("output_bytes")

    @property
    def seconds(self) -> float:
        """That it took of a run."""
        return sum(op.seconds for op in self.ops)

    @property
    def least_seconds(self) -> float:
        """That the machine's limits would allow for what its kernels do."""
        return sum(op.least_seconds for op in self.ops)

    @property
    def of_peak(self) -> float:
        """Its share of what the machine can do, from 0 to 1: the least time through its time."""
        return self.least_seconds / self.seconds if self.seconds else 0.0

    def of(self, role: Role) -> Block:
        """The part of it that is there for something."""
        return Block(self.name, tuple(op for op in self.ops if op.role is role), ())

    def block(self, name: str) -> Block:
        """A block in it, by its full name.

        Raises:
            KeyError: if there is none.
        """
        for inner in self.blocks:
            if inner.name == name:
                return inner
            if name.startswith(f"{inner.name}/"):
                return inner.block(name)
        raise KeyError(name)

    def _total(self, what: str) -> int:
        return sum(getattr(op, what) for op in self.ops)


class Profile(Record, eq=False):
    """What each block of a graph costs, and how long it took. Print it.

    Attributes:
        fetches: names of what was fetched.
        ops: the operations, in the order of the graph.
        traces: of the runs that were measured; none if nothing was run.
        peak: what the machine can do; None if nothing was run.
    """

    fetches: str
    ops: tuple[OpProfile, ...]
    traces: tuple[RunTrace, ...] = ()
    peak: Peak | None = None

    @cached_property
    def total(self) -> Block:
        """All blocks."""
        return Block("", self.ops, _blocks("", self.ops))

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The outermost blocks."""
        return self.total.blocks

    def block(self, name: str) -> Block:
        """A block, by its full name.

        Raises:
            KeyError: if there is none.
        """
        return self.total.block(name)

    def op(self, name: str) -> OpProfile:
        """An operation, by its name.

        Raises:
            KeyError: if there is none.
        """
        for one in self.ops:
            if one.name == name:
                return one
        raise KeyError(name)

    @property
    def parameters(self) -> int:
        """How many numbers the trainable variables have."""
        return self.total.parameters

    @property
    def multiplications(self) -> int:
        """In floating point, in a run, by the operations' formulas."""
        return self.total.multiplications

    @property
    def flops(self) -> int:
        """Floating-point operations of a run, by the operations' formulas."""
        return self.total.flops

    @property
    def seconds(self) -> float:
        """Of a run: the mean of those in `traces`."""
        return sum(trace.seconds for trace in self.traces) / max(len(self.traces), 1)

    @property
    def seconds_outside(self) -> float:
        """Of a run, when no kernel and no operation ran: threads that wait, and Python."""
        return self.seconds - self.total.seconds

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from thalweg.inspect.profile_html import html  # only in a notebook

        return html(self)

    def text(self, depth: int = 1, width: int = profile_text.WIDTH) -> str:
        """Tables of blocks as text.

        Args:
            depth: how many blocks deep.
            width: of a line, at most.
        """
        return profile_text.tables(self, depth, width)

    def table(self, depth: int = 2) -> Any:
        """A table of blocks in colour, for `rich.print`.

        Raises:
            ImportError: without `pip install thalweg[profile]`.
        """
        from thalweg.inspect.profile_table import table

        return table(self, depth)

    def to_json(self) -> str:
        """All of it as JSON: an object with the operations, and the seconds of a run."""
        ops = [{name: getattr(op, name) for name in op.fields} for op in self.ops]
        for op in ops:
            op["role"] = op["role"].value
        whole = {
            "fetches": self.fetches,
            "runs": len(self.traces),
            "seconds": self.seconds,
            "seconds_outside": self.seconds_outside,
            "ops": ops,
        }
        return json.dumps(whole)

    def to_chrome_trace(self, path: str) -> None:
        """Write the calls of kernels to a file for chrome://tracing or https://ui.perfetto.dev.

        Raises:
            InvalidArgumentError: if nothing was run.
        """
        self._check_measured()
        with open(path, "w", encoding="utf-8") as file:
            json.dump(chrome_trace(self.traces), file)

    def to_run_metadata(self) -> RunMetadata:
        """TensorFlow's form of it, of the run that was nearest to the mean.

        Raises:
            InvalidArgumentError: if nothing was run.
        """
        self._check_measured()
        return RunMetadata(min(self.traces, key=lambda one: abs(one.seconds - self.seconds)))

    def _check_measured(self) -> None:
        if not self.traces:
            raise InvalidArgumentError("profile: nothing was run: give a session, and its feeds")


def profile(
    fetches: Any,
    feed_dict: Mapping[Any, Any] | None = None,
    session: Session | None = None,
    feed_shapes: Mapping[Any, Sequence[int]] | None = None,
    steps: int = 10,
) -> Profile:
    """What each block of a graph costs, and how long it takes.

    With a session it runs the fetches `steps` + 1 times, of which the first counts for nothing, and
    keeps the faster half, since the others were disturbed by something. A training operation trains
    as often. With `feed_shapes` nothing is run: what an operation costs follows from shapes.

    A kernel computes several operations at once. Its time is shared out by the floating-point
    operations that each would take by itself, or by the bytes moved where there are none. The time
    of a gradient and of an update belongs to the block of the forward operation or the variable.

    Args:
        fetches: as for `Session.run`; or a graph, for all that is in it, which is not run.
        feed_dict: as for `Session.run`.
        session: runs the fetches; by default the default session. Without any, nothing is run.
        feed_shapes: in place of arrays, just their shapes.
        steps: how many runs to measure; 0 runs nothing.

    Raises:
        FetchError, FeedError, InvalidArgumentError, SessionClosedError: as `Session.run` does.
    """
    graph = fetches if isinstance(fetches, Graph) else graph_of(fetches)
    own = session or get_default_session()
    if isinstance(fetches, Graph) or own is None or feed_shapes is not None or steps < 1:
        return _of_graph(graph, fetches, feed_dict or {}, feed_shapes or {})
    traces = _traces(own, fetches, feed_dict, steps)
    return profile_of_traces(own.graph, _names(own.graph, fetches), traces)


def profile_of_traces(graph: Graph, fetches: str, traces: Sequence[RunTrace]) -> Profile:
    """The profile of runs of one graph that were traced.

    Args:
        graph: the graph.
        fetches: names of what was fetched.
        traces: of the runs, at least one.
    """
    from thalweg.backends.native.peak import machine_peak

    peak = machine_peak(max(trace.threads for trace in traces))
    seconds, least = dict[str, float](), dict[str, float]()
    for trace in traces:
        for unit, parts in trace.parts():
            limit = peak.seconds(unit.flops, unit.bytes)
            for name, part in parts.items():
                seconds[name] = seconds.get(name, 0.0) + part * unit.seconds / len(traces)
                least[name] = least.get(name, 0.0) + part * limit / len(traces)
    ops = _profiles(graph, traces[-1].costs, seconds, least)
    return Profile(fetches, tuple(ops), tuple(traces), peak)


def _traces(
    session: Session, fetches: Any, feed_dict: Mapping[Any, Any] | None, steps: int
) -> list[RunTrace]:
    """The faster half of some runs, in the order in which they were made."""
    options, traces = RunOptions(trace_level=RunOptions.FULL_TRACE), []
    for _ in range(steps + 1):
        metadata = RunMetadata()
        session.run(fetches, feed_dict, options, metadata)
        assert metadata.trace is not None
        traces.append(metadata.trace)
    fastest = sorted(traces[1:], key=lambda trace: trace.seconds)[: (steps + 1) // 2]
    return sorted(fastest, key=lambda trace: trace.start)


def _of_graph(
    graph: Graph,
    fetches: Any,
    feed_dict: Mapping[Any, Any],
    feed_shapes: Mapping[Any, Sequence[int]],
) -> Profile:
    """The profile without times."""
    keys = {feedable(graph, key): value for key, value in feed_dict.items()}
    values = {tensor: feed_array(tensor, value) for tensor, value in keys.items()}
    shapes: dict[Any, Sequence[int]] = {t: array.shape for t, array in values.items()}
    shapes |= {feedable(graph, key): shape for key, shape in feed_shapes.items()}
    if isinstance(fetches, Graph):
        found = static_costs((), graph.get_operations(), shapes, values)
        return Profile("the graph", tuple(_profiles(graph, found, {}, {})))
    wanted = Structures(graph).of(fetches)
    found = static_costs(wanted.tensors, wanted.targets, shapes, values)
    return Profile(_names(graph, fetches), tuple(_profiles(graph, found, {}, {})))


def _names(graph: Graph, fetches: Any) -> str:
    wanted = Structures(graph).of(fetches)
    return ", ".join([t.name for t in wanted.tensors] + [op.name for op in wanted.targets])


def _profiles(
    graph: Graph,
    costs: Mapping[str, OpCost],
    seconds: Mapping[str, float],
    least: Mapping[str, float],
) -> Iterator[OpProfile]:
    """The operations that cost something or took time."""
    known = {op.name: op for op in with_inner(graph.get_operations())}
    attributions = Attributions(frozenset(known))
    trainable = {v.op.name for v in graph.get_collection("trainable_variables")}
    for name in dict.fromkeys([*costs, *seconds]):
        cost, place = costs.get(name), attributions.of(name)
        op = known.get(name)
        line = (op or known[place.name]).source if op or place.name in known else ""
        yield OpProfile(
            name=name,
            type=cost.type if cost else "",
            belongs_to=place.name,
            role=place.role,
            source=str(line),
            parameters=_elements(op) if op and name in trainable else 0,
            multiplications=cost.multiplications if cost else 0,
            flops=cost.flops if cost else 0,
            bytes=cost.bytes if cost else 0,
            output_bytes=cost.output_bytes if cost and not _is_handle(op) else 0,
            is_counted=cost is None or cost.is_counted,
            seconds=seconds.get(name, 0.0),
            least_seconds=least.get(name, 0.0),
        )


def _is_handle(op: Operation | None) -> bool:
    return op is not None and op.record.origin is Origin.RESOURCE


def _elements(op: Operation) -> int:
    """How many numbers a variable has."""
    count = 1
    for extent in op.outputs[0].static_shape or ():
        count *= extent or 0
    return count


def _blocks(scope: str, ops: Sequence[OpProfile]) -> tuple[Block, ...]:
    """The blocks directly in a scope.

    What an operation is made of is no block, except for the outermost, such as `dropout`.

    Args:
        scope: its name.
        ops: that belong to it.
    """
    start = f"{scope}/" if scope else ""
    paths = {op: op.belongs_to.removeprefix(start).partition("/") for op in ops}
    scopes = {part for part, deeper, _ in paths.values() if deeper}
    if scope:
        scopes -= {part for part, deeper, _ in paths.values() if not deeper}
    inside: dict[str, list[OpProfile]] = {}
    for op, (part, _, _) in paths.items():
        if part in scopes:
            inside.setdefault(start + part, []).append(op)
    return tuple(Block(name, tuple(own), _blocks(name, own)) for name, own in inside.items())
