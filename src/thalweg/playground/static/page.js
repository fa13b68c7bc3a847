// The page of the playground: what the server says is drawn, what a person does is sent.

import { editing, linkAt } from "./edit.js";
import { painting } from "./paint.js";
import { labelled, speak, text } from "./text.js";

const RED = [245, 147, 34], GREY = [232, 234, 235], BLUE = [8, 119, 189];
const COLOURS = ["#0877bd", "#f59322", "#2a8a4a", "#a33ea1", "#8a6d00", "#c3344b", "#4b6584", "#00838f", "#6d4c41", "#5e35b1"];
const CELL = 38, ACROSS = 110, DOWN = 50;
const $ = (id) => document.getElementById(id);
const words = (text) => text.split(" ");
const FEATURES = { x: "X₁", y: "X₂", xSquared: "X₁²", ySquared: "X₂²", xTimesY: "X₁X₂", sinX: "sin X₁", sinY: "sin X₂" };
const SETTINGS = [
  ["preset", [""]],
  ["problem", words("classification regression")],
  ["dataset", words("circle xor gauss spiral digits own")],
  ["regDataset", words("reg-plane reg-gauss own")],
  ["activation", words("relu tanh sigmoid linear elu softplus leakyrelu")],
  ["optimizer", words("sgd momentum nesterov adagrad adadelta rmsprop adam ftrl proximalsgd proximaladagrad")],
  ["learningRate", [0.00001, 0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]],
  ["regularization", words("none L1 L2")],
  ["regularizationRate", [0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]],
  ["dropout", [0, 0.1, 0.2, 0.3, 0.5]],
  ["batchSize", [1, 2, 3, 5, 10, 20, 30]],
  ["noise", [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50]],
  ["percTrainData", [10, 20, 30, 40, 50, 60, 70, 80, 90]],
  ["classes", [2, 3, 4, 5, 6]],
  ["speed", [0, 1, 10, 100, 1000, 10000]],
];
const FLAGS = ["showTestData", "discretize", "initZero", ...Object.keys(FEATURES)];

let editor, socket, state = {}, network = null, data = null, head = null, losses = [], maps = new Map(), hovered = null;
const controls = new Map();

function send(message) { if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message)); }
const set = (changes) => send({ type: "set", changes });

function build() {
  for (const [name, values] of SETTINGS) {
    const label = document.createElement("label"), select = document.createElement("select");
    label.className = "setting"; label.append(labelled("span", name), select);
    for (const value of values) select.add(new Option(value, JSON.stringify(value)));
    select.addEventListener("change", () => set({ [name]: JSON.parse(select.value) }));
    $("controls").append(label); controls.set(name, select);
  }
  for (const name of FLAGS) {
    const label = document.createElement("label"), box = document.createElement("input");
    label.className = "flag"; box.type = "checkbox"; label.append(box, FEATURES[name] ?? labelled("span", name));
    box.addEventListener("change", () => set({ [name]: box.checked }));
    $("controls").append(label); controls.set(name, box);
  }
  button($("controls"), "regenerate", () => send({ type: "regenerate" }));
  $("run").onclick = () => send({ type: state.running ? "pause" : "run" });
  for (const name of ["step", "reset", "undo"]) $(name).onclick = () => send({ type: name });
  $("take").onclick = () => send({ type: "csv", text: $("csv").value });
  $("inspect").onclick = () => send({ type: "inspect", layer: Number($("layer").value) });
  for (const one of document.querySelectorAll("[data-form]")) one.onclick = () => send({ type: "export", form: one.dataset.form });
  controls.get("speed").options[0].replaceWith(Object.assign(labelled("option", "speed.most"), { value: "0" }));
  $("language").addEventListener("change", () => set({ language: $("language").value }));
  $("theme").addEventListener("change", () => { document.documentElement.style.colorScheme = $("theme").value; });
  editor = editing(send, () => [network.features.length, ...network.layers.map((layer) => layer.size)], () => head);
  painting(send, (points) => drawPoints(points.map(([x, y, k]) => [x, y, data.classes > 2 ? k : 1 - 2 * k]), points.length));
  $("net").addEventListener("click", edit);
  $("net").addEventListener("pointermove", hover);
  $("net").addEventListener("pointerleave", () => point(null));
  window.addEventListener("hashchange", () => { if (location.hash !== state.hash) send({ type: "hello", hash: location.hash }); });
}

