"""CPU count from affinity and container quotas; environment settings."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from thalweg.base import settings


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty root folder, on a machine of 16 CPUs."""
    monkeypatch.setattr(settings, "_affinity", lambda: 16)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def version_1(folder: Path, quota: int, period: int) -> None:
    write(folder / "cpu.cfs_quota_us", f"{quota}\n")
    write(folder / "cpu.cfs_period_us", f"{period}\n")


def test_affinity_alone_counts_where_there_are_no_control_groups(machine: Path) -> None:
    assert settings.cpu_count(machine) == 16


@pytest.mark.parametrize(
    ("limit", "cpus"),
    [
        ("max 100000", 16),
        ("200000 100000", 2),
        ("250000 100000", 3),
        ("1000 100000", 1),
        ("9900000 100000", 16),
        ("garbage 100000", 16),
        ("100000 0", 16),
    ],
)
def test_version_2_quota_is_rounded_up_and_bounded(machine: Path, limit: str, cpus: int) -> None:
    write(machine / "proc/self/cgroup", "0::/\n")
    write(machine / "sys/fs/cgroup/cpu.max", limit + "\n")
    assert settings.cpu_count(machine) == cpus


def test_version_2_takes_the_tightest_of_all_parents(machine: Path) -> None:
    write(machine / "proc/self/cgroup", "0::/pod/box/inner\n")
    write(machine / "sys/fs/cgroup/pod/cpu.max", "300000 100000\n")
    write(machine / "sys/fs/cgroup/pod/box/cpu.max", "max 100000\n")
    write(machine / "sys/fs/cgroup/pod/box/inner/cpu.max", "800000 100000\n")
    assert settings.cpu_count(machine) == 3


def test_the_path_may_be_the_hosts_and_missing_in_the_container(machine: Path) -> None:
    write(machine / "proc/self/cgroup", "0::/docker/0123abcd\n")
    write(machine / "sys/fs/cgroup/cpu.max", "400000 100000\n")
    assert settings.cpu_count(machine) == 4


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
def test_version_1_quota(machine: Path, mount: str) -> None:
    write(machine / "proc/self/cgroup", "4:memory:/x\n3:cpu,cpuacct:/slice/job\n0::/\n")
    version_1(machine / "sys/fs/cgroup" / mount, -1, 100000)
    version_1(machine / "sys/fs/cgroup" / mount / "slice/job", 450000, 100000)
    assert settings.cpu_count(machine) == 5


def test_version_1_ignores_other_controllers(machine: Path) -> None:
    write(machine / "proc/self/cgroup", "4:cpuset:/x\n5:cpuacct:/x\n")
    version_1(machine / "sys/fs/cgroup/cpuset", 100000, 100000)
    version_1(machine / "sys/fs/cgroup/cpu", 100000, 100000)
    assert settings.cpu_count(machine) == 16


def test_real_machine() -> None:
    assert 1 <= settings.cpu_count() <= (os.cpu_count() or 1)


def test_num_threads_is_the_environment_or_the_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THALWEG_NUM_THREADS", "7")
    assert settings.num_threads() == 7
    monkeypatch.setenv("THALWEG_NUM_THREADS", "")
    assert settings.num_threads() == settings.cpu_count()
    monkeypatch.delenv("THALWEG_NUM_THREADS")
    assert settings.num_threads() == settings.cpu_count()


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_bad_number_of_threads_is_explained(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("THALWEG_NUM_THREADS", text)
    expected = f"THALWEG_NUM_THREADS: expected a whole number of at least 1, got {text!r}"
    with pytest.raises(ValueError, match=expected):
        settings.num_threads()


def test_cache_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("THALWEG_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert settings.cache_dir() == str(tmp_path / ".cache/thalweg")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert settings.cache_dir() == "/xdg/thalweg"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert settings.cache_dir() == str(tmp_path / "Library/Caches/thalweg")
    monkeypatch.setenv("THALWEG_CACHE_DIR", "~/mine")
    assert settings.cache_dir() == str(tmp_path / "mine")


def test_a_relative_folder_of_caches_counts_as_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the XDG base directory specification demands."""
    monkeypatch.delenv("THALWEG_CACHE_DIR", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "caches")
    assert settings.cache_dir() == str(tmp_path / ".cache/thalweg")


@pytest.mark.parametrize("home", ["home", "/nowhere/at/all"])
def test_there_is_no_cache_without_a_home(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    for name in ("THALWEG_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", home)
    assert settings.cache_dir() is None


@pytest.mark.parametrize("text", ["cache", "./cache", "../cache", "~no-such-user/cache"])
def test_a_cache_in_the_working_directory_is_an_error(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("THALWEG_CACHE_DIR", text)
    expected = f"THALWEG_CACHE_DIR: expected an absolute path, got {text!r}"
    with pytest.raises(ValueError, match=re.escape(expected)):
        settings.cache_dir()


def test_cache_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THALWEG_CACHE_MB", raising=False)
    assert settings.cache_limit_bytes() == 256 * 1024 * 1024
    monkeypatch.setenv("THALWEG_CACHE_MB", "3")
    assert settings.cache_limit_bytes() == 3 * 1024 * 1024
    monkeypatch.setenv("THALWEG_CACHE_MB", "0")
    assert settings.cache_limit_bytes() == 0
    monkeypatch.setenv("THALWEG_CACHE_MB", "lots")
    with pytest.raises(ValueError, match="THALWEG_CACHE_MB"):
        settings.cache_limit_bytes()


def test_memory_is_bounded_by_the_container(machine: Path) -> None:
    write(machine / "proc/self/cgroup", "0::/pod/box\n")
    write(machine / "sys/fs/cgroup/pod/memory.max", f"{1 << 20}\n")
    write(machine / "sys/fs/cgroup/pod/box/memory.max", "max\n")
    assert settings.memory_bytes(machine) == 1 << 20


def test_version_1_limits_memory_in_a_group_of_its_own(machine: Path) -> None:
    write(machine / "proc/self/cgroup", "4:memory:/box\n1:cpu,cpuacct:/other\n")
    write(machine / "sys/fs/cgroup/memory/box/memory.limit_in_bytes", f"{3 << 20}\n")
    write(machine / "sys/fs/cgroup/cpu/other/memory.limit_in_bytes", "1\n")
    assert settings.memory_bytes(machine) == 3 << 20
