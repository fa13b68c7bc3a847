"""Pack the four original MNIST files into the data file of `thalweg.datasets.mnist`.

    python tools/pack_mnist.py FOLDER [OUTPUT]

FOLDER holds the original files as they are distributed, with `.gz` after their names. This takes
about a minute.
"""

from __future__ import annotations

import argparse
import gzip
import lzma
from pathlib import Path

from thalweg.datasets.mnist.files import ARCHIVE, FILES, check_originals


def main() -> None:
    parser = argparse.ArgumentParser(description="Pack the four original MNIST files into one.")
    parser.add_argument("folder", type=Path, help="where the original .gz files are")
    parser.add_argument(
        "output", type=Path, nargs="?", default=ARCHIVE, help="default: %(default)s"
    )
    arguments = parser.parse_args()
    pack(arguments.folder, arguments.output)


def pack(folder: Path, output: Path) -> None:
    originals = (folder / f"{name}.gz" for name, _ in FILES)
    content = b"".join(gzip.decompress(path.read_bytes()) for path in originals)
    check_originals(content, folder)
    output.write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
    print(f"{output}: {len(content):,} bytes packed into {output.stat().st_size:,}")


if __name__ == "__main__":
    main()
