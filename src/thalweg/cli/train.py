"""`thalweg train mnist`: train the tutorials' networks on the data in the package."""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections import deque
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TextIO

import thalweg as tf
from thalweg.base import settings
from thalweg.base.record import Record, field
from thalweg.cli.command import INTERRUPTED, CliError, Commands
from thalweg.cli.progress import Progress
from thalweg.datasets import mnist
from thalweg.tutorial import NETWORKS, Kind, Network

__all__ = ["add"]

RECENT = 100  # batches over which the accuracy shown is averaged
CHECKS = 10  # how often a run looks at the validation set
LOG_ROWS = 200  # at most about so many rows a network in the log

LOG_HEADER = ("network", "step", "loss", "train_accuracy", "validation_accuracy")


class _InterruptedError(Exception):
    """Ctrl-C during training, which has been reported already."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    train = commands.add_parser(
        "train",
        help="train a network on data that comes with the package",
        description="Train the networks of the MNIST tutorials. Nothing is downloaded.",
    )
    train.add_argument("data", choices=["mnist"], help="the data set")
    train.add_argument("--model", choices=[*NETWORKS, "both"], default="both", help="what to train")
    train.add_argument("--steps", type=_positive, metavar="N", help="steps of each network")
    train.add_argument(
        "--full",
        action="store_true",
        help="train the convolutional network as the tutorial does: 20,000 steps, rate 1e-4",
    )
    train.add_argument(
        "--seed", type=_seed, default=1, metavar="S", help="the same seed, the same run"
    )
    train.add_argument("--threads", type=_positive, metavar="T", help="default: one for each CPU")
    train.add_argument("--log", metavar="FILE.csv", help="write losses and accuracies for plots")
    train.set_defaults(run=_train_mnist)


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return number


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def _train_mnist(arguments: argparse.Namespace) -> int:
    threads = arguments.threads or _default_threads()
    names = list(NETWORKS) if arguments.model == "both" else [arguments.model]
    with _opened(arguments.log) as log:
        if log is not None:
            csv.writer(log).writerow(LOG_HEADER)
        data = _read_data(arguments.seed)
        cpus = f"{threads} thread{'s' if threads > 1 else ''}"
        print(f"thalweg {tf.__version__}, MNIST, {cpus}, seed {arguments.seed}", flush=True)
        for name in names:
            kind = NETWORKS[name]
            steps = arguments.steps or (kind.full_steps if arguments.full else kind.steps)
            job = _Job(name, kind, steps, data, log)
            try:
                job.run(arguments.full, arguments.seed, threads)
            except _InterruptedError:
                return INTERRUPTED
    return 0


def _default_threads() -> int:
    try:
        return settings.num_threads()
    except ValueError as error:
        raise CliError(str(error)) from None


def _read_data(seed: int) -> mnist.Datasets:
    try:
        return mnist.read_data_sets(one_hot=True, seed=seed)
    except ImportError as error:
        raise CliError(f"this Python cannot read the data: {error}") from None
    except (OSError, ValueError) as error:
        raise CliError(str(error)) from None


def _opened(path: str | None) -> AbstractContextManager[TextIO | None]:
    if path is None:
        return nullcontext()
    try:
        return Path(path).open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise CliError(f"cannot write {path!r}: {error.strerror}") from None


class _Job(Record, frozen=False):
    """The training of one network.

    Attributes:
        recent: loss (a mean over the batch) and accuracy of each of the last batches.
        logged: the same of the batches since the last row of the log.
    """

    name: str
    kind: Kind
    steps: int
    data: mnist.Datasets
    log: TextIO | None
    recent: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=RECENT))
    logged: list[tuple[float, float]] = field(default_factory=list)

    def run(self, full: bool, seed: int, threads: int) -> None:
        """Train and test it."""
        print(f"\n{self.kind.title}: {self.steps:,} steps of {self.kind.batch} images", flush=True)
        graph = tf.Graph()
        with graph.as_default():
            tf.set_random_seed(seed)
            network = self.kind.build(self.steps, full)
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        start = time.monotonic()
        with tf.Session(graph=graph, config=config) as session:
            self._train(network, session)
            seconds = time.monotonic() - start
            accuracy = self._accuracy(network, session, self.data.test)
        print(f"  test accuracy {accuracy:.4f} after {seconds:,.1f} s of training", flush=True)

    def _train(self, network: Network, session: tf.Session) -> None:
        progress = Progress(self.steps)
        step, seen = 0, ""
        try:
            for step in range(1, self.steps + 1):
                self._step(network, session)
                progress.update(step, self._state())
                checked = None
                if step == self.steps or step % max(1, self.steps // CHECKS) == 0:
                    checked = self._accuracy(network, session, self.data.validation)
                    seen = f", validation accuracy {checked:.4f}"
                    progress.line(f"  step {step:>6,}  {self._state()}{seen}")
                self._write(step, checked)
        except KeyboardInterrupt:
            progress.clear()
            at = f"interrupted in step {step:,} of {self.steps:,}"
            print(f"  {at}: {self._state() or 'nothing learnt yet'}{seen}", flush=True)
            raise _InterruptedError from None

    def _step(self, network: Network, session: tf.Session) -> None:
        images, labels = self.data.train.next_batch(self.kind.batch)
        wanted = (network.train, network.loss, network.accuracy)
        _, loss, accuracy = session.run(wanted, network.feeds(images, labels, keep=0.5))
        if not math.isfinite(loss):
            raise CliError("the loss is no longer a finite number")
        seen = (float(loss) / self.kind.batch, float(accuracy))
        self.recent.append(seen)
        if self.log is not None:
            self.logged.append(seen)

    def _state(self) -> str:
        """Loss and accuracy of recent batches."""
        if not self.recent:
            return ""
        loss, accuracy = _means(self.recent)
        return f"loss {loss:.4f}, accuracy {accuracy:.4f}"

    def _accuracy(self, network: Network, session: tf.Session, data: mnist.DataSet) -> float:
        """The accuracy over a whole data set, computed in batches to keep memory low."""
        size, right = self.kind.eval_batch, 0.0
        for start in range(0, data.num_examples, size):
            images, labels = data.images[start : start + size], data.labels[start : start + size]
            feeds = network.feeds(images, labels, keep=1)
            right += float(session.run(network.accuracy, feeds)) * len(images)
        return right / data.num_examples

    def _write(self, step: int, validation: float | None) -> None:
        """Add a row to the log, if it is time: means since the last one."""
        if self.log is None or (validation is None and step % max(1, self.steps // LOG_ROWS)):
            return
        row = [self.name, step, *(f"{mean:.6f}" for mean in _means(self.logged))]
        csv.writer(self.log).writerow([*row, "" if validation is None else f"{validation:.4f}"])
        self.log.flush()
        self.logged.clear()


def _means(seen: Collection[tuple[float, float]]) -> tuple[float, float]:
    """Mean loss and mean accuracy."""
    losses, accuracies = zip(*seen, strict=True)
    return sum(losses) / len(seen), sum(accuracies) / len(seen)
