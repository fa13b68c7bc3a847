"""How each workload's network is trained: what all systems must do alike. Needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Recipe:
    """A network's training.

    Attributes:
        network: what computes the logits.
        optimiser: SGD, SGD with a momentum, Adagrad, Adam with its usual constants, or the lazy
            Adam, which leaves alone the rows of a table that a step does not use.
        rate: the learning rate.
        mean: whether the loss is the mean over all labels, or else their sum.
        keep: the share of hidden units that dropout keeps in training.
        rows: of the embedding's table.
    """

    network: str
    optimiser: Literal["sgd", "momentum", "adagrad", "adam", "lazy_adam"]
    rate: float
    mean: bool = True
    keep: float = 1.0
    rows: int = 0


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
    "lstm_dynamic": Recipe("lstm", "adam", 1e-3),
    "lstm_500": Recipe("lstm_lengths", "adam", 1e-3),
    "resnet50": Recipe("resnet50", "momentum", 1e-3),
    "googlenet": Recipe("googlenet", "momentum", 1e-3, keep=0.6),
}
MOST_ROWS = 1_000_000  # of a peer's table: with all of them larger ones would not fit into memory
TABLES = {"": 1_000_000, "_100k": 100_000, "_10m": 10_000_000}  # rows, by the name's end
RULES: dict[str, tuple[Literal["sgd", "adagrad", "lazy_adam"], float]] = {
    "embedding_sgd": ("sgd", 0.02),
    "embedding_adagrad": ("adagrad", 0.1),
    "embedding_lazy_adam": ("lazy_adam", 0.01),
}
RECIPES |= {
    f"{name}{end}": Recipe("embedding", optimiser, rate, mean=False, rows=rows)
    for name, (optimiser, rate) in RULES.items()
    for end, rows in TABLES.items()
}
PREDICTIONS = {  # workload: network
    "cnn_predict_1": "cnn",
    "cnn_predict_256": "cnn",
    "resnet50_predict_1": "resnet50",
    "resnet50_predict_16": "resnet50",
    "googlenet_predict_1": "googlenet",
    "googlenet_predict_16": "googlenet",
}

MOMENTUM = 0.9
# Adam's. PyTorch adds epsilon after it corrects the bias (Kingma and Ba 2015, algorithm 1), the
# others before (end of their section 2). It is small, but so are some gradients of the first steps.
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
ADAGRAD_START = 0.1  # of the sums of squares; nothing else is added to them
NORM_EPSILON = 1e-3  # of batch and layer normalisation
HEADS = 4  # of the transformer's attention
SCALAR_STEPS, PRODUCTS = 1_000_000, 10_000  # iterations of the loops
LOOP_BATCH = 100  # of softmax_loop, whose data are the rows of all batches
# GoogLeNet's normalisation of a response by its neighbours' (Krizhevsky et al. 2012, section 3.3):
# x / (1 + ALPHA / CHANNELS * the sum of CHANNELS neighbouring squares) ** BETA
RESPONSE_CHANNELS, RESPONSE_ALPHA, RESPONSE_BETA = 5, 1e-4, 0.75


def blocks(names: Iterable[str], suffix: str) -> list[str]:
    """A network's blocks in order: of the weights' names, those that end so, without that end."""
    return sorted(name.removesuffix(suffix) for name in names if name.endswith(suffix))


def congruential(number: Any) -> Any:
    """The next int32 of a linear congruential generator (Press et al. 1992, section 7.1)."""
    return number * 1664525 + 1013904223
