// Colours of levels, links and classes.

const PALETTES = {
  original: {
    negative: "#f59322", middle: "#e8eaeb", positive: "#0877bd",
    classes: ["#0877bd", "#f59322", "#2a8a4a", "#a33ea1", "#8a6d00", "#c3344b", "#4b6584", "#00838f", "#6d4c41", "#5e35b1"],
  },
  // ColorBrewer's PuOr, and the classes of Okabe and Ito with two more.
  safe: {
    negative: "#b35806", middle: "#f7f7f7", positive: "#542788",
    classes: ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#222222", "#999999", "#661100"],
  },
};
const LEVELS = 256;

export const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const mixed = (from, to, share) => from.map((value, n) => value + (to[n] - value) * share);
const css = (colour) => `rgb(${colour.map(Math.round).join(",")})`;
const packed = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

/** One of the two palettes; `isSafe` also tells things apart by their shapes. */
export class Palette {
  constructor(name) {
    const { negative, middle, positive, classes } = PALETTES[name] ?? PALETTES.original;
    this.isSafe = name === "safe";
    this.negative = rgb(negative); this.middle = rgb(middle); this.positive = rgb(positive);
    this.classes = classes;
    this.signed = table((level) => this.between(level / 127.5 - 1));
    this.cut = table((level) => (level < 128 ? this.negative : this.positive));
    this.ofClass = classes.map((colour) => table((level) => mixed(this.middle, rgb(colour), level / 255)));
    for (const [key, colour] of Object.entries({ negative, middle, positive })) document.documentElement.style.setProperty(`--${key}`, colour);
  }

  /** The colour of a value from -1 to 1, as numbers. */
  between(value) {
    return mixed(this.middle, value < 0 ? this.negative : this.positive, Math.min(1, Math.abs(value)));
  }

  /** The same for a style. */
  css(value) { return css(this.between(value)); }
}

function table(colour) { return Uint32Array.from({ length: LEVELS }, (_, level) => packed(colour(level))); }

/** Draw levels, each with its colour in a table. */
export function paintLevels(canvas, levels, size, colours) {
  paintPixels(canvas, size, (pixels) => { for (let n = 0; n < pixels.length; n++) pixels[n] = colours[levels[n]]; });
}

/** Draw a picture whose pixels, as packed colours, are written by a function. */
export function paintPixels(canvas, size, write) {
  if (canvas.width !== size || canvas.height !== size) canvas.width = canvas.height = size;
  const image = new ImageData(size, size);
  write(new Uint32Array(image.data.buffer));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Write the colours of classes, mixed as sure as the network is of each; or of the surest only. */
export function mixClasses(pixels, maps, palette, isCut) {
  const colours = maps.map(({ neuron }) => rgb(palette.classes[neuron]));
  for (let n = 0; n < pixels.length; n++) {
    let shares = maps.map(({ levels }) => levels[n]);
    const surest = shares.indexOf(Math.max(...shares));
    if (isCut) shares = shares.map((_, k) => Number(k === surest));
    const all = shares.reduce((sum, share) => sum + share, 0) || 1;
    pixels[n] = packed([0, 1, 2].map((c) => shares.reduce((sum, share, k) => sum + (share / all) * colours[k][c], 0)));
  }
}

/** Fit a canvas to its place on the screen; its context draws in CSS pixels. */
export function fitted(canvas, width = canvas.clientWidth, height = canvas.clientHeight) {
  const scale = window.devicePixelRatio || 1, context = canvas.getContext("2d");
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}
