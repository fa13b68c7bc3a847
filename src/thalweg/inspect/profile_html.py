"""A profile in a notebook: a row for each block, which opens to those in it and its operations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

from thalweg.inspect.attribution import Role
from thalweg.inspect.profile_text import percent, seconds_text
from thalweg.inspect.text import amount

if TYPE_CHECKING:
    from thalweg.inspect.profile import Block, OpProfile, Profile

MOST_OPS = 12  # of a block that are listed, those that take the most

COLOURS: Final = {Role.FORWARD: "#4a86e8", Role.BACKWARD: "#9b59b6", Role.UPDATE: "#f5a623"}

STYLE: Final = """
.thalweg-profile { font: 13px system-ui, sans-serif; max-width: 76em; }
.thalweg-profile .row { display: grid; gap: 0 1em; padding: .15em .3em; align-items: center;
  grid-template-columns: minmax(14em, 1fr) 7em 5em 5em 5em 17em 5em; }
.thalweg-profile .row > * { text-align: right; white-space: nowrap; overflow: hidden; }
.thalweg-profile .row > :first-child { text-align: left; text-overflow: ellipsis; }
.thalweg-profile summary { list-style: none; cursor: pointer; }
.thalweg-profile summary.row > :first-child::before { content: "\\25B8  "; }
.thalweg-profile [open] > summary.row > :first-child::before { content: "\\25BE  "; }
.thalweg-profile .row:hover { background: #8882; }
.thalweg-profile details > div, .thalweg-profile details > details { margin-left: 1.2em; }
.thalweg-profile .head { font-weight: 600; border-bottom: 1px solid #8888; }
.thalweg-profile .op { opacity: .75; }
.thalweg-profile .bar { display: flex; align-items: center; }
.thalweg-profile .bar i { height: .8em; }
.thalweg-profile .bar b { font-weight: normal; margin-left: .4em; }
"""

HEAD: Final = ("block", "parameters", "multipl.", "FLOP", "time", "", "of peak")


def html(profile: Profile) -> str:
    """The rows of a profile."""
    roles = [f'<span style="color: {colour}">{r.value}</span>' for r, colour in COLOURS.items()]
    legend = f"<p><code>{escape(profile.text().splitlines()[0])}</code></p>"
    head = _row([*HEAD[:5], " ".join(roles) if profile.traces else "", HEAD[6]], "head")
    rows = "".join(_block(profile, profile.total, block) for block in profile.blocks)
    total = _row(_cells(profile, profile.total, "all"), "head")
    return f'<div class="thalweg-profile"><style>{STYLE}</style>{legend}{head}{rows}{total}</div>'


def _block(profile: Profile, around: Block, block: Block) -> str:
    """A block, which opens to what is in it."""
    name = escape(block.name.removeprefix(f"{around.name}/"))
    row = _row(_cells(profile, block, name), "", "summary")
    inner = "".join(_block(profile, block, one) for one in block.blocks)
    return f"<details>{row}{inner}{''.join(_ops(profile, block))}</details>"


def _ops(profile: Profile, block: Block) -> Iterator[str]:
    """The operations that are in no block in this one."""
    inside = {op.name for inner in block.blocks for op in inner.ops}
    own = [op for op in block.ops if op.name not in inside and (op.flops or op.bytes or op.seconds)]
    own.sort(key=lambda op: (op.seconds, op.flops, op.bytes), reverse=True)
    for op in own[:MOST_OPS]:
        line = escape(op.source, quote=True)
        name = f'<span title="{line}">{escape(op.name)}</span>'
        yield _row(_cells(profile, _alone(block, op), name), "op")
    if len(own) > MOST_OPS:
        yield _row([f"and {len(own) - MOST_OPS} more", *[""] * 6], "op")


def _alone(block: Block, op: OpProfile) -> Block:
    return type(block)(op.name, (op,), ())


def _cells(profile: Profile, block: Block, name: str) -> list[str]:
    counts = [f"{block.parameters:,}" if block.parameters else ""]
    counts += [amount(n) if n else "" for n in (block.multiplications, block.flops)]
    if not block.seconds:
        return [name, *counts, "", "", ""]
    time = seconds_text(block.seconds)
    return [name, *counts, time, _bar(profile, block), percent(block.of_peak)]


def _bar(profile: Profile, block: Block) -> str:
    """What a block takes of the run, in a colour for each role."""
    parts = [(block.of(role).seconds / profile.seconds, COLOURS[role]) for role in Role]
    bars = [
        f'<i style="width: {70 * share:.1f}%; background: {colour}"></i>' for share, colour in parts
    ]
    share = percent(block.seconds / profile.seconds)
    return f'<span class="bar">{"".join(bars)}<b>{share}</b></span>'


def _row(cells: Sequence[str], kind: str, tag: str = "div") -> str:
    spans = [cell if cell.startswith("<span class") else f"<span>{cell}</span>" for cell in cells]
    return f'<{tag} class="row {kind}">{"".join(spans)}</{tag}>'
