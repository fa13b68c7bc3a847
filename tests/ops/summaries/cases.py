"""Inputs of summaries, which TensorFlow and Thalweg are both given.

With TensorFlow installed, `python tests/ops/summaries/cases.py` writes what it makes of them to
`tensorflow.json`; TensorFlow 2.21 has made the file that is here. It imports NumPy alone, as that
environment has no Thalweg.
"""

from __future__ import annotations

import base64
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np

EXPECTED = Path(__file__).with_name("tensorflow.json")
_random = np.random.default_rng(7)
_TONE = np.sin(np.arange(40) / 3).astype(np.float32)

# The function of tf.summary, its arguments, and keywords.
CASES: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "scalar": ("scalar", (np.float32(0.1),), {}),
    "scalar of an integer": ("scalar", (np.int32(-3),), {}),
    "scalar that is infinite": ("scalar", (np.float32(np.inf),), {}),
    "scalar in a family": ("scalar", (np.float32(1),), {"family": "group"}),
    "histogram": ("histogram", (_random.normal(size=[40]).astype(np.float32),), {}),
    "histogram of constants": ("histogram", (np.zeros([3], np.float32),), {}),
    "histogram of large numbers": ("histogram", (np.array([-1e30, 1e25, 3e-15, 1.0]),), {}),
    "histogram of integers": ("histogram", (np.array([[0, 1], [1, 5]], np.int32),), {}),
    "histogram of limits": ("histogram", (np.array([0.0, 1e-12, 1e-12 * 1.1, -1e-12]),), {}),
    "histogram of nothing": ("histogram", (np.zeros([0], np.float32),), {}),
    "image": ("image", (_random.uniform(size=[2, 3, 4, 1]).astype(np.float32),), {}),
    "image of one": ("image", (np.full([2, 2, 2, 3], 7, np.uint8),), {"max_outputs": 1}),
    "image with negatives": (
        "image", (_random.normal(size=[1, 5, 4, 3]).astype(np.float32),), {},
    ),
    "image with NaN": (
        "image", (np.array([[[[np.nan, 1, 2, 3], [0.5, 1, np.inf, 2], [0, 1, 2, 4.0]]]], "f"),), {},
    ),
    "image that is black": ("image", (np.zeros([1, 2, 2, 1], np.float32),), {}),
    "image of half precision": ("image", (np.ones([1, 2, 2, 1], np.float16) / 3,), {}),
    "audio": ("audio", (np.stack([_TONE, 3 * _TONE]), np.float32(8000)), {}),
    "audio in stereo": ("audio", (_TONE.reshape(1, 20, 2), np.float32(44100)), {"max_outputs": 1}),
    "text": ("text", (np.array([b"a", b"*b*"], object),), {}),
    "tensor": ("tensor_summary", (np.arange(6, dtype=np.float32).reshape(2, 3),), {}),
}  # fmt: skip


def main() -> None:
    """Write what TensorFlow makes of the cases."""
    tf = importlib.import_module("tensorflow.compat.v1")
    tf.disable_v2_behavior()
    made = {}
    for case, (function, arguments, keywords) in CASES.items():
        with tf.Graph().as_default(), tf.name_scope("scope"):
            tensors = [tf.constant(argument) for argument in arguments]
            summary = getattr(tf.summary, function)("a name", *tensors, **keywords)
            with tf.Session() as session:
                made[case] = base64.b64encode(session.run(summary)).decode()
    EXPECTED.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
