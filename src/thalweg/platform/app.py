"""Running a script's main function: TensorFlow 1's `tf.app`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from thalweg.platform import flags

__all__ = ["flags", "run"]


def run(main: Callable[..., Any] | None = None, argv: Sequence[str] | None = None) -> NoReturn:
    """Read the flags, call `main(argv)` and exit with what it returns.

    Args:
        main: the function; that of the script, `__main__.main`, if not given.
        argv: the command line with the program's name first; `sys.argv` if not given. `main` gets
            the name and what is no flag.

    Raises:
        SystemExit: always; with status 0 if `main` returns None.
    """
    rest = flags.FLAGS(sys.argv if argv is None else argv)
    function = main or sys.modules["__main__"].main
    sys.exit(function(rest))
