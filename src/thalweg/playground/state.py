"""The state of a playground: what is set, as plain data, and as the link that says it.

The names are those of playground.tensorflow.org's links, so that these mean the same here. A state
is a dictionary that JSON can hold; it is never changed, but replaced.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, TypeAlias
from urllib.parse import unquote

from thalweg.base.errors import InvalidArgumentError
from thalweg.playground.settings import Choice, Flag, Number, Sequenced, Setting, Text

__all__ = ["ACTIVATIONS", "FEATURES", "OPTIMIZERS", "State", "changed", "parsed", "to_hash"]

State: TypeAlias = Mapping[str, Any]

MOST_LAYERS = 10
MOST_NEURONS = 64
MOST_BATCH = 500
LONGEST_HASH = 8192  # characters

ACTIVATIONS = ("relu", "tanh", "sigmoid", "linear", "elu", "softplus", "leakyrelu")
OPTIMIZERS = (
    *("sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "ftrl"),
    *("proximalsgd", "proximaladagrad"),
)
DATASETS = ("circle", "xor", "gauss", "spiral", "own", "digits")
REGRESSION_DATASETS = ("reg-plane", "reg-gauss", "own")
# What a network can be given of a point; the two cosines are in the links only.
FEATURES = ("x", "y", "xSquared", "ySquared", "xTimesY", "sinX", "sinY")

# In the order in which the original writes them.
ORIGINAL: dict[str, Setting] = {
    "activation": Choice(ACTIVATIONS),
    "regularization": Choice(("none", "L1", "L2")),
    "batchSize": Number(1, MOST_BATCH, whole=True),
    "dataset": Choice(DATASETS),
    "regDataset": Choice(REGRESSION_DATASETS),
    "learningRate": Number(0, 100),
    "regularizationRate": Number(0, 100),
    "noise": Number(0, 80),
    "networkShape": Sequenced(Number(1, MOST_NEURONS, whole=True), MOST_LAYERS),
    "seed": Text(),
    "showTestData": Flag(),
    "discretize": Flag(),
    "percTrainData": Number(1, 99, whole=True),
    **dict.fromkeys(("x", "y", "xTimesY", "xSquared", "ySquared"), Flag()),
    **dict.fromkeys(("cosX", "sinX", "cosY", "sinY"), Flag()),
    "collectStats": Flag(),
    "tutorial": Text(),
    "problem": Choice(("classification", "regression")),
    "initZero": Flag(),
    "hideText": Flag(),
}
OWN: dict[str, Setting] = {
    "optimizer": Choice(OPTIMIZERS),
    "activations": Sequenced(Choice(ACTIVATIONS), MOST_LAYERS),
    "dropout": Number(0, 0.9),
    "classes": Number(2, 10, whole=True),
    "preset": Text(),
    "language": Choice(("en", "de", "ja", "es")),
    "speed": Number(0, 100_000, whole=True),
}
SETTINGS = ORIGINAL | OWN
# Controls that a link can hide: `noise_hide=true`.
HIDABLE = {
    *SETTINGS,
    *("playButton", "stepButton", "resetButton", "numHiddenLayers"),
}
HIDE = "_hide"
DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(ORIGINAL, False),
    "activation": "tanh",
    "regularization": "none",
    "batchSize": 10,
    "dataset": "circle",
    "regDataset": "reg-plane",
    "learningRate": 0.03,
    "regularizationRate": 0.0,
    "noise": 0.0,
    "networkShape": [4, 2],
    "seed": "",
    "percTrainData": 50,
    "x": True,
    "y": True,
    "tutorial": "",
    "problem": "classification",
    "optimizer": "sgd",
    "activations": [],
    "dropout": 0.0,
    "classes": 2,
    "preset": "",
    "language": "en",
    "speed": 0,
}


def parsed(text: str) -> State:
    """The state that the hash of a link says, as the original reads it.

    What is missing or not understood has its default. Numbers out of range are taken to its end,
    but more noise than the original can show, which it takes for its most usual.

    Raises:
        InvalidArgumentError: if the text is longer than any link.
    """
    if len(text) > LONGEST_HASH:
        raise InvalidArgumentError(f"a link has at most {LONGEST_HASH:,} characters")
    said = _pairs(text)
    state = dict(DEFAULTS)
    for name, setting in SETTINGS.items():
        # Only for a list does it mean something that nothing is said.
        if name in said and (said[name].strip() or isinstance(setting, Sequenced)):
            value = setting.read(said[name])
            state[name] = state[name] if value is None else value
    if _too_noisy(said.get("noise", "")):
        state["noise"] = 50.0
    state |= {name: value == "true" for name, value in said.items() if _hides(name)}
    state["seed"] = state["seed"] or new_seed()
    if not features(state):  # a network without inputs has nothing to learn
        state |= {"x": True, "y": True}
        state = {name: value for name, value in state.items() if name not in ("x_hide", "y_hide")}
    return state


def changed(state: State, changes: Mapping[str, Any]) -> State:
    """The state with other values.

    Raises:
        InvalidArgumentError: for a name that is none, or a value that does not fit.
    """
    new = dict(state)
    for name, value in changes.items():
        if _hides(name):
            new[name] = Flag().check(name, value)
        elif name in SETTINGS:
            new[name] = SETTINGS[name].check(name, value)
        else:
            raise InvalidArgumentError(f"there is no setting {str(name)[:40]!r}")
    return new


def to_hash(state: State) -> str:
    """The hash of the link that says the state.

    The original's keys come first, all of them as it writes them; then what is hidden; then ours,
    where they are not as usual, so that a link says no more than it must.
    """
    parts = [
        f"{name}={setting.write(state[name])}"
        for name, setting in ORIGINAL.items()
        if (not (name == "regularization" and state[name] == "none") and state[name] != "")
        or isinstance(setting, Sequenced)
    ]
    parts += [f"{name}={Flag().write(on)}" for name, on in state.items() if _hides(name)]
    parts += [
        f"{name}={setting.write(state[name])}"
        for name, setting in OWN.items()
        if state[name] != DEFAULTS[name]
    ]
    return "#" + "&".join(parts)


def hidden(state: State) -> set[str]:
    """The controls that are not shown."""
    return {name.removesuffix(HIDE) for name, on in state.items() if _hides(name) and on}


def features(state: State) -> tuple[str, ...]:
    """What the network is given of a point: a feature that is hidden counts as switched off."""
    away = hidden(state)
    return tuple(name for name in FEATURES if state[name] and name not in away)


def new_seed() -> str:
    """A seed as the original makes them, such as "0.59704"."""
    return f"0.{secrets.randbelow(100_000):05d}"


def _pairs(text: str) -> dict[str, str]:
    """Names and values of a hash, of which the last counts if a name comes twice."""
    pairs = [part.split("=") for part in text.removeprefix("#").split("&")]
    return {pair[0]: unquote(pair[1]) for pair in pairs if len(pair) > 1}


def _hides(name: str) -> bool:
    return name.endswith(HIDE) and name.removesuffix(HIDE) in HIDABLE


def _too_noisy(text: str) -> bool:
    try:
        return float(text) > 80
    except ValueError:
        return False
