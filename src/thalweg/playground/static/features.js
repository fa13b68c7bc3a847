// What the network is given of a point, and pictures of it and of the data sets.

const DOMAIN = 6; // of both coordinates, from -6 to 6

export const FEATURES = {
  x: { label: "X₁", value: (x) => x },
  y: { label: "X₂", value: (x, y) => y },
  xSquared: { label: "X₁²", value: (x) => x * x },
  ySquared: { label: "X₂²", value: (x, y) => y * y },
  xTimesY: { label: "X₁X₂", value: (x, y) => x * y },
  sinX: { label: "sin(X₁)", value: (x) => Math.sin(x) },
  sinY: { label: "sin(X₂)", value: (x, y) => Math.sin(y) },
};

/** The values of a function of the plane as levels, from the upper left corner. */
export function levelsOf(value, size) {
  const levels = new Uint8Array(size * size), at = (n) => ((n + 0.5) / size * 2 - 1) * DOMAIN;
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const found = Math.max(-1, Math.min(1, value(at(column), -at(row))));
      levels[row * size + column] = Math.round((found + 1) * 127.5);
    }
  }
  return levels;
}

// Where the dots of a data set's picture lie, and their values.
const spread = (n) => [(n * 0.754878) % 1, (n * 0.56984) % 1]; // evenly, without a grid
const inSquare = (value) => Array.from({ length: 90 }, (_, n) => {
  const [x, y] = spread(n).map((share) => (share * 2 - 1) * 5.4);
  return [x, y, value(x, y)];
});
const around = ([cx, cy], radius, value) => Array.from({ length: 35 }, (_, n) => {
  const [turn, away] = spread(n), angle = 2 * Math.PI * turn;
  return [cx + radius * away * Math.cos(angle), cy + radius * away * Math.sin(angle), value];
});
const arm = (turn, value) => Array.from({ length: 40 }, (_, n) => {
  const angle = (1.75 * n / 40) * 2 * Math.PI + turn;
  return [n / 40 * 5.5 * Math.sin(angle), n / 40 * 5.5 * Math.cos(angle), value];
});
const ring = () => Array.from({ length: 60 }, (_, n) => {
  const [turn, away] = spread(Math.floor(n / 2)), angle = 2 * Math.PI * turn, radius = n % 2 ? 2.4 * away : 4 + 1.4 * away;
  return [radius * Math.cos(angle), radius * Math.sin(angle), n % 2 ? 1 : -1];
});
const bumps = (x, y) => [[-4, 2.5, 1], [0, 2.5, -1], [4, 2.5, 1], [-4, -2.5, -1], [0, -2.5, 1], [4, -2.5, -1]]
  .reduce((sum, [cx, cy, sign]) => sum + sign * Math.max(0, 1 - Math.hypot(x - cx, y - cy) / 2.5), 0);
const DOTS = {
  circle: ring,
  xor: () => inSquare((x, y) => Math.sign(x * y)).filter(([x, y]) => Math.abs(x) > 0.5 && Math.abs(y) > 0.5),
  gauss: () => [...around([2.6, 2.6], 2.6, 1), ...around([-2.6, -2.6], 2.6, -1)],
  spiral: () => [...arm(0, 1), ...arm(Math.PI, -1)],
  "reg-plane": () => inSquare((x, y) => (x + y) / 10),
  "reg-gauss": () => inSquare(bumps),
};
const SIGNS = { digits: "7", own: "✎" };

/** Draw what a data set looks like. */
export function drawDataset(canvas, name, palette, ink) {
  const side = canvas.width = canvas.height = 120, c = canvas.getContext("2d");
  c.textAlign = "center"; c.textBaseline = "middle"; c.font = "italic 84px serif"; c.fillStyle = ink;
  c.fillText(SIGNS[name] ?? "", side / 2, side / 2 + 6);
  for (const [x, y, value] of DOTS[name]?.() ?? []) {
    c.fillStyle = palette.css(value);
    c.beginPath(); c.arc((x / DOMAIN + 1) * side / 2, (1 - y / DOMAIN) * side / 2, 4, 0, 7); c.fill();
  }
}
