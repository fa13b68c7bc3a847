"""What the machine is."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from benchmarks.results import Machine
from thalweg.base import settings


def load() -> float:
    """The mean number of busy threads in the last minute; -1 if the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else -1.0


def describe(threads: int, load: float, versions: dict[str, dict[str, str]]) -> Machine:
    """This machine."""
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    return Machine(cpu_model(), settings.cpu_count(), threads, system, round(load, 2), versions)


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
