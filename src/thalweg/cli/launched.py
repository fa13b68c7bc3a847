"""What `thalweg launch` starts: `python -m thalweg.cli.launched SCRIPT ARGUMENTS`.

The process ends when the launcher does, however that came to its end: it waits on a pipe of which
only the launcher has the other side.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from thalweg.base import settings

__all__: list[str] = []

GRACE_SECONDS = 5.0


def main() -> int:
    """Run the script; the exit status."""
    from thalweg.cli.main import main as command

    if lifeline := settings.of_group("LIFELINE"):
        threading.Thread(target=_end_with, args=(int(lifeline),), daemon=True).start()
    return command(["run", *sys.argv[1:]])


def _end_with(lifeline: int) -> None:
    """End this process, and those that it has started, when the pipe does."""
    while os.read(lifeline, 1):
        continue
    os.killpg(os.getpgrp(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
