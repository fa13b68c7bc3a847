"""Messages to the user."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import thalweg as tf
tf.logging.info("too early")
tf.logging.warn("warned of %s", "it")
tf.logging.set_verbosity(tf.logging.INFO)
for step in range(5):
    tf.logging.log_every_n(tf.logging.INFO, "every %d", 2, step)
    tf.logging.log_first_n(tf.logging.INFO, "first %d", 1, step)
tf.logging.debug("not shown")
assert tf.logging.get_verbosity() == tf.logging.INFO
"""


def test_verbosity_and_form() -> None:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == [
        "WARNING:tensorflow:warned of it",
        "INFO:tensorflow:every 0",
        "INFO:tensorflow:first 0",
        "INFO:tensorflow:every 2",
        "INFO:tensorflow:every 4",
    ]
