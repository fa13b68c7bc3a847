"""`tf.train.init_from_checkpoint`: initial values from a checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from thalweg.base.errors import InvalidArgumentError
from thalweg.graph import Graph, default_graph
from thalweg.graph.keys import GraphKeys
from thalweg.ops.state.variable import Variable
from thalweg.saving.checkpoint import open_checkpoint
from thalweg.saving.matching import matched

__all__ = ["init_from_checkpoint"]


def init_from_checkpoint(
    ckpt_dir_or_file: str | os.PathLike[str], assignment_map: Mapping[str, Any]
) -> None:
    """Let variables have the values of a checkpoint as their initial ones.

    The graph holds them from now on. Nothing is read again when a session initialises the
    variables, and operations that were made before, such as by `global_variables_initializer`,
    still give them their former ones.

    Args:
        ckpt_dir_or_file: a checkpoint, as `Saver.restore` takes it.
        assignment_map: variables of the default graph, or their names, by the names of tensors; or
            scopes by scopes, each with "/" at its end: all variables in such a scope take the
            tensors of the same names in the other. "/" is the scope of everything.

    Raises:
        NotFoundError: if there is no such checkpoint, or it lacks a tensor.
        InvalidArgumentError: if a tensor has another shape or dtype than its variable, or there is
            no such variable.
        DataLossError, UnimplementedError: as `Saver.restore` does.
    """
    graph = default_graph()
    variables = {
        key: variable
        for there, here in assignment_map.items()
        for key, variable in _pairs(graph, there, here)
    }
    for variable, value in matched(variables, open_checkpoint(ckpt_dir_or_file), False).items():
        variable.initialize_with(value)


def _pairs(graph: Graph, there: str, here: Any) -> Iterator[tuple[str, Variable]]:
    """The names of tensors, and the variables that take them."""
    if isinstance(here, Variable):
        yield there, here
        return
    if not isinstance(here, str):
        raise TypeError(f"{there!r} is assigned to {here!r}, and not to a variable or its name")
    named = {v.op.name: v for v in graph.get_collection(GraphKeys.ALL_VARIABLES)}
    if not there.endswith("/"):
        yield there, _named(named, here)
        return
    if here and not here.endswith("/"):
        raise InvalidArgumentError(f"{there!r} is a scope, and {here!r} is none: it lacks a '/'")
    scope, other = here.removeprefix("/"), there.removeprefix("/")
    found = {name: v for name, v in named.items() if name.startswith(scope)}
    if not found:
        raise InvalidArgumentError(f"the graph has no variables in the scope {here!r}")
    for name, variable in found.items():
        yield other + name.removeprefix(scope), variable


def _named(named: Mapping[str, Variable], name: str) -> Variable:
    found = named.get(name.removesuffix(":0"))
    if found is None:
        raise InvalidArgumentError(f"the graph has no variable {name!r}")
    return found
