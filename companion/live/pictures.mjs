// Images and signed maps, as cells that can be pointed at and painted on.

import { element, number, part } from "./elements.mjs";

const HINT = "Point at a pixel, or move to one with the arrow keys, to read all maps there.";

// White at nought, blue below, orange above: the colours of the book's other maps (companion/plots.py).
const SIGNED = [
  [0x00, 0x30, 0x4d],
  [0x00, 0x72, 0xb2],
  [0x9c, 0xcb, 0xe6],
  [0xff, 0xff, 0xff],
  [0xf2, 0xb4, 0x8c],
  [0xd5, 0x5e, 0x00],
  [0x59, 0x27, 0x00],
];

function signedColour(value, limit) {
  const place = 3 + 3 * Math.max(-1, Math.min(1, limit > 0 ? value / limit : 0));
  const below = Math.min(5, Math.floor(place));
  const share = place - below;
  return SIGNED[below].map((low, k) => Math.round(low + share * (SIGNED[below + 1][k] - low)));
}

function paintCells(canvas, colour) {
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  for (let j = 0; j < canvas.width * canvas.height; j++) pixels.data.set([...colour(j), 255], 4 * j);
  context.putImageData(pixels, 0, 0);
}

// Draws (channels, H, W) values in [0, 1], one channel as grey.
export function paintImage(canvas, values) {
  const cells = canvas.width * canvas.height;
  const isColoured = values.length === 3 * cells;
  paintCells(canvas, (j) => [0, 1, 2].map((k) => 255 * values[(isColoured ? k : 0) * cells + j]));
}

// A picture of H x W cells. With `onProbe`, pointing at a cell or moving there with the arrow keys calls onProbe(cell);
// with `onPaint`, dragging and the space bar paint, and the delete key erases.
export class Picture {
  constructor({ label, height, width, hint = "", onProbe = null, onPaint = null }) {
    Object.assign(this, { label, height, width, onProbe, onPaint });
    this.canvas = element("canvas", { width, height, "aria-hidden": "true" });
    this.marker = element("span", { class: "live-marker", "aria-hidden": "true", hidden: true });
    const title = element("span", { class: "live-caption", "aria-hidden": "true" }, label);
    const keys = onPaint ? "Arrow keys move, space paints, delete erases." : "Arrow keys move the probe.";
    const role = onProbe
      ? { role: "application", tabindex: 0, "aria-label": `${label}. ${keys} ${hint}` }
      : {};
    this.frame = element(
      "div",
      {
        class: onPaint ? "live-frame live-paintable" : "live-frame",
        role: "img",
        "aria-label": label,
        ...role,
      },
      this.canvas,
      this.marker,
    );
    this.node = element("div", { class: "live-picture" }, title, this.frame);
    this.cell = Math.floor(height / 2) * width + Math.floor(width / 2);
    if (onProbe) this.#listen();
  }

  #listen() {
    this.frame.addEventListener("pointermove", (event) => this.#point(event));
    this.frame.addEventListener("pointerdown", (event) => {
      if (this.onPaint) {
        this.frame.setPointerCapture(event.pointerId);
        event.preventDefault();
        this.frame.focus({ preventScroll: true });
      }
      this.#point(event);
    });
    this.frame.addEventListener("pointerleave", () => this.onProbe(null));
    this.frame.addEventListener("keydown", (event) => this.#press(event));
    this.frame.addEventListener(
      "focus",
      () => this.frame.matches(":focus-visible") && this.onProbe(this.cell),
    );
    this.frame.addEventListener("blur", () => this.onProbe(null));
  }

  // Draws (channels, H, W) values in [0, 1].
  showImage(values) {
    paintImage(this.canvas, values);
  }

  mark(cell) {
    this.marker.hidden = cell === null;
    if (cell === null) return;
    this.cell = cell;
    this.marker.style.left = `${(100 * (cell % this.width)) / this.width}%`;
    this.marker.style.top = `${(100 * Math.floor(cell / this.width)) / this.height}%`;
    this.marker.style.width = `${100 / this.width}%`;
    this.marker.style.height = `${100 / this.height}%`;
  }

  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * this.width);
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.height);
    if (row < 0 || row >= this.height || column < 0 || column >= this.width) return;
    const cell = row * this.width + column;
    if (this.onPaint && event.buttons) this.onPaint(cell, event.shiftKey || event.buttons === 2);
    this.onProbe(cell);
  }

  #press(event) {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (move) {
      const row = Math.max(0, Math.min(this.height - 1, Math.floor(this.cell / this.width) + move[0]));
      const column = Math.max(0, Math.min(this.width - 1, (this.cell % this.width) + move[1]));
      this.cell = row * this.width + column;
      this.onProbe(this.cell);
    } else if (this.onPaint && event.key === " ") this.onPaint(this.cell, false);
    else if (this.onPaint && ["Delete", "Backspace"].includes(event.key)) this.onPaint(this.cell, true);
    else return;
    event.preventDefault();
  }
}

