"""Sessions that run on several devices."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.backends import registry
from thalweg.backends.protocol import BackendSettings
from thalweg.backends.reference.backend import ReferenceBackend, ReferenceProgram
from thalweg.backends.registry import LocalDevice
from thalweg.base.errors import DeviceError
from thalweg.session.devices import list_local_devices

HERE = "/job:localhost/replica:0/task:0/device:"
FOUR = {"CPU": 4}


@pytest.fixture(autouse=True)
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as graph:
        yield graph


class Remote:
    """A value in the memory of a made-up device: NumPy has to ask for it."""

    def __init__(self, value: np.ndarray[Any, Any], device: str, log: Log) -> None:
        self.value, self.device, self._log = value, device, log
        self.shape, self.dtype = value.shape, value.dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        self._log.brought.append(self.device)
        return self.value.astype(dtype or self.value.dtype)


class Log:
    """What the made-up devices have done.

    Attributes:
        asked: the settings of the backends.
        ran: the devices of the programs that ran.
        moved: from which device to which other one values went.
        brought: from which devices values went to the host.
        together: how many programs must run at the same time; None for any.
    """

    def __init__(self) -> None:
        self.asked: list[BackendSettings] = []
        self.ran: list[str] = []
        self.moved: list[tuple[str, str]] = []
        self.brought: list[str] = []
        self.together: threading.Barrier | None = None


class NpuProgram(ReferenceProgram):
    """The reference's program on a made-up device."""

    def __init__(self, plan: Any, state: Any, device: str, log: Log) -> None:
        super().__init__(plan, state)
        self._device, self._log = device, log

    def run_on_device(self, feeds: Sequence[Any], run_counter: int) -> list[Any]:
        arrays = [self._here(feed) for feed in feeds]
        if self._log.together is not None:
            self._log.together.wait(20)
        self._log.ran.append(self._device)
        made = super().run(arrays, run_counter)
        return [Remote(value, self._device, self._log) for value in made]

    def _here(self, feed: Any) -> np.ndarray[Any, Any]:
        if not isinstance(feed, Remote):
            array: np.ndarray[Any, Any] = feed
            return array
        if feed.device != self._device:
            self._log.moved.append((feed.device, self._device))
        return feed.value


class Npu(ReferenceBackend):
    """The backend of made-up devices."""

    def __init__(self, settings: BackendSettings, log: Log) -> None:
        self._device, self._log = settings.device, log
        log.asked.append(settings)

    def compile(self, plan: Any, seen: Any, state: Any, *rest: Any) -> NpuProgram:
        return NpuProgram(plan, state, self._device, self._log)


@pytest.fixture
def npus(monkeypatch: pytest.MonkeyPatch) -> Log:
    """Three made-up devices, NPU 0 and 1 and one GPU; what they do."""
    log = Log()
    others = {name: registry.registered(name) for name in ("native", "reference")}
    monkeypatch.setattr(registry, "_backends", others)
    there = [LocalDevice("NPU", 0, 1 << 20, "tiny"), LocalDevice("NPU", 1), LocalDevice("GPU", 0)]
    registry.register(
        "npu", lambda settings: Npu(settings, log), kinds=["NPU", "GPU"], devices=lambda: there
    )
    return log


def towers(devices: list[str], variables: str) -> tuple[tf.Tensor, tf.Operation, tf.Variable]:
    """Linear regression on a batch that is split over devices, which average their gradients."""
    x = tf.constant(np.linspace(-1, 1, 96).reshape(12, 8), tf.float32)
    labels = tf.reduce_sum(x, 1, keepdims=True) * 0.5
    with tf.device(variables):
        w = tf.Variable(tf.random_normal([8, 1], seed=3))
        optimizer = tf.train.MomentumOptimizer(0.1, 0.9)
    parts = zip(devices, tf.split(x, len(devices)), tf.split(labels, len(devices)), strict=True)
    found = []
    for device, rows, wanted in parts:
        with tf.device(device):
            loss = tf.reduce_mean(tf.square(tf.matmul(rows, w) - wanted))
            found.append((loss, optimizer.compute_gradients(loss, [w])[0][0]))
    with tf.device(variables):
        losses, gradients = zip(*found, strict=True)
        mean = tf.add_n(list(gradients)) / len(devices)
        step = optimizer.apply_gradients([(mean, w)])
        return tf.add_n(list(losses)) / len(devices), step, w


def trained(devices: list[str], variables: str, config: tf.ConfigProto | None = None) -> Any:
    with tf.Graph().as_default():
        loss, step, w = towers(devices, variables)
        with tf.Session(config=config) as session:
            return [session.run([loss, step])[0] for _ in range(4)], session.run(w)


