"""The four original files of MNIST: embedded in the package, or in a folder.

They are in the IDX format: four bytes 0, 0, 8 (for uint8) and the rank, then the extents as
big-endian 32-bit integers, then the elements in row-major order.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["ARCHIVE", "FILES", "check_originals", "read_embedded", "read_folder"]

# In the order of the arrays that are returned; each name is followed by the rank of its array.
FILES = (
    ("train-images-idx3-ubyte", 3),
    ("train-labels-idx1-ubyte", 1),
    ("t10k-images-idx3-ubyte", 3),
    ("t10k-labels-idx1-ubyte", 1),
)

# The four files one after the other, as tools/pack_mnist.py writes them. Plain LZMA: predicting
# pixels first made it larger, and coding the background apart saved 4 % at best.
ARCHIVE = Path(__file__).with_name("mnist.idx.xz")
_SHA256 = "b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a"

_Array = npt.NDArray[np.uint8]
_Arrays = tuple[_Array, ...]


def read_embedded() -> _Arrays:
    """Training images and labels, then test images and labels, from the package's data file.

    Raises:
        ValueError: if the data file is damaged.
    """
    import lzma  # here, since some builds of Python lack it and only this needs it

    try:
        content = lzma.decompress(ARCHIVE.read_bytes())
    except lzma.LZMAError as error:
        raise ValueError(f"{ARCHIVE} is damaged, install the package again: {error}") from error
    check_originals(content, ARCHIVE)
    stream = io.BytesIO(content)
    return tuple(_read_idx(stream, rank, name) for name, rank in FILES)


def check_originals(content: bytes, origin: Path) -> None:
    """Check the bytes of the four files, one after the other.

    Raises:
        ValueError: if they are not those of the original files; the message names `origin`.
    """
    digest = hashlib.sha256(content).hexdigest()
    if digest != _SHA256:
        raise ValueError(
            f"{origin} does not hold the original MNIST files: SHA-256 {digest}, expected {_SHA256}"
        )


def read_folder(folder: str | os.PathLike[str]) -> _Arrays | None:
    """The same four arrays from a folder, or None unless it holds all four files.

    Each may be plain or have `.gz` after its name. Any images and labels in files of these names
    will do, such as those of a data set made to replace MNIST.

    Raises:
        ValueError: if a file is not an IDX file of the right rank, or is truncated.
    """
    found = [(path, rank) for name, rank in FILES if (path := _find(Path(folder), name))]
    if len(found) < len(FILES):
        return None
    return tuple(_read_file(path, rank) for path, rank in found)


def _find(folder: Path, name: str) -> Path | None:
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _read_file(path: Path, rank: int) -> _Array:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    return _read_idx(io.BytesIO(content), rank, path)


def _read_idx(stream: io.BytesIO, rank: int, name: str | Path) -> _Array:
    """The next IDX array of the stream, as a new writable array."""
    layout = struct.Struct(f">4B{rank}I")
    header = stream.read(layout.size)
    if header[:4] != bytes((0, 0, 8, rank)) or len(header) < layout.size:
        raise ValueError(f"{name} is not an IDX file of uint8 elements and rank {rank}")
    shape = layout.unpack(header)[4:]
    elements = stream.read(math.prod(shape))
    if len(elements) < math.prod(shape):
        raise ValueError(f"{name} is truncated: {len(elements)} elements of shape {list(shape)}")
    return np.frombuffer(elements, np.uint8).reshape(shape).copy()
