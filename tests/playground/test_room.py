"""What a room answers to the messages of a page."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

from tests.playground.frame import unpacked
from thalweg.playground.inspection import measure_machine
from thalweg.playground.presets import PRESETS
from thalweg.playground.room import Room


class Page:
    """A page that draws every frame at once."""

    def __init__(self, link: str = "#seed=0.5") -> None:
        self.room = Room()
        self.seconds = 0.0  # of training, in a turn
        self.head: dict[str, Any] = {}
        self.pictures: dict[tuple[int, int, int], Any] = {}
        self.first = self.says({"type": "hello", "hash": link})

    def says(self, *messages: dict[str, Any]) -> dict[str, Any]:
        """The answers by type, of which the last counts, after a turn of no time."""
        acked = {"type": "ack", "frame": self.head.get("frame", 0)}
        first = [] if not self.head else [acked]
        answers, frame = self.room.turn([*first, *messages], self.seconds)
        json.dumps(answers, allow_nan=False)
        if frame is not None:
            self.head, self.pictures = unpacked(frame)
        return {answer["type"]: answer for answer in answers}

    def sets(self, **changes: Any) -> dict[str, Any]:
        return self.says({"type": "set", "changes": changes})


@pytest.fixture
def page() -> Iterator[Page]:
    made = Page()
    yield made
    made.room.close()


def test_hello_is_answered_with_all_that_there_is(page: Page) -> None:
    assert list(page.first) == ["presets", "state", "network", "data"]
    assert page.first["state"]["hash"].startswith("#activation=tanh&batchSize=10")
    network = page.first["network"]
    assert network["features"] == ["x", "y"]
    assert network["layers"] == [{"size": size, "activation": "tanh"} for size in (4, 2, 1)]
    assert len(page.first["data"]["train"]) == 250
    assert (page.head["step"], page.head["loss"][0] > 0.3) == (0, True)
    shown = {(layer, n, 30) for layer, size in enumerate((2, 4, 2, 1)) for n in range(size)}
    assert set(page.pictures) == {*shown, (3, 0, 100)}


def test_it_runs_until_it_is_paused(page: Page) -> None:
    assert page.says({"type": "run"})["state"]["running"]
    for _ in range(5):
        page.says()
    steps = page.head["step"]
    assert steps > 0
    assert not page.says({"type": "pause"})["state"]["running"]
    page.says()
    assert not page.room.wants_turn
    assert page.says({"type": "step"})["state"]["running"] is False
    assert page.head["step"] >= steps + 1


def test_speed_says_how_many_steps_a_frame_has(page: Page) -> None:
    page.seconds = 10.0
    page.says({"type": "speed", "stepsPerFrame": 3}, {"type": "run"})
    before = page.head["step"]
    page.says()
    page.says()
    assert page.head["step"] == before + 6


def test_a_page_that_does_not_draw_is_not_flooded(page: Page) -> None:
    frames = [page.room.turn([{"type": "run"}], 0.0)[1] for _ in range(10)]
    assert sum(frame is not None for frame in frames) == 1  # and hello's: two are on their way
    assert not page.room.wants_turn


def test_settings_change_while_it_runs() -> None:
    """What fits goes on with the same weights, the rest begins anew; all of it is running."""
    page = Page("#seed=0.5&networkShape=2")
    page.says({"type": "run"})
    kept: list[dict[str, Any]] = [
        {"learningRate": 0.1},
        {"batchSize": 3},
        {"regularization": "L2", "regularizationRate": 0.001},
        {"regularizationRate": 0.01},
        {"optimizer": "adam"},
        {"activations": ["sigmoid"]},
        {"dropout": 0.2},
        {"noise": 10},
        {"percTrainData": 30},
    ]
    for change in kept:
        before = page.head["step"]
        answers = page.sets(**change)
        assert "error" not in answers
        assert answers["state"]["state"] | change == answers["state"]["state"]
        assert page.head["step"] > before
    begun: list[dict[str, Any]] = [
        {"networkShape": [3]},
        {"xSquared": True},
        {"dataset": "spiral"},
        {"classes": 3},
        {"problem": "regression"},
        {"regDataset": "reg-gauss"},
        {"initZero": True},
    ]
    for change in begun:
        page.says()
        before = page.head["step"]
        assert "error" not in page.sets(**change)
        assert page.head["step"] < before
        assert page.room.is_running


def test_a_larger_network_shows_smaller_pictures(page: Page) -> None:
    answers = page.sets(networkShape=[64, 64, 64])
    assert [layer["size"] for layer in answers["network"]["layers"]] == [64, 64, 64, 1]
    assert {size for _, _, size in page.pictures} == {18, 100}
    assert page.head["weights"][1] is None  # too many to send as numbers
    assert len(page.head["weights"][0]) == 2


def test_what_the_pointer_is_on_is_shown_large(page: Page) -> None:
    page.says({"type": "hover", "layer": 1, "neuron": 2})
    assert [place for place in page.pictures if place[2] == 100] == [(1, 2, 100)]
    page.says({"type": "hover", "layer": 9, "neuron": 9})
    assert [place for place in page.pictures if place[2] == 100] == [(3, 0, 100)]


def test_features_are_shown_once(page: Page) -> None:
    page.says({"type": "step"})
    assert not [place for place in page.pictures if place[0] == 0]
    page.sets(xTimesY=True)
    assert len([place for place in page.pictures if place[0] == 0]) == 3


def test_weights_are_edited_and_undone(page: Page) -> None:
    before = page.head["weights"][0][1][2]
    page.says({"type": "weight", "layer": 1, "from": 1, "to": 2, "value": 2.5})
    page.says({"type": "bias", "layer": 2, "neuron": 0, "value": -1})
    assert page.head["weights"][0][1][2] == 2.5
    assert page.head["biases"][1][0] == -1
    page.says({"type": "undo"})
    page.says({"type": "undo"})
    assert page.head["weights"][0][1][2] == before
    assert page.head["biases"][1][0] == pytest.approx(0.1)
    assert page.says({"type": "undo"})["error"]["message"] == "there is nothing to undo"


def test_reset_and_regenerate(page: Page) -> None:
    weights, points = page.head["weights"], page.first["data"]["train"]
    page.says({"type": "step"})
    trained = page.head["weights"]
    answers = page.says({"type": "regenerate"})
    assert answers["data"]["train"] != points
    assert page.head["weights"] == trained
    page.says({"type": "reset"})
    assert page.head["step"] == 0
    assert page.head["weights"] not in (weights, trained)
    for _ in range(2):
        page.says({"type": "undo"})
    assert page.says({"type": "undo"}).keys() <= {"error", "state", "data"}
    assert page.head["step"] == 1


def test_own_data(page: Page) -> None:
    answers = page.says({"type": "data", "points": [[1, 2, 0], [-1, 3, 1], [2, 2, 2], [0, 0, 1]]})
    assert answers["data"]["classes"] == 3
    assert answers["network"]["outputs"] == 3
    assert answers["state"]["state"]["dataset"] == "own"
    page.says({"type": "step"})
    assert [place for place in page.pictures if place[2] == 100] == [(3, n, 100) for n in range(3)]
    answers = page.says({"type": "csv", "text": "1,2,a\n2,3,b\n4,1,a\n"})
    assert answers["data"]["classes"] == 2
    answers = page.says({"type": "csv", "text": "1,2\n"})
    assert answers["error"]["message"].startswith("line 1 must be x, y and a label")
    page.says({"type": "data", "points": []})
    assert page.head["step"] == 0
    page.says({"type": "step"})  # nothing to train with
    assert page.head["step"] == 0


@pytest.mark.parametrize("name", PRESETS)
def test_presets_run(page: Page, name: str) -> None:
    answers = page.sets(preset=name, language="de")
    assert "error" not in answers
    assert answers["state"]["state"] | PRESETS[name] == answers["state"]["state"]
    assert answers["state"]["state"]["language"] == "de"
    page.says({"type": "step"})
    assert page.head["step"] in (0, 1)  # one of them explodes at once


def test_nan_is_explained() -> None:
    """The step is the first that fails, and the network is as it was before it."""
    link = "#problem=regression&regDataset=reg-gauss&activation=relu&networkShape=8,8&seed=0.5"
    page = Page(f"{link}&learningRate=10")
    answers = page.says({"type": "run"})
    for _ in range(50):
        if "nan" in answers:
            break
        answers = page.says()
    found = answers["nan"]
    assert not answers["state"]["running"]
    assert page.head["step"] == found["step"] - 1
    assert all(math.isfinite(w) for layer in page.head["weights"] for row in layer for w in row)
    assert found["advice"]["key"] == "nan.learningRate"
    assert found["advice"]["values"]["suggested"] == 1.0
    assert 1 <= found["layer"] <= 3
    again = page.says({"type": "step"})
    assert again["nan"]["step"] == found["step"]
    page.sets(learningRate=0.001)
    assert "nan" not in page.says({"type": "step"})
    page.room.close()


def test_nan_by_regularisation_is_explained() -> None:
    page = Page("#regularization=L2&regularizationRate=100&learningRate=1&seed=0.5")
    answers: dict[str, Any] = page.says({"type": "run"})
    for _ in range(50):
        if "nan" in answers:
            break
        answers = page.says()
    assert answers["nan"]["advice"]["key"] == "nan.regularization"
    assert answers["nan"]["advice"]["values"]["suggested"] == 0.1
    page.room.close()


def test_digits_have_pictures_of_their_weights() -> None:
    page = Page("#dataset=digits&networkShape=6&seed=0.5")
    assert page.first["network"]["features"] == ["pixels"]
    assert page.first["data"]["train"] == []
    assert page.first["data"]["trainCount"] == 1000
    page.says({"type": "step"})
    assert set(page.pictures) == {(1, n, 28) for n in range(6)}
    assert len(page.head["confusion"]) == 10
    page.room.close()


@pytest.mark.parametrize("layer", range(4))
def test_what_runs_is_shown(page: Page, layer: int) -> None:
    page.says({"type": "step"})
    before = page.head["weights"]
    found = page.says({"type": "inspect", "layer": layer})["inspection"]
    assert page.head["weights"] == before
    assert found["kernels"]
    for kernel in found["kernels"]:
        assert kernel["us"] > 0
        assert "for " in kernel["loops"]
        assert kernel["formula"] in "\n".join(s.strip() for s in kernel["loops"].splitlines())
        assert "kernel:" in kernel["assembly"]
        assert kernel["assembly"].rstrip()
    formulas = "\n".join(kernel["formula"] for kernel in found["kernels"])
    roles = {operation["role"] for operation in found["operations"]}
    if layer:
        assert f"layer{layer}/Tanh" in formulas
        assert f"weights{layer}" in formulas
        assert roles == {"forward", "backward", "update"}
    assert "error" in page.says({"type": "inspect", "layer": 9})


def test_the_share_of_the_peak_is_known_when_the_machine_is(page: Page) -> None:
    measure_machine()
    page.says({"type": "step"})
    page.says({"type": "step"})
    assert 0 < page.head["peak"] < 1


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"type": None},
        {"type": ["set"]},
        {"type": "__init__"},
        {"type": "set"},
        {"type": "set", "changes": {"networkShape": [99]}},
        {"type": "set", "changes": {"preset": "none"}},
        {"type": "set", "changes": {"networkShape": [64] * 10, "dataset": "digits"}},
        {"type": "set", "changes": {"x": False, "y": False}},
        {"type": "speed"},
        {"type": "speed", "stepsPerFrame": -1},
        {"type": "weight", "layer": 1, "from": 0, "to": 0, "value": 1e300},
        {"type": "weight", "layer": 1, "from": 0, "to": 9, "value": 1},
        {"type": "bias", "layer": "1", "neuron": 0, "value": 1},
        {"type": "data", "points": [[0, 0, 11]]},
        {"type": "csv", "text": 5},
        {"type": "hover", "layer": 1},
        {"type": "inspect"},
        {"type": "export", "form": "c"},
        {"type": "ack", "frame": "1"},
        {"type": "hello", "hash": "a" * 10_000},
    ],
    ids=str,
)
def test_messages_that_do_not_fit_are_answered_with_an_error(
    page: Page, message: dict[str, Any]
) -> None:
    step = page.head["step"]
    assert page.says(message)["error"]["message"]
    page.says({"type": "step"})
    assert page.head["step"] == step + 1


def test_the_first_message_must_be_a_hello() -> None:
    answers, frame = Room().turn([{"type": "run"}], 0.0)
    assert answers == [{"type": "error", "message": "the first message must be a hello"}]
    assert frame is None