// What pictures have at the pixel that is pointed at, the same in all. `read(cell)` puts it into words, or returns null
// while there is nothing to read.
export class Probe {
  constructor(width, read) {
    Object.assign(this, { width, read, pictures: [] });
    this.node = element("p", { class: "live-probe", role: "status" }, HINT);
  }

  // A picture that shows the pixel, and where it can be pointed at.
  picture(settings) {
    const picture = new Picture({ ...settings, onProbe: (cell) => this.point(cell) });
    this.pictures.push(picture);
    return picture;
  }

  point(cell) {
    for (const picture of this.pictures) picture.mark(cell);
    const words = cell === null ? null : this.read(cell);
    const [row, column] = [Math.floor(cell / this.width) + 1, (cell % this.width) + 1];
    this.node.textContent = words === null ? HINT : `Row ${row}, column ${column}: ${words}.`;
  }
}

// One picture for all channels, as in fooling.linear_shift.
export const onAllChannels = (picture, channels) =>
  Float64Array.from({ length: channels * picture.length }, (_, j) => picture[j % picture.length]);

export function sumChannels(values, pixels) {
  const summed = new Float64Array(pixels);
  values.forEach((value, j) => (summed[j % pixels] += value));
  return summed;
}

// Where the colours of a map saturate: the largest absolute pixel.
export const largestPixel = (values, pixels) =>
  sumChannels(values, pixels).reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);

// A picture that shows a signed map, and the scale of its colours.
export class SignedMap {
  constructor(picture) {
    const stops = [-1, -2 / 3, -1 / 3, 0, 1 / 3, 2 / 3, 1].map((value) => `rgb(${signedColour(value, 1)})`);
    const strip = element("span", {
      class: "live-strip",
      style: `background: linear-gradient(to right, ${stops.join()})`,
    });
    this.picture = picture;
    this.low = element("span");
    this.high = element("span");
    this.scale = part("colour-bar", this.low, strip, this.high);
    this.node = element("div", {}, picture, this.scale);
  }

  // Channels are added up, signs and all. `limit` is where the colours saturate.
  show(values, limit) {
    const { canvas, height, width } = this.picture;
    const summed = sumChannels(values, height * width);
    paintCells(canvas, (j) => signedColour(summed[j], limit));
    this.low.textContent = number(-limit);
    this.high.textContent = `+${number(limit)}`;
  }
}

// Paints on the channels of an image: a cell and, half as much, its four neighbours.
export function painted(values, width, cells, cell, erase) {
  const result = Float64Array.from(values);
  const [row, column] = [Math.floor(cell / width), cell % width];
  const brush = [
    [0, 0, 1],
    [-1, 0, 0.5],
    [1, 0, 0.5],
    [0, -1, 0.5],
    [0, 1, 0.5],
  ];
  for (const [down, right, ink] of brush) {
    const [y, x] = [row + down, column + right];
    if (y < 0 || y >= cells / width || x < 0 || x >= width) continue;
    for (let j = y * width + x; j < result.length; j += cells) {
      result[j] = erase ? 0 : Math.max(result[j], ink);
    }
  }
  return result;
}
