"""Summaries of whole tensors, and of texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes
from thalweg.base.errors import DTypeError, InvalidArgumentError
from thalweg.graph import Sample, Spec, Tensor
from thalweg.ops.build import convert
from thalweg.ops.samples import TABLE
from thalweg.ops.summaries.tags import (
    SUMMARY,
    TAG,
    SummaryOp,
    check_tag,
    emit_summary,
    serialised,
    summary_scope,
)
from thalweg.protos.summaries import Summary, SummaryDescription, SummaryMetadata
from thalweg.protos.tensors import make_tensor_proto

_METADATA = np.array(SummaryMetadata(data_class=2).SerializeToString(), object)


class TensorSummary(SummaryOp):
    """A summary with a whole tensor, and which part of TensorBoard shows it."""

    type: ClassVar[str] = "TensorSummaryV2"

    def infer(self, tag: Spec, tensor: Spec, serialized_summary_metadata: Spec) -> Spec:
        check_tag(tag)
        if not serialized_summary_metadata.dtype.is_string:
            kind = serialized_summary_metadata.dtype
            raise DTypeError(f"the metadata must be a string, not {kind}")
        return SUMMARY

    def evaluate(self, xp: Any, tag: Any, tensor: Any, serialized_summary_metadata: Any) -> Any:
        metadata = SummaryMetadata.FromString(serialized_summary_metadata.item())
        proto = make_tensor_proto(tensor)
        return serialised([Summary.Value(tag=tag.item(), metadata=metadata, tensor=proto)])

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TAG, TABLE, _METADATA), exact=True)
        yield Sample(cls(), (TAG, np.array([b"x", b"y"], object), _METADATA), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TABLE, TABLE, _METADATA), "the tag must be a string, not float32")
        yield Sample(cls(), (TAG, TABLE, TABLE), "the metadata must be a string, not float32")


def tensor_summary(
    name: str,
    tensor: Any,
    summary_description: str | None = None,
    collections: Sequence[str] | None = None,
    summary_metadata: SummaryMetadata | None = None,
    family: str | None = None,
    display_name: str | None = None,
) -> Tensor:
    """A summary of a whole tensor, for a plugin of TensorBoard or for programs that read it.

    Args:
        name: the tag, inside the scopes that are open.
        tensor: of any dtype and shape.
        summary_description: Markdown, shown with the values.
        collections: what it is added to; `[tf.GraphKeys.SUMMARIES]` by default.
        summary_metadata: which plugin shows it. TensorBoard drops tensors of a plugin that it does
            not know unless `data_class` is set; here it is, to "tensor", if you do not.
        family: what TensorBoard groups it under; the outermost scope by default.
        display_name: what TensorBoard calls it.

    Returns:
        a string: a serialised `tf.Summary`.
    """
    value, metadata = convert(tensor), SummaryMetadata()
    if summary_metadata is not None:
        metadata.CopyFrom(summary_metadata)
    if summary_description is not None:
        metadata.summary_description = summary_description
    if display_name is not None:
        metadata.display_name = display_name
    metadata.data_class = metadata.data_class or SummaryMetadata.DATA_CLASS_TENSOR
    with summary_scope(name, family, value) as (tag, full):
        about = convert(metadata.SerializeToString(), dtypes.string, name="serialized_metadata")
        record = TensorSummary()
        return emit_summary(record, tag, value, about, name=full, collections=collections)


def text(name: str, tensor: Any, collections: Sequence[str] | None = None) -> Tensor:
    """A summary of texts, which TensorBoard shows as Markdown.

    Args:
        name: the tag, inside the scopes that are open.
        tensor: a string, or a list or table of them.
        collections: what it is added to; `[tf.GraphKeys.SUMMARIES]` by default.

    Returns:
        a string: a serialised `tf.Summary`.

    Raises:
        DTypeError: if the tensor holds no strings.
    """
    strings = convert(tensor)
    if not strings.dtype.is_string:
        raise DTypeError(f"text: takes strings, not {strings.dtype}: use tf.as_string")
    plugin = SummaryMetadata.PluginData(plugin_name="text")
    metadata = SummaryMetadata(plugin_data=plugin)
    return tensor_summary(name, strings, collections=collections, summary_metadata=metadata)


def get_summary_description(node_def: Any) -> SummaryDescription:
    """The description of an operation of the type TensorSummary, as TensorFlow 1.0 wrote it.

    Raises:
        InvalidArgumentError: for an operation of another type.
    """
    if node_def.op != "TensorSummary":
        raise InvalidArgumentError(
            f"get_summary_description takes a TensorSummary, not a {node_def.op}"
        )
    known = json.loads(node_def.attr["description"].s or b"{}")
    return SummaryDescription(type_hint=known.get("typeHint", ""))
