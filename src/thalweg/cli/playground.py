"""`thalweg playground`: a page that trains small networks and shows all that happens."""

from __future__ import annotations

import argparse
import sys

from thalweg.cli.command import CliError, Commands

__all__ = ["add"]

DESCRIPTION = """\
Open a page in the browser that trains small networks on Thalweg and shows all that happens. Links
of playground.tensorflow.org work here: put what follows their # behind this page's address. With
another host than the default, others can open the page too, with the link that is printed."""


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "playground",
        help="watch small networks learn in the browser",
        description=DESCRIPTION,
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: this machine alone sees it")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument(
        "--token", default="", help="that the link must contain; made if it is needed"
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the link")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    try:
        from thalweg.playground.server import serve
    except ImportError as error:
        raise CliError(
            f"the playground needs `pip install thalweg[playground]` ({error.name} is missing)"
        ) from None

    def ready(link: str) -> None:
        print(f"The playground is at {link}\nCtrl-C ends it.", flush=True)
        if not arguments.no_browser:
            _open(link)

    try:
        serve(arguments.host, arguments.port, arguments.token, ready)
    except OSError as error:
        where = f"{arguments.host}:{arguments.port}"
        raise CliError(f"cannot listen at {where}: {error.strerror}") from None
    return 0


def _open(link: str) -> None:
    import webbrowser

    if not webbrowser.open(link):
        print("No browser could be opened; open the link yourself.", file=sys.stderr)