@pytest.mark.parametrize(
    ("devices", "variables"),
    [
        (["/cpu:0", "/cpu:1", "/cpu:2", "/cpu:3"], "/cpu:0"),
        (["/cpu:0", "/cpu:1"], "/cpu:3"),
        (["/device:NPU:0", "/device:NPU:1"], "/cpu:0"),
        (["/device:NPU:0", "/device:NPU:1"], "/device:NPU:0"),
        (["/device:NPU:1", "/gpu:0", "/cpu:1"], "/gpu:0"),
    ],
)
def test_towers_train_as_one_device_does(npus: Log, devices: list[str], variables: str) -> None:
    losses, w = trained(devices, variables, tf.ConfigProto(device_count=FOUR))
    expected, expected_w = trained(["/cpu:0"], "/cpu:0")
    np.testing.assert_allclose(losses, expected, rtol=1e-5)  # sums in another order
    np.testing.assert_allclose(w, expected_w, rtol=1e-5, atol=1e-6)


def test_segments_of_one_level_run_at_the_same_time(npus: Log) -> None:
    x = tf.placeholder(tf.float32, [3])
    made = []
    for device in ("/device:NPU:0", "/device:NPU:1", "/gpu:0"):
        with tf.device(device):
            made.append(tf.exp(x))
    npus.together = threading.Barrier(3)  # each waits for the others
    with tf.Session() as session:
        values = session.run(made, {x: np.zeros(3)})
    np.testing.assert_array_equal(values, np.ones([3, 3]))


def test_values_stay_on_devices_until_the_host_needs_them(npus: Log) -> None:
    with tf.device("/device:NPU:0"):
        x = tf.exp(tf.random_normal([4]))
    with tf.device("/device:NPU:1"):
        y = x + 1.0
    with tf.device("/device:NPU:0"):
        z = y * x
    with tf.Session() as session:
        session.run(z)
    assert npus.ran == ["NPU:0", "NPU:1", "NPU:0"]
    assert npus.moved == [("NPU:0", "NPU:1"), ("NPU:1", "NPU:0")]
    assert npus.brought == ["NPU:0"]  # what is fetched, and nothing else


def test_an_error_of_one_device_waits_for_the_others(npus: Log) -> None:
    table = tf.constant([1.0, 2.0])
    n = tf.placeholder(tf.int32, [])
    with tf.device("/device:NPU:0"):
        v = tf.Variable(1.0)
        bad = tf.gather(table, n)
        step = v.assign(5.0)
    with tf.device("/device:NPU:1"):
        good = tf.exp(table)
    with tf.Session() as session:
        assert session.run(v) == 1.0
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"'Gather' .* failed"):
            session.run([bad, good, step], {n: 7})
        assert session.run(v) == 1.0
        assert session.run([bad, step], {n: 1})[0] == 2.0
        assert session.run(v) == 5.0


def test_a_variable_lives_on_its_device(npus: Log) -> None:
    with tf.device("/device:NPU:1"):
        v = tf.Variable([1.0, 2.0])
        step = v.assign_add([1.0, 1.0])
    with tf.Session() as session:
        assert session.run(v).tolist() == [1, 2]
        session.run(step.op)
        session.load(v, [5.0, 6.0])
        assert session.run(step).tolist() == [6, 7]
        assert {settings.device for settings in npus.asked} == {"NPU:1"}
        assert session.run(tf.reduce_sum(v)) == 13
        _, counts = session.run_steps([step, v.value()], 3)
    assert counts.tolist() == [[6, 7], [7, 8], [8, 9]]


