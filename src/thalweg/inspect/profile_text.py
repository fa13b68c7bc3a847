"""A profile as tables of plain text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from thalweg.inspect.attribution import Role
from thalweg.inspect.text import aligned, amount, cut

if TYPE_CHECKING:
    from thalweg.inspect.profile import Block, Profile

WIDTH = 100
LEAST_SHARE = 5e-4  # of the time, or of the bytes: blocks with less are one line together


def tables(profile: Profile, depth: int, width: int) -> str:
    """The tables of a profile: what blocks cost, and how long they took."""
    lines = [_title(profile), "", *_costs(profile, depth)]
    if profile.traces:
        lines += ["", *_times(profile, depth)]
    return "\n".join(cut(line, width) for line in lines)


def seconds_text(seconds: float) -> str:
    """Three digits and a unit: "12.3 ms"."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        value = seconds * scale
        if value >= 0.9995:
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{digits}f} {unit}"
    return f"{seconds * 1e9:.0f} ns" if seconds else "-"


def percent(share: float) -> str:
    """A share of 1 as a percentage."""
    return f"{100 * share:.1f} %"


def nested(block: Block, depth: int, level: int = 0) -> Iterator[tuple[int, str, Block]]:
    """Blocks with those in them, each with its level and its name in the one around it."""
    for inner in block.blocks:
        yield level, inner.name.removeprefix(f"{block.name}/"), inner
        if level + 1 < depth:
            yield from nested(inner, depth, level + 1)


def _title(profile: Profile) -> str:
    total = profile.total
    counts = (
        f"{total.parameters:,} parameters, {_count(total.multiplications)} multiplications, "
        f"{amount(total.flops)}FLOP"
    )
    return f"{profile.fetches or 'nothing'}: {counts}"


def _rows(
    profile: Profile, depth: int, amount_of: Callable[[Block], float]
) -> list[tuple[str, Block]]:
    """The blocks to show, by indented names; the small ones are one line, and so is the rest."""
    total = profile.total
    least = LEAST_SHARE * amount_of(total)
    rows: list[tuple[str, Block]] = []
    small: list[Block] = []
    for level, name, block in nested(total, depth):
        if block.parameters or amount_of(block) >= least:
            rows.append((f"{'  ' * level}{name}", block))
        elif level == 0:
            small.append(block)
    inside = {op.name for block in total.blocks for op in block.ops}
    rest = tuple(op for op in profile.ops if op.name not in inside)
    others = tuple(op for block in small for op in block.ops)
    kind = type(total)
    rows.append((f"({len(small)} smaller)", kind("", others, ())))
    return [*rows, ("(in no scope)", kind("", rest, ())), ("all", total)]


def _costs(profile: Profile, depth: int) -> list[str]:
    """The table of what blocks cost."""
    roles = [role for role in Role if role is Role.FORWARD or profile.total.of(role).flops]
    split = len(roles) > 1
    head = ["block", "parameters", "multiplications", *[f"{r.value}" for r in roles if split]]
    rows = [[*head, "FLOP", "bytes", "outputs"]]
    for name, block in _rows(profile, depth, lambda block: block.bytes):
        if block.parameters or block.bytes:
            parts = [block.of(role).multiplications for role in roles] if split else []
            cells = [_count(n) for n in (block.multiplications, *parts, block.flops)]
            memory = [amount(block.bytes) + "B", amount(block.output_bytes) + "B"]
            rows.append([name, f"{block.parameters:,}", *cells, *memory])
    return aligned(rows, left={0})


def _times(profile: Profile, depth: int) -> list[str]:
    """The table of how long blocks took."""
    roles = [role for role in Role if profile.total.of(role).seconds]
    split = [role.value for role in roles] if len(roles) > 1 else []
    rows = [["block", "time", "share", *split, "FLOP/s", "of peak"]]
    for name, block in _rows(profile, depth, lambda block: block.seconds):
        if block.seconds:
            rows.append(_time_row(profile, name, block, roles if split else []))
    outside = profile.seconds_outside
    empty = [""] * (len(split) + 2)
    rows.append(["outside of kernels", seconds_text(outside), _share(outside, profile), *empty])
    rows.append(["run", seconds_text(profile.seconds), "100.0 %", *empty])
    return [*aligned(rows, left={0}), "", *_notes(profile)]


def _time_row(profile: Profile, name: str, block: Block, roles: Sequence[Role]) -> list[str]:
    parts = [seconds_text(block.of(role).seconds) for role in roles]
    rate = _count(block.flops / block.seconds)
    own = seconds_text(block.seconds), _share(block.seconds, profile)
    return [name, *own, *parts, rate, percent(block.of_peak)]


def _notes(profile: Profile) -> Iterator[str]:
    peak, count = profile.peak, len(profile.traces)
    runs = "a run" if count == 1 else f"the mean of {count} runs"
    threads = "1 thread" if peak and peak.threads == 1 else f"{peak.threads if peak else 0} threads"
    yield f"Times: {runs} on {threads}."
    if peak:
        memory = peak.bandwidths[-1][1]
        yield f"Peak: {amount(peak.flops)}FLOP/s in float32, {amount(memory)}B/s from memory."


def _share(seconds: float, profile: Profile) -> str:
    return percent(seconds / profile.seconds if profile.seconds else 0.0)


def _count(number: float) -> str:
    return amount(number).rstrip() if number else "-"
