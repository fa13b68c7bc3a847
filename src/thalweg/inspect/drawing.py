"""A graph as a picture: SVG in which scopes open and close.

Each scope is a box that holds the picture of its inside, hidden until it is opened. Rows, orders
and middles of boxes are computed here, with all scopes closed; what opens only moves its neighbours
aside and the rows below it down, which the script does (`SCRIPT` in `thalweg.inspect.style`).
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from itertools import pairwise

from thalweg.base.record import Record, field
from thalweg.graph import Graph
from thalweg.inspect.edges import Edge, Links, links
from thalweg.inspect.layering import layered
from thalweg.inspect.scopes import Box, boxes_of, is_aside
from thalweg.inspect.style import STYLE

__all__ = ["picture"]

HEIGHT, GAP, ROW_GAP, ASIDE_GAP = 30.0, 26.0, 42.0, 60.0
CHARACTER, LONGEST = 6.7, 30  # the width of one, and how many are shown
MOST_PORTS = 6  # that a scope's inside shows on each side


class _Item(Record, frozen=False, eq=False):
    """What stands in a row: a box, a place where edges enter or leave, or a point of an edge."""

    width: float
    height: float
    row: int
    centre: float
    box: Box | None = None
    port: str = ""
    x: float = 0.0
    y: float = 0.0


class _Line(Record, frozen=False, eq=False):
    """An edge as it is drawn: through which items, and where it meets the first and the last."""

    route: list[int]
    edge: Edge
    is_aside: bool
    turned: bool
    start: float = 0.5
    end: float = 0.5


class _Inside(Record, frozen=False, eq=False):
    """The inside of a scope; rows of -1 stand in the column beside the others."""

    items: list[_Item] = field(default_factory=list)
    lines: list[_Line] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


def picture(graph: Graph) -> str:
    """The graph as SVG that needs nothing else. Without the script, scopes stay closed."""
    root = boxes_of(graph)
    every = links(root)
    inside = _inside(root, every)
    width, height = inside.width + 16, inside.height + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="thalweg" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="-8 -8 {width:.0f} {height:.0f}">'
        f"<style>{STYLE}</style>{''.join(_drawn(inside, every, True))}</svg>"
    )


# -- placing


def _inside(scope: Box, every: dict[Box, Links]) -> _Inside:
    found = every.get(scope, Links())
    main, aside = _sorted(list(scope.inner.values()), found)
    nodes: list[Box | str] = [*main]
    edges: dict[tuple[int, int], Edge] = {}
    number = {box: n for n, box in enumerate(main)}
    for (source, target), edge in found.inside.items():
        if source in number and target in number:
            edges[number[source], number[target]] = edge
    _add_ports(nodes, edges, found, number)
    widths = [_width(node) for node in nodes]
    layering = layered(widths, list(edges), GAP)
    rows = {node: n for n, row in enumerate(layering.rows) for node in row}
    inside = _Inside()
    for n, centre in enumerate(layering.centres):
        inside.items.append(_item(nodes[n] if n < len(nodes) else None, rows[n], centre))
    for ends, edge in edges.items():
        route = layering.routes[ends]
        inside.lines.append(_Line(route, edge, False, route[0] != ends[0]))
    _add_aside(inside, aside, number, found)
    _place(inside)
    return inside


def _sorted(boxes: list[Box], found: Links) -> tuple[list[Box], list[Box]]:
    """The boxes of the main rows, and those beside them, with the variables that only these use."""
    aside = {box for box in boxes if is_aside(box)}
    if len(aside) == len(boxes):
        return boxes, []
    used = {end for ends in found.inside if not aside & set(ends) for end in ends}
    near = {end for ends in found.inside if aside & set(ends) for end in ends}
    aside |= {box for box in near - used if box.kind() == "variable" and not _is_read(box, found)}
    return [box for box in boxes if box not in aside], [box for box in boxes if box in aside]


def _is_read(box: Box, found: Links) -> bool:
    return any(source is box for source, _ in found.leave)


def _add_ports(
    nodes: list[Box | str],
    edges: dict[tuple[int, int], Edge],
    found: Links,
    number: dict[Box, int],
) -> None:
    """Add a node for each box outside that boxes inside read of, or that reads of them."""
    for is_out, table in ((False, found.enter), (True, found.leave)):
        ports: dict[str, int] = {}
        for ends, edge in table.items():
            name, box = (ends[1], ends[0]) if is_out else ends
            if not isinstance(box, Box) or box not in number:
                continue
            assert isinstance(name, str)
            if name not in ports and len(ports) == MOST_PORTS:
                name = f"{'→' if is_out else '←'} others"
            if name not in ports:
                ports[name] = len(nodes)
                nodes.append(
                    name if name.endswith("others") else f"{'→' if is_out else '←'} {name}"
                )
            port = ports[name]
            edges[(number[box], port) if is_out else (port, number[box])] = edge


def _add_aside(inside: _Inside, aside: list[Box], number: dict[Box, int], found: Links) -> None:
    places = dict(number)
    for box in aside:
        places[box] = len(inside.items)
        inside.items.append(_item(box, -1, 0.0))
    for (source, target), edge in found.inside.items():
        ends = [places.get(source), places.get(target)]
        if None not in ends and (source not in number or target not in number):
            route = [end for end in ends if end is not None]
            inside.lines.append(_Line(route, edge, True, False))


def _item(node: Box | str | None, row: int, centre: float) -> _Item:
    if node is None:
        return _Item(8.0, HEIGHT, row, centre)
    if isinstance(node, str):
        return _Item(_width(node), 18.0, row, centre, None, node)
    return _Item(_width(node), HEIGHT, row, centre, node)


def _width(node: Box | str) -> float:
    if isinstance(node, str):
        return len(_cut(node)) * CHARACTER + 8
    return max(56.0, len(_title(node)) * CHARACTER + 22)


def _title(box: Box) -> str:
    """What stands in a box."""
    name = _cut(box.name)
    if box.kind() in ("scope", "gradients"):
        return f"{name} ({box.count()})"
    known = {"Placeholder", "VariableV2", "Const", "NoOp"}
    typed = box.op is not None and box.op.type not in known and not _says(box)
    return f"{name}: {box.op.type}" if typed and box.op is not None else name


def _says(box: Box) -> bool:
    """Whether the name says what kind of operation it is."""
    assert box.op is not None
    return box.op.type.lower() in box.name.lower().replace("_", "")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _place(inside: _Inside) -> None:
    """Give all items their places, with every scope closed. The script does it for open ones."""
    rows: dict[int, list[_Item]] = {}
    for item in inside.items:
        rows.setdefault(item.row, []).append(item)
    aside = rows.pop(-1, [])
    left = min((item.centre - item.width / 2 for item in inside.items if item.row >= 0), default=0)
    y = 0.0
    for row in sorted(rows):
        tallest = max(item.height for item in rows[row])
        for item in rows[row]:
            item.x = item.centre - item.width / 2 - left
            item.y = y + (tallest - item.height) / 2
            inside.width = max(inside.width, item.x + item.width)
        y += tallest + ROW_GAP
    inside.height = y - ROW_GAP if rows else 0.0
    x, y = inside.width + ASIDE_GAP, 0.0
    for item in aside:
        item.x, item.y = x, y
        inside.width = max(inside.width, x + item.width)
        y += item.height + GAP
    inside.height = max(inside.height, y - GAP)
    _spread(inside)


def _spread(inside: _Inside) -> None:
    """Let the edges of a box meet it side by side, in the order of their other ends."""
    for is_end in (False, True):
        meeting: dict[int, list[_Line]] = {}
        for line in inside.lines:
            if not line.is_aside:
                meeting.setdefault(line.route[-1 if is_end else 0], []).append(line)
        for lines in meeting.values():
            beside = -2 if is_end else 1
            lines.sort(key=lambda line, beside=beside: inside.items[line.route[beside]].centre)  # type: ignore[misc]
            for n, line in enumerate(lines, 1):
                share = n / (len(lines) + 1)
                line.start, line.end = (line.start, share) if is_end else (share, line.end)


# -- drawing; the places of what is hidden are left to the script


def _drawn(inside: _Inside, every: dict[Box, Links], is_shown: bool) -> Iterator[str]:
    hidden = "" if is_shown else ' hidden=""'
    yield f'<g class="inside"{hidden}>'
    seen: set[tuple[int, str]] = set()
    for line in inside.lines:
        key = (line.route[0], line.edge.label())
        yield _line(inside.items, line, key not in seen, is_shown)
        seen.add(key)
    for item in inside.items:
        yield from _shown(item, every, is_shown)
    yield "</g>"


def _shown(item: _Item, every: dict[Box, Links], is_shown: bool) -> Iterator[str]:
    middle = f'y="{item.height / 2 + 4:.0f}"'
    place = f'data-row="{item.row}" data-at="{item.centre:.0f} {item.width:.0f} {item.height:.0f}"'
    size = f'height="{item.height:.0f}"'
    if is_shown:
        place += f' transform="translate({item.x:.0f} {item.y:.0f})"'
        middle += f' x="{item.width / 2:.0f}"'
        size += f' width="{item.width:.0f}"'
    if item.box is None:
        label = f"<text {middle}>{html.escape(_cut(item.port))}</text>" if item.port else ""
        yield f'<g class="item port" {place}>{label}</g>'
        return
    box, kind = item.box, item.box.kind()
    kinds = f"item {kind}{' opens' if box.inner else ''}"
    yield f'<g class="{kinds}" data-path="{html.escape(box.path)}" {place}>'
    yield f"<title>{html.escape(_tip(box))}</title>"
    yield f'<rect {size} rx="{15 if kind in ("operation", "constant") else 5}"/>'
    yield f"<text {middle}>{html.escape(_title(box))}</text>"
    if box.inner:
        yield from _drawn(_inside(box, every), every, False)
    yield "</g>"


def _tip(box: Box) -> str:
    """What is shown when the mouse rests on a box."""
    lines = [box.path]
    if box.op is not None:
        made = ", ".join(str(tensor.spec) for tensor in box.op.outputs)
        lines += [f"{box.op.type}{f' : {made}' if made else ''}", f"at {box.op.source}"]
    if box.inner:
        lines.append(f"{box.count():,} operations")
    return "\n".join(lines)


def _line(items: Sequence[_Item], line: _Line, is_labelled: bool, is_shown: bool) -> str:
    kinds = {"aside": line.is_aside, "control": not line.edge.tensors, "turned": line.turned}
    kind = " ".join(["edge", *(name for name, holds in kinds.items() if holds)])
    route = " ".join(map(str, line.route))
    data = f'data-route="{route}" data-ends="{line.start:.2f} {line.end:.2f}"'
    path, place = _path(items, line) if is_shown else ("", "")
    label = html.escape(line.edge.label()) if is_labelled else ""
    text = f'<text class="label"{place}>{label}</text>' if label else ""
    title = f"<title>{html.escape(line.edge.title())}</title>"
    return f'<g class="{kind}" {data}>{title}<path{path}/>{text}</g>'


def _path(items: Sequence[_Item], line: _Line) -> tuple[str, str]:
    """The curve of an edge, and where its label stands: half-way down to its end."""
    first, last = items[line.route[0]], items[line.route[-1]]
    points = [(first.x + line.start * first.width, first.y + first.height)]
    for n in line.route[1:-1]:
        point = items[n]
        points += [(point.x + 4, point.y), (point.x + 4, point.y + point.height)]
    points.append((last.x + line.end * last.width, last.y))
    curve = f"M{points[0][0]:.0f} {points[0][1]:.0f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        curve += f"C{x0:.0f} {middle:.0f} {x1:.0f} {middle:.0f} {x1:.0f} {y1:.0f}"
    (x0, y0), (x1, y1) = points[-2:]
    is_left = x0 < x1 - 1
    x, anchor = (x0 + x1) / 2 + (-4 if is_left else 4), "end" if is_left else "start"
    return f' d="{curve}"', f' x="{x:.0f}" y="{(y0 + y1) / 2 + 3:.0f}" text-anchor="{anchor}"'
