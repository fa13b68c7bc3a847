"""Operations and tensors, the nodes and edges of a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from thalweg.base import shapes
from thalweg.base.dtypes import DType
from thalweg.base.errors import GraphError, ShapeError
from thalweg.base.shapes import Shape, TensorShape
from thalweg.base.source import Source, caller
from thalweg.graph.op import Op, Spec
from thalweg.graph.operators import Operators

if TYPE_CHECKING:
    from thalweg.graph.graph import Graph


class Runner(Protocol):
    """What can run parts of a graph: a session."""

    def run(self, fetches: Any, feed_dict: Any = None) -> Any:
        """The values of the fetches."""
        ...


class Hooks:
    """What later stages put behind the methods of graphs, tensors and operations.

    The graph cannot import the session, what saves graphs and what shows them; they fill in their
    parts.
    """

    default_session: Callable[[], Runner | None] = staticmethod(lambda: None)
    graph_def: Callable[..., Any]
    node_def: Callable[[Any], Any]
    html: Callable[[object], str | None] = staticmethod(lambda item: None)


def _run(what: Any, feed_dict: Any, session: Runner | None) -> Any:
    runner = session or Hooks.default_session()
    if runner is None:
        raise GraphError(
            f"there is no default session to run {what.name!r} in: "
            "use `with tf.Session():` or pass `session=`"
        )
    return runner.run(what, feed_dict)


class Operation:
    """A node: an op's record with the tensors it reads and the ones it makes.

    Attributes:
        name: unique in its graph.
        record: the op's record, with its attributes.
        inputs: the tensors read, in order.
        control_inputs: operations that must run before this one.
        outputs: the tensors made, in order.
        device: the device string in force where it was made.
        source: the user's line that made it.
    """

    __slots__ = (
        "control_inputs",
        "device",
        "graph",
        "index",
        "inputs",
        "name",
        "outputs",
        "record",
        "source",
    )

    def __init__(
        self,
        graph: Graph,
        name: str,
        record: Op,
        inputs: Sequence[Tensor],
        control_inputs: Sequence[Operation],
        specs: Sequence[Spec],
        source: Source,
        device: str = "",
    ) -> None:
        self.graph = graph
        self.name = name
        self.record = record
        self.inputs = tuple(inputs)
        self.control_inputs = tuple(control_inputs)
        self.source = source
        self.device = device
        self.index = -1
        self.outputs = tuple([Tensor(self, n, spec) for n, spec in enumerate(specs)])

    @property
    def type(self) -> str:
        """The op's type, such as "MatMul"."""
        return self.record.type

    def run(self, feed_dict: Any = None, session: Runner | None = None) -> None:
        """Run this operation in the session, or in the default one."""
        _run(self, feed_dict, session)

    def values(self) -> tuple[Tensor, ...]:
        """The tensors it makes."""
        return self.outputs

    def get_attr(self, name: str) -> Any:
        """An attribute of the record.

        Raises:
            ValueError: if there is none of that name.
        """
        if not hasattr(self.record, name):
            raise GraphError(f"operation {self.name!r} ({self.type}) has no attribute {name!r}")
        return getattr(self.record, name)

    @property
    def node_def(self) -> Any:
        """The operation as data: a `tf.NodeDef`."""
        return Hooks.node_def(self)

    def _repr_html_(self) -> str | None:
        return Hooks.html(self)

    def __repr__(self) -> str:
        made = ", ".join(str(Spec(t.spec.shape, t.dtype)) for t in self.outputs)
        return f"<tf.Operation '{self.name}' type={self.type}{' makes ' + made if made else ''}>"


class Tensor(Operators):
    """An output of an operation: a value that a run computes.

    Operators build operations: `+ - * / // % ** @`, comparisons `< <= > >=`, `[]` for slices. `==`
    is identity, as in TensorFlow 1; use `tf.equal`.
    """

    __slots__ = ("op", "spec", "value_index")

    def __init__(self, op: Operation, index: int, spec: Spec) -> None:
        self.op = op
        self.value_index = index
        self.spec = spec

    @property
    def graph(self) -> Graph:
        """The graph it belongs to."""
        return self.op.graph

    @property
    def name(self) -> str:
        """The operation's name and the output's number: "MatMul:0"."""
        return f"{self.op.name}:{self.value_index}"

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self.spec.dtype

    @property
    def device(self) -> str:
        """The device string of its operation."""
        return self.op.device

    @property
    def shape(self) -> TensorShape:
        """The static shape, as far as it is known."""
        return TensorShape(self.spec.shape)

    @property
    def static_shape(self) -> Shape:
        """The static shape as a plain tuple (None: unknown)."""
        return self.spec.shape

    def get_shape(self) -> TensorShape:
        """The static shape, as far as it is known."""
        return self.shape

    def set_shape(self, shape: Any) -> None:
        """Say more about the static shape than the ops could infer.

        Raises:
            ShapeError: if it contradicts what is known.
        """
        try:
            merged = shapes.merge(self.spec.shape, shapes.as_shape(shape))
        except ShapeError as error:
            made = f"{self.name!r} was made at {self.op.source}"
            raise ShapeError(f"set_shape: {error}\n  at {caller()}\n  {made}") from None
        self.spec = Spec(merged, self.spec.dtype)

    def _as_tensor(self) -> Tensor:
        return self

    def consumers(self) -> list[Operation]:
        """The operations that read this tensor."""
        return [op for op in self.graph.operations if self in op.inputs]

    def eval(self, feed_dict: Any = None, session: Runner | None = None) -> Any:
        """The value, computed by the session or by the default one."""
        return _run(self, feed_dict, session)

    def _repr_html_(self) -> str | None:
        return Hooks.html(self)

    def __repr__(self) -> str:
        return f"<tf.Tensor '{self.name}' shape={self.shape} dtype={self.dtype}>"

    def __bool__(self) -> NoReturn:
        raise TruthValueError(self)

    def __iter__(self) -> Iterator[Tensor]:
        if self.spec.shape is None or not self.spec.shape or self.spec.shape[0] is None:
            raise TypeError(f"{self!r} cannot be iterated over: its first extent is not known")
        return (self[n] for n in range(self.spec.shape[0]))

    def __len__(self) -> NoReturn:
        raise TypeError(f"{self!r} has no len(); use its .shape or tf.shape")


class TruthValueError(TypeError):
    """A tensor stands where Python needs True or False now."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__(
            f"{tensor!r} has no truth value while the graph is being built: "
            "use tf.cond or tf.where, or evaluate it in a session first"
        )
