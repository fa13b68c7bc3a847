// The page of the playground: what the server says is drawn, what a person does is sent.

import { Controls } from "./controls.js";
import { Editor } from "./edit.js";
import { decoded } from "./frame.js";
import { NetworkView } from "./network.js";
import { OutputView } from "./output.js";
import { ownPoints } from "./paint.js";
import { Palette } from "./palette.js";
import { RunsView } from "./runs.js";
import { labelled, number, speak, text } from "./text.js";

const $ = (id) => document.getElementById(id);
const SLOW = 500; // milliseconds between two pictures for who wants little motion
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let socket, waiting = false, presets = [];

/** What all parts of the page know and can do. */
const app = {
  state: {}, network: null, data: null, frame: null, hovered: null, palette: null,
  send(message) { if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message)); },
  set(changes) { app.send({ type: "set", changes }); },
  choose(...place) { editor.open(...place); },
  /** The colours of a neuron's levels: those of its class, or from negative to positive. */
  table(layer, neuron) {
    const { network, palette, state } = app, isOutput = layer === network.layers.length;
    if (network.features[0] === "pixels") return palette.signed; // its pictures are weights
    if (isOutput && network.outputs > 1) return palette.ofClass[neuron];
    return state.discretize ? palette.cut : palette.signed;
  },
  /** The pointer is on a neuron, or on none. */
  point(place) {
    if (String(place) === String(app.hovered)) return;
    app.hovered = place;
    const [layer, neuron] = place ?? [];
    app.send(layer ? { type: "hover", layer, neuron } : { type: "hover" });
    if (place) runs.follow(layer);
    output.drawHeat();
  },
  /** Say something beside the pointer; nothing for null. */
  about(words, event) {
    $("tip").hidden = !words; $("tip").textContent = words ?? "";
    if (words) { $("tip").style.left = `${event.clientX + 12}px`; $("tip").style.top = `${event.clientY + 14}px`; }
  },
};
const controls = new Controls(app.set), editor = new Editor(app), net = new NetworkView(app), output = new OutputView(app), runs = new RunsView(app);

// -- what the server says

async function showState({ state, hash, running }) {
  if (state.language !== document.documentElement.lang) await speak(state.language);
  const isOther = app.state.language !== state.language || app.state.discretize !== state.discretize;
  const wasRunning = app.state.running;
  app.state = { ...state, hash, running };
  history.replaceState(null, "", hash);
  $("run").dataset.running = running;
  $("run").title = $("run").querySelector("span").textContent = text(running ? "pause" : "run");
  $("language").value = state.language;
  $("hint").textContent = state.preset ? text(`hint.${state.preset}`) : "";
  controls.show(app.state);
  if (isOther) { showLessons(); redraw(); }
  output.drawPoints();
  if (wasRunning && !running && app.frame) say(text("paused", { epoch: number(app.frame.epoch), test: number(app.frame.loss[1], 3) }));
}

function say(words) { $("said").textContent = words; }

function showLessons() {
  const made = presets.map((name) => {
    const item = document.createElement("li"), button = labelled("button", `preset.${name}`);
    button.type = "button"; button.onclick = () => app.set({ preset: name });
    item.append(button, labelled("span", `hint.${name}`));
    return item;
  });
  $("lessons").querySelector("ol").replaceChildren(...made);
  if (app.state.tutorial) $("lessons").open = true;
}

const HANDLERS = {
  state: showState,
  network(message) {
    app.network = message; app.frame = null; app.hovered = null;
    output.begin(); net.build(); runs.build();
  },
  data(message) { app.data = message; output.drawPoints(); },
  presets(message) { presets = message.presets.map(({ name }) => name); controls.offer(presets); showLessons(); },
  error({ message }) { $("message").textContent = message; },
  nan(message) {
    $("message").textContent = `${text("nan", message)} ${text(message.advice.key, message.advice.values)}`;
    net.mark(message.layer);
  },
  program(message) {
    $("program").hidden = false; $("program").textContent = message.text;
    $("copy").disabled = $("save").disabled = false;
  },
  inspection(message) { runs.show(message); },
};

async function hear(message) {
  // What was said of a run stays until another begins, or something is set.
  if (message.type === "state" && (message.running || message.hash !== app.state.hash)) { $("message").textContent = ""; net.mark(null); }
  await HANDLERS[message.type]?.(message);
}

