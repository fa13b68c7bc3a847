"""An executed notebook as one HTML page that needs nothing else."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["page"]

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; }
pre { font: 13px/1.4 ui-monospace, monospace; overflow-x: auto; margin: .4em 0; }
pre.in { background: light-dark(#f4f5f7, #23262b); padding: .7em 1em; border-radius: 4px; }
pre.out { max-height: 30em; overflow-y: auto; }
pre.error { color: light-dark(#a40000, #ff9d9d); }
img { max-width: 100%; background: #fff; }
"""

ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # colours of a terminal


def page(notebook: Any, title: str) -> str:
    """The page: text, code, and what the code printed and drew.

    Args:
        notebook: nbformat's, of version 4.
        title: of the page.
    """
    body = "\n".join(part for cell in notebook.cells for part in _cell(cell))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _cell(cell: Any) -> Iterator[str]:
    if cell.cell_type == "markdown":
        yield _markdown(cell.source)
    elif cell.cell_type == "code":
        yield _pre("in", cell.source)
        for output in cell.outputs:
            yield _output(output)


def _markdown(text: str) -> str:
    try:
        from markdown_it import MarkdownIt
    except ImportError:  # it comes with rich, which is no must
        return f"<p>{'</p><p>'.join(html.escape(text).split(chr(10) * 2))}</p>"
    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))


def _output(output: Any) -> str:
    if output.output_type == "stream":
        return _pre("out", output.text)
    if output.output_type == "error":
        return _pre("out error", "\n".join(output.traceback))
    data = output.data
    if "text/html" in data:
        return str(data["text/html"])
    if "image/svg+xml" in data:
        return str(data["image/svg+xml"])
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            return f'<img alt="a picture" src="data:{kind};base64,{data[kind].strip()}">'
    return _pre("out", data.get("text/plain", ""))


def _pre(kind: str, text: str) -> str:
    return f'<pre class="{kind}">{html.escape(ESCAPES.sub("", text))}</pre>'
