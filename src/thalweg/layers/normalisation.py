"""Batch normalisation with moving averages."""

from __future__ import annotations

from typing import Any

from thalweg.base.errors import InvalidArgumentError
from thalweg.base.shapes import as_shape
from thalweg.graph import Tensor
from thalweg.graph.keys import GraphKeys
from thalweg.initializers import ones, zeros
from thalweg.layers.dropout import if_training
from thalweg.layers.weighted import known_channels, scope
from thalweg.nn.normalisation import batch_normalization as normalised
from thalweg.nn.normalisation import moments
from thalweg.ops.arrays.create import constant
from thalweg.ops.arrays.reshape import identity, reshape
from thalweg.ops.state.layer import Layer
from thalweg.ops.state.variable import Variable

__all__ = ["BatchNormalization", "batch_normalization"]


class BatchNormalization(Layer):
    """Normalises each channel: by the batch in training, by moving averages otherwise.

    The operations that move the averages are in the collection `tf.GraphKeys.UPDATE_OPS`; a
    training step must run them:

        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            train = optimizer.minimize(loss)

    Args:
        axis: that of the channels.
        momentum: of the averages: how much of the old one stays at each step.
        epsilon: added to the variance.
        center: whether `beta` is added.
        scale: whether to multiply by `gamma`.
        beta_initializer: of `beta`; zeros if not given.
        gamma_initializer: of `gamma`; ones if not given.
        moving_mean_initializer: zeros if not given.
        moving_variance_initializer: ones if not given.
        beta_regularizer: a function of `beta` whose value is a loss.
        gamma_regularizer: the same of `gamma`.
        layer: see `Layer`.

    Source: Ioffe and Szegedy, Batch Normalization, ICML 2015.
    """

    beta: Variable | None = None
    gamma: Variable | None = None

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = None,
        gamma_initializer: Any = None,
        moving_mean_initializer: Any = None,
        moving_variance_initializer: Any = None,
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        **layer: Any,
    ) -> None:
        super().__init__(**layer)
        self.axis, self.momentum, self.epsilon = axis, momentum, epsilon
        self._beta = (beta_initializer or zeros(), beta_regularizer) if center else None
        self._gamma = (gamma_initializer or ones(), gamma_regularizer) if scale else None
        self._mean = moving_mean_initializer or zeros()
        self._variance = moving_variance_initializer or ones()

    def build(self, inputs_shape: Any) -> None:
        """Make `gamma`, `beta`, `moving_mean` and `moving_variance`, one number a channel each."""
        size = [known_channels(as_shape(inputs_shape), None, self.axis)]
        if self._gamma:
            self.gamma = self.add_variable("gamma", size, None, *self._gamma)
        if self._beta:
            self.beta = self.add_variable("beta", size, None, *self._beta)
        self.moving_mean = self._average("moving_mean", size, self._mean)
        self.moving_variance = self._average("moving_variance", size, self._variance)

    def _average(self, name: str, size: list[int], initializer: Any) -> Variable:
        return self.add_variable(name, size, None, initializer, trainable=False)

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Tensor:
        """The normalised inputs; `training` is a bool, or a scalar bool tensor."""
        training = kwargs.get("training", args[0] if args else False)
        rank = len(inputs.static_shape)
        axes = [axis for axis in range(rank) if axis != self.axis % rank]
        mean, variance = if_training(
            training,
            lambda: moments(inputs, axes),
            lambda: (identity(self.moving_mean), identity(self.moving_variance)),
        )
        if training is not False:
            part = if_training(training, lambda: constant(1 - self.momentum), lambda: constant(0.0))
            self._move(self.moving_mean, mean, part)
            self._move(self.moving_variance, variance, part)
        shape = [1] * rank
        shape[self.axis] = -1
        across = self.axis % rank != rank - 1
        values = [mean, variance, self.beta, self.gamma]
        wide = [reshape(v, shape) if across and v is not None else v for v in values]
        return normalised(inputs, wide[0], wide[1], wide[2], wide[3], self.epsilon)

    def _move(self, average: Variable, value: Tensor, part: Tensor) -> None:
        moved = average.assign_sub((average - value) * part)
        value.graph.add_to_collection(GraphKeys.UPDATE_OPS, moved)


def batch_normalization(
    inputs: Any,
    axis: int = -1,
    momentum: float = 0.99,
    epsilon: float = 1e-3,
    center: bool = True,
    scale: bool = True,
    beta_initializer: Any = None,
    gamma_initializer: Any = None,
    moving_mean_initializer: Any = None,
    moving_variance_initializer: Any = None,
    beta_regularizer: Any = None,
    gamma_regularizer: Any = None,
    beta_constraint: Any = None,
    gamma_constraint: Any = None,
    training: Any = False,
    trainable: bool = True,
    name: str | None = None,
    reuse: Any = None,
    renorm: bool = False,
    renorm_clipping: Any = None,
    renorm_momentum: float = 0.99,
    fused: bool | None = None,
    virtual_batch_size: int | None = None,
    adjustment: Any = None,
) -> Tensor:
    """Normalise each channel, with variables of its own; see `BatchNormalization`.

    Args:
        inputs: floating, of known rank.
        training: a bool, or a scalar bool tensor: whether to normalise by the batch.
        trainable: whether optimisers change `beta` and `gamma`.
        name: of the variable scope; "batch_normalization", made unique, if not given.
        reuse: whether variables of that name are used again.
        axis: see `BatchNormalization`, as for the others up to `gamma_regularizer`.
        momentum: see there.
        epsilon: see there.
        center: see there.
        scale: see there.
        beta_initializer: see there.
        gamma_initializer: see there.
        moving_mean_initializer: see there.
        moving_variance_initializer: see there.
        beta_regularizer: see there.
        gamma_regularizer: see there.
        fused: of no effect.
        beta_constraint: not supported, as the others are not that follow.
        gamma_constraint: not supported.
        renorm: not supported.
        renorm_clipping: of renormalisation, which is not supported.
        renorm_momentum: of renormalisation, which is not supported.
        virtual_batch_size: not supported.
        adjustment: not supported.

    Raises:
        ShapeError: if the number of channels is not known.
        InvalidArgumentError: for constraints, renormalisation and virtual batches, which are not
            supported.
    """
    unknown = {
        "renorm": renorm,
        "virtual_batch_size": virtual_batch_size,
        "adjustment": adjustment,
        "beta_constraint": beta_constraint,
        "gamma_constraint": gamma_constraint,
    }
    for option, value in unknown.items():
        if value:
            raise InvalidArgumentError(f"{option} is not supported")
    layer = BatchNormalization(
        axis,
        momentum,
        epsilon,
        center,
        scale,
        beta_initializer,
        gamma_initializer,
        moving_mean_initializer,
        moving_variance_initializer,
        beta_regularizer,
        gamma_regularizer,
        trainable=trainable,
        **scope(name, reuse),
    )
    return layer(inputs, training=training)  # type: ignore[no-any-return]
