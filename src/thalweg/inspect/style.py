"""The looks of pictures of graphs, and the script that opens their scopes.

All colours are tints of the text's own, so that a picture suits light and dark pages.
"""

from __future__ import annotations

from typing import Final

__all__ = ["LEGEND", "SCRIPT", "STYLE", "TABLES"]

STYLE: Final = """
svg.thalweg { font: 12px system-ui, sans-serif; color-scheme: light dark; max-width: none; }
.thalweg text { fill: currentColor; pointer-events: none; }
.thalweg .item > text { text-anchor: middle; }
.thalweg rect { stroke: currentColor; stroke-opacity: .45; fill: #8883; }
.thalweg .operation > rect { fill: #fff0; }
.thalweg .scope > rect { fill: #4a86e82e; }
.thalweg .loop > rect { fill: #00a99d33; }
.thalweg .variable > rect { fill: #f5a62340; }
.thalweg .placeholder > rect { fill: #5cb85c40; }
.thalweg .gradients > rect { fill: #9b59b633; }
.thalweg .constant > rect { stroke-dasharray: 3 2; }
.thalweg .opens { cursor: pointer; }
.thalweg .opens > rect { stroke-width: 1.6; }
.thalweg .port text { font-style: italic; opacity: .7; }
.thalweg .edge path { fill: none; stroke: currentColor; stroke-opacity: .38; stroke-width: 1.3; }
.thalweg .edge.control path, .thalweg .edge.turned path { stroke-dasharray: 5 3; }
.thalweg .edge .label { font-size: 10px; opacity: .75; }
.thalweg .edge.aside { display: none; }
.thalweg .edge.hot { display: inline; }
.thalweg .edge.hot path { stroke: #e8710a; stroke-opacity: 1; stroke-width: 2; }
.thalweg [hidden] { display: none; }
@media (prefers-color-scheme: dark) { svg.thalweg:root { color: #ddd; } }
"""

TABLES: Final = ".thalweg-table th, .thalweg-table td { text-align: left; vertical-align: top; }"

LEGEND: Final = (
    "click a box with a thick border to open or close it; the mouse shows what a box is linked to"
)

