// Where a live figure lives. A host has the figure's `payload` (networks, images, start of the view), keeps the
// `view` (what the reader has chosen), and, in Jupyter, can `ask` the kernel.

import { decode } from "./arrays.mjs";
import { whole } from "./loading.mjs";

// Saves once the reader has paused.
class Host {
  saveView(view) {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.save(view), 300);
  }
}

// On a page there is no kernel. The view is kept in the address, so that a link shows what its sender saw.
export class PageHost extends Host {
  constructor(payload, kind = payload.kind) {
    super();
    this.payload = payload;
    this.ask = null;
    this.mark = `#live-${kind}?`;
  }

  // The description of a network, which may lie in a script of its own.
  async network(name) {
    return whole(this.payload.networks[name]);
  }

  // `allowed` has the values that a name may take, where they are few. What does not fit is left out: a link may be old,
  // or mistyped.
  loadView(allowed, hash = location.hash) {
    if (!hash.startsWith(this.mark)) return {};
    const given = Object.fromEntries(new URLSearchParams(hash.slice(this.mark.length)));
    const view = {};
    for (const [name, start] of Object.entries(this.payload.view)) {
      if (!(name in given)) continue;
      const text = given[name];
      if (allowed[name]) {
        const value = allowed[name].find((one) => String(one) === text);
        if (value !== undefined) view[name] = value;
      } else if (typeof start === "number") {
        if (text !== "" && Number.isFinite(Number(text))) view[name] = Number(text);
      } else if (/^[\w-]*$/.test(text)) view[name] = text;
    }
    return view;
  }

  // Calls `show` with the view of each link to this figure that is followed while the page is open. The address itself may
  // have changed since: an earlier view may have been saved in it.
  follow(allowed, show) {
    window.addEventListener("hashchange", ({ newURL }) => {
      const { hash } = new URL(newURL);
      if (hash.startsWith(this.mark)) show({ ...this.payload.view, ...this.loadView(allowed, hash) });
    });
  }

  save(view) {
    history.replaceState(history.state, "", this.linkTo(view));
  }

  // What equals the start of the view is left out.
  linkTo(view) {
    const changed = Object.entries(view).filter(([name, value]) => value !== this.payload.view[name]);
    return `${location.href.split("#")[0]}${this.mark}${new URLSearchParams(changed)}`;
  }
}

// In Jupyter the view is a trait of the widget, and questions are messages to it.
export class JupyterHost extends Host {
  constructor(model) {
    super();
    this.model = model;
    this.payload = model.get("payload");
    this.waiting = new Map();
    this.questions = 0;
    model.on("msg:custom", (answer) => {
      const { resolve, reject } = this.waiting.get(answer.question) ?? {};
      this.waiting.delete(answer.question);
      if (answer.error) reject?.(new Error(answer.error));
      else resolve?.(answer);
    });
  }

  async network(name) {
    return this.payload.networks[name];
  }

  loadView() {
    return this.model.get("view");
  }

  follow() {} // A notebook has no links to a view.

  save(view) {
    this.model.set("view", { ...view });
    this.model.save_changes();
  }

  ask(question) {
    this.questions += 1;
    this.model.send({ ...question, question: this.questions });
    return new Promise((resolve, reject) => this.waiting.set(this.questions, { resolve, reject }));
  }
}

// The images of a payload: an array of pixels for each, and their size.
export function openImages({ array, ...rest }) {
  const [count, channels, height, width] = array.shape;
  const all = decode(array);
  const length = channels * height * width;
  const pixels = Array.from({ length: count }, (_, k) => all.slice(k * length, (k + 1) * length));
  return { ...rest, pixels, channels, height, width, cells: height * width };
}

// The pictures T of a payload, by name, with the values of their pixels.
export const openPictures = (pictures) =>
  Object.fromEntries(pictures.map((picture) => [picture.name, { ...picture, values: decode(picture.array) }]));
