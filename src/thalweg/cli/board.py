"""`thalweg board`: what a folder of logs holds, as a list, a table or in TensorBoard."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from thalweg.cli.command import CliError, Commands

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command's parser."""
    board = commands.add_parser(
        "board",
        help="show a folder of logs in TensorBoard",
        description="Say what a folder of logs holds, and show it in TensorBoard.",
    )
    board.add_argument("logdir", metavar="LOGDIR", help="the folder that tf.summary wrote to")
    board.add_argument("--host", default="127.0.0.1", help="default: this machine alone sees it")
    board.add_argument("--port", type=int, default=6006, help="default: 6006; 0 for a free one")
    board.add_argument("--list", action="store_true", help="only say what there is")
    board.add_argument(
        "--csv", metavar="FILE", help="write the scalars to a file, - for standard output"
    )
    board.add_argument(
        "--samples",
        metavar="KIND=N,...",
        help="how many points of a tag TensorBoard keeps, 0 for all: scalars=0,images=50",
    )
    board.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from thalweg.base.errors import FailedPreconditionError
    from thalweg.board.logs import logs
    from thalweg.board.server import serve

    if arguments.csv is not None:
        return _write_csv(arguments.logdir, arguments.csv)
    print(logs(arguments.logdir), flush=True)
    if arguments.list:
        return 0
    if not Path(arguments.logdir).is_dir():
        raise CliError(f"{arguments.logdir!r} is not a folder")
    more = [f"--samples_per_plugin={arguments.samples}"] if arguments.samples else []
    try:
        return serve(arguments.logdir, arguments.host, arguments.port, *more)
    except FailedPreconditionError as error:
        raise CliError(str(error)) from None


def _write_csv(folder: str, target: str) -> int:
    from thalweg.board.logs import logs

    found = logs(folder)
    if not found.runs:
        raise CliError(f"{folder}: {found.hint}")
    try:
        with contextlib.ExitStack() as stack:
            file = sys.stdout
            if target != "-":
                file = stack.enter_context(Path(target).open("w", newline="", encoding="utf-8"))
            count = found.write_csv(file)
    except OSError as error:
        raise CliError(f"cannot write {target!r}: {error.strerror}") from None
    problems = [f"{run.name}: {run.problem}" for run in found.runs if run.problem]
    print(*problems, f"{count:,} scalars of {len(found.runs)} runs", sep="\n", file=sys.stderr)
    return 0
