"""Variable scopes: a prefix of variables' names, and defaults for `get_variable`.

A graph keeps the variables that `get_variable` has made under their full names, so that a scope
with `reuse` finds them again: that is how layers share weights.
"""

from __future__ import annotations

import copy
import enum
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeAlias

from thalweg.base import dtypes
from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import DTypeError, GraphError, UnimplementedError
from thalweg.graph import Graph, default_graph, graph_of
from thalweg.graph.keys import GraphKeys
from thalweg.ops.state.variable import Variable


class ReuseMode(enum.Enum):
    """Whether `get_variable` makes a variable or finds it, where neither is an error."""

    AUTO_REUSE = 1


AUTO_REUSE = ReuseMode.AUTO_REUSE
Reuse: TypeAlias = bool | ReuseMode | None
Getter: TypeAlias = Callable[..., Any]


class VariableScope:
    """A prefix of variables' names, and defaults for `get_variable`.

    Args:
        reuse: whether `get_variable` finds variables (True), makes them (False or None), or makes
            those that it does not find (`tf.AUTO_REUSE`).
        name: the prefix, without a slash at its end.
        initializer: of variables for which none is given.
        regularizer: likewise.
        caching_device: accepted for TensorFlow 1 and ignored.
        partitioner: must be None.
        custom_getter: see `variable_scope`.
        name_scope: the name scope that was opened with it, with a slash at its end.
        dtype: of variables for which none is given.
        use_resource: accepted for TensorFlow 1 and ignored: all variables are resources.
        constraint: as `initializer`.

    Attributes:
        initializer, regularizer, caching_device, partitioner, custom_getter, dtype, use_resource,
            constraint: the arguments.
    """

    def __init__(
        self,
        reuse: Reuse,
        name: str = "",
        initializer: Any = None,
        regularizer: Getter | None = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Getter | None = None,
        name_scope: str = "",
        dtype: Any = dtypes.float32,
        use_resource: bool | None = None,
        constraint: Getter | None = None,
    ) -> None:
        refuse_partitioner(partitioner)
        self._name, self._reuse, self._name_scope = name, reuse, name_scope
        self.initializer, self.regularizer, self.constraint = initializer, regularizer, constraint
        self.custom_getter, self.dtype = custom_getter, as_dtype(dtype)
        self.caching_device, self.partitioner, self.use_resource = (
            caching_device,
            None,
            use_resource,
        )

    @property
    def name(self) -> str:
        """The prefix of variables' names, without a slash at its end."""
        return self._name

    @property
    def original_name_scope(self) -> str:
        """The name scope that was opened with it, with a slash at its end."""
        return self._name_scope

    @property
    def reuse(self) -> Reuse:
        """Whether `get_variable` finds variables, makes them, or both (`tf.AUTO_REUSE`)."""
        return self._reuse

    def reuse_variables(self) -> None:
        """From now on, let `get_variable` find variables, and make none."""
        self._reuse = True

    def set_initializer(self, initializer: Any) -> None:
        """Set the initialiser of variables for which none is given."""
        self.initializer = initializer

    def set_regularizer(self, regularizer: Getter | None) -> None:
        """Set the regulariser of variables for which none is given."""
        self.regularizer = regularizer

    def set_dtype(self, dtype: Any) -> None:
        """Set the element type of variables for which none is given."""
        self.dtype = as_dtype(dtype)

    def set_custom_getter(self, custom_getter: Getter | None) -> None:
        """Set what `get_variable` calls in place of the store of variables."""
        self.custom_getter = custom_getter

    def set_caching_device(self, caching_device: Any) -> None:
        """Accepted for TensorFlow 1; of no effect."""
        self.caching_device = caching_device

    def set_use_resource(self, use_resource: bool | None) -> None:
        """Accepted for TensorFlow 1; of no effect."""
        self.use_resource = use_resource

    def set_partitioner(self, partitioner: Any) -> None:
        """Accepted for TensorFlow 1; must be None."""
        refuse_partitioner(partitioner)

    def get_collection(self, name: str) -> list[Any]:
        """What of a collection was made in this scope."""
        return default_graph().get_collection(name, f"{self.name}/" if self.name else None)

    def global_variables(self) -> list[Variable]:
        """The global variables of this scope."""
        return self.get_collection(GraphKeys.GLOBAL_VARIABLES)

    def local_variables(self) -> list[Variable]:
        """The local variables of this scope."""
        return self.get_collection(GraphKeys.LOCAL_VARIABLES)

    def trainable_variables(self) -> list[Variable]:
        """The trainable variables of this scope."""
        return self.get_collection(GraphKeys.TRAINABLE_VARIABLES)

    def __repr__(self) -> str:
        return f"<tf.VariableScope {self.name!r} reuse={self.reuse}>"


