// A person's own points: painted on the output with the mouse, a pen or a finger, or given as CSV.

const $ = (id) => document.getElementById(id);
const APART = 8; // pixels between two points of one stroke
const DOMAIN = 6; // of both coordinates, from -6 to 6

/** Let a person give points; painted ones become the data when the pointer is lifted. */
export function ownPoints(send, redraw) {
  const canvas = $("points");
  let points = [], last = null;

  function add(event) {
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    if (last && Math.hypot(x - last[0], y - last[1]) < APART) return;
    last = [x, y];
    points.push([(x / box.width - 0.5) * 2 * DOMAIN, (0.5 - y / box.height) * 2 * DOMAIN, Number($("paint-class").value) - 1]);
    redraw(points);
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (!$("paint").checked) return;
    event.preventDefault(); canvas.setPointerCapture(event.pointerId); add(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (last) add(event); });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      if (last) send({ type: "data", points });
      last = null;
    });
  }
  $("paint").addEventListener("change", () => {
    canvas.style.touchAction = $("paint").checked ? "none" : "";
    canvas.style.cursor = $("paint").checked ? "crosshair" : "";
  });
  $("paint-clear").addEventListener("click", () => { points = []; redraw(points); });
  $("take").addEventListener("click", () => send({ type: "csv", text: $("csv").value }));
  $("csv-file").addEventListener("change", async () => {
    const [file] = $("csv-file").files;
    if (file) $("csv").value = await file.text();
  });
}
