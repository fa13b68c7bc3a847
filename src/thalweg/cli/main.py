"""The command line: `thalweg COMMAND ...`.

Each command is a module of this folder, listed in COMMANDS. Its function `add(commands)` adds a
parser, `commands.add_parser(name, help=..., description=...)`, and sets what runs it with
`parser.set_defaults(run=function)`: a function `(arguments) -> exit status`. The module is imported
for every call of `thalweg`, so it imports what is slow inside that function. An error of the user's
is a `CliError`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from thalweg import __version__
from thalweg.cli.command import INTERRUPTED, CliError

__all__ = ["main"]

# In the order of `thalweg --help`.
COMMANDS = (
    "train",
    "run",
    "launch",
    "board",
    "playground",
    "convert",
    "devices",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 2
    try:
        return int(arguments.run(arguments))
    except CliError as error:
        print(f"thalweg: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", flush=True)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="thalweg", description="Dataflow graphs, compiled.")
    parser.add_argument("--version", action="version", version=f"thalweg {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f"thalweg.cli.{name}").add(commands)
    return parser
