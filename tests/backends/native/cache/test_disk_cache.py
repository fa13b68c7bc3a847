"""The disk cache: what it keeps, what it throws out, damage, and many processes at once."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import resource
import shutil
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from thalweg.backends.native.cache.disk_cache import DiskCache

MIB = 1 << 20


def entry(folder: Path) -> Path:
    (path,) = folder.glob("*.entry")
    return path


def found(cache: DiskCache, keys: str) -> list[str]:
    return [key for key in keys if cache.get(key) is not None]


def test_returns_what_was_put(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "deep" / "er", MIB)
    assert cache.get("a") is None
    cache.put("a", b"first")
    cache.put("b", b"")
    assert (cache.get("a"), cache.get("b")) == (b"first", b"")
    cache.put("a", b"second")
    assert DiskCache(tmp_path / "deep" / "er", MIB).get("a") == b"second"


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 500])
def test_a_damaged_entry_is_a_miss_and_removed(tmp_path: Path, damage: bytes) -> None:
    cache = DiskCache(tmp_path, MIB)
    cache.put("a", b"data" * 100)
    entry(tmp_path).write_bytes(damage)
    assert cache.get("a") is None
    assert not list(tmp_path.iterdir())


def test_a_torn_entry_is_a_miss(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, MIB)
    cache.put("a", b"data" * 100)
    path = entry(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    assert cache.get("a") is None


def test_evicts_the_least_recently_used(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10_000)
    for age, key in enumerate("abcd"):
        cache.put(key, bytes(2000))
        os.utime(tmp_path / f"{key}.entry", (1000 + age, 1000 + age))
    assert cache.get("a") == bytes(2000)  # now the most recently used
    cache.put("e", bytes(2000))
    kept = set(found(cache, "abcde"))
    assert {"a", "e"} <= kept
    assert "b" not in kept


def test_marks_an_entry_as_used_but_not_again_soon(tmp_path: Path) -> None:
    cache, entry = DiskCache(tmp_path, MIB), tmp_path / "a.entry"
    cache.put("a", b"data")
    before = entry.stat().st_mtime - 60
    os.utime(entry, (before, before))
    cache.get("a")
    assert entry.stat().st_mtime == before
    os.utime(entry, (1000, 1000))
    cache.get("a")
    assert entry.stat().st_mtime > before


def test_stays_under_the_limit(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 50_000)
    for number in range(200):
        cache.put(f"key{number}", bytes(1000))
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 50_000
    assert cache.get("key199") == bytes(1000)


def test_what_is_over_the_limit_is_not_kept(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 1000)
    cache.put("a", bytes(1001))
    assert cache.get("a") is None
    off = DiskCache(tmp_path / "off", 0)
    off.put("a", b"")
    assert not (tmp_path / "off").exists()


def test_partial_files_of_dead_processes_are_removed(tmp_path: Path) -> None:
    old, new = tmp_path / "old.partial", tmp_path / "new.partial"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (1000, 1000))
    DiskCache(tmp_path, MIB).put("a", b"data")
    assert (old.exists(), new.exists()) == (False, True)


# -- what is no entry


def test_an_entry_in_the_place_of_another_is_a_miss_and_removed(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, MIB)
    cache.put("a", b"data of a")
    os.replace(tmp_path / "a.entry", tmp_path / "b.entry")
    assert cache.get("b") is None
    assert not list(tmp_path.iterdir())


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link(path: Path) -> None:
    path.symlink_to(path.with_name("other"))


def link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("nothing"))


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(path.parent):
        made.bind(path.name)  # a whole path may be too long


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [pipe, link, link_to_nothing, bound, folder])
def test_only_a_regular_file_is_an_entry(tmp_path: Path, make: Callable[[Path], None]) -> None:
    cache, path = DiskCache(tmp_path, MIB), tmp_path / "a.entry"
    cache.put("a", b"data")
    os.replace(path, tmp_path / "other")  # to which the link points
    make(path)
    assert cache.get("a") is None
    cache.put("a", b"new")
    assert cache.get("a") == (None if make is folder else b"new")
    assert not list(tmp_path.glob("*.partial"))


def test_a_file_over_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> bytes:
        raise AssertionError

    DiskCache(tmp_path, MIB).put("a", bytes(5000))
    monkeypatch.setattr(os, "read", read)
    assert DiskCache(tmp_path, 4000).get("a") is None
    assert not list(tmp_path.iterdir())


# -- whose it is


@pytest.fixture
def umask() -> Iterator[Callable[[int], object]]:
    before = os.umask(0)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_folders_and_entries_are_private_whatever_the_umask(
    tmp_path: Path, umask: Callable[[int], object], mask: int
) -> None:
    umask(mask)
    cache = DiskCache(tmp_path / "a" / "b" / "c", MIB)
    cache.put("key", b"data")
    assert cache.get("key") == b"data"
    for name, mode in (("a", 0o700), ("a/b", 0o700), ("a/b/c", 0o700), ("a/b/c/key.entry", 0o600)):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path, mode: int) -> None:
    DiskCache(tmp_path, MIB).put("a", b"data")
    tmp_path.chmod(mode)
    cache = DiskCache(tmp_path, MIB)
    with pytest.warns(RuntimeWarning, match=rf"{tmp_path}.*its mode is {mode:o}") as warned:
        assert found(cache, "ab") == []
    cache.put("b", b"data")
    assert len(warned) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.entry"]


def test_folders_that_others_can_read_are_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    cache = DiskCache(tmp_path, MIB)
    cache.put("a", b"data")
    (tmp_path / "a.entry").chmod(0o644)
    assert cache.get("a") == b"data"


def test_a_file_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, MIB)
    for key in "ab":
        cache.put(key, b"data")
        (tmp_path / f"{key}.entry").chmod(0o620)
    with pytest.warns(RuntimeWarning, match=r"a\.entry.*its mode is 620") as warned:
        assert found(cache, "ab") == []
    assert len(warned) == 1
    assert not list(tmp_path.iterdir())


class Owned:
    """`os.stat` and `os.fstat` where all files belong to one user; this one's number is 1000."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: int) -> None:
        self._owner = owner
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        for name in ("stat", "fstat"):
            monkeypatch.setattr(os, name, self._with_owner(getattr(os, name)))

    def _with_owner(self, function: Callable[..., os.stat_result]) -> Callable[..., object]:
        def changed(*args: Any, **kwargs: Any) -> os.stat_result:
            values = list(function(*args, **kwargs))
            values[stat.ST_UID] = self._owner
            return os.stat_result(values)

        return changed


