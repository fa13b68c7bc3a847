// The network: a column of neurons for each layer, and a line for each weight.

import { ACTIVATIONS, option } from "./controls.js";
import { FEATURES, levelsOf } from "./features.js";
import { fitted, paintLevels } from "./palette.js";
import { labelled, text } from "./text.js";

const $ = (id) => document.getElementById(id);
const MOST_LAYERS = 10, MOST_NEURONS = 64; // hidden ones, of which links may speak
const DENSE = 11; // neurons of a layer, from which on they are small
const SIZE = 30; // points along a feature's picture
const REACH = [3, 8, 14]; // pixels around a line that count as on it, the nearest lines first

export class NetworkView {
  /** @param app with state, network, frame, palette, and `set`, `point`, `choose`, `about`. */
  constructor(app) {
    this.app = app; this.neurons = []; this.links = []; this.drawn = new Map();
    $("layer-add").onclick = () => app.set({ networkShape: [...app.state.networkShape, 2] });
    $("layer-remove").onclick = () => this.reshape(app.state.networkShape.slice(0, -1));
    $("columns").addEventListener("pointermove", (event) => this.pointed(event));
    $("columns").addEventListener("pointerleave", () => app.about(null));
    $("columns").addEventListener("click", (event) => this.clicked(event));
    new ResizeObserver(() => this.place()).observe($("columns"));
  }

  /** Show another structure, or the same in another language. */
  build() {
    const { network, state } = this.app, focused = document.activeElement?.id;
    this.drawn.clear();
    this.neurons = [this.inputs(), ...network.layers.map((layer, n) => this.layer(layer, n + 1))];
    const shape = state.networkShape;
    $("layer-count").textContent = text(shape.length === 1 ? "layers.one" : "layers.many", { count: shape.length });
    $("layer-add").disabled = shape.length >= MOST_LAYERS; $("layer-remove").disabled = !shape.length;
    $("columns").replaceChildren($("links"), ...this.columns());
    refocus(focused);
    this.place(); this.draw();
  }

  columns() {
    return this.neurons.map(({ head, rows }, layer) => {
      const column = document.createElement("div");
      column.className = `column ${layer ? "" : "features"} ${rows.length >= DENSE ? "dense" : ""}`;
      column.id = `column-${layer}`; column.append(head, ...rows);
      return column;
    });
  }

  /** The features: buttons that switch them on and off. */
  inputs() {
    const { network, state, palette, set } = this.app, head = div("head");
    if (network.features[0] === "pixels") {
      const button = this.neuron(0, 0, text("pixels"));
      button.disabled = true;
      return { head, rows: [row(text("pixels"), button)], buttons: [button] };
    }
    const shown = Object.keys(FEATURES).filter((name) => !state[`${name}_hide`]);
    const all = shown.map((name) => {
      const button = this.neuron(0, name, FEATURES[name].label), isOn = network.features.includes(name);
      button.id = `feature-${name}`; button.setAttribute("aria-pressed", isOn);
      button.onclick = () => set({ [name]: !isOn });
      paintLevels(button.firstChild, levelsOf(FEATURES[name].value, SIZE), SIZE, palette.signed);
      return { name, button };
    });
    const buttons = network.features.map((name) => all.find((one) => one.name === name).button);
    return { head, rows: all.map(({ name, button }) => row(FEATURES[name].label, button)), buttons };
  }

  layer({ size, activation }, number) {
    const isOutput = number === this.app.network.layers.length;
    const buttons = Array.from({ length: size }, (_, n) => {
      const button = this.neuron(number, n, text(isOutput ? "output.number" : "neuron.number", { layer: number, neuron: n + 1 }));
      button.onclick = () => this.app.choose(number, n, null, button.getBoundingClientRect());
      return button;
    });
    return { head: isOutput ? div("head last", text("output")) : this.head(number, size, activation), rows: buttons, buttons };
  }

  /** What stands over a hidden layer: its size and its activation. */
  head(number, size, activation) {
    const head = div("head"), count = div("", text(size === 1 ? "neurons.one" : "neurons.many", { count: size }));
    const { state, set, network } = this.app, hidden = network.layers.slice(0, -1);
    const resize = (key, sign, by) => {
      const button = document.createElement("button"), label = labelled("span", key);
      Object.assign(button, { type: "button", className: "small", id: `${key}-${number}` });
      label.textContent = text(key, { layer: number }); label.className = "unseen"; button.append(sign, label);
      button.disabled = size + by < 1 || size + by > MOST_NEURONS;
      button.onclick = () => this.reshape(state.networkShape.map((one, n) => (n === number - 1 ? one + by : one)));
      delete label.dataset.text;
      return button;
    };
    const select = document.createElement("select");
    select.id = `activation-${number}`; select.setAttribute("aria-label", text("activation.of", { layer: number }));
    select.append(...ACTIVATIONS.map((name) => option("activation", name))); select.value = JSON.stringify(activation);
    select.onchange = () => set({ activations: hidden.map((one, n) => (n === number - 1 ? JSON.parse(select.value) : one.activation)) });
    head.append(resize("neuron.add", "+", 1), resize("neuron.remove", "−", -1), count, select);
    head.querySelectorAll(".small").forEach((one) => { one.hidden = Boolean(state.numHiddenLayers_hide); });
    select.hidden = Boolean(state.activation_hide);
    return head;
  }

