"""`tf.train.Saver` as programs of TensorFlow 1 use it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import thalweg as tf
from thalweg.saving.bundle.bundle import BundleFile


def net() -> tuple[tf.Variable, tf.Variable]:
    W = tf.get_variable("W", [3, 2], initializer=tf.ones_initializer())
    return W, tf.Variable(tf.zeros([2]), name="b")


def names(folder: Path) -> set[str]:
    return {name.name for name in folder.iterdir()}


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "model.ckpt")


@pytest.mark.parametrize("format", ["thalweg", "tensorflow"])
def test_save_and_restore_in_a_loop(tmp_path: Path, path: str, format: str) -> None:
    W, _ = net()
    step = tf.Variable(0, trainable=False, name="global_step")
    train = tf.group(W.assign_add(W), step.assign_add(1))
    saver = tf.train.Saver(max_to_keep=2, format=format)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for n in range(1, 5):
            sess.run(train)
            saved = saver.save(sess, path, global_step=step)
            assert saved == f"{path}-{n}"
    assert saver.last_checkpoints == [f"{path}-3", f"{path}-4"]
    state = tf.train.get_checkpoint_state(tmp_path)
    assert state is not None
    assert state.model_checkpoint_path == f"{path}-4" == tf.train.latest_checkpoint(tmp_path)
    assert list(state.all_model_checkpoint_paths) == saver.last_checkpoints
    with tf.Session() as sess:
        saver.restore(sess, state.model_checkpoint_path)
        assert sess.run(W).tolist() == [[16, 16]] * 3
        assert sess.run(step) == 4
        saver.restore(sess, f"{path}-3")
        assert sess.run([W, step])[0][0, 0] == 8
    kept = {name for name in names(tmp_path) if not name.endswith(".meta")}
    ends = ["safetensors"] if format == "thalweg" else ["index", "data-00000-of-00001"]
    assert kept == {"checkpoint", *[f"model.ckpt-{n}.{end}" for n in (3, 4) for end in ends]}


def test_every_name_of_a_checkpoint_is_accepted(tmp_path: Path, path: str) -> None:
    W, _ = net()
    for format in ("thalweg", "tensorflow"):
        with tf.Session() as sess:
            W.load(np.full((3, 2), 7, np.float32), sess)
            tf.train.Saver(format=format).save(sess, path)
        files = [str(file) for file in tmp_path.iterdir() if file.name != "checkpoint"]
        assert len(files) >= 1
        every: list[str | Path] = [path, str(tmp_path), tmp_path, *files]
        for name in every:
            with tf.Session() as sess:
                tf.train.Saver().restore(sess, name)
                assert sess.run(W)[0, 0] == 7


def test_any_safetensors_file_is_a_checkpoint(tmp_path: Path) -> None:
    W, _ = net()
    values = {"W": np.arange(6, dtype=np.float32).reshape(3, 2), "b": np.ones(2, np.float32)}
    safetensors.numpy.save_file(values, tmp_path / "from.hub.safetensors")
    with tf.Session() as sess:
        tf.train.Saver().restore(sess, tmp_path / "from.hub.safetensors")
        np.testing.assert_array_equal(sess.run(W), values["W"])


def test_our_files_are_read_by_the_library(path: str) -> None:
    net()
    with tf.Session() as sess:
        tf.train.Saver().save(sess, path, write_state=False)
    read = safetensors.numpy.load_file(f"{path}.safetensors")
    assert {name: array.tolist() for name, array in read.items()} == {
        "W": [[1, 1]] * 3,
        "b": [0, 0],
    }


def test_some_variables_under_other_names(path: str) -> None:
    W, b = net()
    with tf.Session() as sess:
        b.load([1, 2], sess)
        tf.train.Saver({"bias": b}).save(sess, path)
    assert tf.train.list_variables(path) == [("bias", [2])]
    with tf.Session() as sess:
        tf.train.Saver({"bias": b}).restore(sess, path)
        assert sess.run([W, b])[1].tolist() == [1, 2]


@pytest.mark.parametrize("format", ["thalweg", "tensorflow"])
def test_every_dtype_of_variables(path: str, format: str) -> None:
    dtypes = [tf.float16, tf.float32, tf.float64, tf.bfloat16, tf.bool]
    dtypes += [tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16]
    made = [tf.Variable(tf.cast([0, 1, 3], dtype), name=dtype.name) for dtype in dtypes]
    saver = tf.train.Saver(format=format)
    with tf.Session() as sess:
        sess.run(made[-1].assign([7, 8, 9]))
        saver.save(sess, path)
        expected = sess.run(made)
    with tf.Session() as sess:
        saver.restore(sess, path)
        for value, wanted in zip(sess.run(made), expected, strict=True):
            assert value.dtype == wanted.dtype
            np.testing.assert_array_equal(value, wanted)


def test_a_checkpoint_that_is_moved(tmp_path: Path) -> None:
    net()
    (tmp_path / "old").mkdir()
    with tf.Session() as sess:
        tf.train.Saver().save(sess, tmp_path / "old" / "model", global_step=3)
    os.rename(tmp_path / "old", tmp_path / "new")
    latest = tf.train.latest_checkpoint(tmp_path / "new")
    assert latest == str(tmp_path / "new" / "model-3")


def test_relative_paths_are_those_of_the_state_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net()
    monkeypatch.chdir(tmp_path)
    with tf.Session() as sess:
        assert tf.train.Saver().save(sess, "logs/model", 1) == "logs/model-1"
    assert (
        (tmp_path / "logs/checkpoint").read_text().startswith('model_checkpoint_path: "model-1"\n')
    )
    assert tf.train.latest_checkpoint("logs") == "logs/model-1"
    assert tf.train.latest_checkpoint("elsewhere") is None


def test_an_old_process_hands_its_checkpoints_on(tmp_path: Path, path: str) -> None:
    net()
    with tf.Session() as sess:
        first = tf.train.Saver(max_to_keep=2)
        for step in range(2):
            first.save(sess, path, step)
        second = tf.train.Saver(max_to_keep=2)
        state = tf.train.get_checkpoint_state(tmp_path)
        assert state is not None
        second.recover_last_checkpoints([*state.all_model_checkpoint_paths, f"{path}-9"])
        assert second.last_checkpoints == [f"{path}-0", f"{path}-1"]
        second.save(sess, path, 2)
        assert not tf.train.checkpoint_exists(f"{path}-0")
        assert tf.train.checkpoint_exists(f"{path}-1")


def test_one_in_some_hours_is_kept_for_good(tmp_path: Path, path: str) -> None:
    net()
    with tf.Session() as sess:
        saver = tf.train.Saver(max_to_keep=1, keep_checkpoint_every_n_hours=-1)
        for step in range(3):
            saver.save(sess, path, step)
    assert all(tf.train.checkpoint_exists(f"{path}-{step}") for step in range(3))
    assert saver.last_checkpoints == [f"{path}-2"]


def test_padded_steps_and_other_state_files(tmp_path: Path, path: str) -> None:
    net()
    with tf.Session() as sess:
        saver = tf.train.Saver(pad_step_number=True)
        assert saver.save(sess, path, 7, latest_filename="best") == f"{path}-00000007"
    assert tf.train.latest_checkpoint(tmp_path) is None
    assert tf.train.latest_checkpoint(tmp_path, "best") == f"{path}-00000007"
    tf.train.remove_checkpoint(f"{path}-00000007")
    assert names(tmp_path) == {"best"}
    assert tf.train.get_checkpoint_mtimes([path]) == []


def test_the_latest_is_what_is_whole(tmp_path: Path, path: str) -> None:
    net()
    saver = tf.train.Saver()
    with tf.Session() as sess:
        for step in range(3):
            saver.save(sess, path, step)
    whole = (tmp_path / "model.ckpt-2.safetensors").read_bytes()
    (tmp_path / "model.ckpt-2.safetensors").write_bytes(whole[:-1])
    assert tf.train.latest_checkpoint(tmp_path) == f"{path}-1"
    os.unlink(tmp_path / "model.ckpt-1.safetensors")
    assert tf.train.latest_checkpoint(tmp_path) == f"{path}-0"
    os.unlink(tmp_path / "model.ckpt-0.safetensors")
    assert tf.train.latest_checkpoint(tmp_path) is None


def test_readers(path: str) -> None:
    net()
    with tf.Session() as sess:
        tf.train.Saver().save(sess, path)
    reader = tf.train.NewCheckpointReader(path)
    assert reader.get_variable_to_shape_map() == {"W": [3, 2], "b": [2]}
    assert reader.get_variable_to_dtype_map()["W"] == tf.float32
    assert reader.has_tensor("b")
    assert not reader.has_tensor("c")
    reader.get_tensor("b")[0] = 1  # of its own
    assert tf.train.load_variable(path, "b:0").tolist() == [0, 0]


# -- what goes wrong


def test_a_variable_that_is_not_there(path: str) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.Variable(tf.ones([3, 2]), name="layer/weights")
        tf.Variable(tf.ones([2]), name="other")
        tf.train.Saver().save(sess, path)
    W = tf.Variable(tf.zeros([3, 2]), name="layer/weigths")
    b = tf.Variable(tf.zeros([2]), name="other")
    with tf.Session() as sess:
        with pytest.raises(tf.errors.NotFoundError) as caught:
            tf.train.Saver().restore(sess, path)
        assert sess.run(b).tolist() == [0, 0]
    first, made, wanted, there = str(caught.value).splitlines()
    assert first.startswith("Key layer/weigths not found in checkpoint")
    assert first.endswith("; the nearest there: 'layer/weights' (float32 [3, 2])")
    assert made.startswith("  'layer/weigths' (float32 [3, 2]) was made at test_saver.py:")
    assert wanted == (
        "  the graph has 2 variables to restore: 1 are in the checkpoint, 1 are not: "
        "'layer/weigths'"
    )
    assert there == "  the checkpoint has 2 tensors: 1 are not used: 'layer/weights'"
    assert W.op.name == "layer/weigths"


def test_other_shapes_and_dtypes(path: str) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.Variable(tf.ones([3, 2]), name="W")
        tf.train.Saver().save(sess, path)
    with tf.Graph().as_default(), tf.Session() as sess:
        W = tf.Variable(tf.zeros([2, 3]), name="W")
        with pytest.raises(
            ValueError, match=r"'W' has the shape \[2, 3\] in the graph, and \[3, 2\]"
        ):
            tf.train.Saver().restore(sess, path)
        tf.train.Saver(reshape=True).restore(sess, path)
        assert sess.run(W).tolist() == [[1, 1, 1]] * 2
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.Variable(tf.zeros([3, 2], tf.float64), name="W")
        with pytest.raises(ValueError, match="is float64 in the graph, and float32 in") as caught:
            tf.train.Saver().restore(sess, path)
        assert "was made at test_saver.py:" in str(caught.value)


def test_a_damaged_checkpoint_changes_nothing(tmp_path: Path, path: str) -> None:
    W, b = net()
    saver = tf.train.Saver()
    with tf.Session() as sess:
        saver.save(sess, path)
        sess.run([W.assign(W * 5), b.assign(b + 5)])
        file = tmp_path / "model.ckpt.safetensors"
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
        with pytest.raises(tf.errors.DataLossError, match="has another checksum"):
            saver.restore(sess, path)
        assert sess.run([W, b])[1].tolist() == [5, 5]
        assert sess.run(W)[0, 0] == 5


def test_no_such_checkpoint(tmp_path: Path, path: str) -> None:
    net()
    saver = tf.train.Saver()
    with tf.Session() as sess:
        with pytest.raises(tf.errors.NotFoundError, match="has no checkpoint: there is no file"):
            saver.restore(sess, tmp_path)
        saver.save(sess, path, 1)
        with pytest.raises(tf.errors.NotFoundError, match=r"nearest: 'model.ckpt-1'"):
            saver.restore(sess, f"{path}-2")
        with pytest.raises(tf.errors.NotFoundError, match="there is no folder"):
            saver.restore(sess, tmp_path / "no" / "model")
        with pytest.raises(ValueError, match="Can't load save_path when it is None"):
            saver.restore(sess, None)
    (tmp_path / "checkpoint").write_bytes(b"\xff{")
    with pytest.raises(tf.errors.DataLossError, match="is no checkpoint state: line 1"):
        tf.train.latest_checkpoint(tmp_path)


def test_bad_arguments(path: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No variables to save"):
        tf.train.Saver()
    assert tf.train.Saver(allow_empty=True).last_checkpoints == []
    later = tf.train.Saver(defer_build=True)
    W, _ = net()
    with pytest.raises(ValueError, match="two variables have the same name: W"):
        tf.train.Saver([W, in_another_graph("W")])
    with pytest.raises(TypeError, match="a saver saves variables, not"):
        tf.train.Saver([W.value()])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="format must be one of thalweg, tensorflow, not 'hdf5'"):
        tf.train.Saver(format="hdf5")
    with pytest.raises(tf.errors.UnimplementedError, match="version 1"):
        tf.train.Saver(write_version=tf.train.SaverDef.V1)
    with tf.Session() as sess:
        assert later.save(sess, path) == path
        with pytest.raises(ValueError, match="is the folder"):
            later.save(sess, f"{tmp_path}/")
        with pytest.raises(ValueError, match="a name without a folder"):
            later.save(sess, path, latest_filename="a/b")
        with pytest.raises(ValueError, match="is the name of the state file"):
            later.save(sess, tmp_path / "checkpoint")
        with pytest.raises(TypeError, match="global_step must be an integer or a variable"):
            later.save(sess, path, global_step=[1, 2])  # type: ignore[arg-type]
    other = tf.Session(graph=tf.Graph())
    with pytest.raises(ValueError, match="the session is of another graph"):
        later.save(other, path)


def in_another_graph(name: str) -> tf.Variable:
    with tf.Graph().as_default():
        return tf.Variable(1.0, name=name)


# -- in the background


def test_a_save_in_the_background_has_the_values_of_its_moment(path: str) -> None:
    W, _ = net()
    grow = W.assign_add(W)
    saver = tf.train.Saver()
    with tf.Session() as sess:
        for step in range(5):
            saver.save(sess, path, step, background=True)
            sess.run(grow)
        saver.wait()
        report = saver.last_save
        assert report is not None
        assert report.total_seconds is not None
        assert report.total_seconds >= report.blocked_seconds >= 0
        assert (report.bytes, report.copied_bytes) == (32, 32)
        for step in range(5):
            assert tf.train.load_variable(f"{path}-{step}", "W")[0, 0] == 2**step


def test_a_failure_in_the_background_is_raised_by_the_next_call(tmp_path: Path, path: str) -> None:
    net()
    saver = tf.train.Saver()
    (tmp_path / "file").write_text("no folder")
    with tf.Session() as sess:
        saver.save(sess, path, 1)
        for ask in (saver.wait, lambda: saver.save(sess, path), lambda: saver.restore(sess, path)):
            saver.save(sess, tmp_path / "file" / "model", background=True)
            with pytest.raises(OSError) as caught:  # noqa: PT011  the file system's own
                ask()
            assert "raised in the background: saving" in caught.value.__notes__[0]
        saver.wait()
        assert tf.train.latest_checkpoint(tmp_path) == f"{path}-1"


def test_both_formats_say_how_far_the_session_was(path: str) -> None:
    W, _ = net()
    for format in ("thalweg", "tensorflow"):
        saver = tf.train.Saver(format=format)
        with tf.Session() as sess:
            for _ in range(3):
                sess.run(W)
            saver.save(sess, path)
        with tf.Session() as sess:
            saver.restore(sess, path)
            assert sess.progress.runs == 3
            tf.train.Saver([W]).restore(sess, path)  # a part says nothing of it
    assert "_THALWEG_CHECKPOINT" not in BundleFile(path)
