"""The disk cache: what it keeps, what it throws out, damage, and many processes at once."""

from __future__ import annotations

import multiprocessing
import os
import random
from pathlib import Path

import pytest

from thalweg.runtime.disk_cache import DiskCache

MIB = 1 << 20


def entry(folder: Path) -> Path:
    (path,) = folder.glob("*.entry")
    return path


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
    kept = {key for key in "abcde" if cache.get(key) is not None}
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