/** Take a frame; of several that come before the next picture only the last is drawn. */
function take(buffer) {
  app.frame = decoded(buffer);
  if (calm.matches) acknowledge();
  if (waiting) return;
  waiting = true;
  if (calm.matches && app.state.running) setTimeout(showFrame, SLOW); else requestAnimationFrame(showFrame);
}

function acknowledge() { if (app.frame) app.send({ type: "ack", frame: app.frame.frame }); }

function showFrame() {
  waiting = false;
  const { frame } = app;
  if (!frame || !app.network) return;
  $("epoch").textContent = number(Math.floor(frame.epoch)); $("rate").textContent = number(frame.stepsPerSecond);
  net.draw(); output.draw(); runs.draw();
  if (!calm.matches) acknowledge();
}

/** Draw everything anew, as the language or the colours are others. */
function redraw() {
  controls.draw(app.palette);
  $("about").textContent = text(app.palette.isSafe ? "network.about.safe" : "network.about");
  if (app.network) { net.build(); runs.build(); }
  output.drawPoints(); output.draw();
}

// -- what a person does

function listen() {
  $("run").onclick = () => app.send({ type: app.state.running ? "pause" : "run" });
  for (const name of ["step", "reset", "undo"]) $(name).onclick = () => app.send({ type: name });
  const regenerate = labelled("button", "regenerate");
  Object.assign(regenerate, { type: "button", id: "regenerate", onclick: () => app.send({ type: "regenerate" }) });
  $("data").append(regenerate);
  for (const one of document.querySelectorAll("[data-form]")) one.onclick = () => app.send({ type: "export", form: one.dataset.form });
  $("copy").onclick = () => copy($("program").textContent);
  $("share").onclick = () => copy(location.origin + location.pathname + location.hash);
  $("save").onclick = () => save($("program").textContent);
  $("language").onchange = () => { keep("language", $("language").value); app.set({ language: $("language").value }); };
  $("theme").onchange = () => { keep("theme", $("theme").value); look(); };
  $("colours").onchange = () => { keep("colours", $("colours").value); look(); };
  ownPoints(app.send, (points) => output.drawPoints(points.map(([x, y, k]) => [x, y, app.data.classes > 2 ? k : 1 - 2 * k])));
  addEventListener("hashchange", () => { if (location.hash !== app.state.hash) app.send({ type: "hello", hash: location.hash }); });
  addEventListener("keydown", (event) => {
    if (event.key === "z" && (event.ctrlKey || event.metaKey) && !event.target.matches("input[type=number], textarea")) { event.preventDefault(); app.send({ type: "undo" }); }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look);
}

async function copy(words) {
  await navigator.clipboard.writeText(words);
  say(text("copied"));
}

function save(program) {
  const link = document.createElement("a"), address = URL.createObjectURL(new Blob([program], { type: "text/x-python" }));
  Object.assign(link, { href: address, download: "playground.py" }).click();
  URL.revokeObjectURL(address);
}

// A browser may refuse to keep anything; then nothing is kept.
function keep(name, value) { try { localStorage.setItem(name, value); } catch { /* not kept */ } }
function kept(name) { try { return localStorage.getItem(name); } catch { return null; } }

function look() {
  $("theme").value = kept("theme") ?? "light dark"; $("colours").value = kept("colours") ?? "original";
  document.documentElement.style.colorScheme = $("theme").value;
  app.palette = new Palette($("colours").value);
  redraw();
}

/** The link to begin with: in the reader's language if it says none. */
function beginning() {
  const known = [...$("language").options].map(({ value }) => value);
  const wanted = kept("language") ?? navigator.language.slice(0, 2);
  if (/[#&]language=/.test(location.hash) || !known.includes(wanted) || wanted === "en") return location.hash;
  return `${location.hash || "#"}&language=${wanted}`;
}

function connect() {
  const token = new URLSearchParams(location.search).get("token") ?? "";
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  let heard = Promise.resolve(); // messages are taken one after the other
  socket = new WebSocket(`${scheme}://${location.host}/train?token=${encodeURIComponent(token)}`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => app.send({ type: "hello", hash: beginning() });
  socket.onclose = (event) => { $("message").textContent = text("ended", event); };
  socket.onmessage = ({ data }) => { heard = heard.then(() => (data instanceof ArrayBuffer ? take(data) : hear(JSON.parse(data)))); };
}

await speak("en");
look();
listen();
connect();
