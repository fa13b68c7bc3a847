"""Loops whose iterations compute little, as PyTorch can run them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from benchmarks.models import Data, Predictor
from benchmarks.peers.torch_networks import torch
from benchmarks.recipes import PRODUCTS, SCALAR_STEPS, congruential

Function = Callable[[Any, Any], Any]


class Looping(Predictor):
    """A function of what is fed, and of the matrix that turns it if there is one.

    Args:
        data: the batches.
        make: makes the function.
    """

    def __init__(self, data: Data, make: Callable[[], Function]) -> None:
        super().__init__(data)
        self._turn = torch.from_numpy(data.weights["turn"]) if data.weights else None
        self._function = make()

    def predict(self, inputs: Any) -> Any:
        """The last value, or a gradient."""
        return self._function(self._turn, torch.from_numpy(inputs)).numpy()


def scalar_eager(turn: Any, seed: Any) -> Any:
    """A loop of Python."""
    number = seed[0]
    for _ in range(SCALAR_STEPS):
        number = congruential(number)
    return number


def product_eager(turn: Any, start: Any) -> Any:
    """A loop of Python."""
    for _ in range(PRODUCTS):
        start = start @ turn
    return start


def while_loop(done: int, body: Callable[[Any, Any], Any]) -> Function:
    """A loop that the compiler sees: so many steps of a body, which is given the turn as well."""
    loop = importlib.import_module("torch._higher_order_ops").while_loop

    def run(turn: Any, first: Any) -> Any:
        def one(i: Any, value: Any) -> Any:
            return i + 1, body(turn, value)

        return loop(lambda i, _: i < done, one, (torch.tensor(0), first))[1]

    return torch.compile(run)  # type: ignore[no-any-return]


def gradient(loop: Function) -> Function:
    """Half the squared distance between first and last, differentiated by the turn."""

    def run(turn: Any, start: Any) -> Any:
        wanted = turn.detach().requires_grad_()
        distance = loop(wanted, start) - start
        return torch.autograd.grad(distance.square().sum() / 2, wanted)[0]

    return run


def _scalar_compiled() -> Function:
    function = while_loop(SCALAR_STEPS, lambda turn, number: congruential(number))
    return lambda turn, seed: function(turn, seed[0])


# By variant. The gradient of a loop that the compiler sees is none that PyTorch documents.
LOOPS: dict[str, dict[str, Callable[[], Function]]] = {
    "while_scalar": {"eager": lambda: scalar_eager, "compile": _scalar_compiled},
    "while_product": {
        "eager": lambda: product_eager,
        "compile": lambda: while_loop(PRODUCTS, lambda turn, h: h @ turn),
    },
    "while_product_gradient": {"eager": lambda: gradient(product_eager)},
}
