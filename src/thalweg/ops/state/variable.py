"""Variables: values that live in a session and outlast a run.

A variable is three kinds of nodes. The handle stands for the memory, reads give its value and
assigns replace it. Within one run reads come before writes, unless control dependencies say
otherwise; writes of one variable come in the order in which they were made, and an update starts
from what the writes before it have left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, ClassVar, NoReturn

from thalweg.base import shapes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import TensorShape, is_known, known, show
from thalweg.formula import Alias, Lowered, Operand
from thalweg.graph import (
    Gradient,
    Graph,
    IndexedSlices,
    Op,
    Operation,
    Spec,
    Tensor,
    default_graph,
    home,
    outermost,
)
from thalweg.graph.calls import explained
from thalweg.graph.effects import Effects, Origin, Timing
from thalweg.graph.keys import GraphKeys
from thalweg.graph.node import Hooks, Runner
from thalweg.graph.operators import Operators
from thalweg.ops.build import convert
from thalweg.ops.elementwise.arithmetic import Add, Sub
from thalweg.ops.state.scatter import ScatterAdd, ScatterSub, ScatterUpdate, update_rows


class VariableHandle(Op):
    """The memory of a variable.

    Attributes:
        name: what sessions know the variable by; unique in its graph.
    """

    type: ClassVar[str] = "VariableV2"
    origin: ClassVar[Origin | None] = Origin.RESOURCE
    dtype: DType
    shape: tuple[int, ...]
    name: str

    def infer(self) -> Spec:
        return Spec(self.shape, self.dtype)

    def evaluate(self, xp: Any) -> Any:
        raise AssertionError("the session provides the memory of variables")

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        return []


class ReadVariable(Op):
    """The value of a variable.

    Attributes:
        timing: which writes of the same run it comes after.
    """

    type: ClassVar[str] = "ReadVariable"
    passes_slices: ClassVar[bool] = True
    timing: Timing = Timing.BEFORE_WRITES

    @cached_property
    def effects(self) -> Effects:
        return Effects(reads=(0,), timing=self.timing)

    def infer(self, handle: Spec) -> Spec:
        return handle

    def evaluate(self, xp: Any, handle: Any) -> Any:
        return handle

    def lower(self, *inputs: Operand) -> Lowered:
        return Alias(0)

    def without_effects(self, *inputs: Tensor) -> Sequence[Tensor]:
        return inputs

    def grad(self, node: Operation, dy: Gradient) -> Sequence[Gradient | None]:
        return [dy]


class Assign(Op):
    """Replace the value of a variable; the output is the new value."""

    type: ClassVar[str] = "Assign"
    differentiable: ClassVar[bool] = False
    effects: ClassVar[Effects] = Effects(writes=(0,))

    def infer(self, handle: Spec, value: Spec) -> Spec:
        if handle.dtype != value.dtype:
            raise DTypeError(f"the variable is {handle.dtype}, the value {value.dtype}")
        if not shapes.compatible(handle.shape, value.shape):
            raise ShapeError(
                f"the variable has the shape {show(handle.shape)}, the value {show(value.shape)}"
            )
        return handle

    def evaluate(self, xp: Any, handle: Any, value: Any) -> Any:
        return value

    def lower(self, *inputs: Operand) -> Lowered:
        return Alias(1)

    def without_effects(self, *inputs: Tensor) -> Sequence[Tensor]:
        return inputs[1:]


class Variable(Operators):
    """A value that lives in a session and outlasts a run.

    It stands for its current value wherever a tensor is expected. A session gives it its initial
    value when it is first used, so running an initialiser is allowed but not needed.

    Args:
        initial_value: a tensor, anything that converts to one, or a function that returns it. Its
            shape must be fully known and is the variable's.
        trainable: whether optimisers change it by default.
        collections: the collections it joins; by default the global variables.
        validate_shape: accepted for TensorFlow 1; the shape must always be known.
        caching_device: accepted for TensorFlow 1 and ignored.
        name: "Variable" if not given.
        variable_def: accepted for TensorFlow 1; must be None.
        dtype: by default that of the initial value.
        expected_shape: accepted for TensorFlow 1; checked if given.
        import_scope: accepted for TensorFlow 1 and ignored.
        constraint: a function that optimisers apply to the new value after an update.
        use_resource: accepted for TensorFlow 1 and ignored: all variables are resources.

    Raises:
        ValueError: without an initial value.
        ShapeError: if its shape is not fully known.
        DTypeError: if it has not the asked dtype.
    """

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool = True,
        collections: Iterable[str] | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        expected_shape: Any = None,
        import_scope: str | None = None,
        constraint: Callable[[Any], Any] | None = None,
        use_resource: bool | None = None,
    ) -> None:
        if initial_value is None or variable_def is not None:
            raise ValueError("a variable needs an initial_value, and takes no variable_def")
        self.trainable = trainable
        self.constraint = constraint
        self._read: Tensor | None = None
        with outermost(_graph_of_value(initial_value)) as graph:
            self._build(graph, initial_value, dtype, name, expected_shape)
        self._join(graph, collections)

    def _build(self, graph: Graph, value: Any, dtype: Any, name: str | None, expected: Any) -> None:
        with graph.name_scope(name or "Variable") as scope:
            self.initial_value = self._initial(graph, value, dtype)
            self.handle = self._make_handle(graph, scope, expected)
            assigned = graph.add(Assign(), (self.handle, self.initial_value), "Assign")
            self.initializer: Operation = assigned
            self._read = graph.add(ReadVariable(), (self.handle,), "read").outputs[0]

    @staticmethod
    def _initial(graph: Graph, value: Any, dtype: Any) -> Tensor:
        kind = None if dtype is None else as_dtype(dtype)
        if callable(value):
            with graph.name_scope("Initializer"):
                value = value()
        made = convert(value, kind, "initial_value")
        return made.graph.lifted(made)

    def _make_handle(self, graph: Graph, scope: str, expected: Any) -> Tensor:
        shape = self.initial_value.static_shape
        if not is_known(shape):
            made = self.initial_value.op.source
            raise ShapeError(
                f"variable {scope[:-1]!r}: the shape of the initial value must be fully known, "
                f"also with validate_shape=False; it is {show(shape)}\n  it was made at {made}"
            )
        if expected is not None:
            shapes.merge(shape, shapes.as_shape(expected))
        record = VariableHandle(self.initial_value.dtype, known(shape), scope[:-1])
        return graph.add(record, (), scope).outputs[0]

    def initialize_with(self, value: Any) -> None:
        """Let it have another initial value, in sessions that have not given it one yet."""
        graph, scope = self.graph, f"{self.op.name}/"
        with graph.as_default(), graph.control_dependencies(None), graph.name_scope(scope):
            self.initial_value = convert(value, self.dtype, "initial_value")
            assigned = graph.add(Assign(), (self.handle, self.initial_value), "Assign")
        self.initializer = assigned

    def _join(self, graph: Graph, collections: Iterable[str] | None) -> None:
        names = [GraphKeys.GLOBAL_VARIABLES] if collections is None else list(collections)
        if self.trainable and GraphKeys.TRAINABLE_VARIABLES not in names:
            names.append(GraphKeys.TRAINABLE_VARIABLES)
        graph.add_to_collections([*names, GraphKeys.ALL_VARIABLES], self)

    @classmethod
    def of_operations(
        cls, initializer: Operation, initial_value: Tensor, read: Tensor, trainable: bool
    ) -> Variable:
        """The variable that operations of a graph already make up; it joins no collection."""
        made = cls.__new__(cls)
        made.handle, made.initial_value = initializer.inputs[0], initial_value
        made.initializer, made._read = initializer, read
        made.trainable, made.constraint = trainable, None
        return made

    # -- what it is

    @property
    def op(self) -> Operation:
        """The operation of the handle."""
        return self.handle.op

    @property
    def graph(self) -> Graph:
        """The graph it is part of."""
        return self.handle.graph

    @property
    def name(self) -> str:
        """The name of the handle's tensor: "W:0"."""
        return self.handle.name

    @property
    def dtype(self) -> DType:
        """The dtype of its value."""
        return self.handle.dtype

    @property
    def device(self) -> str:
        """The device string in force where it was made."""
        return self.handle.device

    @property
    def shape(self) -> TensorShape:
        """The shape of its value."""
        return self.handle.shape

    @property
    def static_shape(self) -> tuple[int, ...]:
        """The shape as a plain tuple."""
        return known(self.handle.static_shape)

    def get_shape(self) -> TensorShape:
        """The shape of its value."""
        return self.shape

    # -- its value

    def value(self) -> Tensor:
        """The current value, as a tensor."""
        return self._as_tensor()

    def read_value(self) -> Tensor:
        """A read of its own, placed after the control dependencies in force here."""
        return self._new_read(ReadVariable())

    def initialized_value(self) -> Tensor:
        """The value once initialised, for the initial values of other variables."""
        with home(self.graph).control_dependencies(None):
            return self._new_read(ReadVariable(Timing.AFTER_WRITES))

    def value_to_update(self) -> Tensor:
        """What an update starts from: the value that earlier updates of the same run have left."""
        return self._new_read(ReadVariable(Timing.IN_TURN))

    def _new_read(self, record: ReadVariable) -> Tensor:
        graph = home(self.graph)
        with graph.name_scope(None):
            return graph.add(record, (self.handle,), f"{self.op.name}/read").outputs[0]

    def _as_tensor(self) -> Tensor:
        graph = home(self.graph)
        if self._read is None or graph is not self.graph or graph.in_control_context:
            return self._new_read(ReadVariable())
        return self._read

    def _as_graph_element(self) -> Tensor:
        return self.handle

    def eval(self, session: Runner | None = None) -> Any:
        """The value in the session, or in the default one."""
        return self.handle.eval(session=session)

    @explained
    def load(self, value: Any, session: Any = None) -> None:
        """Set the value in the session, or in the default one.

        Raises:
            FeedError: if the value has not the variable's shape, or cannot have its dtype.
        """
        runner: Any = session or Hooks.default_session()
        if runner is None:
            raise ValueError(f"there is no default session to load {self.name!r} in")
        runner.load(self, value)

    # -- changing it

    @explained
    def assign(
        self,
        value: Any,
        use_locking: bool = False,
        name: str | None = None,
        read_value: bool = True,
    ) -> Tensor:
        """Replace the value when run; the tensor returned holds the new value.

        Raises:
            ShapeError, DTypeError: if the value does not fit the variable.
        """
        new = self._operand(value)
        return self._assign(new, name or "Assign")

    @explained
    def assign_add(
        self,
        delta: Any,
        use_locking: bool = False,
        name: str | None = None,
        read_value: bool = True,
    ) -> Tensor:
        """Add to the value when run; the tensor returned holds the new value."""
        return self._update(Add(), delta, name or "AssignAdd")

    @explained
    def assign_sub(
        self,
        delta: Any,
        use_locking: bool = False,
        name: str | None = None,
        read_value: bool = True,
    ) -> Tensor:
        """Subtract from the value when run; the tensor returned holds the new value."""
        return self._update(Sub(), delta, name or "AssignSub")

    @explained
    def scatter_add(
        self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None
    ) -> Tensor:
        """Add slices to rows in place; see `tf.scatter_add`."""
        return self._scatter(ScatterAdd(), sparse_delta, name or "ScatterAdd")

    @explained
    def scatter_sub(
        self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None
    ) -> Tensor:
        """Subtract slices from rows in place; see `tf.scatter_sub`."""
        return self._scatter(ScatterSub(), sparse_delta, name or "ScatterSub")

    @explained
    def scatter_update(
        self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None
    ) -> Tensor:
        """Replace rows by slices in place; see `tf.scatter_update`."""
        return self._scatter(ScatterUpdate(), sparse_delta, name or "ScatterUpdate")

    def _scatter(self, record: ScatterUpdate, slices: Any, name: str) -> Tensor:
        if not isinstance(slices, IndexedSlices):
            raise TypeError(f"sparse_delta is not IndexedSlices: {slices!r}")
        return update_rows(record, self, slices.indices, slices.values, name)

    def _operand(self, value: Any) -> Tensor:
        with home(self.graph).as_default():
            return convert(value, hint=self.dtype)

    def _assign(self, value: Tensor, name: str) -> Tensor:
        return home(self.graph).add(Assign(), (self.handle, value), name).outputs[0]

    def _update(self, record: Op, delta: Any, name: str) -> Tensor:
        change = self._operand(delta)
        graph = home(self.graph)
        with graph.as_default(), graph.name_scope(name) as scope:
            Assign().infer(self.handle.spec, change.spec)
            old = graph.add(ReadVariable(Timing.IN_TURN), (self.handle,), "read").outputs[0]
            with graph.colocate_with(self.handle, ignore_existing=True):
                new = graph.add(record, (old, change)).outputs[0]
            return self._assign(new, scope)

    def __iter__(self) -> NoReturn:
        raise TypeError(f"{self!r} cannot be iterated over; iterate over its read_value()")

    def __bool__(self) -> bool:
        return bool(self._as_tensor())

    def _repr_html_(self) -> str | None:
        return Hooks.html(self)

    def __repr__(self) -> str:
        return f"<tf.Variable '{self.name}' shape={self.shape} dtype={self.dtype}>"


