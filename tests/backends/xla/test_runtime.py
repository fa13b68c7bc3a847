"""What the backend does to JAX: nothing that stays. And what it keeps on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ALONE = """
import sys
import thalweg as tf
assert not [name for name in sys.modules if name.startswith("jax")], "import loads JAX"
import numpy as np
x = tf.placeholder(tf.float64, [200, 200])
for _ in range(40):
    x = tf.tanh(tf.matmul(x, x))
with tf.Session(config=tf.ConfigProto(backend="xla")) as session:
    (feed,) = [op.outputs[0] for op in session.graph.operations if op.type == "Placeholder"]
    assert session.run(x, {feed: np.eye(200)}).dtype == np.float64
import jax
import jax.numpy as jnp
assert jnp.ones(3).dtype == jnp.float32
assert jnp.arange(3).dtype == jnp.int32
assert jax.config.jax_compilation_cache_dir is None
assert jax.config.jax_default_matmul_precision is None
assert jax.config.jax_persistent_cache_min_compile_time_secs == 1
"""

MISSING = """
import sys
sys.modules["jax"] = None
import thalweg as tf
try:
    tf.Session(config=tf.ConfigProto(backend="xla")).run(tf.Variable(1.0))
except tf.errors.OpError as error:
    print(error)
"""


def run(program: str, cache: Path) -> str:
    environment = {**os.environ, "THALWEG_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_users_jax_stays_as_it_is_and_programs_are_kept(tmp_path: Path) -> None:
    run(ALONE, tmp_path)
    folder = tmp_path / "xla"
    kept = {file.name for file in folder.iterdir()}
    assert any(name.endswith("-cache") for name in kept)
    assert folder.stat().st_mode & 0o777 == 0o700
    run(ALONE, tmp_path)
    assert {file.name for file in folder.iterdir()} == kept


def test_what_to_install_is_said(tmp_path: Path) -> None:
    assert "pip install thalweg[xla]" in run(MISSING, tmp_path)
