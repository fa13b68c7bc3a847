// One number of the network is changed: a bias, or the weight of a link.

import { FEATURES } from "./features.js";
import { text } from "./text.js";

const $ = (id) => document.getElementById(id);
const EDGE = 8; // pixels between the form and the window's edge

export class Editor {
  /** @param app with network, frame, `send`. */
  constructor(app) {
    this.app = app; this.place = null; this.opener = null;
    $("edit-which").onchange = () => this.show();
    $("edit-close").onclick = () => this.close();
    $("edit").onkeydown = (event) => { if (event.key === "Escape") this.close(); };
    $("edit").onsubmit = (event) => { event.preventDefault(); this.send(); };
  }

  /** Let a person change a neuron's bias, or the weight of the link from `input`. */
  open(layer, neuron, input, box) {
    const form = $("edit");
    this.opener = document.activeElement; this.place = [layer, neuron];
    $("edit-title").textContent = text("neuron.number", { layer, neuron: neuron + 1 });
    $("edit-which").replaceChildren(new Option(text("edit.bias"), "bias"), ...this.inputs(layer).map((name, n) => new Option(text("edit.weight", { from: name }), n)));
    $("edit-which").value = input ?? "bias";
    form.hidden = false;
    form.style.left = `${Math.max(EDGE, Math.min(box.left, innerWidth - form.offsetWidth - EDGE))}px`;
    form.style.top = `${Math.max(EDGE, Math.min(box.bottom + EDGE, innerHeight - form.offsetHeight - EDGE))}px`;
    this.show();
    $("edit-value").focus(); $("edit-value").select();
  }

  close() {
    $("edit").hidden = true;
    this.opener?.focus?.();
  }

  /** The names of the neurons or features whose weights can be changed. */
  inputs(layer) {
    const { network } = this.app;
    if (layer === 1) return network.features[0] === "pixels" ? [] : network.features.map((name) => FEATURES[name].label);
    return Array.from({ length: network.layers[layer - 2].size }, (_, n) => text("neuron.number", { layer: layer - 1, neuron: n + 1 }));
  }

  from() { return $("edit-which").value === "bias" ? null : Number($("edit-which").value); }

  show() {
    const [layer, neuron] = this.place, { frame } = this.app, from = this.from();
    const value = from === null ? frame?.biases[layer - 1]?.[neuron] : frame?.weights[layer - 1]?.[from]?.[neuron];
    $("edit-value").value = value === undefined || value === null ? "" : Number(value.toPrecision(4));
  }

  send() {
    const [layer, neuron] = this.place, value = Number($("edit-value").value), from = this.from();
    this.app.send(from === null ? { type: "bias", layer, neuron, value } : { type: "weight", layer, from, to: neuron, value });
  }
}
