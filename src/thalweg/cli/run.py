"""`thalweg run FILE`: a script or a notebook for TensorFlow 1, on Thalweg."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from thalweg.cli.command import CliError, Commands

__all__ = ["add"]

DESCRIPTION = """\
Run a Python script or a notebook that was written for TensorFlow 1: in it, `import tensorflow`
imports Thalweg. What follows the name of a script is its own command line. A notebook runs in the
folder where it lies, and needs `pip install thalweg[notebook]`."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "run",
        help="run a script or a notebook that was written for TensorFlow 1",
        description=DESCRIPTION,
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="write the executed notebook, as .ipynb or .html"
    )
    parser.add_argument("file", metavar="FILE", help="a .py or .ipynb file")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the script")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    path = Path(arguments.file)
    try:
        if path.suffix == ".ipynb":
            return _notebook(path, arguments)
        return _script(path, arguments)
    except OSError as error:
        raise CliError(f"{error.filename}: {error.strerror}") from None


def _script(path: Path, arguments: argparse.Namespace) -> int:
    from thalweg.compat.script import run_script

    if arguments.output is not None:
        raise CliError("--output is for notebooks")
    if not path.is_file():
        raise CliError(f"there is no file {arguments.file!r}")
    try:
        return run_script(path, arguments.arguments)
    except SyntaxError as error:
        raise CliError(_syntax(error)) from None


def _syntax(error: SyntaxError) -> str:
    line = (error.text or "").strip()
    old = "; it looks like Python 2" if line.startswith(("print ", "exec ", "raise ")) else ""
    return f"{error.filename}:{error.lineno}: {error.msg}{old}\n  {line}"


def _notebook(path: Path, arguments: argparse.Namespace) -> int:
    try:
        from thalweg.compat import notebook
    except ImportError as error:
        raise CliError(
            f"a notebook needs `pip install thalweg[notebook]` ({error.name} is missing)"
        ) from None
    if arguments.arguments:
        raise CliError("a notebook takes no arguments")
    output = None if arguments.output is None else Path(arguments.output)
    if output is not None and output.suffix not in (".ipynb", ".html"):
        raise CliError(f"--output must end in .ipynb or .html, not {arguments.output!r}")
    try:
        book = notebook.read(path)
    except notebook.NotebookError as error:
        raise CliError(str(error)) from None
    all_ran = notebook.run_notebook(book, path.parent.resolve(), _show)
    if output is not None:
        notebook.write(book, output)
        print(f"wrote {output}")
    return 0 if all_ran else 1


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
