"""What each block of a graph costs, as a page of TensorBoard."""

from __future__ import annotations

from typing import Any

from thalweg.protos.summaries import Summary, SummaryMetadata
from thalweg.protos.tensors import make_tensor_proto

__all__ = ["costs"]


def costs(profile: Any, tag: str = "costs") -> Summary:
    """A summary with the tables of a profile, for TensorBoard's page of texts.

        writer.add_summary(board.costs(tf.profile(loss, feed_shapes={x: [50, 784]})))

    Args:
        profile: what `tf.profile` returns; anything that is printed as a table.
        tag: what TensorBoard calls it.
    """
    table = "\n".join(f"    {line}" for line in str(profile).splitlines())  # Markdown: as it is
    plugin = SummaryMetadata.PluginData(plugin_name="text")
    metadata = SummaryMetadata(plugin_data=plugin, data_class=SummaryMetadata.DATA_CLASS_TENSOR)
    text = make_tensor_proto(table)
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=text)])
