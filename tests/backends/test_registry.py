"""Backends by name."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import thalweg as tf
from thalweg.backends import registry
from thalweg.backends.protocol import BackendSettings
from thalweg.backends.reference.backend import ReferenceBackend


@pytest.mark.parametrize("name", ["native", "llvm", "reference", "numpy"])
def test_a_session_has_the_backend_that_it_asks_for(name: str) -> None:
    x = tf.placeholder(tf.float32, [3])
    with tf.Session(config=tf.ConfigProto(backend=name)) as session:
        assert session.run(x + 1.0, {x: np.zeros(3)}).tolist() == [1, 1, 1]
        is_native = bool(tf.explain(x + 1.0, {x: np.zeros(3)}).kernels)
    assert is_native == (name in ("native", "llvm"))


def test_another_backend_can_be_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_backends", dict(registry._backends))
    monkeypatch.setattr(registry, "_aliases", dict(registry._aliases))
    asked: list[BackendSettings] = []

    def make(settings: BackendSettings) -> ReferenceBackend:
        asked.append(settings)
        return ReferenceBackend()

    registry.register("mine", make, aliases=["ours"])
    config = tf.ConfigProto(backend="ours", intra_op_parallelism_threads=3, use_winograd=False)
    x = tf.placeholder(tf.float32, [3])
    with tf.Session(config=config) as session:
        session.run(x + 1.0, {x: np.zeros(3)})
    assert asked == [BackendSettings(threads=3, use_winograd=False, device="CPU:0")]


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(ValueError, match="'cuda'; there are 'native' and 'reference' and 'xla'"):
        registry.make_backend("cuda", BackendSettings(1))


def test_a_backend_serves_kinds_of_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_backends", dict(registry._backends))
    device = registry.LocalDevice("NPU", 0, 1 << 30, "a made-up one")
    registry.register(
        "mine", lambda settings: ReferenceBackend(), kinds=["NPU", "CPU"], devices=lambda: [device]
    )
    served = registry.serving()
    assert served["NPU"].devices() == [device]
    assert device.name == "NPU:0"
    assert served["CPU"].name == "native"


def test_this_processor_is_a_device() -> None:
    (device,) = registry.registered("native").devices()
    assert device.name == "CPU:0"
    assert device.memory_bytes > 1 << 20
    assert device.description


def test_a_backend_is_imported_when_it_is_used() -> None:
    program = (
        "import sys, thalweg as tf\n"
        "loaded = [n for n in sys.modules if n.startswith('thalweg.backends.native.')]\n"
        "assert not loaded, loaded\n"
        "assert 'thalweg.backends.reference.backend' not in sys.modules\n"
        "assert 'llvmlite' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
