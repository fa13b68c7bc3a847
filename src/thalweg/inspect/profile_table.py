"""A profile as one table in colour, with bars, for a terminal or a notebook. It needs `rich`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.inspect.attribution import Role
from thalweg.inspect.profile_text import nested, percent, seconds_text
from thalweg.inspect.text import amount

try:
    from rich.box import SIMPLE_HEAD
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text
except ImportError as error:
    raise ImportError("Profile.table needs `pip install thalweg[profile]`") from error

if TYPE_CHECKING:
    from thalweg.inspect.profile import Block, Profile

BAR = 20  # characters that stand for the whole run
COLOURS = {Role.FORWARD: "blue", Role.BACKWARD: "magenta", Role.UPDATE: "yellow"}
SLOW, FAST = 0.25, 0.6  # shares of the peak below and above which a number is red, or green


def table(profile: Profile, depth: int) -> Table:
    """The blocks of a profile, so many levels deep."""
    made = Table(title=f"Profile of {profile.fetches}", box=SIMPLE_HEAD)
    made.add_column("block", no_wrap=True)
    for name in ("parameters", "multiplications"):
        made.add_column(name, justify="right", no_wrap=True)
    if profile.traces:
        made.add_column("time", justify="right", no_wrap=True)
        made.add_column(_legend(), min_width=BAR, no_wrap=True)
        made.add_column("of peak", justify="right", no_wrap=True)
    for level, name, block in nested(profile.total, depth):
        if block.parameters or block.multiplications or block.seconds:
            style = "" if level == 0 else "dim"
            made.add_row(*_cells(profile, f"{'  ' * level}{name}", block), style=style)
    made.add_section()
    made.add_row(*_cells(profile, "all", profile.total), style="bold")
    return made


def _legend() -> Text:
    return Text(" ").join([Text(role.value, style=colour) for role, colour in COLOURS.items()])


def _cells(profile: Profile, name: str, block: Block) -> list[RenderableType]:
    cells: list[RenderableType] = [name, f"{block.parameters:,}", amount(block.multiplications)]
    if profile.traces:
        cells += [seconds_text(block.seconds), _bar(profile, block), _peak(block)]
    return cells


def _bar(profile: Profile, block: Block) -> Text:
    """What a block takes of the run, in a colour for each role."""
    bar, before, until = Text(), 0, 0.0
    for role, colour in COLOURS.items():
        until += BAR * block.of(role).seconds / profile.seconds
        bar.append("\N{FULL BLOCK}" * (round(until) - before), style=colour)
        before = round(until)
    return bar.append(f" {percent(block.seconds / profile.seconds)}")


def _peak(block: Block) -> Text:
    if not block.seconds:
        return Text("-")
    style = "red" if block.of_peak < SLOW else "green" if block.of_peak > FAST else "yellow"
    return Text(percent(block.of_peak), style=style)
