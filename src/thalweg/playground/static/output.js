// The output: losses, their curve, the plane with its points, and what was taken for what.

import { FEATURES, levelsOf } from "./features.js";
import { fitted, mixClasses, paintLevels, paintPixels } from "./palette.js";
import { number, text } from "./text.js";

const $ = (id) => document.getElementById(id);
const MOST = 600; // losses that are kept: every other one goes when there are more
const LARGE = 100; // points along the side of a feature's picture
const DOMAIN = 6;

export class OutputView {
  /** @param app with state, network, data, frame, palette, hovered. */
  constructor(app) {
    this.app = app; this.losses = [];
    new ResizeObserver(() => { this.drawPoints(); this.drawCurve(); }).observe($("plane"));
  }

  begin() { this.losses = []; }

  draw() {
    const { frame } = this.app;
    if (!frame) return;
    this.remember(frame);
    $("train").textContent = number(frame.loss[0], 3); $("test").textContent = number(frame.loss[1], 3);
    $("right").hidden = !frame.accuracy;
    if (frame.accuracy) $("accuracy").textContent = `${number(100 * frame.accuracy[1], 1)} %`;
    this.drawCurve(); this.drawHeat(); this.showConfusion(frame.confusion ?? []);
  }

  remember(frame) {
    if (this.losses.length && this.losses.at(-1)[0] > frame.step) this.losses = [];
    if (this.losses.at(-1)?.[0] === frame.step) this.losses.pop();
    this.losses.push([frame.step, ...frame.loss]);
    if (this.losses.length > MOST) this.losses = this.losses.filter((_, n) => n % 2 === 0);
  }

  drawCurve() {
    const canvas = $("curve"), c = fitted(canvas), width = canvas.clientWidth, height = canvas.clientHeight;
    const found = this.losses.flatMap(([, train, test]) => [train ?? 0, test ?? 0]);
    const most = found.reduce((a, b) => Math.max(a, b), 1e-9);
    const first = this.losses[0]?.[0] ?? 0, all = Math.max(1, (this.losses.at(-1)?.[0] ?? 0) - first);
    [["#train", 1], ["#test", 2]].forEach(([id, k]) => {
      c.strokeStyle = getComputedStyle(document.querySelector(id)).color; c.lineWidth = 1.5; c.beginPath();
      for (const row of this.losses) c.lineTo((row[0] - first) / all * width, height - 2 - (row[k] ?? most) / most * (height - 4));
      c.stroke();
    });
  }

  /** The plane as the output sees it, or the neuron or feature under the pointer. */
  drawHeat() {
    const { frame, hovered, palette, state, data } = this.app, canvas = $("heat");
    const feature = hovered?.[0] === 0 && FEATURES[hovered[1]];
    if (feature) return paintLevels(canvas, levelsOf(feature.value, LARGE), LARGE, palette.signed);
    if (!frame) return undefined;
    const images = frame.small.filter(({ layer, size }) => layer === 1 && size === 28);
    if (!data?.train.length && images.length) return drawImages(canvas, this.chosen(images), palette);
    const [one, ...more] = frame.large;
    if (one && more.length) return paintPixels(canvas, one.size, (pixels) => mixClasses(pixels, frame.large, palette, state.discretize));
    return one && paintLevels(canvas, one.levels, one.size, this.app.table(one.layer, one.neuron));
  }

  chosen(images) {
    const { hovered } = this.app;
    return hovered?.[0] === 1 ? images.filter(({ neuron }) => neuron === hovered[1]) : images;
  }

  /** The points, on a canvas of their own: they change less often than what lies under them. */
  drawPoints(points = null) {
    const { state, data, palette } = this.app;
    if (!data) return;
    const canvas = $("points"), c = fitted(canvas), side = canvas.clientWidth, isClasses = state.problem === "classification";
    const shown = points ?? [...data.train, ...(state.showTestData ? data.test : [])];
    shown.forEach(([x, y, label], n) => {
      c.fillStyle = data.classes > 2 && isClasses ? palette.classes[label] : palette.css(label);
      c.strokeStyle = n < (points ?? data.train).length ? "#fff" : "#222"; c.lineWidth = 1;
      const kind = data.classes > 2 ? label : Number(label < 0);
      mark(c, (x / DOMAIN + 1) * side / 2, (1 - y / DOMAIN) * side / 2, palette.isSafe && isClasses ? kind : 0);
    });
    this.showClasses(isClasses ? data.classes : 0);
  }

  showClasses(count) {
    const { palette, data } = this.app;
    $("scale").hidden = count > 2;
    $("classes").hidden = count <= 2 || !data.train.length;
    $("classes").replaceChildren(...Array.from({ length: count }, (_, n) => {
      const one = document.createElement("span"), patch = document.createElement("i");
      patch.style.background = palette.classes[n]; one.append(patch, text("class.number", { number: n + 1 }));
      return one;
    }));
  }

  showConfusion(matrix) {
    const table = $("confusion");
    $("matrix").hidden = !matrix.length;
    const first = this.app.data?.name === "digits" ? 0 : 1, names = matrix.map((_, n) => n + first);
    const head = row([...names.map((name) => cell("th", name, "col"))], "");
    table.replaceChildren(head, ...matrix.map((counts, n) => row(counts.map((count) => cell("td", count)), names[n])));
  }
}

function cell(kind, content, scope) {
  const made = document.createElement(kind);
  made.textContent = content;
  if (scope) made.scope = scope;
  return made;
}

function row(cells, name) {
  const made = document.createElement("tr");
  made.append(name === "" ? cell("td", "") : cell("th", name, "row"), ...cells);
  return made;
}

/** A point: a disc, a square, a triangle, a diamond, and so on. */
function mark(c, x, y, kind) {
  c.beginPath();
  if (kind % 5 === 0) c.arc(x, y, 3, 0, 7);
  else {
    const corners = [0, 4, 3, 5, 6][kind % 5], turn = kind % 2 ? Math.PI / 4 : -Math.PI / 2;
    for (let n = 0; n < corners; n++) c.lineTo(x + 4 * Math.cos(turn + n * 2 * Math.PI / corners), y + 4 * Math.sin(turn + n * 2 * Math.PI / corners));
    c.closePath();
  }
  c.fill(); c.stroke();
}

/** Weights of images, side by side. */
function drawImages(canvas, images, palette) {
  const across = Math.ceil(Math.sqrt(images.length)), size = images[0].size + 1, all = across * size - 1;
  paintPixels(canvas, all, (pixels) => images.forEach(({ levels, size: side }, n) => {
    const corner = Math.floor(n / across) * size * all + (n % across) * size;
    levels.forEach((level, p) => { pixels[corner + Math.floor(p / side) * all + p % side] = palette.signed[level]; });
  }));
}
