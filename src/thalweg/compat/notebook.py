"""Runs a notebook, with `tensorflow` meaning Thalweg."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from traitlets.config import Config

from thalweg.compat.page import page

__all__ = ["Notebook", "NotebookError", "read", "run_notebook", "write"]

Notebook = Any  # nbformat's, which has no types

FORMAT = 4  # the version of the notebook format that everything here speaks
STARTUP_SECONDS = 60


class NotebookError(Exception):
    """A file that is no notebook."""


class _Kernel(AsyncKernelManager):
    """Starts our own kernel, whichever one the notebook was written for."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The command that starts it."""
        command = [sys.executable, "-m", "thalweg.compat.kernel", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="Thalweg", language="python")


def read(path: Path) -> Notebook:
    """The notebook of a file.

    Raises:
        OSError: if the file cannot be read.
        NotebookError: if it is no notebook.
    """
    text = path.read_text(encoding="utf-8")
    try:
        return nbformat.reads(text, FORMAT)  # type: ignore[no-untyped-call]
    except Exception as error:  # of JSON, of the schema, or of an older format
        raise NotebookError(f"{path} is not a notebook: {error}") from None


def write(notebook: Notebook, path: Path) -> None:
    """Write a notebook, as an HTML page if the name ends in `.html`.

    Raises:
        OSError: if the file cannot be written.
    """
    if path.suffix == ".html":
        text = page(notebook, path.stem)
    else:
        text = nbformat.writes(notebook, FORMAT) + "\n"  # type: ignore[no-untyped-call]
    path.write_text(text, encoding="utf-8")


def run_notebook(
    notebook: Notebook,
    folder: Path,
    show: Callable[[str], None] = lambda text: None,
    cell_seconds: int | None = None,
) -> bool:
    """Run the cells in a kernel of this Python; their outputs take the place of those before.

    Args:
        notebook: is changed in place.
        folder: the working directory.
        show: gets what the cells print, when they have run.
        cell_seconds: the longest that a cell may take; no limit if not given.

    Returns:
        Whether every cell ran; the first one that fails is the last one, and holds its error.
    """

    def executed(cell: Any, cell_index: int, execute_reply: Any) -> None:
        for output in cell.outputs:
            show(_text(output))

    with TemporaryDirectory(prefix="thalweg-") as sockets:
        client = NotebookClient(
            notebook,
            config=_connection(sockets),
            kernel_manager_class=_Kernel,
            timeout=cell_seconds,
            startup_timeout=STARTUP_SECONDS,
            resources={"metadata": {"path": str(folder)}},
            on_cell_executed=executed,
        )
        try:
            client.execute()
        except CellExecutionError:
            return False
        finally:
            _name_this_python(notebook)
    return True


def _connection(folder: str) -> Config:
    """Reach the kernel through sockets in a private folder, and not over the network."""
    return Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}})


def _name_this_python(notebook: Notebook) -> None:
    """The metadata of a notebook that this Python has run, in place of its author's."""
    notebook.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }


def _text(output: Any) -> str:
    """What an output says, as text."""
    match output.output_type:
        case "stream":
            return str(output.text)
        case "error":
            return "\n".join(output.traceback) + "\n"
    return str(output.data.get("text/plain", "")) + "\n"