def refuse_partitioner(partitioner: Any) -> None:
    """Check that there is no partitioner.

    Raises:
        UnimplementedError: if there is one.
    """
    if partitioner is not None:
        raise UnimplementedError("variables cannot be cut into parts: partitioner must be None")


class VariableStore:
    """What a graph knows of its variables' scopes.

    Attributes:
        variables: those that `get_variable` has made, by name.
        scope: the one that is open.
        opened: how often a scope of a name has been opened inside the one that is open.
    """

    def __init__(self) -> None:
        self.variables: dict[str, Variable] = {}
        self.scope = VariableScope(False)
        self.opened: Counter[str] = Counter()

    def path(self, name: str) -> str:
        """The name inside the open scope."""
        return f"{self.scope.name}/{name}" if self.scope.name else name

    def unique(self, prefix: str) -> str:
        """The prefix, with `_1`, `_2` ... if a scope of that name has been opened here."""
        name, number = prefix, 0
        while self.opened[self.path(name)]:
            number += 1
            name = f"{prefix}_{number}"
        return name

    def forget_inside(self, name: str) -> None:
        """Count anew the scopes that are opened inside one."""
        for opened in self.opened:
            if opened.startswith(f"{name}/"):
                self.opened[opened] = 0


def variable_store(graph: Graph | None = None) -> VariableStore:
    """The store of a graph, or of the default one."""
    kept = (graph or default_graph()).get_collection_ref(GraphKeys.VARIABLE_STORE)
    if not kept:
        kept.append(VariableStore())
    store: VariableStore = kept[0]
    return store


def get_variable_scope() -> VariableScope:
    """The variable scope that is open in the default graph."""
    return variable_store().scope


