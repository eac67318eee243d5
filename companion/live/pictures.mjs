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
// with a `pen` (drawing.mjs), dragging and the space bar paint, and the delete key erases.
export class Picture {
  constructor({ label, height, width, hint = "", onProbe = null, pen = null }) {
    Object.assign(this, { label, height, width, onProbe, pen, stroke: null });
    this.canvas = element("canvas", { width, height, "aria-hidden": "true" });
    this.marker = element("span", { class: "live-marker", "aria-hidden": "true", hidden: true });
    const title = element("span", { class: "live-caption", "aria-hidden": "true" }, label);
    const keys = pen ? "Arrow keys move, space paints, delete erases." : "Arrow keys move the probe.";
    const role = onProbe
      ? { role: "application", tabindex: 0, "aria-label": `${label}. ${keys} ${hint}` }
      : {};
    this.frame = element(
      "div",
      {
        class: pen ? "live-frame live-paintable" : "live-frame",
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
    this.frame.addEventListener("pointerdown", (event) => {
      if (this.pen?.accepts(event)) {
        this.frame.setPointerCapture(event.pointerId);
        event.preventDefault();
        this.frame.focus({ preventScroll: true });
        this.pen.begin();
        this.stroke = this.#place(event);
        this.#paintTo(event);
      }
      this.#point(event);
    });
    this.frame.addEventListener("pointermove", (event) => {
      if (this.stroke) this.#paintTo(event);
      this.#point(event);
    });
    // No gesture: after a fling a browser would swallow the next tap, such as one on Undo.
    const prevent = (event) => this.stroke && event.preventDefault();
    this.frame.addEventListener("touchmove", prevent, { passive: false });
    for (const end of ["pointerup", "pointercancel"]) {
      this.frame.addEventListener(end, () => (this.stroke = null));
    }
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

  // Where an event is: [across, down], in cells.
  #place({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    return [
      ((clientX - box.left) / box.width) * this.width,
      ((clientY - box.top) / box.height) * this.height,
    ];
  }

  // The cell at a place, or null outside of the picture.
  #cellAt([across, down]) {
    const [column, row] = [Math.floor(across), Math.floor(down)];
    const isInside = row >= 0 && row < this.height && column >= 0 && column < this.width;
    return isInside ? row * this.width + column : null;
  }

  #point(event) {
    const cell = this.#cellAt(this.#place(event));
    if (cell !== null) this.onProbe(cell);
  }

  // Paints from where the stroke is to where the event is. A browser reports a fast stroke at a few places that lie
  // apart, and keeps others for who asks; between any two the line is straight.
  #paintTo(event) {
    const kept = event.getCoalescedEvents?.() ?? [];
    const cells = new Set();
    for (const place of (kept.length ? kept : [event]).map((one) => this.#place(one))) {
      const [across, down] = place.map((value, k) => value - this.stroke[k]);
      const count = Math.ceil(2 * Math.max(Math.abs(across), Math.abs(down))) || 1;
      for (let k = 1; k <= count; k++) {
        const cell = this.#cellAt([
          this.stroke[0] + (across * k) / count,
          this.stroke[1] + (down * k) / count,
        ]);
        if (cell !== null) cells.add(cell);
      }
      this.stroke = place;
    }
    if (cells.size) this.pen.paint([...cells], event.shiftKey || event.buttons === 2);
  }

  #press(event) {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (move) {
      const row = Math.max(0, Math.min(this.height - 1, Math.floor(this.cell / this.width) + move[0]));
      const column = Math.max(0, Math.min(this.width - 1, (this.cell % this.width) + move[1]));
      this.cell = row * this.width + column;
      this.onProbe(this.cell);
    } else if (this.pen && [" ", "Delete", "Backspace"].includes(event.key)) {
      this.pen.begin();
      this.pen.paint([this.cell], event.key !== " ");
    } else return;
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
