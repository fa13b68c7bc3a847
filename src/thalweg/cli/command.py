"""What the commands share: their kind of error, and their exit statuses."""

from __future__ import annotations

import argparse
from typing import TypeAlias

__all__ = ["INTERRUPTED", "CliError", "Commands"]

INTERRUPTED = 130  # 128 + SIGINT, as shells have it

# What a command's `add` adds its parser to.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class CliError(Exception):
    """What went wrong, in words for the user: printed as one line, with exit status 1."""
