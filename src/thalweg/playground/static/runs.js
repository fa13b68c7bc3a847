// What runs for a layer: its operations, and its kernels as formulas, loops and machine code.

import { labelled, number, text } from "./text.js";

const $ = (id) => document.getElementById(id);
const WAIT = 200; // milliseconds that the pointer must stay on a layer

export class RunsView {
  /** @param app with network, frame, `send`. */
  constructor(app) {
    this.app = app; this.timer = null;
    $("runs-layer").onchange = () => this.ask();
    $("runs").addEventListener("toggle", () => this.ask());
  }

  build() {
    const select = $("runs-layer"), before = select.value, { layers } = this.app.network;
    select.replaceChildren(...[...layers, null].map((_, n) => new Option(n === 0 ? text("features") : n === layers.length ? text("output") : `${text("layer")} ${n}`, n)));
    select.value = before && before <= layers.length ? before : "1";
    this.ask();
  }

  /** The pointer is on a layer. */
  follow(layer) {
    clearTimeout(this.timer);
    if (!$("runs").open || String(layer) === $("runs-layer").value) return;
    this.timer = setTimeout(() => { $("runs-layer").value = layer; this.ask(); }, WAIT);
  }

  ask() {
    if ($("runs").open && this.app.network) this.app.send({ type: "inspect", layer: Number($("runs-layer").value) });
  }

  draw() {
    const { frame } = this.app;
    if (!$("runs").open || !frame) return;
    const share = frame.peak === null ? "–" : `${number(100 * frame.peak, 1)} %`;
    $("runs-cost").textContent = text("runs.cost", { time: number(frame.usPerStep, 2), share });
  }

  show({ operations, kernels }) {
    $("runs-found").replaceChildren(...kernels.flatMap(kernel), table(operations));
  }
}

function table(operations) {
  const place = document.createElement("details"), made = document.createElement("table"), head = made.insertRow();
  made.className = "operations";
  for (const key of ["runs.operation", "runs.type", "runs.flops", "runs.time"]) head.append(Object.assign(labelled("th", key), { scope: "col" }));
  for (const op of operations) {
    const row = made.insertRow();
    for (const value of [op.name, op.type, number(op.flops), `${number(op.us, 3)} µs`]) row.insertCell().textContent = value;
  }
  place.append(labelled("summary", "runs.operations"), made);
  return place;
}

function kernel(found, n) {
  const title = document.createElement("h3"), formula = pre(found.formula, `${text("runs.kernel")} ${n + 1}`);
  const share = found.peak === null ? "" : `, ${text("runs.share", { share: `${number(100 * found.peak, 0)} %` })}`;
  title.textContent = `${text("runs.kernel")} ${n + 1}: ${number(found.us, 3)} µs${share}`;
  return [title, formula, more("runs.loops", found.loops), more("runs.assembly", found.assembly)];
}

function more(key, content) {
  const made = document.createElement("details");
  made.append(labelled("summary", key), pre(content, text(key)));
  return made;
}

function pre(content, name) {
  const made = document.createElement("pre");
  made.textContent = content; made.tabIndex = 0;
  made.setAttribute("role", "region"); made.setAttribute("aria-label", name);
  return made;
}
