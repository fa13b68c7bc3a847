// One number of the network is changed: a bias, or the weight of a link.

const $ = (id) => document.getElementById(id);
const REACH = 6; // pixels from a line that count as on it

/** Let a person choose a number and set it; `neurons` gives the sizes of all layers. */
export function editing(send, neurons, values) {
  const place = () => [Number($("edit-layer").value), Number($("edit-neuron").value) - 1];
  const from = () => ($("edit-which").value === "bias" ? null : Number($("edit-which").value));

  function show() {
    const [layer, neuron] = place(), head = values();
    const value = from() === null ? head?.biases[layer - 1]?.[neuron] : head?.weights[layer - 1]?.[from()]?.[neuron];
    if (value !== undefined && value !== null) $("edit-value").value = Number(value.toPrecision(4));
  }

  function choices() {
    const sizes = neurons(), select = $("edit-which"), [layer] = place();
    $("edit-layer").max = sizes.length - 1; $("edit-neuron").max = sizes[layer] ?? 1;
    while (select.options.length > 1) select.remove(1);
    for (let n = 0; n < (sizes[layer - 1] ?? 0); n++) select.add(new Option(`← ${n + 1}`, n));
  }

  for (const id of ["edit-layer", "edit-neuron"]) $(id).addEventListener("change", () => { choices(); show(); });
  $("edit-which").addEventListener("change", show);
  $("edit").addEventListener("submit", (event) => {
    event.preventDefault();
    const [layer, neuron] = place(), value = Number($("edit-value").value);
    send(from() === null ? { type: "bias", layer, neuron, value } : { type: "weight", layer, from: from(), to: neuron, value });
  });

  return {
    choices,
    /** Choose a number: that of a link if `input` is one. */
    choose(layer, neuron, input = null) {
      $("edit-layer").value = layer; $("edit-neuron").value = neuron + 1;
      choices();
      $("edit-which").value = input ?? "bias";
      show();
      $("edit").closest("details").open = true;
      $("edit-value").focus(); $("edit-value").select();
    },
  };
}

/** The link under the pointer, as [layer, from, to], if there is one. */
export function linkAt(places, cell, x, y) {
  let best = null, least = REACH;
  for (let l = 0; l + 1 < places.length; l++) {
    places[l].forEach(([fx, fy], i) => places[l + 1].forEach(([tx, ty], j) => {
      const t = (x - fx - cell) / (tx - fx - cell);
      if (t < 0 || t > 1) return;
      const s = solved(t), height = fy + cell / 2 + (ty - fy) * s * s * (3 - 2 * s), away = Math.abs(height - y);
      if (away < least) { least = away; best = [l, i, j]; }
    }));
  }
  return best;
}

/** Where on the curve of a link, whose handles lie in the middle, the share `t` of its width is reached. */
function solved(t) {
  let low = 0, high = 1;
  for (let n = 0; n < 20; n++) {
    const s = (low + high) / 2, reached = 1.5 * s * (1 - s) ** 2 + 1.5 * s * s * (1 - s) + s ** 3;
    if (reached < t) low = s; else high = s;
  }
  return (low + high) / 2;
}
