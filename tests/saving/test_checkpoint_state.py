"""State files, and the text form that they are in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tf
from thalweg.saving.text_proto import fields, line


@given(st.lists(st.tuples(st.from_regex(r"\A[a-z_]{1,9}\Z"), st.text() | st.floats(0, 1e9))))
def test_text_there_and_back(given: list[tuple[str, str | float]]) -> None:
    text = "".join(line(key, value) for key, value in given)
    assert text.isascii()
    expected = [(key, v if isinstance(v, str) else repr(v)) for key, v in given]
    assert list(fields(text)) == expected


def test_text_as_others_write_it() -> None:
    text = "# a comment\n a: 'it''s'  b:\"\\303\\274\\x41\\n\\\"\"; c: -1.5e3, d : true\n\n"
    with pytest.raises(tf.errors.DataLossError, match="line 2"):
        list(fields(text))
    text = text.replace("''", "\\'")
    assert list(fields(text)) == [("a", "it's"), ("b", 'üA\n"'), ("c", "-1.5e3"), ("d", "true")]


def test_a_state_is_made_and_read(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"mödel-{n}") for n in (1, 2)]
    state = tf.train.generate_checkpoint_state_proto(tmp_path, paths[1], paths[:1])
    assert state.model_checkpoint_path == "mödel-2"
    assert state.all_model_checkpoint_paths == ["mödel-1", "mödel-2"]
    tf.train.update_checkpoint_state(tmp_path, paths[1], paths, None, [1.5, 2.5], 1.5)
    found = tf.train.get_checkpoint_state(tmp_path)
    assert found is not None
    assert found.model_checkpoint_path == paths[1]
    assert list(found.all_model_checkpoint_paths) == paths
    assert list(found.all_model_checkpoint_timestamps) == [1.5, 2.5]
    assert found.last_preserved_timestamp == 1.5
    with pytest.raises(ValueError, match="1 timestamps for 2 checkpoints"):
        tf.train.update_checkpoint_state(tmp_path, paths[1], paths, None, [1.5])


def test_no_state(tmp_path: Path) -> None:
    assert tf.train.get_checkpoint_state(tmp_path) is None
    (tmp_path / "checkpoint").write_text("")
    assert tf.train.get_checkpoint_state(tmp_path) is None
    (tmp_path / "checkpoint").write_text('other: "x"')
    with pytest.raises(tf.errors.DataLossError, match="it has a field 'other'"):
        tf.train.get_checkpoint_state(tmp_path)


def test_checkpoints_of_version_1(tmp_path: Path) -> None:
    """One file, which is a table as an index is."""
    (tmp_path / "model.ckpt").write_bytes(bytes(40) + 0xDB4775248B80FB57.to_bytes(8, "little"))
    with pytest.raises(tf.errors.UnimplementedError, match="in TensorFlow's version 1"):
        tf.train.load_checkpoint(tmp_path / "model.ckpt")
