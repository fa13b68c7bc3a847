"""`tf.test.TestCase`: comparisons of arrays, and a graph and a session for each test."""

from __future__ import annotations

import unittest
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from thalweg.base.errors import OpError
from thalweg.graph import Graph, default_graph, reset_default_graph
from thalweg.platform.temporary import get_temp_dir
from thalweg.session.session import Session, get_default_session

__all__ = ["TestCase"]


class TestCase(unittest.TestCase):
    """A unittest case whose tests begin with an empty default graph and the same seed.

    The comparisons take arrays and what NumPy makes arrays of; those of TensorFlow 2 that also take
    tensors evaluate them in the default session.
    """

    def setUp(self) -> None:
        """Begin with an empty graph and the seed 87654321."""
        np.random.seed(87654321)
        reset_default_graph()
        default_graph().seed = 87654321

    @contextmanager
    def session(
        self,
        graph: Graph | None = None,
        config: Any = None,
        use_gpu: bool = False,
        force_gpu: bool = False,
    ) -> Iterator[Session]:
        """A session that is the default one in the block; it always runs on the CPU."""
        with Session(graph=graph, config=config) as session:
            yield session

    test_session = session
    cached_session = session
    test_session.__test__ = False  # type: ignore[attr-defined]  # pytest takes it for a test

    def evaluate(self, tensors: Any) -> Any:
        """The values of some tensors in the default session."""
        session = get_default_session()
        if session is None:
            raise ValueError("evaluate: there is no default session")
        return session.run(tensors)

    def get_temp_dir(self) -> str:
        """A folder for files of tests."""
        return get_temp_dir()

    def assertAllEqual(self, a: Any, b: Any, msg: str | None = None) -> None:
        """Fail unless the two have the same shape and elements; NaN equals NaN."""
        np.testing.assert_array_equal(self._array(a), self._array(b), msg or "", strict=False)
        self._same_shape(a, b, msg)

    def assertAllClose(
        self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None
    ) -> None:
        """Fail unless shapes are equal and |a - b| <= atol + rtol * |b|; dicts key by key."""
        if isinstance(a, Mapping):
            self.assertEqual(set(a), set(b), msg)
            for key in a:
                self.assertAllClose(a[key], b[key], rtol, atol, msg)
            return
        self._same_shape(a, b, msg)
        np.testing.assert_allclose(self._array(a), self._array(b), rtol, atol, err_msg=msg or "")

    def assertAllCloseAccordingToType(
        self,
        a: Any,
        b: Any,
        rtol: float = 1e-6,
        atol: float = 1e-6,
        float_rtol: float = 1e-6,
        float_atol: float = 1e-6,
        half_rtol: float = 1e-3,
        half_atol: float = 1e-3,
    ) -> None:
        """`assertAllClose` with the tolerance of the less precise of the two dtypes."""
        dtypes = {self._array(a).dtype, self._array(b).dtype}
        if np.dtype(np.float32) in dtypes:
            rtol, atol = max(rtol, float_rtol), max(atol, float_atol)
        if np.dtype(np.float16) in dtypes:
            rtol, atol = max(rtol, half_rtol), max(atol, half_atol)
        self.assertAllClose(a, b, rtol, atol)

    def assertNotAllClose(self, a: Any, b: Any, **tolerances: Any) -> None:
        """Fail if `assertAllClose` would not."""
        try:
            self.assertAllClose(a, b, **tolerances)
        except AssertionError:
            return
        self.fail("the two are close at all elements")

    def assertNear(self, f1: float, f2: float, err: float, msg: str | None = None) -> None:
        """Fail unless two numbers differ by at most `err`."""
        self.assertTrue(f1 == f2 or abs(f1 - f2) <= err, f"{f1!r} and {f2!r} differ. {msg or ''}")

    def assertArrayNear(self, farray1: Any, farray2: Any, err: float) -> None:
        """Fail unless the elements differ by at most `err`."""
        self._same_shape(farray1, farray2, None)
        for one, other in zip(self._array(farray1).flat, self._array(farray2).flat, strict=True):
            self.assertNear(float(one), float(other), err)

    def assertShapeEqual(self, np_array: Any, tf_tensor: Any, msg: str | None = None) -> None:
        """Fail unless a tensor's static shape is that of an array."""
        self.assertEqual(list(np_array.shape), tf_tensor.get_shape().as_list(), msg)

    def assertRaisesOpError(self, expected: str) -> AbstractContextManager[Any]:
        """A block that must fail with a `tf.errors.OpError` whose text matches the pattern."""
        return self.assertRaisesRegex(OpError, expected)

    def _array(self, value: Any) -> np.ndarray[Any, Any]:
        return np.asarray(self.evaluate(value) if hasattr(value, "eval") else value)

    def _same_shape(self, a: Any, b: Any, msg: str | None) -> None:
        self.assertEqual(self._array(a).shape, self._array(b).shape, msg)
