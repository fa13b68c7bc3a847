"""Writers of event files, and the files themselves."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.protos.graphs import GraphDef
from thalweg.protos.step_stats import RunMetadata

ONE = tf.Summary(value=[tf.Summary.Value(tag="loss", simple_value=0.5)])


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("events.out.tfevents.*"))


def events(folder: Path) -> list[tf.Event]:
    return [event for path in files(folder) for event in tf.train.summary_iterator(path)]


def kinds(folder: Path) -> list[str | None]:
    return [event.WhichOneof("what") for event in events(folder)]


def test_everything_that_can_be_added(tmp_path: Path) -> None:
    x = tf.placeholder(tf.float32, [2], name="x")
    with tf.summary.FileWriter(tmp_path / "a" / "b", x.graph, filename_suffix=".mine") as writer:
        assert writer.get_logdir() == str(tmp_path / "a" / "b")
        writer.add_summary(ONE, 3)
        writer.add_summary(ONE.SerializeToString(), np.int64(4))
        writer.add_run_metadata(tf.RunMetadata(), "step004", 4)
        writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), 5)
        writer.add_meta_graph(x.graph.as_graph_def())
        writer.add_event(tf.Event(step=6, wall_time=12.5))
        writer.flush()
    (path,) = files(tmp_path / "a" / "b")
    assert path.name.endswith(".mine")
    found = events(tmp_path / "a" / "b")
    assert [event.WhichOneof("what") for event in found] == [
        "file_version", "graph_def", "summary", "summary", "tagged_run_metadata", "session_log",
        "meta_graph_def", None,
    ]  # fmt: skip
    assert [event.step for event in found] == [0, 0, 3, 4, 4, 5, 0, 6]
    assert found[0].file_version == "brain.Event:2"
    assert found[2].summary == found[3].summary == ONE
    assert found[-1].wall_time == 12.5
    assert abs(found[0].wall_time - path.stat().st_mtime) < 60
    assert found[2].wall_time <= found[3].wall_time
    assert [node.name for node in GraphDef.FromString(found[1].graph_def).node] == ["x"]


def test_an_event_is_in_the_file_when_the_call_returns(tmp_path: Path) -> None:
    writer = tf.summary.FileWriter(tmp_path)
    assert kinds(tmp_path) == ["file_version"]
    for step in range(3):
        writer.add_summary(ONE, step)
        assert len(kinds(tmp_path)) == step + 2


def test_a_closed_writer_warns_until_it_is_reopened(tmp_path: Path) -> None:
    writer = tf.summary.FileWriter(tmp_path)
    writer.reopen()
    writer.close()
    writer.close()
    writer.flush()
    with pytest.warns(UserWarning, match="is closed: nothing is written until reopen") as caught:
        writer.add_summary(ONE, 1)
    assert len(kinds(tmp_path)) == 1
    assert Path(caught[0].filename).name == "test_file_writer.py"
    writer.reopen()
    writer.add_summary(ONE, 2)
    assert kinds(tmp_path) == ["file_version", "file_version", "summary"]
    assert len(files(tmp_path)) == 2


def test_writers_of_one_folder_have_files_of_their_own(tmp_path: Path) -> None:
    writers = [tf.summary.FileWriter(tmp_path) for _ in range(4)]
    for step, writer in enumerate(writers):
        writer.add_summary(ONE, step)
    assert len(files(tmp_path)) == 4
    assert sorted(e.step for e in events(tmp_path) if e.HasField("summary")) == [0, 1, 2, 3]


def test_threads_share_a_writer(tmp_path: Path) -> None:
    writer = tf.summary.FileWriter(tmp_path)

    def work(first: int) -> None:
        for step in range(first, first + 50):
            writer.add_summary(ONE, step)

    threads = [threading.Thread(target=work, args=(50 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(e.step for e in events(tmp_path) if e.HasField("summary")) == list(range(200))


def test_the_cache_has_one_writer_for_a_folder(tmp_path: Path) -> None:
    cache = tf.summary.FileWriterCache
    writer = cache.get(tmp_path)
    assert cache.get(str(tmp_path)) is writer
    cache.clear()
    assert cache.get(tmp_path) is not writer
    cache.clear()


def test_older_names(tmp_path: Path) -> None:
    x = tf.placeholder(tf.float32, name="x")
    tf.train.SummaryWriter(tmp_path, graph_def=x.graph.as_graph_def()).close()
    assert kinds(tmp_path) == ["file_version", "graph_def"]
    assert GraphDef.FromString(events(tmp_path)[-1].graph_def).node[0].name == "x"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda w: w.add_summary(3), "takes a tf.Summary, or what a session computed of one"),
        (lambda w: w.add_summary(b"\x0b"), "these bytes are no tf.Summary"),
        (lambda w: w.add_summary(ONE, 0.5), "global_step must be a whole number, not 0.5"),
        (lambda w: w.add_summary(ONE, tf.constant(1)), "run a tensor first"),
        (lambda w: w.add_graph("graph"), "takes a tf.Graph or a tf.GraphDef, not 'graph'"),
        (lambda w: w.add_event(ONE), "add_event takes a tf.Event"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, call: Any, message: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        call(tf.summary.FileWriter(tmp_path))
    assert message in str(caught.value)
    assert len(kinds(tmp_path)) == 1


def test_a_tag_of_run_metadata_is_used_once(tmp_path: Path) -> None:
    writer = tf.summary.FileWriter(tmp_path)
    writer.add_run_metadata(tf.RunMetadata(), "a")
    with pytest.raises(ValueError, match="the tag 'a' was used before"):
        writer.add_run_metadata(tf.RunMetadata(), "a")


def test_run_metadata_becomes_a_message(tmp_path: Path) -> None:
    from thalweg.session import step_stats as plain

    output = plain.NodeOutput(
        0, plain.TensorDescription(tf.float32, (2, 3), plain.AllocationDescription(24, 64))
    )
    memory = plain.AllocatorMemoryUsed("cpu", 64, 64, 0)
    node = plain.NodeExecStats("MatMul", 100, 1, 5, 6, [memory], [output])
    stats = plain.StepStats([plain.DeviceStepStats("/cpu:0", [node])])
    writer = tf.summary.FileWriter(tmp_path)
    writer.add_run_metadata(SimpleNamespace(step_stats=stats), "a")
    made = RunMetadata.FromString(events(tmp_path)[-1].tagged_run_metadata.run_metadata)
    (device,) = made.step_stats.dev_stats
    (found,) = device.node_stats
    assert (device.device, found.node_name, found.all_end_rel_micros) == ("/cpu:0", "MatMul", 6)
    assert found.memory[0].total_bytes == 64
    description = found.output[0].tensor_description
    assert [dim.size for dim in description.shape.dim] == [2, 3]
    assert (description.dtype, description.allocation_description.requested_bytes) == (1, 24)


def test_a_record_that_cannot_be_written_leaves_no_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full takes a part of the record, and then nothing."""
    writer, write = tf.summary.FileWriter(tmp_path), os.write
    taken: list[int] = []

    def full(descriptor: int, data: bytes) -> int:
        if taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken.append(write(descriptor, data[:7]))
        return taken[0]

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        writer.add_summary(ONE, 1)
    monkeypatch.undo()
    writer.add_summary(ONE, 2)
    assert [e.step for e in events(tmp_path) if e.HasField("summary")] == [2]


def test_a_record_at_the_end_that_is_not_whole_is_left_out(tmp_path: Path) -> None:
    writer = tf.summary.FileWriter(tmp_path)
    writer.add_summary(ONE, 1)
    (path,) = files(tmp_path)
    data = path.read_bytes()
    whole = len(kinds(tmp_path))
    for size in range(len(data)):
        path.write_bytes(data[:size])
        assert len(kinds(tmp_path)) < whole
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(tf.errors.DataLossError, match="does not fit its checksum"):
        kinds(tmp_path)


def test_writing_needs_no_extra(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['tensorboard'] = sys.modules['google.protobuf'] = None\n"
        "import thalweg as tf\n"
        "with tf.Session() as session, tf.summary.FileWriter(sys.argv[1], session.graph) as w:\n"
        "    w.add_summary(session.run(tf.summary.scalar('a', 1.5)), 7)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert events(tmp_path)[-1].summary.value[0].simple_value == 1.5
