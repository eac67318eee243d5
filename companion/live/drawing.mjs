// Drawing on a picture. With a mouse one simply draws. A finger scrolls the page, until the reader asks to draw.

import { button } from "./controls.mjs";
import { element } from "./elements.mjs";

// The tools that the pictures of a figure share. `keep` returns what undoing a stroke has to bring back, and `restore`
// brings it back. Further buttons stand beside them.
export class DrawingTools {
  constructor({ keep, restore, further }) {
    Object.assign(this, { keep, restore, isDrawing: false, isErasing: false, before: [], pictures: [] });
    this.draw = button("Draw", () => this.#switch("isDrawing"));
    this.erase = button("Erase", () => this.#switch("isErasing"));
    this.undo = button("Undo", () => {
      this.restore(this.before.pop());
      this.#show();
    });
    this.node = element(
      "div",
      { class: "live-buttons live-tools", role: "group", "aria-label": "Drawing" },
      this.draw,
      this.erase,
      this.undo,
      ...further,
    );
    this.#show();
  }

  // A pen for one picture: `paint(cells, erase)` changes it.
  pen(paint) {
    return {
      accepts: ({ pointerType }) => pointerType === "mouse" || this.isDrawing,
      begin: () => this.begin(),
      paint: (cells, erase) => paint(cells, erase || this.isErasing),
    };
  }

  // What follows can be undone.
  begin() {
    this.before.push(this.keep());
    this.#show();
  }

  // Pictures that are drawn on, which show whether a finger draws.
  on(pictures) {
    this.pictures = pictures;
  }

  #switch(name) {
    this[name] = !this[name];
    if (name === "isErasing" && this.isErasing) this.isDrawing = true;
    this.#show();
  }

  #show() {
    this.draw.setAttribute("aria-pressed", this.isDrawing);
    this.erase.setAttribute("aria-pressed", this.isErasing);
    this.undo.disabled = this.before.length === 0;
    for (const { frame } of this.pictures) frame.classList.toggle("live-drawing", this.isDrawing);
  }
}

// The channels of an image with cells painted on: each and, half as much, its four neighbours.
export function painted(values, width, area, cells, erase) {
  const result = Float64Array.from(values);
  const brush = [
    [0, 0, 1],
    [-1, 0, 0.5],
    [1, 0, 0.5],
    [0, -1, 0.5],
    [0, 1, 0.5],
  ];
  for (const cell of cells) {
    const [row, column] = [Math.floor(cell / width), cell % width];
    for (const [down, right, ink] of brush) {
      const [y, x] = [row + down, column + right];
      if (y < 0 || y >= area / width || x < 0 || x >= width) continue;
      for (let j = y * width + x; j < result.length; j += area) {
        result[j] = erase ? 0 : Math.max(result[j], ink);
      }
    }
  }
  return result;
}
