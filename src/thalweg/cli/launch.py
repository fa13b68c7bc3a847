"""`thalweg launch --workers 4 SCRIPT`: a program as several processes."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thalweg.cli.command import INTERRUPTED, CliError, Commands

if TYPE_CHECKING:
    from thalweg.cluster.launch.supervisor import Supervisor

__all__ = ["add"]

DESCRIPTION = """\
Start a script as several processes, each with its own rank, and with the addresses of all in
TF_CONFIG. What follows the name of the script is its own command line. Lines that a process prints
begin with its name. On a terminal a table shows how far each is. All end on Ctrl-C, or when one
fails for good; the exit status is the worst."""
ENDED = 143  # 128 + SIGTERM, as shells have it


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "launch",
        help="run a script as several processes that train together",
        description=DESCRIPTION,
    )
    parser.add_argument("--workers", type=_count, required=True, metavar="N", help="how many")
    parser.add_argument(
        "--ps", type=int, default=0, metavar="N", help="how many parameter servers (default: none)"
    )
    parser.add_argument(
        "--max-restarts",
        type=int,
        default=0,
        metavar="N",
        help="how often processes that fail are started again (default: never)",
    )
    parser.add_argument(
        "--threads",
        type=_count,
        metavar="N",
        help="of each process (default: its share of the CPUs)",
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const="auto",
        metavar="ADDRESS",
        help="place the processes on the nodes of a Ray cluster",
    )
    parser.add_argument("--no-table", action="store_true", help="print lines only")
    parser.add_argument("script", metavar="SCRIPT", help="a .py file")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the script")
    parser.set_defaults(run=_run)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return number


def _run(arguments: argparse.Namespace) -> int:
    from thalweg.base.settings import cpu_count
    from thalweg.cluster.launch.show import Logs
    from thalweg.cluster.launch.supervisor import Plan, Supervisor

    if not Path(arguments.script).is_file():
        raise CliError(f"there is no file {arguments.script!r}")
    command = sys.executable, "-m", "thalweg.cli.launched", arguments.script, *arguments.arguments
    threads = arguments.threads or max(1, cpu_count() // arguments.workers)
    plan = Plan(command, arguments.workers, arguments.ps, arguments.max_restarts, threads)
    starter = _starter(arguments)
    logs = Logs()
    supervisor = Supervisor(plan, starter, logs.say, starter.host)
    try:
        return _watched(supervisor, logs.is_terminal and not arguments.no_table)
    except (KeyboardInterrupt, _Ended) as stop:
        supervisor.end(signal.SIGINT)
        print("\ninterrupted", flush=True)
        return ENDED if isinstance(stop, _Ended) else INTERRUPTED
    finally:
        starter.close()


class _Ended(BaseException):
    """SIGTERM has come."""


def _watched(supervisor: Supervisor, with_table: bool) -> int:
    def stop(number: int, frame: Any) -> None:
        raise _Ended

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with ExitStack() as stack:
            if with_table and (table := _table(supervisor)) is not None:
                stack.enter_context(table)
                return supervisor.run(table.look)
            return supervisor.run()
    finally:
        signal.signal(signal.SIGTERM, before)


def _table(supervisor: Supervisor) -> Any:
    from thalweg.cluster.launch.show import Table

    try:
        return Table(supervisor.rows)
    except ImportError:
        return None  # lines alone will do


def _starter(arguments: argparse.Namespace) -> Any:
    from thalweg.cluster.launch.local import LocalStarter

    address = arguments.ray or os.environ.get("RAY_ADDRESS")
    if not address:
        return LocalStarter()
    try:
        from thalweg.cluster.launch.on_ray import RayStarter
    except ImportError as error:
        raise CliError(
            f"a Ray cluster needs `pip install thalweg[cluster]` ({error.name} is missing)"
        ) from None
    return RayStarter(address)
