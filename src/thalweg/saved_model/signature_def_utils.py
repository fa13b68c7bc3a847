"""Signatures of the kinds that servers know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thalweg.base.errors import InvalidArgumentError
from thalweg.graph import calls as _calls
from thalweg.saved_model import signature_constants as names
from thalweg.saving.signatures import SignatureDef, TensorInfo, tensor_info

__all__ = [
    "build_signature_def",
    "classification_signature_def",
    "is_valid_signature",
    "predict_signature_def",
    "regression_signature_def",
]


def build_signature_def(
    inputs: Mapping[str, TensorInfo] | None = None,
    outputs: Mapping[str, TensorInfo] | None = None,
    method_name: str | None = None,
) -> SignatureDef:
    """A signature.

    Args:
        inputs: what is fed, by the names that callers use; see `tf.saved_model.utils`.
        outputs: what is fetched, likewise.
        method_name: what kind of call it is; see `tf.saved_model.signature_constants`.
    """
    return SignatureDef(dict(inputs or {}), dict(outputs or {}), method_name or "")


def predict_signature_def(inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> SignatureDef:
    """A signature of tensors to tensors.

    Args:
        inputs: tensors by the names that callers use.
        outputs: likewise.

    Raises:
        InvalidArgumentError: if there are none.
    """
    if not inputs or not outputs:
        raise InvalidArgumentError("there must be inputs and outputs")
    return build_signature_def(_infos(inputs), _infos(outputs), names.PREDICT_METHOD_NAME)


def classification_signature_def(examples: Any, classes: Any, scores: Any) -> SignatureDef:
    """A signature of examples to classes and scores.

    Args:
        examples: a tensor of strings, or of features.
        classes: a tensor of strings; None if there are only scores.
        scores: a tensor of numbers; None if there are only classes.

    Raises:
        InvalidArgumentError: if there are neither classes nor scores.
    """
    if classes is None and scores is None:
        raise InvalidArgumentError("there must be classes or scores")
    outputs = {names.CLASSIFY_OUTPUT_CLASSES: classes, names.CLASSIFY_OUTPUT_SCORES: scores}
    given = {name: tensor for name, tensor in outputs.items() if tensor is not None}
    inputs = _infos({names.CLASSIFY_INPUTS: examples})
    return build_signature_def(inputs, _infos(given), names.CLASSIFY_METHOD_NAME)


def regression_signature_def(examples: Any, predictions: Any) -> SignatureDef:
    """A signature of examples to numbers.

    Args:
        examples: a tensor of strings, or of features.
        predictions: a tensor of numbers.
    """
    inputs = _infos({names.REGRESS_INPUTS: examples})
    outputs = _infos({names.REGRESS_OUTPUTS: predictions})
    return build_signature_def(inputs, outputs, names.REGRESS_METHOD_NAME)


def is_valid_signature(signature_def: SignatureDef) -> bool:
    """Whether a signature is of a kind that servers know, with inputs and outputs."""
    known = (names.PREDICT_METHOD_NAME, names.CLASSIFY_METHOD_NAME, names.REGRESS_METHOD_NAME)
    is_whole = bool(signature_def.inputs and signature_def.outputs)
    return is_whole and signature_def.method_name in known


def _infos(tensors: Mapping[str, Any]) -> dict[str, TensorInfo]:
    return {name: tensor_info(tensor) for name, tensor in tensors.items()}


_calls.explain_errors(globals(), __all__)
