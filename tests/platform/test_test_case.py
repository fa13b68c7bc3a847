"""The test case of `tf.test`."""

from __future__ import annotations

import os
import unittest

import numpy as np
import pytest

import thalweg as tf


class Case(tf.test.TestCase):
    """What users' tests look like."""

    __test__ = False

    def runTest(self) -> None:  # noqa: N802
        with self.test_session():
            self.assertAllClose(tf.constant([1.0, 2.0]).eval(), [1.0, 2.0 + 1e-7])
            self.assertAllEqual(tf.ones([2], tf.int32), [1, 1])
            self.assertShapeEqual(np.zeros([2, 3]), tf.zeros([2, 3]))
            with self.assertRaisesOpError("assertion failed"):
                self.evaluate(tf.Assert(tf.constant(False), [tf.constant(0)]))


def test_a_case_runs() -> None:
    result = unittest.TestResult()
    Case().run(result)
    assert [text for _, text in (*result.failures, *result.errors)] == []
    assert result.testsRun == 1


def test_each_test_has_a_graph_of_its_own_and_the_same_seed() -> None:
    case = Case()
    case.setUp()
    tf.constant(1)
    first = np.random.rand()
    case.setUp()
    assert tf.get_default_graph().get_operations() == []
    assert np.random.rand() == first


@pytest.mark.parametrize(
    ("one", "other"), [([1.0], [1.1]), ([1.0], [1.0, 1.0]), ([1.0], [np.nan]), ([[1.0]], [1.0])]
)
def test_what_is_not_close(one: list[float], other: list[float]) -> None:
    with pytest.raises(AssertionError):
        Case().assertAllClose(one, other)
    Case().assertNotAllClose(one, other)


def test_tolerances_follow_the_dtype() -> None:
    half, single = np.array([1.0], np.float16), np.array([1.0005])
    Case().assertAllCloseAccordingToType(half, single)
    with pytest.raises(AssertionError):
        Case().assertAllCloseAccordingToType(half.astype(np.float32), single)


def test_other_comparisons() -> None:
    Case().assertNear(1.0, 1.5, 0.5)
    Case().assertArrayNear([1.0, 2.0], [1.1, 2.1], 0.11)
    Case().assertAllClose({"a": [1.0]}, {"a": [1.0]})
    with pytest.raises(AssertionError, match="differ"):
        Case().assertNear(1.0, 1.6, 0.5)
    with pytest.raises(AssertionError):
        Case().assertAllClose({"a": [1.0]}, {"b": [1.0]})


def test_there_is_a_folder_and_no_gpu() -> None:
    assert os.path.isdir(tf.test.get_temp_dir())
    assert not tf.test.is_gpu_available()
    assert tf.test.gpu_device_name() == ""
