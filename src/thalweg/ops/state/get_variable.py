"""Variables by name: made where there is none, and found again in a scope that reuses them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from inspect import Parameter, signature
from typing import Any

from thalweg.base import shapes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError, GraphError, ShapeError
from thalweg.base.shapes import Shape, is_known, known, show
from thalweg.base.source import caller
from thalweg.graph import Graph, default_graph, outermost
from thalweg.graph.calls import LINE
from thalweg.graph.keys import GraphKeys
from thalweg.ops.build import convert
from thalweg.ops.state.initializers import GlorotUniform, Zeros
from thalweg.ops.state.variable import Variable
from thalweg.ops.state.variable_scope import (
    Getter,
    Reuse,
    VariableStore,
    refuse_partitioner,
    variable_store,
)


def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Getter | None = None,
    trainable: bool | None = None,
    collections: Iterable[str] | None = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: bool | None = None,
    custom_getter: Getter | None = None,
    constraint: Getter | None = None,
    synchronization: Any = None,
    aggregation: Any = None,
) -> Variable:
    """The variable of a name in the open variable scope: a new one, or one that exists.

    The scope's `reuse` says which: see `variable_scope`, which also gives defaults for much of what
    is not given here.

    Args:
        name: of the variable, which the scope's name is put before; name scopes add nothing.
        shape: of a new variable, fully known; an existing one must be compatible with it.
        dtype: its element type; that of the scope if not given, which is float32 by default.
        initializer: what makes its initial value: an initialiser such as `tf.zeros_initializer()`,
            a function of a shape with an argument `dtype`, a function without arguments, or the
            value itself, where no shape is given. By default numbers are drawn as
            `glorot_uniform_initializer` does, and integers are zeros.
        regularizer: a function of the new variable, whose result joins the collection of
            regularisation losses, unless it is None.
        trainable: whether optimisers change it by default; True if not given.
        collections: that a new variable joins; by default the global variables.
        caching_device: accepted for TensorFlow 1 and ignored.
        partitioner: must be None.
        validate_shape: accepted for TensorFlow 1; the shape must always be known.
        use_resource: accepted for TensorFlow 1 and ignored.
        custom_getter: called in place of this function's work; see `variable_scope`.
        constraint: a function that optimisers apply to the new value after an update.
        synchronization: accepted for TensorFlow 1 and ignored.
        aggregation: accepted for TensorFlow 1 and ignored.

    Raises:
        ValueError: if the variable exists and the scope makes new ones, or does not exist and the
            scope reuses them; if a shape is missing, or given for a value.
        ShapeError: if an existing variable has another shape.
        DTypeError: if an existing variable, or the value, has another element type.
    """
    graph = default_graph()
    store = variable_store(graph)
    scope = store.scope
    refuse_partitioner(partitioner)
    _check_functions(custom_getter=custom_getter, regularizer=regularizer, constraint=constraint)
    kind = None if dtype is None else as_dtype(dtype)
    initializer = _of_dtype(initializer, kind)
    request: dict[str, Any] = {
        "name": store.path(name),
        "shape": shape,
        "dtype": kind or scope.dtype,
        "initializer": scope.initializer if initializer is None else initializer,
        "regularizer": scope.regularizer if regularizer is None else regularizer,
        "reuse": scope.reuse,
        "trainable": trainable is not False,
        "collections": collections,
        "caching_device": caching_device,
        "partitioner": None,
        "validate_shape": validate_shape,
        "use_resource": use_resource,
        "constraint": scope.constraint if constraint is None else constraint,
    }
    custom = scope.custom_getter if custom_getter is None else custom_getter
    with graph.name_scope(None):
        found: Variable = _asked(custom, partial(_made_or_found, graph, store), request)
    return found


def get_local_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Getter | None = None,
    trainable: bool = False,
    collections: Iterable[str] | None = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: bool | None = None,
    custom_getter: Getter | None = None,
    constraint: Getter | None = None,
    synchronization: Any = None,
    aggregation: Any = None,
) -> Variable:
    """As `get_variable`, but a new variable is local: it joins the local variables, not the global.

    Optimisers leave it alone, whatever `trainable` says.
    """
    return get_variable(
        name,
        shape,
        dtype,
        initializer,
        regularizer,
        trainable=False,
        collections=[*(collections or ()), GraphKeys.LOCAL_VARIABLES],
        partitioner=partitioner,
        custom_getter=custom_getter,
        constraint=constraint,
    )


def no_regularizer(_: Any) -> None:
    """A regulariser without a loss, for variables in a scope with another one."""


def _asked(custom: Getter | None, getter: Getter, request: dict[str, Any]) -> Any:
    """What a custom getter returns; one of before there were constraints may not take one."""
    if custom is None:
        return getter(**request)
    parameters = _parameters(custom)
    takes_all = any(p.kind is Parameter.VAR_KEYWORD for p in parameters.values())
    if not takes_all and "constraint" not in parameters:
        getter = partial(getter, constraint=request.pop("constraint"))
    return custom(getter=getter, **request)


def _made_or_found(
    graph: Graph,
    store: VariableStore,
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Getter | None = None,
    reuse: Reuse = None,
    trainable: bool = True,
    collections: Iterable[str] | None = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: bool | None = None,
    constraint: Getter | None = None,
) -> Variable:
    """The variable of a full name; what a custom getter is given as `getter`."""
    refuse_partitioner(partitioner)
    kind = store.scope.dtype if dtype is None else as_dtype(dtype)
    extents, found = shapes.as_shape(shape), store.variables.get(name)
    if found is not None:
        return _found(found, name, reuse, extents, kind)
    if reuse is True:
        raise _error(
            GraphError,
            f"Variable {name} does not exist, or was not created with tf.get_variable(). "
            "Did you mean to set reuse=None or reuse=tf.AUTO_REUSE in VarScope?",
        )
    value, asked = _initial_value(name, initializer, extents, kind)
    made = Variable(value, trainable, collections, name=name, dtype=asked, constraint=constraint)
    store.variables[name] = made
    _regularize(graph, made, name, regularizer)
    return made


def _found(found: Variable, name: str, reuse: Reuse, shape: Shape, dtype: DType) -> Variable:
    """An existing variable, which must be what was asked for."""
    if not reuse:
        text = (
            f"Variable {name} already exists, disallowed. "
            "Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in VarScope?"
        )
        raise _error(GraphError, text, found)
    trying = f"Trying to share variable {name}, but specified"
    if not shapes.compatible(shape, found.static_shape):
        text = f"{trying} shape {show(shape)} and found shape {show(found.static_shape)}."
        raise _error(ShapeError, text, found)
    if dtype != found.dtype:
        text = f"{trying} dtype {dtype} and found dtype {found.dtype}."
        raise _error(DTypeError, text, found)
    return found


def _initial_value(
    name: str, initializer: Any, shape: Shape, dtype: DType
) -> tuple[Any, DType | None]:
    """What `Variable` is given as its initial value, and as its dtype."""
    if initializer is None:
        initializer = GlorotUniform() if dtype.is_floating else Zeros()
    elif not callable(initializer):
        if shape is not None:
            raise _error(GraphError, "If initializer is a constant, do not specify shape.")
        return initializer, None
    if isinstance(initializer, type):
        initializer = initializer()
    _check_functions(initializer=initializer)
    if is_known(shape):
        extents, wanted = list(known(shape)), _further_arguments(initializer)
        return lambda: initializer(extents, dtype=dtype, **wanted), dtype
    if not _required(initializer):
        return initializer, None
    raise _error(
        ShapeError,
        f"Shape of a new variable ({name}) must be fully defined, but instead was {show(shape)}.",
    )


def _required(function: Callable[..., Any]) -> list[str]:
    """The arguments that a function cannot be called without."""
    return [
        name
        for name, p in _parameters(function).items()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]


def _parameters(function: Callable[..., Any]) -> Mapping[str, Parameter]:
    """The arguments of a function; none where Python does not know, as of a built-in one."""
    try:
        return signature(function).parameters
    except ValueError:
        return {}


def _further_arguments(initializer: Callable[..., Any]) -> dict[str, Any]:
    """What an initialiser needs beside a shape and a dtype."""
    return {"partition_info": None} if "partition_info" in _required(initializer) else {}


def _regularize(graph: Graph, variable: Variable, name: str, regularizer: Getter | None) -> None:
    """Keep the variable's regularisation loss, if it has one."""
    if regularizer is None:
        return
    with outermost(graph) as root, root.name_scope(f"{name}/Regularizer/"):
        loss = regularizer(variable)
    if loss is not None:
        graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)


def _check_functions(**functions: Any) -> None:
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise _error(GraphError, f"Passed a {name} which is not callable: {function!r}")


def _of_dtype(value: Any, dtype: DType | None) -> Any:
    """An initialiser that is a value, as one of the dtype that the user asks for."""
    if dtype is None or value is None or callable(value):
        return value
    own = getattr(value, "dtype", None)
    if own is None:
        return convert(value, hint=dtype)
    if as_dtype(own) != dtype:
        text = f"Initializer type '{own}' and explicit dtype '{dtype}' don't match."
        raise _error(DTypeError, text)
    return value


def _error(kind: type[Exception], text: str, variable: Variable | None = None) -> Exception:
    """An error with the user's line, also where a custom getter stands in between."""
    made = "" if variable is None else f"\n  it was made at {variable.op.source}"
    return kind(f"get_variable: {text}{LINE}{caller()}{made}")
