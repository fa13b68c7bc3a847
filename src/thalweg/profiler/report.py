"""The report that `profile` prints, in the form of TensorFlow's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from thalweg.inspect.profile_text import seconds_text
from thalweg.inspect.text import amount
from thalweg.profiler.nodes import ROOT, TOTALS, GraphNode, listed
from thalweg.profiler.options import Options

_TITLE = "==================Model Analysis Report======================"
_END = "======================End of Report=========================="
_WORDS = {
    "micros": "execution time",
    "bytes": "requested bytes",
    "params": "# parameters",
    "float_ops": "# float_ops",
    "occurrence": "op occurrence",
}


def report(root: GraphNode, options: Options) -> str:
    """The nodes that the options show, each with its own amounts and its totals."""
    selected = [name for name in options.select if name in TOTALS]
    head = " | ".join(["node name", *[_WORDS[name] for name in selected]])
    lines = _lines(root, options, selected, 0)
    return "\n".join([_TITLE, "", "Profile:", head, *lines, "", _END])


def _lines(node: GraphNode, options: Options, selected: Sequence[str], level: int) -> Iterator[str]:
    if level > options.max_depth or _matches(options.trim_name_regexes, node.name):
        return
    if node.name == ROOT or _is_shown(node, options):
        cells = ", ".join(_cell(node, name) for name in selected)
        yield f"{'  ' * level}{node.name} ({cells})"
        level += 1
    for child in listed(node.children, options.order_by):
        yield from _lines(child, options, selected, level)


def _is_shown(node: GraphNode, options: Options) -> bool:
    least = {
        "micros": options.min_micros if "micros" in options.select else 0,
        "bytes": options.min_bytes if "bytes" in options.select else 0,
        "params": options.min_params,
        "float_ops": options.min_float_ops,
        "occurrence": options.min_occurrence,
    }
    enough = all(getattr(node, TOTALS[name]) >= number for name, number in least.items())
    named = _matches(options.show_name_regexes, node.name)
    return enough and named and not _matches(options.hide_name_regexes, node.name)


def _matches(patterns: Sequence[str], name: str) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in patterns)


def _cell(node: GraphNode, name: str) -> str:
    """An amount of the node itself and that with its children, such as "0/1.28m flops"."""
    total = getattr(node, TOTALS[name])
    if name == "occurrence":
        return _short(total)
    own = getattr(node, TOTALS[name].removeprefix("total_"))
    return f"{'--' if node.name == ROOT else _shown(own, name)}/{_shown(total, name, True)}"


def _shown(number: int, name: str, with_unit: bool = False) -> str:
    if name == "micros":
        return seconds_text(number * 1e-6).replace(" ", "") if number else "0us"
    if name == "bytes":
        return f"{amount(number)}B".replace(" ", "")
    unit = {"params": " params", "float_ops": " flops"}[name] if with_unit else ""
    return _short(number) + unit


def _short(number: int) -> str:
    return amount(number).replace(" ", "").lower()
