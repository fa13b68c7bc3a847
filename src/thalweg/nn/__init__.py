"""Neural networks: TensorFlow 1's `tf.nn`."""

from thalweg.graph import calls as _calls
from thalweg.nn import rnn_cell
from thalweg.nn.activations import (
    crelu,
    elu,
    gelu,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    relu,
    relu6,
    selu,
    sigmoid,
    softmax,
    softplus,
    softsign,
    swish,
    tanh,
)
from thalweg.nn.embedding import embedding_lookup
from thalweg.nn.layers import (
    bias_add,
    dropout,
    in_top_k,
    relu_layer,
    xw_plus_b,
    zero_fraction,
)
from thalweg.nn.losses import (
    l2_loss,
    sigmoid_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits_v2,
    sparse_softmax_cross_entropy_with_logits,
    weighted_cross_entropy_with_logits,
)
from thalweg.nn.normalisation import (
    batch_normalization,
    fused_batch_norm,
    l2_normalize,
    moments,
)
from thalweg.nn.rnn.dynamic import bidirectional_dynamic_rnn, dynamic_rnn
from thalweg.nn.rnn.raw import raw_rnn
from thalweg.nn.rnn.static import static_bidirectional_rnn, static_rnn
from thalweg.ops.convolution.avg_pool import avg_pool
from thalweg.ops.convolution.conv import conv2d, conv2d_transpose
from thalweg.ops.convolution.depthwise import (
    depthwise_conv2d,
    depthwise_conv2d_native,
    separable_conv2d,
)
from thalweg.ops.convolution.max_pool import max_pool

__all__ = [
    "avg_pool",
    "batch_normalization",
    "bias_add",
    "bidirectional_dynamic_rnn",
    "conv2d",
    "conv2d_transpose",
    "crelu",
    "depthwise_conv2d",
    "depthwise_conv2d_native",
    "dropout",
    "dynamic_rnn",
    "elu",
    "embedding_lookup",
    "fused_batch_norm",
    "gelu",
    "in_top_k",
    "l2_loss",
    "l2_normalize",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "max_pool",
    "moments",
    "raw_rnn",
    "relu",
    "relu6",
    "relu_layer",
    "rnn_cell",
    "selu",
    "separable_conv2d",
    "sigmoid",
    "sigmoid_cross_entropy_with_logits",
    "softmax",
    "softmax_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits_v2",
    "softplus",
    "softsign",
    "sparse_softmax_cross_entropy_with_logits",
    "static_bidirectional_rnn",
    "static_rnn",
    "swish",
    "tanh",
    "weighted_cross_entropy_with_logits",
    "xw_plus_b",
    "zero_fraction",
]

_calls.explain_errors(globals(), __all__)
