"""What the machine is."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path

from benchmarks.results import Limits, Machine


def busy_cores(seconds: float, stat: Path = Path("/proc/stat")) -> float:
    """Sleep, and tell how many of the machine's cores were busy meanwhile.

    Args:
        seconds: at least a tenth, since the kernel counts hundredths.
        stat: where Linux counts; tests put a made-up file there.

    Returns:
        The mean number, time that a hypervisor took away included; 0 if the system does not say.
    """
    before = _busy_ticks(stat)
    time.sleep(seconds)
    return (_busy_ticks(stat) - before) / os.sysconf("SC_CLK_TCK") / seconds


def _busy_ticks(stat: Path) -> int:
    """Ticks of all cores since the start, in which they were neither idle nor awaiting a disk."""
    try:
        first = stat.read_text().partition("\n")[0]
    except OSError:
        return 0
    user, nice, system, _idle, _wait, irq, soft_irq, stolen = map(int, first.split()[1:9])
    return user + nice + system + irq + soft_irq + stolen


def describe(
    cores: int, threads: int, versions: dict[str, dict[str, str]], limits: Limits
) -> Machine:
    """This machine."""
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    return Machine(cpu_model(), cores, threads, system, versions, limits)


def cpu_model() -> str:
    """The CPU's name."""
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.check_output(command, text=True).strip()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
