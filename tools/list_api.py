"""Writes docs/api.md: the public names by group, with the first line of each one's docstring.

python tools/list_api.py            write it
python tools/list_api.py --check    only say whether it is up to date
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import thalweg as tf
from thalweg.base.dtypes import DType

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"
HEAD = """# The public names

`import thalweg as tf`; the names and arguments are TensorFlow 1's where it has them.
`help(tf.matmul)` says more about each. `python tools/list_api.py` writes this page.
"""
# In the order of the page: a title, and the modules whose names stand under it.
GROUPS = (
    ("Graphs", ("graph", "ops.control")),
    ("Sessions", ("session", "inspect")),
    ("Element types and shapes", ("base",)),
    ("Making tensors, and changing their shape", ("ops.arrays",)),
    ("Elementwise functions", ("ops.elementwise",)),
    ("Reductions", ("ops.reduction",)),
    ("Linear algebra", ("ops.linalg",)),
    ("Random numbers", ("ops.random",)),
    ("Operations that Python runs", ("ops.host",)),
    ("Variables", ("ops.state",)),
    ("Gradients", ("autodiff",)),
)
OTHER = "Others"


def page() -> str:
    groups: dict[str, list[str]] = {title: [] for title, _ in (*GROUPS, (OTHER, ()))}
    modules = []
    for name in sorted(tf.__all__):
        value = getattr(tf, name)
        if isinstance(value, ModuleType):
            modules.append(name)
        else:
            groups[_group(value)].append(_line("tf", name, value))
    parts = [HEAD]
    for title, lines in groups.items():
        if lines:
            parts.append("\n".join([f"## {title}", "", *lines, ""]))
    parts.extend(text for name in modules for text in _module(f"tf.{name}", getattr(tf, name)))
    return "\n".join(parts)


def _module(path: str, module: ModuleType) -> Iterator[str]:
    """The section of a module, and those of the modules that it lists as its own."""
    lines = [_line(path, member, value) for member, value in _members(module)]
    title = f"## `{path}`\n\n{_summary(module)}\n"
    yield "\n".join([title, *lines, ""] if lines else [title])
    for name in getattr(module, "__all__", ()):
        if isinstance(inner := getattr(module, name), ModuleType):
            yield from _module(f"{path}.{name}", inner)


def _members(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name in sorted(getattr(module, "__all__", None) or vars(module)):
        value = getattr(module, name)
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("thalweg"):
            yield name, value


def _group(value: Any) -> str:
    module = type(value).__module__ if isinstance(value, DType) else value.__module__
    for title, prefixes in GROUPS:
        if any(f"{module}.".startswith(f"thalweg.{prefix}.") for prefix in prefixes):
            return title
    return OTHER


def _line(prefix: str, name: str, value: Any) -> str:
    own = getattr(value, "__name__", name).rstrip("_")
    if isinstance(value, DType):
        text = _dtype(name, value)
    elif own != name and getattr(tf, own, None) is value:
        text = f"The same as `{own}`."
    else:
        text = _summary(value)
    return f"- `{prefix}.{name}`: {text}"


def _dtype(name: str, value: DType) -> str:
    return "An element type." if str(value) == name.rstrip("_") else f"The same as `{value}`."


def _summary(value: Any) -> str:
    """The first sentence of the docstring, on one line."""
    document = (value.__doc__ or "").strip()
    return " ".join(document.split("\n\n")[0].split())


def main() -> int:
    text = page()
    if "--check" in sys.argv[1:]:
        current = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        return 0 if current == text else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
