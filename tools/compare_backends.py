"""Train the tutorial's two networks on two backends, with the same seed, and print their losses.

    python tools/compare_backends.py [--backends native xla] [--steps 1000 200]

Starting values, mini-batches and dropout are the same to the bit; only the order in which sums are
rounded differs. The table is for docs/devices.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import thalweg as tf
from thalweg.datasets import mnist
from thalweg.tutorial import NETWORKS

REPORTS = 5  # losses in a row of the table
TESTED = 2000  # images


def train(name: str, backend: str, steps: int) -> tuple[list[float], float]:
    """The losses of some steps, and the accuracy on the first test images."""
    data = mnist.read_data_sets(one_hot=True)
    kind = NETWORKS[name]
    with tf.Graph().as_default():
        tf.set_random_seed(1)
        net = kind.build(steps, False)
        dropout = {} if net.keep is None else {net.keep: 0.5}
        all_kept = {} if net.keep is None else {net.keep: 1.0}
        with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
            _, losses = session.run_steps(
                [net.train, net.loss],
                steps,
                dropout,
                batches={net.images: data.train.images, net.labels: data.train.labels},
                batch_size=kind.batch,
                every=steps // REPORTS,
            )
            tested = data.test.images[:TESTED], data.test.labels[:TESTED]
            feeds = {net.images: tested[0], net.labels: tested[1], **all_kept}
            accuracy = session.run(net.accuracy, feeds)
    return [float(loss) for loss in losses], float(accuracy)


def table(backends: Sequence[str], steps: Sequence[int]) -> str:
    """The losses and accuracies, as a table of Markdown."""
    lines = ["| network | backend | loss after each fifth of the steps | test accuracy |"]
    lines.append("|---|---|---|---|")
    for name, count in zip(NETWORKS, steps, strict=True):
        for backend in backends:
            losses, accuracy = train(name, backend, count)
            listed = ", ".join(f"{loss:.4g}" for loss in losses)
            title = f"{NETWORKS[name].title}, {count:,} steps"
            lines.append(f"| {title} | {backend} | {listed} | {accuracy:.2%} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", nargs="+", default=["native", "xla"])
    parser.add_argument("--steps", nargs=2, type=int, default=[1000, 200])
    options = parser.parse_args()
    print(table(options.backends, options.steps))


if __name__ == "__main__":
    main()