function button(parent, key, action) {
  const made = labelled("button", key);
  made.type = "button"; made.onclick = action;
  parent.append(made); return made;
}

function showState(message) {
  if (message.state.language !== document.documentElement.lang) { speak(message.state.language).then(() => showState(message)); return; }
  state = { ...message.state, hash: message.hash, running: message.running };
  history.replaceState(null, "", message.hash);
  $("run").textContent = text(state.running ? "pause" : "run");
  $("language").value = state.language;
  $("hint").textContent = state.preset ? text(`preset.${state.preset}`) : "";
  for (const [name, control] of controls) {
    if (control.type === "checkbox") { control.checked = state[name]; continue; }
    const value = JSON.stringify(state[name]);
    if (![...control.options].some((option) => option.value === value)) control.add(new Option(state[name], value));
    control.value = value;
  }
  for (const [name, control] of controls) control.parentElement.hidden = Boolean(state[`${name}_hide`]);
  for (const name of ["dataset", "classes"]) controls.get(name).parentElement.hidden ||= state.problem !== "classification";
  controls.get("regDataset").parentElement.hidden ||= state.problem === "classification";
  for (const [id, name] of [["run", "playButton"], ["step", "stepButton"], ["reset", "resetButton"]]) $(id).hidden = Boolean(state[`${name}_hide`]);
  document.querySelector("header").hidden = state.hideText;
  showShape();
}

function showShape() {
  const shape = state.networkShape, box = $("shape");
  box.replaceChildren(); box.hidden = Boolean(state.numHiddenLayers_hide);
  button(box, "layer.add", () => set({ networkShape: [...shape, 2] })).disabled = shape.length >= 6;
  button(box, "layer.remove", () => set({ networkShape: shape.slice(0, -1) })).disabled = !shape.length;
  shape.forEach((size, n) => {
    const label = document.createElement("label"), input = document.createElement("input");
    label.className = "setting"; label.append(`${text("layer")} ${n + 1}`, input);
    Object.assign(input, { type: "number", min: 1, max: 64, value: size });
    input.addEventListener("change", () => set({ networkShape: shape.map((s, k) => (k === n ? Number(input.value) : s)) }));
    box.append(label);
  });
}

function colour(level) {
  const t = level / 127.5 - 1, end = t < 0 ? RED : BLUE, share = Math.abs(t);
  return GREY.map((g, n) => g + (end[n] - g) * share);
}
const TABLE = Array.from({ length: 256 }, (_, level) => colour(level));

