"""Which forward operation others belong to, by their names."""

from __future__ import annotations

import pytest

from thalweg.inspect.attribution import Attribution, Attributions, Role

NAMES = frozenset(
    {
        *("conv1/Conv2D", "conv1/W", "conv1/W/Adam", "fc/MatMul", "loss"),
        "gradients/fc/MatMul_grad/MatMul",
        "rnn/while",
        "rnn/cell/mul",
    }
)


@pytest.mark.parametrize(
    ("name", "belongs_to", "role"),
    [
        ("conv1/Conv2D", "conv1/Conv2D", Role.FORWARD),
        ("gradients/conv1/Conv2D_grad/Conv2DFilterGrad", "conv1/Conv2D", Role.BACKWARD),
        ("train/gradients_1/fc/MatMul_grad/MatMul/Pack", "fc/MatMul", Role.BACKWARD),
        ("gradients_1/gradients/fc/MatMul_grad/MatMul_grad/MatMul_1", "fc/MatMul", Role.BACKWARD),
        ("gradients/rnn/while_grad/rnn/cell/mul_grad/Mul", "rnn/cell/mul", Role.BACKWARD),
        ("gradients/rnn/while_grad/AddN", "rnn/while", Role.BACKWARD),
        ("Adam/update_conv1/W/mul_1", "conv1/W", Role.UPDATE),
        ("train/Adam/update_conv1/W/Assign", "conv1/W", Role.UPDATE),
        ("gradients/unknown_grad/Mul", "gradients/unknown_grad/Mul", Role.FORWARD),
        ("update_things/Add", "update_things/Add", Role.FORWARD),
        ("loss", "loss", Role.FORWARD),
    ],
)
def test_names(name: str, belongs_to: str, role: Role) -> None:
    assert Attributions(NAMES).of(name) == Attribution(belongs_to, role)
