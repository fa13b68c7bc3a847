"""Run the programs with TensorFlow, in its environment: `python -m tests.compat_v1.peer OUT`."""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from typing import Any


def main(out: str, names: list[str]) -> None:
    """Write the results of the programs, of all of them if no names are given, to a file."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"  # which has the cells of recurrent networks
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from tests.compat_v1.bench import run_all, store
    from tests.compat_v1.catalogue import PROGRAMS

    tf: Any = import_module("tensorflow.compat.v1")
    tf.disable_v2_behavior()
    warnings.simplefilter("ignore")  # about what TensorFlow 2 does another way
    tf.logging.set_verbosity(tf.logging.ERROR)
    store(out, run_all(tf, [(name, PROGRAMS[name]) for name in names or PROGRAMS]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