function picture(levels, size) {
  const image = new ImageData(size, size);
  for (let n = 0; n < levels.length; n++) {
    const [r, g, b] = TABLE[state.discretize ? (levels[n] >= 128 ? 255 : 0) : levels[n]];
    image.data.set([r, g, b, 255], 4 * n);
  }
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function showFrame(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let at = 4 + length;
  const large = [];
  head.maps.forEach(([layer, neuron, size]) => {
    const made = picture(new Uint8Array(buffer, at, size * size), size);
    at += size * size;
    if (size >= 50) large.push({ made, neuron }); else maps.set(`${layer},${neuron}`, made);
  });
  if (losses.length && losses.at(-1)[0] > head.step) losses = [];
  if (!losses.length || losses.at(-1)[0] !== head.step) losses.push([head.step, ...head.loss]);
  if (losses.length > 600) losses = losses.filter((_, n) => n % 2);
  const number = (value) => (value === null ? "NaN" : value.toFixed(3));
  $("train").textContent = number(head.loss[0]); $("test").textContent = number(head.loss[1]);
  $("epoch").textContent = Math.floor(head.epoch).toLocaleString();
  $("rate").textContent = Math.round(head.stepsPerSecond).toLocaleString();
  $("right").textContent = head.accuracy ? `, ${(100 * head.accuracy[1]).toFixed(1)} % ${text("accuracy")}` : "";
  drawNet(); drawCurve(); drawPlane(large); showConfusion();
  send({ type: "ack", frame: head.frame });
}

function places() {
  const sizes = [network.features.length, ...network.layers.map((layer) => layer.size)];
  return sizes.map((size, layer) => Array.from({ length: Math.min(size, 16) }, (_, n) => [10 + layer * ACROSS, 10 + n * DOWN]));
}

function drawNet() {
  const canvas = $("net"), all = places(), scale = window.devicePixelRatio || 1;
  const width = 20 + CELL + (all.length - 1) * ACROSS, height = 20 + Math.max(...all.map((layer) => layer.length)) * DOWN;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale); canvas.height = Math.round(height * scale);
    canvas.style.width = `${width}px`; canvas.style.height = `${height}px`;
  }
  const c = canvas.getContext("2d");
  c.setTransform(scale, 0, 0, scale, 0, 0); c.clearRect(0, 0, width, height);
  head.weights.forEach((rows, l) => rows && rows.forEach((row, i) => row.forEach((w, j) => {
    const from = all[l][i], to = all[l + 1][j];
    if (!from || !to || w === null || w === 0) return;
    c.strokeStyle = w < 0 ? "#f59322" : "#0877bd"; c.globalAlpha = Math.min(1, 0.25 + Math.abs(w));
    c.lineWidth = 1 + Math.min(9, 1.8 * Math.abs(w));
    c.beginPath(); c.moveTo(from[0] + CELL, from[1] + CELL / 2);
    const middle = (from[0] + CELL + to[0]) / 2;
    c.bezierCurveTo(middle, from[1] + CELL / 2, middle, to[1] + CELL / 2, to[0], to[1] + CELL / 2); c.stroke();
  })));
  c.globalAlpha = 1;
  all.forEach((layer, l) => layer.forEach(([x, y], n) => {
    const map = maps.get(`${l},${n}`);
    c.fillStyle = "#e8eaeb"; c.fillRect(x, y, CELL, CELL);
    if (map) c.drawImage(map, x, y, CELL, CELL);
    c.lineWidth = hovered && hovered[0] === l && hovered[1] === n ? 3 : 1; c.strokeStyle = "#444"; c.strokeRect(x, y, CELL, CELL);
  }));
}

function showConfusion() {
  const matrix = head.confusion ?? [], table = $("confusion");
  table.hidden = !matrix.length;
  const row = (cells, kind) => {
    const made = document.createElement("tr");
    cells.forEach((cell, n) => { const one = document.createElement(cell === "" || n ? kind : "th"); one.textContent = cell; made.append(one); });
    return made;
  };
  table.replaceChildren(row(["", ...matrix.map((_, n) => n + 1)], "td"), ...matrix.map((counts, n) => row([n + 1, ...counts], "td")));
}

function edit(event) {
  if (!network) return;
  const neuron = neuronAt(event), link = neuron ? null : linkAt(places(), CELL, event.offsetX, event.offsetY);
  if (neuron && neuron[0]) editor.choose(neuron[0], neuron[1]);
  if (link) editor.choose(link[0] + 1, link[2], link[1]);
}

function neuronAt(event) {
  const found = places().flatMap((layer, l) => layer.map(([x, y], n) => [l, n, x, y]))
    .find(([, , x, y]) => event.offsetX >= x && event.offsetX < x + CELL && event.offsetY >= y && event.offsetY < y + CELL);
  return found ? found.slice(0, 2) : null;
}

function hover(event) {
  if (network) point(neuronAt(event));
}

function point(place) {
  if (String(place) === String(hovered)) return;
  hovered = place;
  send(place ? { type: "hover", layer: place[0], neuron: place[1] } : { type: "hover" });
}

