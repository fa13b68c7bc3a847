"""The data sets of playground.tensorflow.org, with more classes if somebody wants them.

A function takes random numbers, how many points to make, the noise from 0 to 1 and the number of
classes. It returns an array [n, 3] of x, y and a class, 0, 1 and so on, or a number from -1 to 1 in
a regression. With two classes the points are distributed exactly as the original's. An exported
program contains the function that made its data, so each stands for itself and needs only NumPy.

Source: https://github.com/tensorflow/playground, src/dataset.ts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["circle", "gauss", "reg_gauss", "reg_plane", "spiral", "xor"]


def circle(
    random: np.random.Generator, count: int, noise: float, classes: int
) -> NDArray[np.float64]:
    """A disc, and rings around it."""
    radius, each, rings = 5.0, count // classes, []
    for ring in range(classes):
        inner = radius * (ring + 0.4 * (ring > 0)) / classes
        r = random.uniform(inner, radius * (ring + 1) / classes, each)
        angle = random.uniform(0, 2 * np.pi, each)
        x, y = r * np.sin(angle), r * np.cos(angle)
        shift = noise * random.uniform(-radius, radius, (2, each))
        seen = np.hypot(x + shift[0], y + shift[1]) * classes // radius
        rings.append(np.stack([x, y, np.minimum(seen, classes - 1)], axis=1))
    return np.concatenate(rings)


def xor(random: np.random.Generator, count: int, noise: float, classes: int) -> NDArray[np.float64]:
    """Sectors, of which those that lie opposite are of the same class."""
    at = random.uniform(-5, 5, (2, count))
    at += np.where(at > 0, 0.3, -0.3)
    x, y = at + noise * random.uniform(-5, 5, (2, count))
    sector = np.arctan2(y, x) % (2 * np.pi) * classes // np.pi
    return np.stack([*at, sector % classes], axis=1)


def gauss(
    random: np.random.Generator, count: int, noise: float, classes: int
) -> NDArray[np.float64]:
    """A cloud for each class, with their centres on a circle."""
    each, clouds = count // classes, []
    for label in range(classes):
        angle = np.pi / 4 + 2 * np.pi * label / classes
        centre = np.sqrt(8) * np.array([[np.cos(angle)], [np.sin(angle)]])
        at = random.normal(centre, np.sqrt(0.5 + 7 * noise), (2, each))
        clouds.append(np.stack([*at, np.full(each, label)], axis=1))
    return np.concatenate(clouds)


def spiral(
    random: np.random.Generator, count: int, noise: float, classes: int
) -> NDArray[np.float64]:
    """Arms that wind around the middle."""
    each, arms = count // classes, []
    way = np.arange(each) / each
    for label in range(classes):
        angle = 1.75 * way * 2 * np.pi + 2 * np.pi * label / classes
        x = 5 * way * np.sin(angle) + noise * random.uniform(-1, 1, each)
        y = 5 * way * np.cos(angle) + noise * random.uniform(-1, 1, each)
        arms.append(np.stack([x, y, np.full(each, label)], axis=1))
    return np.concatenate(arms)


def reg_plane(
    random: np.random.Generator, count: int, noise: float, classes: int
) -> NDArray[np.float64]:
    """A plane that rises from corner to corner."""
    at = random.uniform(-6, 6, (2, count))
    x, y = at + noise * random.uniform(-6, 6, (2, count))
    return np.stack([*at, (x + y) / 10], axis=1)


def reg_gauss(
    random: np.random.Generator, count: int, noise: float, classes: int
) -> NDArray[np.float64]:
    """Three hills and three hollows; where two meet, the higher or deeper counts."""
    at = random.uniform(-6, 6, (2, count))
    x, y = at + noise * random.uniform(-6, 6, (2, count))
    signs = np.array([1, -1, 1, -1, 1, -1])
    across, up = np.array([-4, 0, 4, -4, 0, 4]), np.array([2.5, 2.5, 2.5, -2.5, -2.5, -2.5])
    far = np.hypot(x[:, None] - across, y[:, None] - up)
    height = np.maximum(0, 1 - far / 2)
    best = height.argmax(axis=1)
    return np.stack([*at, (signs * height)[np.arange(count), best]], axis=1)
