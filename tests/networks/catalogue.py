"""The networks by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.networks import (
    densenet,
    gan,
    googlenet,
    inception,
    mobilenet,
    resnet,
    resnext,
    squeezenet,
    unet,
    xception,
)
from tests.networks.layers import Layers

Build = Callable[[Layers, Any, Any, bool], tuple[Any, Any]]


@dataclass(frozen=True)
class Network:
    """A network.

    Attributes:
        build: makes it from layers, images, classes, and whether it may have fewer repeated blocks;
            returns its outputs and the loss.
        sides: of the images, when it is whole and when it is short.
        classes: how many.
    """

    build: Build
    sides: tuple[int, int]
    classes: int = 10

    def side(self, short: bool) -> int:
        return self.sides[int(short)]


NETWORKS = {
    "densenet": Network(densenet.build, (64, 32)),
    "squeezenet": Network(squeezenet.build, (64, 40)),
    "googlenet": Network(googlenet.build, (64, 32)),
    "inception": Network(inception.build, (139, 107)),
    "resnet": Network(resnet.build, (64, 32)),
    "resnext": Network(resnext.build, (64, 32)),
    "mobilenet_v1": Network(mobilenet.build_v1, (64, 32)),
    "mobilenet_v2": Network(mobilenet.build_v2, (64, 32)),
    "unet": Network(unet.build, (92, 92), 2),
    "xception": Network(xception.build, (71, 39)),
    "gan": Network(gan.build, (16, 16)),
}