def _graph_of_value(value: Any) -> Graph:
    return home(value.graph) if isinstance(value, Tensor | Variable) else default_graph()


def assign(
    ref: Variable,
    value: Any,
    validate_shape: bool = True,
    use_locking: bool = False,
    name: str | None = None,
) -> Tensor:
    """Replace a variable's value; see `Variable.assign`.

    A variable keeps the shape that it was made with. With `validate_shape=False` TensorFlow lets it
    take another one; here that is an error, too, which says so.

    Raises:
        ShapeError: if the value has another shape; where only the run can tell, by the run.
    """
    if not validate_shape:
        _check_keeps_shape(ref, value)
    return ref.assign(value, name=name)


def _check_keeps_shape(ref: Variable, value: Any) -> None:
    new = ref._operand(value).static_shape
    if not shapes.compatible(ref.handle.static_shape, new):
        raise ShapeError(
            f"the variable {ref.name!r} has the shape {show(ref.handle.static_shape)}, the value "
            f"{show(new)}: validate_shape=False cannot change the shape of a variable here; make "
            "it as large as it may become, and use the first rows of it"
        )


def assign_add(
    ref: Variable, value: Any, use_locking: bool = False, name: str | None = None
) -> Tensor:
    """Add to a variable's value; see `Variable.assign_add`."""
    return ref.assign_add(value, name=name)


def assign_sub(
    ref: Variable, value: Any, use_locking: bool = False, name: str | None = None
) -> Tensor:
    """Subtract from a variable's value; see `Variable.assign_sub`."""
    return ref.assign_sub(value, name=name)


__all__ = [
    "Assign",
    "ReadVariable",
    "Variable",
    "VariableHandle",
    "assign",
    "assign_add",
    "assign_sub",
]
