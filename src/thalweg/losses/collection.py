"""The losses of a graph, as its collections keep them, and their sum."""

from __future__ import annotations

from thalweg.graph import Tensor, default_graph
from thalweg.graph.keys import GraphKeys
from thalweg.ops.arrays.create import constant
from thalweg.ops.elementwise.arithmetic import add_n


def add_loss(loss: Tensor, loss_collection: str | None = GraphKeys.LOSSES) -> None:
    """Add a loss to a collection of the default graph, unless there is none."""
    if loss_collection:
        default_graph().add_to_collection(loss_collection, loss)


def get_losses(scope: str | None = None, loss_collection: str = GraphKeys.LOSSES) -> list[Tensor]:
    """The losses of a collection.

    Args:
        scope: what their names begin with; all if not given.
        loss_collection: its name.
    """
    return default_graph().get_collection(loss_collection, scope)


def get_regularization_losses(scope: str | None = None) -> list[Tensor]:
    """What regularisers have made of variables.

    Args:
        scope: what their names begin with; all if not given.
    """
    return get_losses(scope, GraphKeys.REGULARIZATION_LOSSES)


def get_regularization_loss(
    scope: str | None = None, name: str = "total_regularization_loss"
) -> Tensor:
    """The sum of the regularisation losses, 0 if there are none.

    Args:
        scope: what their names begin with; all if not given.
        name: of the operation.
    """
    losses = get_regularization_losses(scope)
    return add_n(losses, name=name) if losses else constant(0.0)


def get_total_loss(
    add_regularization_losses: bool = True, name: str = "total_loss", scope: str | None = None
) -> Tensor:
    """The sum of all losses that were added to the collection.

    Args:
        add_regularization_losses: whether regularisation losses are part of it.
        name: of the operation.
        scope: what the names of the losses begin with; all if not given.

    Raises:
        ValueError: if there are no losses.
    """
    regularization = get_regularization_losses(scope) if add_regularization_losses else []
    return add_n([*get_losses(scope), *regularization], name=name)
