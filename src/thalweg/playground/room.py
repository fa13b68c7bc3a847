"""One person's playground: messages of the page in, answers and frames out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

from thalweg.base.errors import InvalidArgumentError, ThalwegError
from thalweg.playground import program, trouble
from thalweg.playground.experiment import Experiment
from thalweg.playground.frames import Frames, Rate
from thalweg.playground.inspection import Inspection
from thalweg.playground.points import DOMAIN, own_points, points_of_csv
from thalweg.playground.presets import PRESETS
from thalweg.playground.state import SETTINGS, parsed, to_hash

__all__ = ["Room"]

Message: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = dict[str, Any]

AHEAD = 2  # frames that may be on their way, without an answer of the page


class Room:
    """A network with what a page knows of it.

    Everything happens in `turn`, one call after the other, on whatever thread.

    Attributes:
        is_running: whether the network is being trained.
    """

    def __init__(self) -> None:
        self.is_running = False
        self._experiment: Experiment | None = None
        self._frames = Frames()
        self._rate = Rate()
        self._seen = 0  # the last frame that the page has drawn
        self._is_stale = False  # whether the page shows something older than there is
        self._inspection = Inspection()
        self._shown: tuple[Any, ...] = ()  # state, data, structure that the page knows

    def close(self) -> None:
        """Free its memory."""
        if self._experiment is not None:
            self._experiment.close()

    @property
    def wants_turn(self) -> bool:
        """Whether there is something to do without a message: to train, or to show."""
        return (self.is_running or self._is_stale) and self._may_show

    @property
    def _may_show(self) -> bool:
        return self._frames.number - self._seen < AHEAD

    def turn(self, messages: list[Message], seconds: float) -> tuple[list[Answer], bytes | None]:
        """Do what messages say, train for a while if it runs, and show what has come of it.

        Args:
            messages: of the page, in order.
            seconds: for training.

        Returns:
            answers, and a frame if there is something new and the page keeps up.
        """
        answers: list[Answer] = []
        for message in messages:
            try:
                answers += self._answers(message)
            except ThalwegError as error:
                if self._experiment is not None:  # the page may show what was refused
                    answers.append(self._state(self._experiment))
                answers.append({"type": "error", "message": str(error)})
        experiment = self._experiment
        if experiment is None or not self._may_show:
            return answers, None
        if self.is_running:
            answers += self._train(experiment, seconds)
        if not self._is_stale:
            return answers, None
        self._is_stale = False
        peak = self._inspection.share_of_peak(experiment)
        return answers, self._frames.frame(experiment.engine, self._rate.per_second, peak)

    # -- training

    def _train(self, experiment: Experiment, seconds: float) -> list[Answer]:
        """Train as many steps as the speed says; answers if that ended in NaN."""
        wanted = experiment.state["speed"]
        possible = experiment.engine.steps_in(seconds)
        return self._steps(experiment, min(wanted, possible) if wanted else possible)

    def _steps(self, experiment: Experiment, steps: int) -> list[Answer]:
        before, journal = experiment.engine.values(), experiment.journal
        experiment.train(steps)
        self._is_stale = True
        self._rate.add(steps, time.perf_counter())
        if experiment.engine.is_finite():
            return []
        self.is_running = False
        found = trouble.explain(experiment, before, journal)
        return [found, self._state(experiment)]

    # -- messages

    def _answers(self, message: Message) -> list[Answer]:
        """Do what a message says."""
        kind = message.get("type")
        if kind == "hello":
            return self._hello(message)
        if self._experiment is None:
            raise InvalidArgumentError("the first message must be a hello")
        if kind == "ack":
            self._seen = min(max(self._seen, _whole(message, "frame")), self._frames.number)
            return []
        handler = self._handlers.get(kind) if isinstance(kind, str) else None
        if handler is None:
            raise InvalidArgumentError(f"there is no message {str(kind)[:40]!r}")
        made = handler(self, message, self._experiment)
        return made + self._news(self._experiment)

    def _hello(self, message: Message) -> list[Answer]:
        state = parsed(_text(message, "hash"))
        self.close()
        self._experiment = Experiment(state)
        self._shown = ()
        presets = [{"name": name, "changes": changes} for name, changes in PRESETS.items()]
        return [{"type": "presets", "presets": presets}, *self._news(self._experiment)]

    def _set(self, message: Message, experiment: Experiment) -> list[Answer]:
        changes = message.get("changes")
        if not isinstance(changes, dict) or len(changes) > 2 * len(SETTINGS):
            raise InvalidArgumentError("changes must be an object with settings")
        experiment.set(changes)
        return []

    def _run(self, message: Message, experiment: Experiment) -> list[Answer]:
        self.is_running = True
        self._rate = Rate()
        return [self._state(experiment)]

    def _pause(self, message: Message, experiment: Experiment) -> list[Answer]:
        self.is_running = False
        return [self._state(experiment)]

    def _step(self, message: Message, experiment: Experiment) -> list[Answer]:
        self.is_running = False
        return [*self._steps(experiment, 1), self._state(experiment)]

    def _reset(self, message: Message, experiment: Experiment) -> list[Answer]:
        experiment.reset()
        return []

    def _undo(self, message: Message, experiment: Experiment) -> list[Answer]:
        if not experiment.undo():
            raise InvalidArgumentError("there is nothing to undo")
        return []

    def _regenerate(self, message: Message, experiment: Experiment) -> list[Answer]:
        experiment.regenerate()
        return []

    def _speed(self, message: Message, experiment: Experiment) -> list[Answer]:
        experiment.set({"speed": message.get("stepsPerFrame")})
        return []

    def _weight(self, message: Message, experiment: Experiment) -> list[Answer]:
        place = (_whole(message, "from"), _whole(message, "to"))
        experiment.edit(_whole(message, "layer"), place, _real(message, "value"))
        return []

    def _bias(self, message: Message, experiment: Experiment) -> list[Answer]:
        place = (_whole(message, "neuron"),)
        experiment.edit(_whole(message, "layer"), place, _real(message, "value"))
        return []

    def _data(self, message: Message, experiment: Experiment) -> list[Answer]:
        experiment.give(own_points(message.get("points")))
        return []

    def _csv(self, message: Message, experiment: Experiment) -> list[Answer]:
        is_regression = experiment.state["problem"] == "regression"
        experiment.give(points_of_csv(_text(message, "text"), is_regression))
        return []

    def _hover(self, message: Message, experiment: Experiment) -> list[Answer]:
        self._frames.hovered = None
        if "layer" in message:
            self._frames.hovered = _whole(message, "layer"), _whole(message, "neuron")
        return []

    def _inspect(self, message: Message, experiment: Experiment) -> list[Answer]:
        return [self._inspection.of_layer(experiment, _whole(message, "layer"))]

    def _export(self, message: Message, experiment: Experiment) -> list[Answer]:
        form = _text(message, "form")
        text = program.text(experiment.journal, form)
        return [{"type": "program", "form": form, "text": text}]

    _handlers: ClassVar[Mapping[str, Callable[[Room, Message, Experiment], list[Answer]]]] = {
        "set": _set,
        "run": _run,
        "pause": _pause,
        "step": _step,
        "reset": _reset,
        "undo": _undo,
        "regenerate": _regenerate,
        "speed": _speed,
        "weight": _weight,
        "bias": _bias,
        "data": _data,
        "csv": _csv,
        "hover": _hover,
        "inspect": _inspect,
        "export": _export,
    }

    # -- what the page is told

    def _news(self, experiment: Experiment) -> list[Answer]:
        """What has changed since the page was told last."""
        now = (experiment.state, experiment.data, experiment.engine.structure)
        news = []
        if not self._shown or now[0] is not self._shown[0]:
            news.append(self._state(experiment))
        if not self._shown or now[2] != self._shown[2]:
            news.append(_network(experiment))
            self._frames.begin()
        if not self._shown or now[1] is not self._shown[1]:
            news.append(_points(experiment))
        self._shown = now
        self._is_stale = True
        return news

    def _state(self, experiment: Experiment) -> Answer:
        return {
            "type": "state",
            "state": experiment.state,
            "hash": to_hash(experiment.state),
            "running": self.is_running,
        }


def _network(experiment: Experiment) -> Answer:
    structure = experiment.engine.structure
    layers = zip(structure.sizes[1:], structure.activations, strict=True)
    return {
        "type": "network",
        "features": list(structure.features) or ["pixels"] * experiment.data.is_images,
        "layers": [{"size": size, "activation": name} for size, name in layers],
        "outputs": structure.sizes[-1],
        "problem": experiment.state["problem"],
    }


def _points(experiment: Experiment) -> Answer:
    """The points; of images only how many there are."""
    data = experiment.data
    answer = {"type": "data", "domain": list(DOMAIN), "classes": data.classes, "name": data.name}
    for part in ("train", "test"):
        inputs, labels = data.part(part)
        rows = zip(*inputs.T.tolist(), labels.tolist(), strict=True)
        answer[part] = [] if data.is_images else [list(row) for row in rows]
        answer[f"{part}Count"] = len(labels)
    return answer


def _text(message: Message, key: str) -> str:
    value = message.get(key)
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{key} must be a text")
    return value


def _whole(message: Message, key: str) -> int:
    value = message.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidArgumentError(f"{key} must be an integer")
    return value


def _real(message: Message, key: str) -> float:
    value = message.get(key)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise InvalidArgumentError(f"{key} must be a number")
    return float(value)
