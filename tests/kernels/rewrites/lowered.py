"""Definitions of small graphs, for the tests of passes: the text before, and the text after."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Collection, Sequence

import thalweg as tf
from thalweg.graph import Operation, Tensor
from thalweg.kernels.lower.lower import Lowering
from thalweg.kernels.printer import show_definitions
from thalweg.kernels.values import Definition, FetchMemory, Temporary
from thalweg.kernels.verify import Verifier
from thalweg.passes.make_plan import make_plan
from thalweg.passes.order import order


def fed(name: str, *shape: int | None) -> Tensor:
    """A placeholder of float32."""
    return tf.placeholder(tf.float32, shape, name=name)


class Program:
    """The definitions of some fetches, as the first pass gets them.

    Args:
        fetches: what is wanted.
        targets: operations that are run for their effect.
        rows: what the open extents of placeholders are.
        batched_feeds: placeholders of which each step takes other rows.

    Attributes:
        definitions: in execution order.
        kept: the values that are fetched.
    """

    def __init__(
        self,
        *fetches: Tensor,
        targets: Sequence[Operation] = (),
        rows: int = 0,
        batched_feeds: Collection[Tensor] = (),
    ) -> None:
        graph = (*targets, *(fetch.op for fetch in fetches))[0].graph
        inputs = [op.outputs[0] for op in graph.operations if op.type == "Placeholder"]
        shapes = {x: tuple(rows if d is None else d for d in x.shape.as_list()) for x in inputs}
        plan = make_plan(fetches, targets, shapes, {})
        names = {x.op.name for x in batched_feeds}
        numbers = {n: x.dtype for n, x in enumerate(plan.feeds) if x.op.name in names}
        self.definitions = Lowering(order(plan), plan.feeds, plan.fetches, numbers).definitions
        self.kept = {d.value for d in self.definitions if isinstance(d.value.storage, FetchMemory)}

    def run(self, rewrite: Callable[..., list[Definition]], *arguments: object) -> None:
        """Run a pass, and check what it leaves."""
        self.definitions = rewrite(list(self.definitions), *arguments)
        Verifier(self.kept).check(self.definitions, rewrite.__name__)

    @property
    def text(self) -> str:
        return show_definitions(self.definitions)


def stored(definitions: Sequence[Definition]) -> None:
    """Give memory to every value that has none."""
    for number, definition in enumerate(definitions):
        if definition.value.storage is None:
            definition.value.storage = Temporary(number)


def check(text: str, expected: str) -> None:
    """Compare texts; a line of the expected one that is indented by 8 or more goes on with another.

    How many spaces there are between words makes no difference.
    """
    joined = re.sub(r"\n {8,}", " ", textwrap.dedent(expected).strip())
    assert _words(text) == _words(joined), f"\n{text}"


def _words(text: str) -> list[str]:
    return [" ".join(line.replace("(", "( ").split()) for line in text.splitlines()]


def concatenated(axis: int, *names: str) -> Program:
    """Values, some of which are fed, one after the other, and a sum over them; all have memory."""
    given = {name: fed(name, 2048, 2) for name in "xyz"}
    made = {"a": tf.sin(given["x"], name="a"), "b": tf.sin(given["y"], name="b"), **given}
    together = tf.concat([made[name] for name in names], axis, name="c")
    program = Program(tf.matmul(together, fed("w", 2 * len(names) if axis else 2, 3), name="s"))
    stored(program.definitions)
    return program
