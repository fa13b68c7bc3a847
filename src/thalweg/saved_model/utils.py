"""What a signature says of a tensor."""

from __future__ import annotations

from typing import Any

from thalweg.graph import Tensor, default_graph
from thalweg.graph import calls as _calls
from thalweg.saving.signatures import TensorInfo, tensor_info

__all__ = ["build_tensor_info", "get_tensor_from_tensor_info"]


def build_tensor_info(tensor: Any) -> TensorInfo:
    """What a signature says of a tensor: its name, element type and shape.

    Args:
        tensor: a tensor, or a variable, whose value is meant.
    """
    return tensor_info(tensor)


def get_tensor_from_tensor_info(
    tensor_info: TensorInfo, graph: Any = None, import_scope: str | None = None
) -> Tensor:
    """The tensor that a signature means.

    Args:
        tensor_info: of the signature.
        graph: has the tensor; the default one if None.
        import_scope: the name scope that the model was loaded in.
    """
    name = f"{import_scope}/{tensor_info.name}" if import_scope else tensor_info.name
    chosen = default_graph() if graph is None else graph
    found: Tensor = chosen.get_tensor_by_name(name)
    return found


_calls.explain_errors(globals(), __all__)