SCRIPT: Final = """
(() => {
  const GAP = 26, ROW_GAP = 42, ASIDE_GAP = 60, PAD = 16, HEAD = 34, LETTER = 5.4;
  const kids = (node, name) => [...node.children].filter(kid => kid.classList.contains(name));
  const tags = (node, tag) => [...node.children].filter(kid => kid.tagName === tag);
  const numbers = text => text.split(' ').map(Number);

  // The size of an item; the inside of an open scope is placed first.
  function measure(item) {
    const [centre, width, height] = numbers(item.dataset.at);
    const inside = kids(item, 'inside')[0];
    let size = [width, height];
    if (inside && !inside.hasAttribute('hidden')) {
      const [w, h] = place(inside);
      size = [Math.max(width, w + 2 * PAD), h + HEAD + PAD];
      inside.setAttribute('transform', `translate(${(size[0] - w) / 2} ${HEAD})`);
    }
    const rect = tags(item, 'rect')[0], text = tags(item, 'text')[0];
    if (rect) { rect.setAttribute('width', size[0]); rect.setAttribute('height', size[1]); }
    if (text) text.setAttribute('x', size[0] / 2);
    return { item, row: +item.dataset.row, centre, grown: size[0] - width, w: size[0], h: size[1] };
  }
  // Rows keep their order and boxes their middles; what is open moves its neighbours aside.
  function place(inside) {
    const items = kids(inside, 'item').map(measure), rows = [];
    for (const it of items) if (it.row >= 0) (rows[it.row] ||= []).push(it);
    for (const row of rows) {
      row.sort((a, b) => a.centre - b.centre);
      const all = row.reduce((sum, it) => sum + it.grown, 0);
      let before = 0;
      for (const it of row) {
        it.x = it.centre + (before - (all - before - it.grown)) / 2 - it.w / 2;
        before += it.grown;
      }
    }
    const main = items.filter(it => it.row >= 0);
    const left = Math.min(...main.map(it => it.x));
    let width = 0, y = 0;
    for (const row of rows) {
      const tallest = Math.max(...row.map(it => it.h));
      for (const it of row) {
        it.x -= left;
        if (!it.item.children.length) it.h = tallest;  // an edge passes the whole row
        it.y = y + (tallest - it.h) / 2;
        width = Math.max(width, it.x + it.w);
      }
      y += tallest + ROW_GAP;
    }
    for (const edge of kids(inside, 'edge'))
      if (!edge.classList.contains('aside')) width = Math.max(width, draw(edge, items));
    let height = y - ROW_GAP, beside = 0;
    const x = width + ASIDE_GAP;
    for (const it of items) if (it.row < 0) {
      [it.x, it.y] = [x, beside];
      width = Math.max(width, x + it.w);
      beside += it.h + GAP;
    }
    height = Math.max(height, beside - GAP);
    for (const it of items) it.item.setAttribute('transform', `translate(${it.x} ${it.y})`);
    for (const edge of kids(inside, 'edge'))
      if (edge.classList.contains('aside')) draw(edge, items);
    return [width, height];
  }

  // Draws an edge, and returns how far to the right its label reaches.
  function draw(edge, items) {
    const route = numbers(edge.dataset.route).map(n => items[n]);
    const [start, end] = numbers(edge.dataset.ends);
    const first = route[0], last = route[route.length - 1];
    const points = [[first.x + start * first.w, first.y + first.h]];
    for (const it of route.slice(1, -1)) points.push([it.x + 4, it.y], [it.x + 4, it.y + it.h]);
    points.push([last.x + end * last.w, last.y]);
    let path = `M${points[0]}`;
    for (let n = 1; n < points.length; n++) {
      const [[x0, y0], [x1, y1]] = [points[n - 1], points[n]], middle = (y0 + y1) / 2;
      path += `C${x0} ${middle} ${x1} ${middle} ${x1} ${y1}`;
    }
    tags(edge, 'path')[0].setAttribute('d', path);
    const label = tags(edge, 'text')[0], [a, b] = points.slice(-2);
    if (!label) return 0;
    const left = a[0] < b[0] - 1, x = (a[0] + b[0]) / 2 + (left ? -4 : 4);
    label.setAttribute('x', x);
    label.setAttribute('y', (a[1] + b[1]) / 2 + 3);
    label.setAttribute('text-anchor', left ? 'end' : 'start');
    return left ? 0 : x + LETTER * label.textContent.length;
  }

  function redraw(svg) {
    const [w, h] = place(kids(svg, 'inside')[0]);
    svg.setAttribute('width', w + 16);
    svg.setAttribute('height', h + 16);
    svg.setAttribute('viewBox', `-8 -8 ${w + 16} ${h + 16}`);
  }

  // The edges of the box under the mouse.
  function light(item, on) {
    const inside = item.parentNode, number = kids(inside, 'item').indexOf(item);
    for (const edge of kids(inside, 'edge')) {
      const route = numbers(edge.dataset.route);
      if (route[0] === number || route[route.length - 1] === number)
        edge.classList.toggle('hot', on);
    }
  }

  for (const svg of document.querySelectorAll('svg.thalweg')) {
    if (svg.dataset.ready) continue;
    svg.dataset.ready = 'yes';
    const itemOf = event => event.target.closest('.item');
    svg.addEventListener('click', event => {
      const item = itemOf(event), inside = item && kids(item, 'inside')[0];
      if (!inside) return;
      inside.toggleAttribute('hidden');
      redraw(svg);
    });
    svg.addEventListener('mouseover', event => itemOf(event) && light(itemOf(event), true));
    svg.addEventListener('mouseout', event => itemOf(event) && light(itemOf(event), false));
  }
})();
"""
