"""What the machine and the environment ask for. Nothing else in Thalweg reads the environment.

Paths are text here: `pathlib` would take as long to load as a program's code from the disk.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator


def cpu_count(root: str | os.PathLike[str] = "/") -> int:
    """How many CPUs this process may use: its affinity, bounded by its container's quota.

    Args:
        root: where `proc` and `sys` are found; tests put a made-up machine there.
    """
    quota = min(map(_quota, _cgroups(root)), default=math.inf)
    return max(1, math.ceil(min(_affinity(), quota)))


def memory_bytes(root: str | os.PathLike[str] = "/") -> int:
    """How much memory this process may use: the machine's, bounded by its container's limit.

    Args:
        root: as for `cpu_count`.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    files = [os.path.join(folder, "memory.max") for folder in _cgroups(root, "memory")]
    files += [os.path.join(folder, "memory.limit_in_bytes") for folder in _cgroups(root, "memory")]
    limits = [text for file in files if (text := _read(file).strip()).isdecimal()]
    return min([machine, *map(int, limits)])


def cpu_model() -> str:
    """The processor's model, as Linux tells it, or else its architecture."""
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:  # as little of it as will do: it lists every CPU
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    return os.uname().machine


def device() -> str:
    """The default device of sessions: `THALWEG_DEVICE`, such as "GPU:0"; "" if it is not set."""
    return os.environ.get("THALWEG_DEVICE", "").strip()


def num_threads() -> int:
    """Threads a session uses unless told otherwise: `THALWEG_NUM_THREADS`, else `cpu_count()`.

    Raises:
        ValueError: the variable is not a whole number of at least 1.
    """
    return _whole_number("THALWEG_NUM_THREADS", least=1) or cpu_count()


def cache_dir() -> str | None:
    """Where plans and code are kept: `THALWEG_CACHE_DIR`, else the user's cache folder.

    That is `thalweg` in `XDG_CACHE_HOME`, if this is an absolute path, or in `~/.cache`; on a Mac
    in `~/Library/Caches`. None for a user without a home.

    Raises:
        ValueError: the variable is neither an absolute path nor one that begins with the home of a
            user there is.
    """
    if chosen := os.environ.get("THALWEG_CACHE_DIR"):
        path = os.path.expanduser(chosen)
        if not os.path.isabs(path):
            raise ValueError(f"THALWEG_CACHE_DIR: expected an absolute path, got {chosen!r}")
        return path
    caches = os.environ.get("XDG_CACHE_HOME", "")
    if sys.platform != "darwin" and os.path.isabs(caches):
        return os.path.join(caches, "thalweg")
    home = os.path.expanduser("~")
    if not (os.path.isabs(home) and os.path.isdir(home)):
        return None
    return os.path.join(home, "Library/Caches" if sys.platform == "darwin" else ".cache", "thalweg")


def cache_limit_bytes() -> int:
    """The most that the cache may hold: `THALWEG_CACHE_MB` MiB, else 256; 0 turns it off.

    Raises:
        ValueError: the variable is not a whole number of at least 0.
    """
    megabytes = _whole_number("THALWEG_CACHE_MB", least=0)
    return (256 if megabytes is None else megabytes) << 20


def is_strict() -> bool:
    """Whether `THALWEG_STRICT` is set, and not 0: the compiler checks its own work.

    Every kernel pass is verified, and a failure is an error where the compiler would otherwise go
    on in a slower way. The tests run so.
    """
    return os.environ.get("THALWEG_STRICT", "0") not in ("", "0")


def of_group(name: str) -> str:
    """What `thalweg launch` has told this process of its group: `THALWEG_` and the name.

    Args:
        name: RANK, SIZE, LOCAL_RANK, LOCAL_SIZE, RENDEZVOUS or TOKEN; or WARN_SECONDS or
            GIVE_UP_SECONDS, how long to wait for other processes.
    """
    return os.environ.get(f"THALWEG_{name}", "").strip()


def mpi_rank(name: str) -> str:
    """What Open MPI's `mpirun` has told this process: RANK, SIZE, LOCAL_RANK or LOCAL_SIZE."""
    return os.environ.get(f"OMPI_COMM_WORLD_{name}", "").strip()


def _whole_number(name: str, least: int) -> int | None:
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    if not text.isdecimal() or int(text) < least:
        raise ValueError(f"{name}: expected a whole number of at least {least}, got {text!r}")
    return int(text)


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    return os.cpu_count() or 1


def _cgroups(root: str | os.PathLike[str], controller: str = "cpu") -> Iterator[str]:
    """Folders that may hold a limit for this process: its control groups and their parents.

    Inside a container the path in `/proc/self/cgroup` may be the host's and not exist here; the
    container's own group is then the root of the mount, which is always among the parents.
    """
    for line in _read(os.path.join(root, "proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        for mount in _mounts(controllers, controller):
            folder = os.path.join(root, "sys/fs/cgroup", mount)
            yield folder
            for part in filter(None, path.split("/")):
                folder = os.path.join(folder, part)
                yield folder


def _mounts(controllers: str, controller: str) -> tuple[str, ...]:
    if not controllers:  # version 2, alone or next to version 1
        return ("", "unified")
    return (controller, controllers) if controller in controllers.split(",") else ()


def _quota(folder: str) -> float:
    """CPUs that one control group grants: quota over period (version 2, then version 1)."""
    quota, period = _read(os.path.join(folder, "cpu.max")).split() or (
        _read(os.path.join(folder, "cpu.cfs_quota_us")).strip(),
        _read(os.path.join(folder, "cpu.cfs_period_us")).strip(),
    )
    if quota.isdecimal() and period.isdecimal() and int(period) > 0:
        return int(quota) / int(period)
    return math.inf  # none set: "max", -1, or no such file


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