class variable_scope:  # noqa: N801 - TensorFlow's name
    """A block in which variables' names have a prefix, and `get_variable` has other defaults.

    It opens a name scope, too. `with tf.variable_scope("conv1") as scope:` gives the
    `VariableScope`, which can be opened again later, and elsewhere.

    Args:
        name_or_scope: the name, which is added to that of the scope around; or a `VariableScope`,
            whose name then stands for the whole prefix.
        default_name: the name if `name_or_scope` is None; it is made unique with `_1`, `_2` ...
        values: the tensors that the block works on; their graph becomes the default one.
        initializer: of variables for which none is given.
        regularizer: likewise.
        caching_device: accepted for TensorFlow 1 and ignored.
        partitioner: must be None.
        custom_getter: called by `get_variable` as `custom_getter(getter, name, ...)` with the
            arguments by name; `getter` makes or finds the variable. That of an outer scope stands
            behind `getter`.
        reuse: True lets `get_variable` find variables and make none; `tf.AUTO_REUSE` makes those
            that it does not find; None and False are as the scope around. What is inside a scope
            that reuses variables reuses them, too.
        dtype: of variables for which none is given.
        use_resource: accepted for TensorFlow 1 and ignored.
        constraint: as `initializer`.
        auxiliary_name_scope: whether a name scope is opened, too.

    Raises:
        TypeError: without a name, or with something else as a name.
        ValueError: for `reuse` with no name but a default one.
    """

    def __init__(
        self,
        name_or_scope: str | VariableScope | None,
        default_name: str | None = None,
        values: Sequence[Any] | None = None,
        initializer: Any = None,
        regularizer: Getter | None = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Getter | None = None,
        reuse: Reuse = None,
        dtype: Any = None,
        use_resource: bool | None = None,
        constraint: Getter | None = None,
        auxiliary_name_scope: bool = True,
    ) -> None:
        _check_name(name_or_scope, default_name, reuse)
        refuse_partitioner(partitioner)
        self._given, self._default_name, self._reuse = name_or_scope, default_name, reuse
        self._values, self._opens_names = values or (), auxiliary_name_scope
        self._custom_getter = custom_getter
        settings = {
            "initializer": initializer,
            "regularizer": regularizer,
            "caching_device": caching_device,
            "dtype": None if dtype is None else as_dtype(dtype),
            "use_resource": use_resource,
            "constraint": constraint,
        }
        self._settings = {name: value for name, value in settings.items() if value is not None}
        self._blocks: list[ExitStack] = []

    def __enter__(self) -> VariableScope:
        with ExitStack() as block:
            names = self._name_scope(block)
            store = variable_store()
            scope = self._scope(store, names)
            block.callback(_leave, store, store.scope, Counter(store.opened), self._given)
            store.opened[scope.name] += 1
            store.scope = scope
            self._blocks.append(block.pop_all())
        return scope

    def __exit__(self, *error: object) -> None:
        self._blocks.pop().close()

    def _name_scope(self, block: ExitStack) -> str:
        """Open the name scope, in the graph of the values; its name with a slash."""
        graph = graph_of([value for value in self._values if hasattr(value, "graph")])
        block.enter_context(graph.as_default())
        given = self._given
        name = given.name.split("/")[-1] if isinstance(given, VariableScope) else given
        if name is None:
            name = self._default_name
        if name and self._opens_names:
            return block.enter_context(graph.name_scope(name))
        current = graph.get_name_scope()
        return f"{current}/" if current else ""

    def _scope(self, store: VariableStore, names: str) -> VariableScope:
        given, outer = self._given, store.scope
        if isinstance(given, VariableScope):
            made = copy.copy(given)
            made._reuse = self._reuse or given.reuse
        else:
            name = store.unique(self._default_name or "") if given is None else given
            made = copy.copy(outer)
            made._name, made._name_scope = store.path(name), names
            made._reuse = self._reuse or outer.reuse
        vars(made).update(self._settings)
        if self._custom_getter is not None:
            made.custom_getter = _behind(self._custom_getter, made.custom_getter)
        return made


def variable_op_scope(
    values: Sequence[Any],
    name_or_scope: str | VariableScope | None,
    default_name: str | None = None,
    initializer: Any = None,
    regularizer: Getter | None = None,
    caching_device: Any = None,
    partitioner: Any = None,
    custom_getter: Getter | None = None,
    reuse: Reuse = None,
    dtype: Any = None,
    use_resource: bool | None = None,
    constraint: Getter | None = None,
) -> variable_scope:
    """The older form of `variable_scope`, whose first argument are the values."""
    return variable_scope(
        name_or_scope,
        default_name,
        values,
        initializer,
        regularizer,
        caching_device,
        partitioner,
        custom_getter,
        reuse,
        dtype,
        use_resource,
        constraint,
    )


def _check_name(name_or_scope: Any, default_name: str | None, reuse: Reuse) -> None:
    if name_or_scope is None and default_name is None:
        raise DTypeError("If default_name is None then name_or_scope is required")
    if not isinstance(name_or_scope, str | VariableScope | None):
        raise DTypeError(f"name_or_scope must be a string or a VariableScope: {name_or_scope!r}")
    if name_or_scope is None and reuse:
        raise GraphError("reuse=True cannot be used without a name_or_scope")


def _leave(
    store: VariableStore,
    outer: VariableScope,
    opened: Counter[str],
    given: str | VariableScope | None,
) -> None:
    """Close the open scope; what is inside it is counted anew when it is opened again."""
    if isinstance(given, VariableScope):
        store.opened = opened
        store.opened[given.name] += 1
    else:
        store.forget_inside(store.scope.name)
    store.scope = outer


def _behind(custom_getter: Getter, outer: Getter | None) -> Getter:
    """A getter that is given the outer one, which is given the store's."""
    if outer is None:
        return custom_getter

    def get(getter: Getter, *args: Any, **kwargs: Any) -> Any:
        return custom_getter(partial(outer, getter), *args, **kwargs)

    return get
