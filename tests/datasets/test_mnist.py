"""MNIST: the embedded data, files in a folder, the split, and the batches."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from thalweg.datasets.mnist import DataSet, Datasets, files, load_data, read_data_sets

Array = npt.NDArray[Any]

ORIGINAL_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@pytest.fixture(scope="module")
def originals() -> tuple[Array, Array, Array, Array]:
    (x_train, y_train), (x_test, y_test) = load_data()
    return x_train, y_train, x_test, y_test


@pytest.fixture(scope="module")
def datasets() -> Datasets:
    return read_data_sets(seed=1)


def numbered(count: int, seed: int | None = 0) -> DataSet:
    """A data set whose images and labels are their own row numbers."""
    rows = np.arange(count)
    return DataSet(rows[:, np.newaxis].astype(np.float32), rows, seed=seed)


def idx(array: Array) -> bytes:
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes((0, 0, 8, array.ndim)) + shape + array.tobytes()


def small_arrays() -> list[Array]:
    """Seven training and three test examples, in the order of the files."""
    rng = np.random.default_rng(0)
    shapes = (7, 4, 5), (7,), (3, 4, 5), (3,)
    return [rng.integers(0, 10, shape, np.uint8) for shape in shapes]


def fill(folder: Path, arrays: list[Array]) -> None:
    """Write the four files: those of the training set plain, the others as .gz."""
    for (name, _), array in zip(files.FILES, arrays, strict=True):
        if name.startswith("train"):
            (folder / name).write_bytes(idx(array))
        else:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))


# The embedded data


def test_shapes_and_types(originals: tuple[Array, ...]) -> None:
    shapes = [array.shape for array in originals]
    assert shapes == [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)]
    for array in originals:
        assert array.dtype == np.uint8
        assert array.flags.c_contiguous
        assert array.flags.writeable


def test_labels(originals: tuple[Array, ...]) -> None:
    _, y_train, _, y_test = originals
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert y_test[:5].tolist() == [7, 2, 1, 0, 4]
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(y_train).tolist() == counts


def test_is_the_original_files(originals: tuple[Array, ...]) -> None:
    digests = [hashlib.md5(idx(array), usedforsecurity=False).hexdigest() for array in originals]
    assert dict(zip([name for name, _ in files.FILES], digests, strict=True)) == ORIGINAL_MD5


def test_a_truncated_data_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "mnist.idx.xz"
    damaged.write_bytes(files.ARCHIVE.read_bytes()[:1000])
    monkeypatch.setattr(files, "ARCHIVE", damaged)
    with pytest.raises(ValueError, match=r"mnist\.idx\.xz is damaged, install the package again"):
        load_data()


def test_another_data_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "mnist.idx.xz"
    other.write_bytes(lzma.compress(b"".join(map(idx, small_arrays()))))
    monkeypatch.setattr(files, "ARCHIVE", other)
    with pytest.raises(ValueError, match="does not hold the original MNIST files: SHA-256"):
        read_data_sets()


# The split


def test_validation_is_the_start_of_the_training_file(
    datasets: Datasets, originals: tuple[Array, ...]
) -> None:
    x_train, y_train, x_test, y_test = originals
    expected = (x_train[5000:], y_train[5000:]), (x_train[:5000], y_train[:5000]), (x_test, y_test)
    assert [part.num_examples for part in datasets] == [55000, 5000, 10000]
    for part, (images, labels) in zip(datasets, expected, strict=True):
        np.testing.assert_array_equal(part.labels, labels)
        assert np.array_equal(np.rint(part.images * 255), images.reshape(-1, 784))


def test_images_are_float32_from_0_to_1(datasets: Datasets) -> None:
    images = datasets.train.images
    assert images.shape == (55000, 784)
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (0, 1)
    assert datasets.train.images is images
    assert datasets.train.labels.dtype == np.uint8


def test_one_hot_matches_the_digits(datasets: Datasets) -> None:
    for part, digits in zip(read_data_sets(one_hot=True), datasets, strict=True):
        assert part.labels.dtype == np.float64
        assert part.labels.shape == (part.num_examples, 10)
        assert np.all(part.labels.sum(axis=1) == 1)
        np.testing.assert_array_equal(part.labels.argmax(axis=1), digits.labels)


def test_uint8_images_with_their_axes(originals: tuple[Array, ...]) -> None:
    train, validation, test = read_data_sets(dtype=np.uint8, reshape=False, validation_size=0)
    assert train.images.dtype == np.uint8
    assert train.images.shape == (60000, 28, 28, 1)
    assert validation.images.shape == (0, 28, 28, 1)
    np.testing.assert_array_equal(test.images[..., 0], originals[2])
    assert test.next_batch(3)[0].shape == (3, 28, 28, 1)


# A folder


def test_reads_a_folder(tmp_path: Path) -> None:
    x_train, y_train, x_test, y_test = arrays = small_arrays()
    fill(tmp_path, arrays)
    train, validation, test = read_data_sets(tmp_path, dtype=np.uint8, validation_size=2)
    np.testing.assert_array_equal(train.images, x_train[2:].reshape(5, 20))
    np.testing.assert_array_equal(train.labels, y_train[2:])
    np.testing.assert_array_equal(validation.images, x_train[:2].reshape(2, 20))
    np.testing.assert_array_equal(validation.labels, y_train[:2])
    np.testing.assert_array_equal(test.images, x_test.reshape(3, 20))
    np.testing.assert_array_equal(test.labels, y_test)


def test_a_folder_without_all_four_files_is_not_used(tmp_path: Path) -> None:
    fill(tmp_path, small_arrays())
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    assert files.read_folder(tmp_path) is None
    assert files.read_folder(tmp_path / "absent") is None
    assert read_data_sets(f"{tmp_path}/absent/").train.num_examples == 55000


def test_damaged_files_in_a_folder_are_reported(tmp_path: Path) -> None:
    arrays = small_arrays()
    fill(tmp_path, arrays)
    images, labels = tmp_path / "train-images-idx3-ubyte", tmp_path / "t10k-labels-idx1-ubyte.gz"

    images.write_bytes(idx(arrays[0])[:-1])
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte is truncated: 139 elements"):
        read_data_sets(tmp_path, validation_size=0)
    images.write_bytes(idx(arrays[1]))
    with pytest.raises(ValueError, match="not an IDX file of uint8 elements and rank 3"):
        read_data_sets(tmp_path, validation_size=0)
    images.write_bytes(idx(arrays[0])[:7])
    with pytest.raises(ValueError, match="not an IDX file"):
        read_data_sets(tmp_path, validation_size=0)
    images.write_bytes(idx(arrays[0]))

    for damaged in (b"not gzip", gzip.compress(idx(arrays[3]))[:-9]):
        labels.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte\.gz is damaged"):
            read_data_sets(tmp_path, validation_size=0)


def test_images_and_labels_that_differ_in_number_are_reported(tmp_path: Path) -> None:
    arrays = small_arrays()
    fill(tmp_path, [arrays[0], arrays[1][:-1], *arrays[2:]])
    with pytest.raises(ValueError, match=r"images \[7, 4, 5, 1\] and labels \[6\] differ"):
        read_data_sets(tmp_path, validation_size=0)


def test_one_hot_refuses_other_classes(tmp_path: Path) -> None:
    arrays = small_arrays()
    arrays[1][3] = 10
    fill(tmp_path, arrays)
    with pytest.raises(ValueError, match="label 10 is not one of 10 classes"):
        read_data_sets(tmp_path, one_hot=True, validation_size=0)


# Batches


def test_every_example_once_an_epoch() -> None:
    data = numbered(12)
    orders = []
    for epoch in range(3):
        batches = [data.next_batch(4)[1] for _ in range(3)]
        assert data.epochs_completed == epoch
        orders.append(np.concatenate(batches).tolist())
        assert sorted(orders[-1]) == list(range(12))
    assert list(range(12)) not in orders
    assert orders[0] != orders[1] != orders[2]


def test_every_example_of_mnist_once_an_epoch(datasets: Datasets) -> None:
    batches = [datasets.test.next_batch(100) for _ in range(100)]
    images = np.concatenate([images for images, _ in batches])
    order = np.lexsort(images.T)
    expected = np.lexsort(datasets.test.images.T)
    np.testing.assert_array_equal(images[order], datasets.test.images[expected])
    labels = np.concatenate([labels for _, labels in batches])
    np.testing.assert_array_equal(labels[order], datasets.test.labels[expected])


def test_a_batch_across_the_boundary() -> None:
    data = numbered(10)
    first, second = data.next_batch(7)[1], data.next_batch(7)[1]
    assert data.epochs_completed == 1
    assert second.shape == (7,)
    assert sorted([*first, *second[:3]]) == list(range(10))
    third = data.next_batch(6)[1]
    assert sorted([*second[3:], *third]) == list(range(10))
    assert data.epochs_completed == 1


def test_an_epoch_ends_when_the_next_is_needed() -> None:
    data = numbered(4)
    data.next_batch(4)
    assert data.epochs_completed == 0
    assert sorted(data.next_batch(4)[1]) == [0, 1, 2, 3]
    assert data.epochs_completed == 1


def test_without_shuffle_the_order_stays() -> None:
    data = numbered(5)
    batches = [data.next_batch(3, shuffle=False)[1].tolist() for _ in range(4)]
    assert batches == [[0, 1, 2], [3, 4, 0], [1, 2, 3], [4, 0, 1]]
    assert data.epochs_completed == 2


def test_images_and_labels_stay_together_and_in_place() -> None:
    data = numbered(50)
    for _ in range(9):
        images, labels = data.next_batch(7)
        np.testing.assert_array_equal(images[:, 0], labels)
    np.testing.assert_array_equal(data.images[:, 0], np.arange(50))
    np.testing.assert_array_equal(data.labels, np.arange(50))


def test_a_seed_fixes_the_batches() -> None:
    def batches(seed: int | None) -> list[list[int]]:
        data = numbered(100, seed)
        return [data.next_batch(30)[1].tolist() for _ in range(9)]

    assert batches(3) == batches(3)
    assert batches(3) != batches(4)
    assert batches(None) != batches(None)


def test_batches_are_contiguous_copies() -> None:
    images = np.asfortranarray(np.arange(24, dtype=np.uint8).reshape(4, 2, 3))
    data = DataSet(images, np.eye(4), reshape=False, dtype=np.uint8)
    batch_images, batch_labels = data.next_batch(2)
    assert batch_images.flags.c_contiguous
    assert batch_labels.flags.c_contiguous
    batch_images[:] = 255
    assert data.images.max() == 23


def test_fake_batches() -> None:
    images = np.zeros((6, 2, 2), np.uint8)
    data = DataSet(images, np.eye(6))
    fake_images, fake_labels = data.next_batch(3, fake_data=True)
    np.testing.assert_array_equal(fake_images, np.ones((3, 4), np.float32))
    np.testing.assert_array_equal(fake_labels, np.eye(6)[[0, 0, 0]])
    assert DataSet(images, np.arange(6)).next_batch(2, True)[1].tolist() == [0, 0]


def test_images_that_are_not_uint8_are_cast() -> None:
    images = DataSet(np.array([[-2.5], [300.0]]), np.zeros(2)).images
    assert images.dtype == np.float32
    assert images.tolist() == [[-2.5], [300.0]]


def test_takes_an_element_type_with_a_numpy_dtype() -> None:
    class ElementType:
        as_numpy_dtype = np.uint8

    data = DataSet(np.full((1, 2), 7, np.uint8), np.zeros(1), dtype=ElementType())
    assert data.images.tolist() == [[7, 7]]


# Arguments out of range


@pytest.mark.parametrize("batch_size", [-1, 0, 11])
def test_refuses_batch_sizes(batch_size: int) -> None:
    with pytest.raises(ValueError, match=f"from 1 to 10, not {batch_size}"):
        numbered(10).next_batch(batch_size)


@pytest.mark.parametrize("validation_size", [-1, 8])
def test_refuses_validation_sizes(tmp_path: Path, validation_size: int) -> None:
    fill(tmp_path, small_arrays())
    with pytest.raises(ValueError, match=f"from 0 to 7, not {validation_size}"):
        read_data_sets(tmp_path, validation_size=validation_size)


@pytest.mark.parametrize("dtype", [np.float64, "int32", "no such type", None, 3])
def test_refuses_dtypes(dtype: Any) -> None:
    with pytest.raises(ValueError, match="dtype of images must be float32 or uint8, not"):
        DataSet(np.zeros((1, 1), np.uint8), np.zeros(1), dtype=dtype)


def test_refuses_arrays_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="needs uint8 images, not float64"):
        DataSet(np.zeros((1, 1)), np.zeros(1), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"images \[2, 1\] and labels \[3\] differ in number"):
        DataSet(np.zeros((2, 1)), np.zeros(3))
    with pytest.raises(ValueError, match=r"images \[\] and labels \[\] differ in number"):
        DataSet(np.zeros(()), np.zeros(()))
