"""Layers: functions of tensors that own variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from thalweg.base.dtypes import DType, as_dtype
from thalweg.graph import default_graph
from thalweg.graph.calls import explained
from thalweg.ops.build import convert
from thalweg.ops.control.structure import flatten, map_structure
from thalweg.ops.state.get_variable import get_variable
from thalweg.ops.state.variable import Variable
from thalweg.ops.state.variable_scope import Getter, Reuse, VariableScope, variable_scope


class Layer:
    """A function of tensors that owns variables: `build` makes them, when it is first called.

    A subclass has `call(inputs, ...)`, which computes the outputs, and `build(inputs_shape)` or
    calls of `tf.get_variable` in `call`, which find the same variables the next time.

    Args:
        trainable: whether optimisers change its variables by default.
        name: of its variable scope, made unique; by default that of the class: "basic_lstm_cell".
        dtype: of its variables; by default that of the inputs.
        _reuse: whether it uses variables that exist, under its name as it is.
        _scope: the variable scope, or its name.

    Attributes:
        trainable: the argument.
        built: whether `build` has been called.
    """

    trainable: bool = True
    built: bool = False
    _name: str | None = None
    _dtype: DType | None = None
    _reuse: Reuse = None
    _scope: VariableScope | str | None = None
    _captured: VariableScope | None = None

    def __init__(
        self,
        trainable: bool = True,
        name: str | None = None,
        dtype: Any = None,
        _reuse: Reuse = None,
        _scope: VariableScope | str | None = None,
    ) -> None:
        self.trainable, self._name = trainable, name
        self._dtype = None if dtype is None else as_dtype(dtype)
        self._reuse, self._scope = _reuse, _scope

    @property
    def name(self) -> str:
        """The name that was given, or that of the class."""
        return self._name or snake_case(type(self).__name__)

    @property
    def dtype(self) -> DType | None:
        """The element type of its variables; None if it is not known yet."""
        return self._dtype

    @property
    def scope_name(self) -> str:
        """The name of its variable scope; "" before it has been called."""
        return self._captured.name if self._captured else ""

    def build(self, inputs_shape: Any) -> None:
        """Make the variables, by `add_variable`.

        Args:
            inputs_shape: the static shape of the inputs, or a structure of shapes.
        """

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """What it computes."""
        raise NotImplementedError(f"{type(self).__name__} has no method call")

    def __call__(self, inputs: Any, *args: Any, scope: Any = None, **kwargs: Any) -> Any:
        """Make the variables unless it has been called before, and compute the outputs.

        Args:
            inputs: a tensor, or a structure of tensors.
            args: further arguments of `call`.
            scope: the variable scope of its first call, or its name.
            kwargs: further arguments of `call`.
        """
        return explained(self._computed, self.name)(inputs, args, kwargs, scope)

    def _computed(
        self, inputs: Any, args: tuple[Any, ...], kwargs: dict[str, Any], scope: Any
    ) -> Any:
        tensors = map_structure(convert, inputs)
        with self._opened(scope):
            if not self.built:
                self._take_dtype(flatten(tensors))
                self.build(map_structure(lambda tensor: tensor.shape, tensors))
                self.built = True
            return self.call(tensors, *args, **kwargs)

    def apply(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The same as calling it."""
        return self(inputs, *args, **kwargs)

    def add_variable(
        self,
        name: str,
        shape: Any,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Getter | None = None,
        trainable: bool = True,
        constraint: Getter | None = None,
    ) -> Variable:
        """A variable of its scope; the arguments are those of `tf.get_variable`."""
        with self._opened(None):
            return get_variable(
                name,
                shape,
                dtype or self._dtype,
                initializer,
                regularizer,
                trainable and self.trainable,
                constraint=constraint,
            )

    add_weight = add_variable

    @contextmanager
    def _opened(self, scope: Any) -> Iterator[None]:
        """Its variable scope, and the name scope of its first call."""
        kept = self._captured or self._capture(scope if scope is not None else self._scope)
        reuse = True if self.built else self._reuse
        opened = variable_scope(
            kept, reuse=reuse, custom_getter=self._remember, auxiliary_name_scope=False
        )
        with opened, default_graph().name_scope(kept.original_name_scope):
            yield

    def _capture(self, scope: Any) -> VariableScope:
        name = self.name if scope is None and self._reuse else scope
        with variable_scope(name, self.name) as captured:
            self._captured = captured
        return captured

    def _take_dtype(self, inputs: list[Any]) -> None:
        floating = [tensor.dtype for tensor in inputs if tensor.dtype.is_floating]
        if self._dtype is None and floating:
            self._dtype = floating[0]

    def _remember(self, getter: Getter, *args: Any, **kwargs: Any) -> Any:
        """Take note of what `tf.get_variable` finds for this layer or for one inside it."""
        variable = getter(*args, **kwargs)
        if not any(variable is known for known in self.variables):
            self.variables.append(variable)
        return variable

    # -- its variables

    @property
    def variables(self) -> list[Variable]:
        """All variables of the layer, and of layers inside it."""
        variables: list[Variable] = vars(self).setdefault("_variables", [])
        return variables

    @property
    def weights(self) -> list[Variable]:
        """The same as `variables`."""
        return self.variables

    @property
    def trainable_variables(self) -> list[Variable]:
        """Those that optimisers change by default."""
        return [v for v in self.variables if self.trainable and v.trainable]

    @property
    def trainable_weights(self) -> list[Variable]:
        """The same as `trainable_variables`."""
        return self.trainable_variables

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """Those that optimisers leave alone by default."""
        return [v for v in self.variables if not (self.trainable and v.trainable)]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The same as `non_trainable_variables`."""
        return self.non_trainable_variables


def snake_case(name: str) -> str:
    """The name of a class as that of a scope: "BasicLSTMCell" is "basic_lstm_cell"."""
    words = re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    made = re.sub("([a-z])([A-Z])", r"\1_\2", words).lower()
    return f"private{made}" if made.startswith("_") else made
