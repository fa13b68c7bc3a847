// The settings: one table says what there is, and where.

import { drawDataset } from "./features.js";
import { labelled, text } from "./text.js";

const $ = (id) => document.getElementById(id);
const words = (line) => line.split(" ");
export const ACTIVATIONS = words("relu tanh sigmoid linear elu softplus leakyrelu");
const CLASSES = Array.from({ length: 9 }, (_, n) => n + 2);

// Place, name, kind, and values or the range of a slider: least, most, step.
const CONTROLS = [
  ["settings", "preset", "choice", [""]],
  ["settings", "learningRate", "choice", [0.00001, 0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]],
  ["settings", "activation", "choice", ACTIVATIONS],
  ["settings", "optimizer", "choice", words("sgd momentum nesterov adagrad adadelta rmsprop adam ftrl proximalsgd proximaladagrad")],
  ["settings", "regularization", "choice", words("none L1 L2")],
  ["settings", "regularizationRate", "choice", [0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]],
  ["settings", "dropout", "choice", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7]],
  ["settings", "problem", "choice", words("classification regression")],
  ["settings", "classes", "choice", CLASSES],
  ["settings", "speed", "choice", [0, 1, 10, 100, 1000, 10000]],
  ["data", "dataset", "pictures", words("circle xor gauss spiral digits own")],
  ["data", "regDataset", "pictures", words("reg-plane reg-gauss own")],
  ["data", "percTrainData", "slider", [10, 90, 10]],
  ["data", "noise", "slider", [0, 50, 5]],
  ["data", "batchSize", "slider", [1, 30, 1]],
  ["data", "initZero", "flag"],
  ["shown", "showTestData", "flag"],
  ["shown", "discretize", "flag"],
];
// What the texts do not translate.
const NAMES = {
  relu: "ReLU", tanh: "Tanh", sigmoid: "Sigmoid", elu: "ELU", softplus: "Softplus", leakyrelu: "Leaky ReLU",
  sgd: "SGD", momentum: "Momentum", nesterov: "Nesterov", adagrad: "Adagrad", adadelta: "Adadelta", rmsprop: "RMSProp",
  adam: "Adam", ftrl: "FTRL", proximalsgd: "Proximal SGD", proximaladagrad: "Proximal Adagrad", "": "–",
};
// Keys of a link that hide a control, where they are not its name.
const HIDDEN = { playButton: "run", stepButton: "step", resetButton: "reset", numHiddenLayers: "layers" };

/** An option for a value, in the reader's language. */
export function option(name, value) {
  const translated = { speed: value === 0, preset: value !== "", problem: true, regularization: value === "none", activation: value === "linear" };
  const made = translated[name] ? labelled("option", `${name}.${value}`) : new Option(NAMES[value] ?? value);
  made.value = JSON.stringify(value);
  return made;
}

const KINDS = {
  choice(name, values, set) {
    const label = document.createElement("label"), select = document.createElement("select");
    label.className = "setting"; label.append(labelled("span", name), select);
    select.append(...values.map((value) => option(name, value)));
    select.onchange = () => set(JSON.parse(select.value));
    const show = (value) => {
      const said = JSON.stringify(value);
      if (![...select.options].some((one) => one.value === said)) select.append(option(name, value));
      select.value = said;
    };
    return { element: label, input: select, show };
  },
  slider(name, [min, max, step], set) {
    const label = document.createElement("label"), input = document.createElement("input"), shown = document.createElement("b");
    const title = document.createElement("span");
    title.append(labelled("span", name), " ", shown);
    label.className = "setting"; label.append(title, input);
    Object.assign(input, { type: "range", min, max, step });
    input.oninput = () => { shown.textContent = input.value; };
    input.onchange = () => set(Number(input.value));
    const show = (value) => {
      input.max = Math.max(max, value); input.step = Number.isInteger((value - min) / step) ? step : "any";
      input.value = value; shown.textContent = value;
    };
    return { element: label, input, show };
  },
  flag(name, _, set) {
    const label = document.createElement("label"), input = document.createElement("input");
    label.className = "flag"; input.type = "checkbox"; label.append(input, labelled("span", name));
    input.onchange = () => set(input.checked);
    return { element: label, input, show: (value) => { input.checked = value; } };
  },
  pictures(name, values, set) {
    const group = document.createElement("fieldset"), inputs = new Map();
    group.className = "pictures"; group.append(labelled("legend", name));
    group.firstChild.className = "unseen";
    for (const value of values) {
      const label = document.createElement("label"), input = document.createElement("input"), canvas = document.createElement("canvas");
      Object.assign(input, { type: "radio", name, value }); input.onchange = () => set(value);
      canvas.setAttribute("aria-hidden", "true"); canvas.dataset.dataset = value;
      label.append(input, canvas, labelled("span", `dataset.${value}`));
      group.append(label); inputs.set(value, input);
    }
    return { element: group, input: group, show: (value) => { inputs.get(value).checked = true; } };
  },
};

/** All controls; they say through `set` what a person changes. */
export class Controls {
  constructor(set) {
    this.made = new Map();
    for (const [place, name, kind, values] of CONTROLS) {
      const control = KINDS[kind](name, values, (value) => set(this.changes(name, value)));
      control.input.id ||= `set-${name}`;
      $(place).append(control.element); this.made.set(name, control);
    }
  }

  /** What follows from a change: an activation for all replaces those of single layers. */
  changes(name, value) { return name === "activation" ? { activation: value, activations: [] } : { [name]: value }; }

  /** Offer the presets that the server knows. */
  offer(presets) {
    this.made.get("preset").input.replaceChildren(...["", ...presets].map((name) => option("preset", name)));
  }

  show(state) {
    for (const [name, { element, show }] of this.made) {
      show(state[name]);
      element.hidden = Boolean(state[`${name}_hide`]) || !isFor(name, state);
    }
    for (const [key, id] of Object.entries(HIDDEN)) $(id).hidden = Boolean(state[`${key}_hide`]);
    for (const id of ["intro", "about", "lessons"]) $(id).hidden = state.hideText;
  }

  draw(palette) {
    const ink = getComputedStyle(document.body).color;
    for (const canvas of document.querySelectorAll("[data-dataset]")) drawDataset(canvas, canvas.dataset.dataset, palette, ink);
  }
}

/** Whether a setting means something with the others. */
function isFor(name, state) {
  const isClasses = state.problem === "classification";
  if (name === "dataset") return isClasses;
  if (name === "regDataset") return !isClasses;
  if (name === "classes") return isClasses && !["digits", "own"].includes(state.dataset);
  return true;
}
