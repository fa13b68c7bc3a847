"""A Jupyter kernel in which `tensorflow` means Thalweg: `python -m thalweg.compat.kernel`."""

from __future__ import annotations

from thalweg.compat.finder import install

__all__ = ["main"]


def main() -> None:
    """Serve the connection that the command line names."""
    from ipykernel.kernelapp import IPKernelApp

    install()
    IPKernelApp.launch_instance()


if __name__ == "__main__":
    main()
