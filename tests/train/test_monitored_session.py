"""Training programs: hooks, monitored sessions, supervisors, coordinators."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thalweg as tf


@pytest.fixture(autouse=True)
def graph() -> Any:
    with tf.Graph().as_default() as made:
        yield made


def counting() -> tuple[Any, Any]:
    """A global step, and an operation that adds 1 to it."""
    step = tf.train.get_or_create_global_step()
    return step, step.assign_add(1)


def test_global_step_is_one_for_a_graph() -> None:
    assert tf.train.get_global_step() is None
    step = tf.train.create_global_step()
    assert step.op.name == "global_step"
    assert step.dtype == tf.int64
    assert tf.train.get_or_create_global_step() is step
    assert tf.contrib.framework.get_global_step() is step
    with pytest.raises(ValueError, match="already exists"):
        tf.train.create_global_step()
    with tf.Session() as session:
        session.run(step.assign(7))
        assert tf.train.global_step(session, step) == 7


def train_to(folder: Path, last: int, *hooks: Any) -> int:
    """Train in a new graph until a step; how many runs that took."""
    with tf.Graph().as_default():
        _, train = counting()
        tf.summary.scalar("one", tf.constant(1.0))
        every = [tf.train.StopAtStepHook(last_step=last), *hooks]
        runs = 0
        with tf.train.MonitoredTrainingSession(
            checkpoint_dir=str(folder), hooks=every, save_checkpoint_steps=10
        ) as session:
            while not session.should_stop():
                session.run(train)
                runs += 1
    return runs


def test_training_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    assert train_to(tmp_path, 25) == 25
    assert tf.train.latest_checkpoint(tmp_path) == str(tmp_path / "model.ckpt-25")
    assert train_to(tmp_path, 40) == 15
    steps = sorted(int(path.stem[11:]) for path in tmp_path.glob("model.ckpt-*.safetensors"))
    assert steps == [10, 20, 25, 35, 40]
    assert (tmp_path / "graph.pbtxt").exists()
    tags = {
        value.tag
        for path in tmp_path.glob("events*")
        for event in tf.train.summary_iterator(str(path))
        for value in event.summary.value
    }
    assert tags == {"one"}


class Recorder(tf.train.SessionRunHook):
    """Notes what is called, and asks for a tensor."""

    def __init__(self, fetch: Any = None, feeds: Any = None) -> None:
        self.calls: list[str] = []
        self.results: list[Any] = []
        self._args = tf.train.SessionRunArgs(fetch, feeds)

    def begin(self) -> None:
        self.calls.append("begin")

    def after_create_session(self, session: Any, coord: Any) -> None:
        self.calls.append("create")

    def before_run(self, run_context: Any) -> Any:
        self.calls.append("before")
        return self._args

    def after_run(self, run_context: Any, run_values: Any) -> None:
        self.calls.append("after")
        self.results.append(run_values.results)

    def end(self, session: Any) -> None:
        self.calls.append("end")


def test_hooks_are_called_in_order_and_get_what_they_ask_for() -> None:
    x = tf.placeholder(tf.float32, [])
    more = x + 1
    hook = Recorder({"double": 2 * x}, {x: 3.0})
    with tf.train.MonitoredSession(hooks=[hook, Recorder()]) as session:
        assert session.run(more) == 4
        with pytest.raises(tf.errors.InvalidArgumentError, match="fed twice"):
            session.run(x, {x: 1.0})
    assert hook.calls == ["begin", "create", "before", "after", "before", "end"]
    assert hook.results == [{"double": 6.0}]
    assert session.should_stop()
    with pytest.raises(RuntimeError, match="should_stop"):
        session.run(x)


def fail(session: Any, x: Any) -> None:
    session.run(x)
    raise KeyError


def test_an_error_leaves_the_block_once_and_end_is_not_called() -> None:
    hook, x = Recorder(), tf.constant(1.0)
    with pytest.raises(KeyError), tf.train.MonitoredSession(hooks=[hook]) as session:
        fail(session, x)
    assert hook.calls[-1] == "after"
    with tf.train.MonitoredSession():
        raise tf.errors.OutOfRangeError("the data is at its end")
    tf.constant(2.0)  # the graph can be added to again


class LosesTheSession(tf.train.SessionRunHook):
    """Fails at the 15th run, as if a task of a cluster had gone away."""

    def __init__(self) -> None:
        self.runs = 0

    def before_run(self, run_context: Any) -> None:
        self.runs += 1
        if self.runs == 15:
            raise tf.errors.UnavailableError("a task went away")


def test_a_lost_session_is_made_again_from_the_latest_checkpoint(tmp_path: Path) -> None:
    recorder, loses = Recorder(), LosesTheSession()
    train_to(tmp_path, 25, recorder, loses)
    assert recorder.calls.count("create") == 2
    assert recorder.calls.count("begin") == 1
    assert loses.runs == 30  # 14 steps, the loss, and 15 from the checkpoint of step 10
    step = tf.train.get_or_create_global_step()
    single = tf.train.SingularMonitoredSession(hooks=[LosesTheSession()])
    for _ in range(14):
        single.run(step)
    with pytest.raises(tf.errors.UnavailableError):
        single.run(step)
    single.close()


def test_step_functions() -> None:
    _, train = counting()

    def once(step_context: Any) -> Any:
        step_context.session.run(train)
        return step_context.run_with_hooks(train)

    def stop(step_context: Any) -> None:
        step_context.request_stop()

    hook = Recorder()
    with tf.train.MonitoredSession(hooks=[hook]) as session:
        assert session.run_step_fn(once) == 2
        with pytest.raises(ValueError, match="step_context"):
            session.run_step_fn(lambda: None)
        session.run_step_fn(stop)
        raise AssertionError("the block was left")
    assert hook.calls.count("after") == 1


def test_hooks_that_stop_log_and_measure(tmp_path: Path) -> None:
    _, train = counting()
    lines: list[dict[Any, Any]] = []

    def note(values: dict[Any, Any]) -> str:
        lines.append(values)
        return "line"

    final = tf.train.FinalOpsHook(train)
    hooks = [
        tf.train.StopAtStepHook(num_steps=6),
        tf.train.LoggingTensorHook({"step": train}, every_n_iter=2, formatter=note),
        tf.train.ProfilerHook(save_steps=3, output_dir=str(tmp_path)),
        tf.train.StepCounterHook(every_n_steps=2, output_dir=str(tmp_path)),
        final,
    ]
    with tf.train.SingularMonitoredSession(hooks=hooks) as session:
        while not session.should_stop():
            session.run(train)
    assert [line["step"] for line in lines] == [1, 3, 5]
    assert final.final_ops_values == 7
    profiles = sorted(tmp_path.glob("timeline-*.json"))
    assert profiles
    assert json.loads(profiles[0].read_text())["traceEvents"]


def test_a_loss_that_is_no_number() -> None:
    loss = tf.log(tf.placeholder_with_default(-1.0, []))
    session = tf.train.MonitoredSession(hooks=[tf.train.NanTensorHook(loss)])
    with pytest.raises(tf.train.NanLossDuringTrainingError, match="NaN loss"):
        session.run(loss)
    session.close()
    hook = tf.train.NanTensorHook(loss, fail_on_nan_loss=False)
    with tf.train.MonitoredSession(hooks=[hook]) as session:
        session.run(loss)
        assert session.should_stop()


class Listener(tf.train.CheckpointSaverListener):
    """Ends the training at the second checkpoint."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def after_save(self, session: Any, global_step_value: int) -> bool:
        self.steps.append(global_step_value)
        return len(self.steps) == 2