function drawCurve() {
  const canvas = $("curve"), c = canvas.getContext("2d"), { width, height } = canvas;
  c.clearRect(0, 0, width, height);
  const most = Math.max(...losses.map(([, a, b]) => Math.max(a ?? 0, b ?? 0)), 1e-9);
  [[1, "#888"], [2, "#0877bd"]].forEach(([k, stroke]) => {
    c.strokeStyle = stroke; c.lineWidth = 1.5; c.beginPath();
    losses.forEach((row, n) => c.lineTo((n / Math.max(1, losses.length - 1)) * width, height - 2 - (row[k] ?? most) / most * (height - 4)));
    c.stroke();
  });
}

function drawPlane(large) {
  const canvas = $("plane"), c = canvas.getContext("2d"), side = canvas.width;
  c.clearRect(0, 0, side, side);
  if (large.length) drawClasses(c, large, side);
  if (!data || (hovered && hovered[0] === 0 && !large.length)) return;
  drawPoints(state.showTestData ? [...data.train, ...data.test] : data.train, data.train.length);
}

function drawPoints(points, training) {
  const c = $("plane").getContext("2d"), side = $("plane").width;
  const place = ([x, y]) => [(x + 6) / 12 * side, (6 - y) / 12 * side];
  points.forEach((row, n) => {
    const [px, py] = place(row), label = row[2];
    c.fillStyle = data.classes > 2 ? COLOURS[label] : `rgb(${colour(Math.max(0, Math.min(255, label * 127.5 + 127.5))).map(Math.round).join(",")})`;
    c.strokeStyle = n < training ? "#fff" : "#222"; c.lineWidth = 1;
    c.beginPath(); c.arc(px, py, 3, 0, 7); c.fill(); c.stroke();
  });
}

function drawClasses(c, large, side) {
  if (large.length === 1) { c.drawImage(large[0].made, 0, 0, side, side); return; }
  large.forEach(({ made, neuron }) => {  // each class in its colour, as strong as it is sure
    const layer = document.createElement("canvas");
    layer.width = layer.height = made.width;
    const d = layer.getContext("2d"), image = made.getContext("2d").getImageData(0, 0, made.width, made.width);
    const [r, g, b] = COLOURS[neuron].match(/\w\w/g).map((part) => parseInt(part, 16));
    for (let n = 0; n < image.data.length; n += 4) {
      const sure = Math.max(0, (GREY[0] - image.data[n]) / (GREY[0] - BLUE[0]));
      image.data.set([r, g, b, 200 * sure * sure], n);
    }
    d.putImageData(image, 0, 0); c.drawImage(layer, 0, 0, side, side);
  });
}

const HANDLERS = {
  state: showState,
  network: (m) => { network = m; maps = new Map(); losses = []; $("layer").max = m.layers.length; editor.choices(); },
  data: (m) => { data = m; },
  presets: (m) => {
    const select = controls.get("preset");
    select.replaceChildren(new Option("-", '""'), ...m.presets.map(({ name }) => new Option(name, JSON.stringify(name))));
  },
  error: (m) => { $("message").textContent = m.message; },
  nan: (m) => { $("message").textContent = `${text("nan", m)} ${text(m.advice.key, m.advice.values)}`; },
  program: (m) => { $("program").textContent = m.text; },
  inspection: (m) => {
    $("kernels").textContent = m.kernels.map((k) => `${k.us.toFixed(2)} us\n${k.loops}\n\n${k.assembly}`).join("\n----\n");
  },
};

function connect() {
  const token = new URLSearchParams(location.search).get("token") ?? "";
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/train?token=${encodeURIComponent(token)}`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => send({ type: "hello", hash: location.hash });
  socket.onclose = (event) => { $("message").textContent = text("ended", event); };
  socket.onmessage = ({ data: received }) => {
    if (received instanceof ArrayBuffer) { requestAnimationFrame(() => showFrame(received)); return; }
    const message = JSON.parse(received);
    // What was said of a run stays until another begins, or something is set.
    if (message.type === "state" && (message.running || message.hash !== state.hash)) $("message").textContent = "";
    HANDLERS[message.type]?.(message);
  };
}

await speak("en");
build();
connect();