@pytest.mark.parametrize(("owner", "used"), [(1000, True), (0, True), (1001, False)])
def test_what_belongs_to_others_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, used: bool
) -> None:
    DiskCache(tmp_path, MIB).put("a", b"data")
    with monkeypatch.context() as patched:
        Owned(patched, owner)
        cache = DiskCache(tmp_path, MIB)
        if used:
            assert cache.get("a") == b"data"
        else:
            with pytest.warns(RuntimeWarning, match="its uid is 1001"):
                assert cache.get("a") is None


def test_an_entry_of_another_user_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = DiskCache(tmp_path, MIB)
    cache.put("a", b"data")  # the folder is known to be safe
    with monkeypatch.context() as patched:
        Owned(patched, 1001)
        with pytest.warns(RuntimeWarning, match=r"a\.entry.*its uid is 1001"):
            assert cache.get("a") is None


def test_no_folder_means_no_caching() -> None:
    cache = DiskCache(None, MIB)
    cache.put("a", b"data")
    assert cache.get("a") is None


def test_a_limit_of_nothing_means_that_nothing_is_read(tmp_path: Path) -> None:
    DiskCache(tmp_path, MIB).put("a", b"data")
    assert DiskCache(tmp_path, 0).get("a") is None
    assert list(tmp_path.iterdir())


# -- what may happen to a disk


def test_a_folder_that_vanishes_is_made_again(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache", MIB)
    cache.put("a", b"data")
    shutil.rmtree(tmp_path / "cache")
    assert cache.get("a") is None
    cache.put("a", b"data")
    assert cache.get("a") == b"data"


def test_a_folder_that_cannot_be_written_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    cache = DiskCache(tmp_path, MIB)
    cache.put("a", b"data")
    opened = os.open
    monkeypatch.setattr(os, "open", lambda p, f, *m: fail() if f & os.O_CREAT else opened(p, f, *m))
    cache.put("b", b"data")
    assert (cache.get("a"), cache.get("b")) == (b"data", None)


def test_a_disk_that_takes_a_part_only_keeps_nothing(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        cache = DiskCache(tmp_path, MIB)
        cache.put("a", bytes(10_000))
        assert cache.get("a") is None
        assert not list(tmp_path.iterdir())
    finally:
        signal.signal(signal.SIGXFSZ, before)
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_folder_that_cannot_be_made_means_no_caching(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = DiskCache(tmp_path / "file" / "cache", MIB)
    cache.put("a", b"data")
    assert cache.get("a") is None


def test_a_full_disk_means_no_caching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    cache = DiskCache(tmp_path, MIB)
    cache.put("a", b"data")
    assert cache.get("a") is None
    assert not list(tmp_path.iterdir())


def value_of(key: str) -> bytes:
    return key.encode() * (200 + 37 * int(key))


def hammer(folder: Path, seed: int) -> None:
    """Put and get random keys; exits with an error when a key ever has another's value."""
    cache, chooser = DiskCache(folder, 30_000), random.Random(seed)
    for _ in range(400):
        key = str(chooser.randrange(40))
        if chooser.random() < 0.5:
            cache.put(key, value_of(key))
        elif (data := cache.get(key)) is not None:
            assert data == value_of(key)


def test_several_processes_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=hammer, args=(tmp_path, seed)) for seed in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert not list(tmp_path.glob("*.partial"))
    cache = DiskCache(tmp_path, 30_000)
    kept = {key: cache.get(str(key)) for key in range(40)}
    assert any(kept.values())
    assert all(data in (None, value_of(str(key))) for key, data in kept.items())