def test_listeners_are_told_of_checkpoints(tmp_path: Path) -> None:
    _, train = counting()
    listener = Listener()
    scaffold = tf.train.Scaffold()
    hook = tf.train.CheckpointSaverHook(
        str(tmp_path), save_steps=5, scaffold=scaffold, listeners=[listener]
    )
    with tf.train.SingularMonitoredSession(hooks=[hook], scaffold=scaffold) as session:
        while not session.should_stop():
            session.run(train)
    assert listener.steps == [0, 5]


def test_supervisor(tmp_path: Path) -> None:
    for begin, end in ((0, 5), (5, 8)):
        with tf.Graph().as_default():
            step, train = counting()
            supervisor = tf.train.Supervisor(logdir=str(tmp_path), save_model_secs=0)
            with supervisor.managed_session() as session:
                assert tf.get_default_session() is session
                assert session.run(step) == begin
                while session.run(train) < end:
                    assert not supervisor.should_stop()
                supervisor.saver.save(session, supervisor.save_path, global_step=step)
            assert supervisor.should_stop()


def test_supervisor_hands_on_errors() -> None:
    supervisor = tf.train.Supervisor()
    with pytest.raises(KeyError), supervisor.managed_session():
        raise KeyError
    with supervisor.managed_session():
        raise tf.errors.OutOfRangeError("the data is at its end")


