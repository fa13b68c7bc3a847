"""`thalweg convert IN OUT`: the values of a checkpoint in another format."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from thalweg.cli.command import CliError, Commands

if TYPE_CHECKING:
    from thalweg.saving.tensor_file import Array

__all__ = ["add"]

DESCRIPTION = """Write the values of a checkpoint in another format. IN is a checkpoint's prefix,
one of its files, a folder of checkpoints, or any safetensors file. The name of OUT says what is
written: with the ending .safetensors a safetensors file, which Thalweg restores as well; with
.index a tensor bundle (OUT.index and OUT.data-00000-of-00001), which TensorFlow restores. Where a
run is to go on is kept, in both."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "convert",
        help="write a checkpoint as safetensors, or as TensorFlow has them",
        description=DESCRIPTION,
    )
    parser.add_argument("source", metavar="IN")
    parser.add_argument("target", metavar="OUT", help="ends in .safetensors or .index")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from thalweg.base.errors import ThalwegError

    try:
        count = _convert(arguments.source, arguments.target)
    except (ThalwegError, OSError) as error:
        raise CliError(str(error)) from None
    print(f"{count} tensors written to {arguments.target}")
    return 0


def _convert(source: str, target: str) -> int:
    """Write the tensors of a checkpoint; how many they are."""
    from thalweg.saving.checkpoint import open_checkpoint
    from thalweg.saving.formats import INDEX, VALUES
    from thalweg.saving.safetensors import write_tensors

    tensors = open_checkpoint(source)
    if target.endswith(VALUES):
        write_tensors(target, tensors, tensors.metadata)
    elif target.endswith(INDEX):
        _write_bundle(target.removesuffix(INDEX), dict(tensors), tensors.metadata)
    else:
        raise CliError(f"{target!r} ends neither in {VALUES} nor in {INDEX}")
    return len(tensors)


def _write_bundle(prefix: str, tensors: dict[str, Array], metadata: Mapping[str, str]) -> None:
    """Write a tensor bundle; the progress of a session is one of its tensors."""
    import numpy as np

    from thalweg.saving.bundle.bundle import MANIFEST, MANIFEST_KEY
    from thalweg.saving.bundle.write import write_bundle

    if MANIFEST_KEY in metadata:
        tensors[MANIFEST] = np.array(metadata[MANIFEST_KEY].encode(), object)
    write_bundle(prefix, tensors)
