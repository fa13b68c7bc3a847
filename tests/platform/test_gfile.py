"""Files and folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from thalweg.base import errors
from thalweg.platform import gfile


def test_text_and_bytes(tmp_path: Path) -> None:
    name = tmp_path / "a.txt"
    with gfile.GFile(name, "w") as file:
        file.write("één\ntwo\n")
    assert name.read_bytes() == "één\ntwo\n".encode()
    with gfile.Open(name) as file:
        assert (file.readline(), file.readlines(), file.read()) == ("één\n", ["two\n"], "")
        file.seek(0)
        assert list(file) == ["één\n", "two\n"]
        assert file.size() == 10
    assert gfile.FastGFile(str(name), "rb").read(2) == "é".encode()


def test_a_file_is_opened_when_it_is_used(tmp_path: Path) -> None:
    file = gfile.GFile(tmp_path / "missing")
    with pytest.raises(errors.NotFoundError, match=r"missing': No such file"):
        file.read()
    with pytest.raises(errors.InvalidArgumentError, match="the mode is 'x'"):
        gfile.GFile(tmp_path / "a", "x")


def test_folders(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    gfile.MakeDirs(deep)
    gfile.MakeDirs(deep)
    (deep / "x.txt").write_text("x")
    (deep / "y.txt").write_text("yy")
    assert gfile.ListDirectory(deep) == ["x.txt", "y.txt"]
    assert gfile.Glob(deep / "*.txt") == [str(deep / "x.txt"), str(deep / "y.txt")]
    assert list(gfile.Walk(tmp_path))[-1] == (str(deep), [], ["x.txt", "y.txt"])
    assert gfile.IsDirectory(deep)
    assert gfile.Stat(deep / "y.txt").length == 2
    with pytest.raises(errors.AlreadyExistsError):
        gfile.MkDir(deep)
    gfile.DeleteRecursively(tmp_path / "a")
    assert not gfile.Exists(deep)


def test_a_link_to_a_folder_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    gfile.DeleteRecursively(tmp_path / "link")
    assert not gfile.Exists(tmp_path / "link")
    assert gfile.Exists(tmp_path / "kept" / "file")


def test_copies_and_renames_overwrite_only_if_told_to(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old")
    new.write_text("new")
    with pytest.raises(errors.AlreadyExistsError, match="new' exists"):
        gfile.Copy(old, new)
    gfile.Copy(old, new, overwrite=True)
    assert new.read_text() == "old"
    with pytest.raises(errors.AlreadyExistsError):
        gfile.Rename(old, new)
    gfile.Rename(old, new, overwrite=True)
    assert gfile.ListDirectory(tmp_path) == ["new"]
    gfile.Remove(new)
    with pytest.raises(errors.NotFoundError):
        gfile.Remove(new)


def test_schemes() -> None:
    assert gfile.Exists("file:///")
    with pytest.raises(errors.UnimplementedError, match="not a file of this machine"):
        gfile.Exists("gs://bucket/file")
