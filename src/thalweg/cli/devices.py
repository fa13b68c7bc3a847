"""`thalweg devices`: the devices that graphs can run on."""

from __future__ import annotations

import argparse

from thalweg.cli.command import Commands

__all__ = ["add"]

DESCRIPTION = """\
List the devices of this machine: the name to give to tf.device, the backend that compiles for it,
its memory, and the model. GPUs, TPUs and XLA_CPU need `pip install thalweg[xla]`."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "devices", help="list the devices that graphs can run on", description=DESCRIPTION
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from thalweg.session.devices import list_local_devices, missing_extras

    rows = [("device", "backend", "memory", "model")]
    rows += [
        (one.name, one.backend, _memory(one.memory_limit), one.physical_device_desc)
        for one in list_local_devices()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
    for extra, kinds in missing_extras().items():
        print(f"\n{', '.join(kinds)}: not looked for; they need `pip install thalweg[{extra}]`")
    return 0


def _memory(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size else "?"
