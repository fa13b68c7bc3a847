"""Links of the original mean the same here."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.base.errors import InvalidArgumentError
from thalweg.playground.state import (
    DEFAULTS,
    ORIGINAL,
    SETTINGS,
    changed,
    features,
    hidden,
    parsed,
    to_hash,
)

# Where people have put them: course pages, readme files, issues. What they say beside the
# original's defaults was read off by hand.
USUAL = (
    "showTestData=false&discretize=false&percTrainData=50&x=true&y=true&xTimesY=false"
    "&xSquared=false&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false"
    "&collectStats=false&problem=classification&initZero=false&hideText=false"
)
ALL_FEATURES = dict.fromkeys(("xTimesY", "xSquared", "ySquared", "sinX", "sinY"), True)
LINKS: list[tuple[str, dict[str, Any]]] = [
    (
        "activation=sigmoid&batchSize=10&dataset=gauss&regDataset=reg-plane&learningRate=0.03"
        f"&regularizationRate=0&noise=0&networkShape=1,1&seed=0.43153&{USUAL}",
        {"activation": "sigmoid", "dataset": "gauss", "networkShape": [1, 1], "seed": "0.43153"},
    ),
    (
        "activation=tanh&batchSize=10&dataset=gauss&regDataset=reg-plane&learningRate=0.03"
        f"&regularizationRate=0&noise=0&networkShape=3,1&seed=0.22934&{USUAL}",
        {"dataset": "gauss", "networkShape": [3, 1], "seed": "0.22934"},
    ),
    (
        "activation=tanh&batchSize=10&dataset=circle&regDataset=reg-plane&learningRate=0.03"
        f"&regularizationRate=0&noise=0&networkShape=4,2&seed=0.45454&{USUAL}",
        {"seed": "0.45454"},
    ),
    (
        "activation=tanh&batchSize=10&dataset=spiral&regDataset=reg-plane&learningRate=0.03"
        "&regularizationRate=0&noise=0&networkShape=8&seed=0.14370&showTestData=false"
        "&discretize=false&percTrainData=50&x=true&y=true&xTimesY=true&xSquared=true"
        "&ySquared=true&cosX=false&sinX=false&cosY=false&sinY=false&collectStats=false"
        "&problem=classification&initZero=false&hideText=false",
        {
            "dataset": "spiral",
            "networkShape": [8],
            "seed": "0.14370",
            "xTimesY": True,
            "xSquared": True,
            "ySquared": True,
        },
    ),
    (
        "activation=sigmoid&batchSize=10&dataset=circle&regDataset=reg-plane&learningRate=0.01"
        "&regularizationRate=0&noise=0&networkShape=4&seed=0.15031&showTestData=true"
        "&discretize=false&percTrainData=50&x=true&y=true&xTimesY=false&xSquared=false"
        "&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false&collectStats=false"
        "&problem=classification&initZero=false&hideText=false",
        {
            "activation": "sigmoid",
            "learningRate": 0.01,
            "networkShape": [4],
            "seed": "0.15031",
            "showTestData": True,
        },
    ),
    (
        "activation=linear&batchSize=10&dataset=gauss&regDataset=reg-plane&learningRate=0.0001"
        f"&regularizationRate=0&noise=0&networkShape=&seed=0.28207&{USUAL}",
        {
            "activation": "linear",
            "dataset": "gauss",
            "learningRate": 0.0001,
            "networkShape": [],
            "seed": "0.28207",
        },
    ),
    (
        "activation=tanh&batchSize=10&dataset=spiral&regDataset=reg-plane&learningRate=0.1"
        "&regularizationRate=0&noise=0&networkShape=8,4,4,3,3,2&seed=0.09399&showTestData=false"
        "&discretize=false&percTrainData=70&x=true&y=true&xTimesY=true&xSquared=true"
        "&ySquared=true&cosX=false&sinX=true&cosY=false&sinY=true&collectStats=false"
        "&problem=classification&initZero=false&hideText=false",
        {
            "dataset": "spiral",
            "learningRate": 0.1,
            "networkShape": [8, 4, 4, 3, 3, 2],
            "seed": "0.09399",
            "percTrainData": 70,
            **ALL_FEATURES,
        },
    ),
    (
        "activation=linear&batchSize=10&dataset=circle&regDataset=reg-plane&learningRate=0.001"
        "&regularizationRate=0&noise=0&networkShape=&seed=0.08033&showTestData=false"
        "&discretize=false&percTrainData=30&x=true&y=true&xTimesY=false&xSquared=false"
        "&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false&collectStats=false"
        "&problem=regression&initZero=false&hideText=false",
        {
            "activation": "linear",
            "learningRate": 0.001,
            "networkShape": [],
            "seed": "0.08033",
            "percTrainData": 30,
            "problem": "regression",
        },
    ),
    (
        "activation=linear&batchSize=10&dataset=circle&regDataset=reg-plane&learningRate=0.001"
        "&regularizationRate=0&noise=0&networkShape=7,7,7,7,7,7&seed=0.08033"
        "&showTestData=false&discretize=false&percTrainData=30&x=true&y=true&xTimesY=false"
        "&xSquared=false&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false"
        "&collectStats=false&problem=regression&initZero=false&hideText=false",
        {
            "activation": "linear",
            "learningRate": 0.001,
            "networkShape": [7] * 6,
            "seed": "0.08033",
            "percTrainData": 30,
            "problem": "regression",
        },
    ),
    (
        "activation=relu&batchSize=1&dataset=spiral&regDataset=reg-gauss&learningRate=0.01"
        "&regularizationRate=0&noise=0&networkShape=8,8,6,4&seed=0.75558&showTestData=false"
        "&discretize=false&percTrainData=70&x=true&y=true&xTimesY=false&xSquared=false"
        "&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false&collectStats=false"
        "&problem=classification&initZero=false&hideText=false",
        {
            "activation": "relu",
            "batchSize": 1,
            "dataset": "spiral",
            "regDataset": "reg-gauss",
            "learningRate": 0.01,
            "networkShape": [8, 8, 6, 4],
            "seed": "0.75558",
            "percTrainData": 70,
        },
    ),
    (
        "activation=tanh&batchSize=10&dataset=circle&regDataset=reg-gauss&learningRate=0.03"
        "&regularizationRate=0&noise=0&networkShape=4,2&seed=0.44189&showTestData=false"
        "&discretize=false&percTrainData=50&x=true&y=true&xTimesY=false&xSquared=false"
        "&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false&collectStats=false"
        "&problem=regression&initZero=false&hideText=false",
        {"regDataset": "reg-gauss", "seed": "0.44189", "problem": "regression"},
    ),
    (
        "activation=tanh&batchSize=10&dataset=gauss&regDataset=reg-gauss&learningRate=0.001"
        f"&regularizationRate=0&noise=10&networkShape=&seed=0.81671&{USUAL}",
        {
            "dataset": "gauss",
            "regDataset": "reg-gauss",
            "learningRate": 0.001,
            "noise": 10.0,
            "networkShape": [],
            "seed": "0.81671",
        },
    ),
    (
        "activation=tanh&batchSize=10&dataset=gauss&regDataset=reg-gauss&learningRate=0.03"
        "&regularizationRate=0&noise=0&networkShape=6,6&seed=0.99828&showTestData=false"
        "&discretize=false&percTrainData=50&x=true&y=true&xTimesY=false&xSquared=false"
        "&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false&collectStats=false"
        "&problem=regression&initZero=false&hideText=false",
        {
            "dataset": "gauss",
            "regDataset": "reg-gauss",
            "networkShape": [6, 6],
            "seed": "0.99828",
            "problem": "regression",
        },
    ),
    (
        "activation=tanh&batchSize=10&dataset=circle&regDataset=reg-gauss&learningRate=0.003"
        "&regularizationRate=0&noise=0&networkShape=3,3&seed=0.75122&showTestData=false"
        "&discretize=true&percTrainData=30&x=true&y=true&xTimesY=false&xSquared=false"
        "&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false&collectStats=false"
        "&problem=regression&initZero=false&hideText=false",
        {
            "regDataset": "reg-gauss",
            "learningRate": 0.003,
            "networkShape": [3, 3],
            "seed": "0.75122",
            "discretize": True,
            "percTrainData": 30,
            "problem": "regression",
        },
    ),
    (
        "activation=tanh&batchSize=15&dataset=circle&regDataset=reg-gauss&learningRate=0.03"
        "&regularizationRate=0&noise=20&networkShape=4,2,3&seed=0.89345&showTestData=false"
        "&discretize=false&percTrainData=80&x=true&y=true&xTimesY=true&xSquared=false"
        "&ySquared=false&cosX=false&sinX=true&cosY=false&sinY=false&collectStats=false"
        "&problem=regression&initZero=false&hideText=false",
        {
            "batchSize": 15,
            "regDataset": "reg-gauss",
            "noise": 20.0,
            "networkShape": [4, 2, 3],
            "seed": "0.89345",
            "percTrainData": 80,
            "xTimesY": True,
            "sinX": True,
            "problem": "regression",
        },
    ),
    (
        "activation=relu&regularization=L2&batchSize=10&dataset=spiral&regDataset=reg-gauss"
        "&learningRate=0.03&regularizationRate=0.01&noise=0&networkShape=8,6,8,8,6,2"
        "&seed=0.45009&showTestData=false&discretize=false&percTrainData=50&x=true&y=true"
        "&xTimesY=true&xSquared=true&ySquared=true&cosX=false&sinX=true&cosY=false&sinY=true"
        "&collectStats=false&problem=classification&initZero=false&hideText=false",
        {
            "activation": "relu",
            "regularization": "L2",
            "dataset": "spiral",
            "regDataset": "reg-gauss",
            "regularizationRate": 0.01,
            "networkShape": [8, 6, 8, 8, 6, 2],
            "seed": "0.45009",
            **ALL_FEATURES,
        },
    ),
    (
        "activation=relu&batchSize=10&dataset=circle&regDataset=reg-plane&learningRate=0.001"
        f"&regularizationRate=0&noise=0&networkShape=6,6,6,6,6&seed=0.51287&{USUAL}"
        "&regularization_hide=true&discretize_hide=true&regularizationRate_hide=true"
        "&percTrainData_hide=true&dataset_hide=true&problem_hide=true&noise_hide=true"
        "&batchSize_hide=true",
        {
            "activation": "relu",
            "learningRate": 0.001,
            "networkShape": [6] * 5,
            "seed": "0.51287",
            **{
                f"{name}_hide": True
                for name in (
                    *("regularization", "discretize", "regularizationRate", "percTrainData"),
                    *("dataset", "problem", "noise", "batchSize"),
                )
            },
        },
    ),
    (
        "activation=sigmoid&batchSize=10&dataset=gauss&regDataset=reg-plane&learningRate=0.1"
        f"&regularizationRate=0&noise=50&networkShape=&seed=0.01840&{USUAL}"
        "&stepButton_hide=false&activation_hide=true&problem_hide=true&noise_hide=false"
        "&batchSize_hide=true&dataset_hide=true&regularization_hide=true&playButton_hide=false"
        "&learningRate_hide=false&regularizationRate_hide=true&percTrainData_hide=true"
        "&numHiddenLayers_hide=true",
        {
            "activation": "sigmoid",
            "dataset": "gauss",
            "learningRate": 0.1,
            "noise": 50.0,
            "networkShape": [],
            "seed": "0.01840",
            **dict.fromkeys(
                ("stepButton_hide", "noise_hide", "playButton_hide", "learningRate_hide"), False
            ),
            **{
                f"{name}_hide": True
                for name in (
                    *("activation", "problem", "batchSize", "dataset", "regularization"),
                    *("regularizationRate", "percTrainData", "numHiddenLayers"),
                )
            },
        },
    ),
    (
        "activation=linear&batchSize=10&dataset=gauss&regDataset=reg-plane&learningRate=0.03"
        "&regularizationRate=0&noise=5&networkShape=1&seed=0.07855&showTestData=false"
        "&discretize=true&percTrainData=50&x=true&y=true&xTimesY=false&xSquared=false"
        "&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false&collectStats=false"
        "&problem=classification&initZero=false&hideText=false&showTestData_hide=true"
        "&stepButton_hide=false&playButton_hide=true&resetButton_hide=true",
        {
            "activation": "linear",
            "dataset": "gauss",
            "noise": 5.0,
            "networkShape": [1],
            "seed": "0.07855",
            "discretize": True,
            "showTestData_hide": True,
            "stepButton_hide": False,
            "playButton_hide": True,
            "resetButton_hide": True,
        },
    ),
    (  # From a course that adds keys of its own.
        "activation=linear&batchSize=3&dataset=gauss&regDataset=reg-plane&learningRate=3"
        "&regularizationRate=0&noise=80&networkShape=&seed=0.245&showTestData=false"
        "&discretize=false&percTrainData=50&x=true&y=true&xTimesY=false&xSquared=false"
        "&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false&collectStats=false"
        "&problem=classification&initZero=false&hideText=true&xTimesY_hide=true"
        "&xSquared_hide=true&learningRate_hide=false&tutorial=dp-reducing-loss-learning-rate"
        "&goalTrainLossMinThresholdFirst=0.25",
        {
            "activation": "linear",
            "batchSize": 3,
            "dataset": "gauss",
            "learningRate": 3.0,
            "noise": 80.0,
            "networkShape": [],
            "seed": "0.245",
            "hideText": True,
            "xTimesY_hide": True,
            "xSquared_hide": True,
            "learningRate_hide": False,
            "tutorial": "dp-reducing-loss-learning-rate",
        },
    ),
    (
        "activation=tanh&regularization=L1&batchSize=10&dataset=spiral&regDataset=reg-plane"
        "&learningRate=0.01&regularizationRate=0.003&noise=0&networkShape=8,4&seed=0.79101"
        "&showTestData=false&discretize=false&percTrainData=50&x=true&y=true&xTimesY=false"
        "&xSquared=true&ySquared=true&cosX=false&sinX=false&cosY=false&sinY=false"
        "&collectStats=false&problem=classification&initZero=false&hideText=false",
        {
            "regularization": "L1",
            "dataset": "spiral",
            "learningRate": 0.01,
            "regularizationRate": 0.003,
            "networkShape": [8, 4],
            "seed": "0.79101",
            "xSquared": True,
            "ySquared": True,
        },
    ),
    (
        "activation=linear&regularization=L1&batchSize=29&dataset=gauss&regDataset=reg-plane"
        "&learningRate=0.001&regularizationRate=0.003&noise=15&networkShape=1&seed=0.37334"
        "&showTestData=true&discretize=false&percTrainData=50&x=false&y=false&xTimesY=true"
        "&xSquared=true&ySquared=true&cosX=false&sinX=false&cosY=false&sinY=false"
        "&collectStats=false&problem=classification&initZero=false&hideText=false",
        {
            "activation": "linear",
            "regularization": "L1",
            "batchSize": 29,
            "dataset": "gauss",
            "learningRate": 0.001,
            "regularizationRate": 0.003,
            "noise": 15.0,
            "networkShape": [1],
            "seed": "0.37334",
            "showTestData": True,
            "x": False,
            "y": False,
            "xTimesY": True,
            "xSquared": True,
            "ySquared": True,
        },
    ),
    (
        "activation=relu&regularization=L2&batchSize=11&dataset=spiral&regDataset=reg-plane"
        "&learningRate=0.1&regularizationRate=0.01&noise=5&networkShape=7,3&seed=0.97185"
        "&showTestData=false&discretize=false&percTrainData=70&x=true&y=true&xTimesY=true"
        "&xSquared=true&ySquared=true&cosX=false&sinX=true&cosY=false&sinY=true"
        "&collectStats=false&problem=classification&initZero=false&hideText=false",
        {
            "activation": "relu",
            "regularization": "L2",
            "batchSize": 11,
            "dataset": "spiral",
            "learningRate": 0.1,
            "regularizationRate": 0.01,
            "noise": 5.0,
            "networkShape": [7, 3],
            "seed": "0.97185",
            "percTrainData": 70,
            **ALL_FEATURES,
        },
    ),
]


@pytest.mark.parametrize(("link", "said"), LINKS, ids=lambda part: str(part)[:40])
def test_links_say_what_they_said(link: str, said: dict[str, Any]) -> None:
    assert parsed(f"#{link}") == DEFAULTS | said


@pytest.mark.parametrize("link", [link for link, _ in LINKS], ids=lambda link: link[:40])
def test_links_are_written_as_the_original_writes_them(link: str) -> None:
    """The same keys in the same order, but for those that it does not know."""
    mine = [part for part in link.split("&") if not part.startswith("goal")]
    if any(part.startswith("tutorial") for part in mine):  # somebody has moved it
        assert sorted(to_hash(parsed(link))[1:].split("&")) == sorted(mine)
    else:
        assert to_hash(parsed(link)) == "#" + "&".join(mine)


def test_there_are_the_27_keys_of_the_original() -> None:
    assert len(ORIGINAL) == 27


def test_what_is_missing_or_strange_is_as_usual() -> None:
    text = (
        "#activation=step&batchSize=many&networkShape=4,x&learningRate=&x&noise=-3&unknown=1&seed=1"
    )
    assert parsed(text) == DEFAULTS | {"seed": "1"}
    assert parsed("noise=81&seed=1")["noise"] == 50
    assert parsed("batchSize=1000000")["batchSize"] == 500
    assert parsed("learningRate=nan")["learningRate"] == 0.03
    assert parsed("seed=%3Cscript%3E")["seed"] != "<script>"


def test_a_hidden_feature_is_no_input() -> None:
    state = parsed("#xSquared=true&xSquared_hide=true&sinX=true&nonsense_hide=true")
    assert hidden(state) == {"xSquared"}
    assert features(state) == ("x", "y", "sinX")


def test_a_link_without_features_has_the_first_two() -> None:
    assert features(parsed("#x=false&y=false")) == ("x", "y")
    assert features(parsed("#x_hide=true&y_hide=true")) == ("x", "y")


def test_a_link_without_a_seed_gets_one() -> None:
    seeds = {parsed("")["seed"] for _ in range(20)}
    assert len(seeds) > 1
    assert all(seed.startswith("0.") for seed in seeds)


@settings(max_examples=40)
@given(st.text(max_size=200))
def test_any_text_is_a_link(text: str) -> None:
    state = parsed(text)
    assert changed(state, {name: state[name] for name in SETTINGS}) == state
    assert parsed(to_hash(state)) == state


def test_long_texts_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="8,192 characters"):
        parsed("#" + "a" * 9000)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": "step"}, "activation must be one of relu"),
        ({"batchSize": 0}, "batchSize must be a number from 1 to 500: 0"),
        ({"batchSize": True}, "batchSize must be a number"),
        ({"learningRate": float("nan")}, "learningRate must be a number"),
        ({"networkShape": [1] * 11}, "networkShape must be a list of at most 10"),
        ({"networkShape": "4,2"}, "networkShape must be a list"),
        ({"discretize": 1}, "discretize must be true or false"),
        ({"seed": "a b"}, "seed must be at most 32 letters"),
        ({"__class__": 1}, "no setting '__class__'"),
        ({"noise_hide": "yes"}, "noise_hide must be true or false"),
    ],
)
def test_changes_that_do_not_fit_are_errors(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        changed(DEFAULTS, changes)