def test_a_worker_waits_for_its_chief() -> None:
    tf.get_variable("W", [2])
    with pytest.raises(tf.errors.FailedPreconditionError, match="initialized: W"):
        tf.train.MonitoredTrainingSession(is_chief=False, max_wait_secs=0)


def test_coordinator_joins_and_raises_the_first_error() -> None:
    coord = tf.train.Coordinator()
    ended = threading.Event()

    def wait() -> None:
        coord.wait_for_stop()
        ended.set()

    def fail() -> None:
        with coord.stop_on_exception():
            raise KeyError("the first")

    threads = [threading.Thread(target=work) for work in (wait, fail)]
    for thread in threads:
        thread.start()
    with pytest.raises(KeyError, match="the first"):
        coord.join(threads)
    assert ended.is_set()
    assert coord.joined
    coord.clear_stop()
    assert not coord.should_stop()


def test_coordinator_names_threads_that_do_not_end() -> None:
    coord, release = tf.train.Coordinator(), threading.Event()
    thread = threading.Thread(target=release.wait, name="stubborn")
    thread.start()
    coord.register_thread(thread)
    coord.request_stop(tf.errors.OutOfRangeError("the end"))
    with pytest.raises(RuntimeError, match="still running: stubborn"):
        coord.join(stop_grace_period_secs=0)
    release.set()
    thread.join()


def test_looper_thread() -> None:
    coord = tf.train.Coordinator()
    calls: list[int] = []

    def work(number: int) -> None:
        calls.append(number)
        if len(calls) == 3:
            coord.request_stop()

    tf.train.LooperThread.loop(coord, 0.001, work, (7,))
    coord.join()
    assert calls == [7, 7, 7]


def test_a_graph_without_queue_runners_starts_none() -> None:
    with tf.Session() as session:
        assert tf.train.start_queue_runners(session, tf.train.Coordinator()) == []


def test_moving_averages() -> None:
    """Against the recurrence in NumPy."""
    W, count = tf.Variable([1.0, 2.0], name="W"), tf.Variable(0.0, trainable=False)
    average = tf.train.ExponentialMovingAverage(0.9, num_updates=count)
    change = tf.group(W.assign_add([1.0, -0.5]), count.assign_add(1.0))
    with tf.control_dependencies([change]):
        apply = average.apply()
    assert average.average_name(W) == "W/ExponentialMovingAverage"
    assert average.variables_to_restore()["W/ExponentialMovingAverage"] is W
    value = expected = np.array([1.0, 2.0])
    with tf.Session() as session:
        for n in range(1, 4):
            session.run(apply)
            value = value + np.array([1.0, -0.5])
            expected = expected - (expected - value) * (1 - min(0.9, (1 + n) / (10 + n)))
            # Three steps of float32 arithmetic.
            np.testing.assert_allclose(session.run(average.average(W)), expected, rtol=1e-6)
