"""Runs a script as Python would, with `tensorflow` meaning Thalweg."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType, TracebackType

from thalweg.base.source import is_ours
from thalweg.compat.finder import install

__all__ = ["run_script"]


def run_script(path: Path, arguments: Sequence[str] = ()) -> int:
    """Run a script as `python SCRIPT ARGUMENTS` would, and return the exit status.

    `sys.argv`, `sys.path[0]` and the module `__main__` are the script's, and stay so: the process
    is the script's from here on.

    Raises:
        OSError: if the file cannot be read.
        SyntaxError: if it is no Python 3.
        SystemExit: as the script raises it.
    """
    code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    install()
    sys.argv = [str(path), *arguments]
    sys.path.insert(0, str(path.parent.resolve()))
    main = ModuleType("__main__")
    main.__file__ = str(path)
    vars(main).update(__builtins__=__builtins__, __cached__=None)
    sys.modules["__main__"] = main
    return _run(code, main)


def _run(code: CodeType, main: ModuleType) -> int:
    try:
        exec(code, vars(main))
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        inside = _without_our_first(error.__traceback__)
        traceback.print_exception(type(error), error, inside)
        return 1
    return 0


def _without_our_first(frames: TracebackType | None) -> TracebackType | None:
    """The traceback from the script's first line on."""
    while frames is not None and is_ours(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return frames
