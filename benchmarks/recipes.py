"""How each workload's network is trained: what all systems must do alike. Needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Recipe:
    """A network's training.

    Attributes:
        network: what computes the logits.
        optimiser: SGD, SGD with a momentum, or Adam with its usual constants.
        rate: the learning rate.
        mean: whether the loss is the mean over all labels, or else their sum.
        keep: the share of hidden units that dropout keeps in training.
    """

    network: str
    optimiser: Literal["sgd", "momentum", "adam"]
    rate: float
    mean: bool = True
    keep: float = 1.0


RECIPES = {
    "softmax": Recipe("softmax", "sgd", 0.01, mean=False),
    "softmax_loop": Recipe("softmax", "sgd", 0.01, mean=False),
    "mlp_64": Recipe("mlp", "adam", 1e-3),
    "mlp_320": Recipe("mlp", "adam", 1e-3),
    "mlp": Recipe("mlp", "adam", 1e-3),
    "gan": Recipe("gan", "adam", 2e-4),
    "cnn": Recipe("cnn", "adam", 1e-4, mean=False, keep=0.5),
    "resnet": Recipe("resnet", "momentum", 0.01),
    "transformer": Recipe("transformer", "adam", 1e-4),
    "lstm": Recipe("lstm", "adam", 1e-3),
}
PREDICTIONS = {"cnn_predict_1": "cnn", "cnn_predict_256": "cnn"}  # workload: network

MOMENTUM = 0.9
# Adam's. PyTorch adds epsilon after it corrects the bias (Kingma and Ba 2015, algorithm 1), the
# others before (end of their section 2). It is small, but so are some gradients of the first steps.
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
NORM_EPSILON = 1e-3  # of batch and layer normalisation
HEADS = 4  # of the transformer's attention
LOOP_BATCH = 100  # of softmax_loop, whose data are the rows of all batches