  /** Change the sizes of hidden layers; those that remain keep their activation. */
  reshape(networkShape) {
    this.app.set({ networkShape, activations: this.app.state.activations.slice(0, networkShape.length) });
  }

  neuron(layer, place, name) {
    const button = document.createElement("button"), canvas = document.createElement("canvas");
    Object.assign(button, { type: "button", className: "neuron", id: `neuron-${layer}-${place}` });
    button.setAttribute("aria-label", name); canvas.setAttribute("aria-hidden", "true"); button.append(canvas);
    for (const kind of ["pointerenter", "focus"]) button.addEventListener(kind, () => this.app.point([layer, place]));
    for (const kind of ["pointerleave", "blur"]) button.addEventListener(kind, () => this.app.point(null));
    return button;
  }

  /** Find where the lines run; needed whenever the neurons have moved. */
  place() {
    const box = $("columns").getBoundingClientRect();
    const places = this.neurons.map(({ buttons }) => buttons.map((button) => {
      const { left, right, top, bottom } = button.getBoundingClientRect();
      return { left: left - box.left, right: right - box.left, middle: (top + bottom) / 2 - box.top };
    }));
    this.links = places.slice(1).flatMap((ends, l) => places[l].flatMap((start, from) => ends.map((end, to) => {
      const path = new Path2D(), half = (start.right + end.left) / 2;
      path.moveTo(start.right, start.middle); path.bezierCurveTo(half, start.middle, half, end.middle, end.left, end.middle);
      return { layer: l + 1, from, to, path };
    })));
    this.drawLinks();
  }

  weight({ layer, from, to }) { return this.app.frame?.weights[layer - 1]?.[from]?.[to] ?? null; }

  draw() {
    const { frame } = this.app;
    if (!frame) return;
    for (const { layer, neuron, size, levels } of frame.small) {
      const button = layer && this.neurons[layer]?.buttons[neuron];
      if (button) paintLevels(button.firstChild, levels, size, this.app.table(layer, neuron));
    }
    this.drawLinks();
  }

  drawLinks() {
    const c = fitted($("links")), { palette } = this.app;
    for (const link of this.links) {
      const weight = this.weight(link);
      if (weight === null) continue;
      const size = Math.abs(weight);
      c.strokeStyle = palette.css(weight); c.globalAlpha = weight ? 1 : 0.4;
      c.lineWidth = weight ? 1 + Math.min(9, size * 1.8) : 0.5;
      c.setLineDash(palette.isSafe && weight < 0 ? [6 + c.lineWidth, 3 + c.lineWidth / 2] : []);
      c.stroke(link.path);
    }
  }

  /** The line at a place of the screen, if there is one. */
  linkAt({ clientX, clientY }) {
    const canvas = $("links"), c = canvas.getContext("2d"), box = canvas.getBoundingClientRect(), scale = window.devicePixelRatio || 1;
    const [x, y] = [(clientX - box.left) * scale, (clientY - box.top) * scale];
    for (const reach of REACH) {
      c.lineWidth = reach; c.setLineDash([]);
      const found = this.links.find((link) => this.weight(link) !== null && c.isPointInStroke(link.path, x, y));
      if (found) return found;
    }
    return null;
  }

  pointed(event) {
    const link = event.target.closest("button, select") ? null : this.linkAt(event);
    $("columns").style.cursor = link ? "pointer" : "";
    this.app.about(link && text("weight.is", { value: this.weight(link) }), event);
  }

  clicked(event) {
    const link = event.target.closest("button, select") ? null : this.linkAt(event);
    if (link) this.app.choose(link.layer, link.to, link.from, { left: event.clientX, bottom: event.clientY, top: event.clientY });
  }

  /** Mark the layer whose numbers have become infinite; none for null. */
  mark(layer) {
    for (const column of document.querySelectorAll(".column")) column.classList.toggle("broken", column.id === `column-${layer}`);
  }
}

function div(name, content = "") { return Object.assign(document.createElement("div"), { className: name, textContent: content }); }

/** Give the focus back to what has been made anew, or to the button beside it if it is disabled. */
function refocus(id) {
  const found = id && document.getElementById(id);
  if (!found) return;
  const target = found.disabled ? found.previousElementSibling ?? found.nextElementSibling : found;
  if (document.activeElement !== target) target?.focus();
}

function row(label, button) {
  const made = div("feature", label);
  made.append(button);
  return made;
}