def test_a_session_has_a_default_device(npus: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    y = tf.exp(tf.random_normal([2]))

    def runs_on(**settings: Any) -> list[str]:
        with tf.Session(config=tf.ConfigProto(**settings)) as session:
            session.run(y)
            session.run_steps(y, 2)
        return sorted({settings.device for settings in npus.asked})

    assert runs_on() == []
    assert runs_on(backend="npu") == ["NPU:0"]
    assert runs_on(default_device="/device:NPU:1") == ["NPU:0", "NPU:1"]
    monkeypatch.setenv("THALWEG_DEVICE", "gpu")
    assert runs_on(backend="reference") == ["NPU:0", "NPU:1"]  # the program's word comes first
    assert runs_on() == ["GPU:0", "NPU:0", "NPU:1"]
    monkeypatch.setenv("THALWEG_DEVICE", "TPU:0")
    with pytest.raises(DeviceError, match="there is no device '/device:TPU:0' here"):
        runs_on()


def test_soft_placement_takes_the_default_device(npus: Log) -> None:
    with tf.device("/device:NPU:7"):
        y = tf.exp(tf.random_normal([2]))
    with tf.device("/job:ps/task:3/gpu:0"):
        z = y + 1.0
    with tf.Session() as session:
        with pytest.raises(DeviceError, match=r"'random_normal\S*' \(\w+\): there is no device"):
            session.run(y)
        with pytest.raises(DeviceError, match="there is no '/job:ps/task:3/device:GPU:0' here"):
            session.run(z, {y: np.zeros(2)})
    config = tf.ConfigProto(allow_soft_placement=True, default_device="/device:NPU:1")
    with tf.Session(config=config) as session:
        session.run(z)
    assert [settings.device for settings in npus.asked] == ["NPU:1"]


def test_what_is_missing_is_said(npus: Log) -> None:
    def import_error() -> list[LocalDevice]:
        raise ImportError("No module named 'quantum'")

    registry.register(
        "q", lambda settings: Npu(settings, npus), kinds=["QPU"], devices=import_error, extra="q"
    )

    def problem(device: str) -> str:
        with tf.Graph().as_default(), tf.device(device):
            y = tf.exp(tf.random_normal([2]))
            with tf.Session() as session, pytest.raises(DeviceError) as caught:
                session.run(y)
        return str(caught.value)

    message = problem("/device:QPU:0")
    assert "there are /device:CPU:0, /device:NPU:0, /device:NPU:1, /device:GPU:0\n" in message
    assert "devices of the kind QPU need `pip install thalweg[q]`" in message
    assert "devices are of the kinds CPU, NPU, GPU, QPU" in problem("/device:FOO:0")
    assert "allow_soft_placement=True" in problem("/gpu:1")


def test_devices_can_be_counted_and_hidden(npus: Log) -> None:
    def names(**settings: Any) -> list[str]:
        with tf.Session(config=tf.ConfigProto(**settings)) as session:
            return [device.name.removeprefix(HERE) for device in session.list_devices()]

    every = ["CPU:0", "NPU:0", "NPU:1", "GPU:0"]
    assert names() == every
    assert names(device_count={"NPU": 1, "GPU": 0}) == ["CPU:0", "NPU:0"]
    assert names(device_count={"CPU": 2, "NPU": 9})[:4] == ["CPU:0", "CPU:1", "NPU:0", "NPU:1"]
    with pytest.raises(ValueError, match="at least 1 for 'CPU', not 0"):
        names(device_count={"CPU": 0})
    with pytest.raises(ValueError, match="at least 0 for 'GPU', not -1"):
        names(device_count={"GPU": -1})
    with tf.Session() as session:
        npu = session.list_devices()[1]
    assert (npu.name, npu.device_type, npu.backend) == (HERE + "NPU:0", "NPU", "npu")
    assert (npu.memory_limit_bytes, npu.physical_device_desc) == (1 << 20, "tiny")


def test_visible_devices_are_numbered_anew(npus: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    there = [LocalDevice("GPU", n, description=f"number {n}") for n in range(4)]
    registry.register(
        "npu", lambda settings: Npu(settings, npus), kinds=["GPU"], devices=lambda: there
    )
    with tf.device("/gpu:1"):
        y = tf.exp(tf.random_normal([2]))
    options = tf.GPUOptions(visible_device_list="2,0")
    with tf.Session(config=tf.ConfigProto(gpu_options=options)) as session:
        session.run(y)
        found = [device.physical_device_desc for device in session.list_devices()[1:]]
    assert found == ["number 2", "number 0"]
    assert [settings.device for settings in npus.asked] == ["GPU:0"]
    for bad in ("a", "0,0", "-1"):
        options = tf.GPUOptions(visible_device_list=bad)
        with pytest.raises(ValueError, match="visible_device_list: expected different numbers"):
            tf.Session(config=tf.ConfigProto(gpu_options=options))


def test_the_placement_is_printed_once_for_each_plan(
    npus: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    with tf.device("/device:NPU:0"):
        x = tf.placeholder(tf.float32, [2])
        y = tf.exp(x, name="y")
    z = tf.add(y, x, name="z")
    with tf.Session(config=tf.ConfigProto(log_device_placement=True)) as session:
        session.run(z, {x: [0, 0]})
        session.run(z, {x: [0, 1]})
    assert capsys.readouterr().err.splitlines() == [
        f"{HERE}CPU:0: 1 operation",
        "  Add  z",
        f"{HERE}NPU:0: 1 operation",
        "  Exp  y",
    ]


@pytest.mark.parametrize("around", ["", "/cpu:0"])
def test_an_update_is_computed_where_its_variable_is(
    npus: Log, capsys: pytest.CaptureFixture[str], around: str
) -> None:
    with tf.device("/device:NPU:1"):
        v = tf.Variable([1.0, 2.0])
    with tf.device(around):
        updates = [v.assign_add([3.0, 3.0]).op, v.assign_sub([1.0, 1.0]).op]
    with tf.Session(config=tf.ConfigProto(log_device_placement=True)) as session:
        session.run(v.initializer)
        for update in updates:
            session.run(update)
        assert session.run(v).tolist() == [3.0, 4.0]
    table = capsys.readouterr().err.splitlines()
    places = {line.split(": ")[0] for line in table if line.startswith(HERE)}
    assert places == {f"{HERE}NPU:1"}
    assert {line.split()[0] for line in table} >= {"Add", "Sub"}


def test_python_and_loops_between_devices(npus: Log) -> None:
    with tf.device("/device:NPU:0"):
        x = tf.exp(tf.Variable([0.0, 1.0, 0.0]))
        found, _ = tf.unique(x)
    with tf.device("/device:NPU:1"):
        total = tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s + found), [0, found])[1]
    with tf.Session() as session:
        np.testing.assert_allclose(session.run(total), 4 * np.exp([0, 1]), rtol=1e-6)
    assert {settings.device for settings in npus.asked} == {"NPU:0", "NPU:1"}


def test_devices_are_listed_without_a_session(npus: Log) -> None:
    from thalweg.python.client import device_lib

    assert device_lib.list_local_devices is list_local_devices
    names = [one.name for one in device_lib.list_local_devices()]
    assert names == ["/device:CPU:0", "/device:NPU:0", "/device:NPU:1", "/device:GPU:0"]
    hidden = device_lib.list_local_devices(tf.ConfigProto(device_count={"NPU": 0}))
    assert [one.name for one in hidden] == ["/device:CPU:0", "/device:GPU:0"]
    assert tf.test.is_gpu_available()
    assert tf.test.gpu_device_name() == "/device:GPU:0"
    assert tf.test.is_gpu_available(cuda_only=True) == tf.test.is_built_with_cuda()


class RandomProgram:
    """Operations of a few kinds on random tensors, and the devices that they ask for."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.variables = [tf.Variable(np.full(3, n, np.float32)) for n in (1, 2)]
        self.tensors = [tf.constant([0.5, 1.0, 2.0]), tf.random_uniform([3], seed=7)]
        self.steps: list[tf.Tensor] = []
        for _ in range(self._random.randint(3, 9)):
            self._add(self._random.choice(["assign", "after", "python", "read", "sub"]))

    def _add(self, kind: str) -> None:
        a, b = self._random.choices(self.tensors, k=2)
        v = self._random.choice(self.variables)
        if kind == "assign":
            self.steps.append(v.assign_add(a * 0.25))
        elif kind == "after" and self.steps:
            with tf.control_dependencies([self._random.choice(self.steps)]):
                self.tensors.append(a + v.read_value())
        elif kind == "python":
            made = tf.py_func(np.tanh, [a], tf.float32)
            made.set_shape([3])
            self.tensors.append(made)
        elif kind == "read":
            self.tensors.append(tf.tanh(a * v))
        else:
            self.tensors.append(tf.tanh(a) - b)

    def spread(self) -> None:
        """Let the operations ask for random devices; what takes a handle stays with it."""
        for op in self.tensors[0].graph.operations:
            handles = [tensor.op for tensor in op.inputs[:1] if tensor.op.type == "VariableV2"]
            wish = self._random.choice(["/device:CPU:0", "/device:CPU:1", "/device:CPU:2", ""])
            op.device = handles[0].device if handles else wish

    def results(self) -> list[Any]:
        """What two runs compute, and the variables after them."""
        config = tf.ConfigProto(device_count=FOUR, backend="reference")
        with tf.Session(config=config) as session:
            wanted = [*self.tensors, tf.group(*self.steps)]
            return [session.run(wanted)[:-1] for _ in range(2)] + [session.run(self.variables)]


@pytest.mark.parametrize("seed", [*range(12), 141, 168, 226, 363])
def test_a_random_program_computes_the_same_on_any_devices(seed: int) -> None:
    program = RandomProgram(seed)
    expected = program.results()
    program.spread()
    for one, other in zip(expected, program.results(), strict=True):
        np.testing.assert_array_equal(one, other)
