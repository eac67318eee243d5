// The parts of a page that everything else is made of, and how numbers are written.

// A child is a node, a text, or what has a `node`.
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.map((child) => child.node ?? child));
  return node;
}

// A part of a figure, as its style sheets name it.
export const part = (name, ...children) => element("div", { class: `live-${name}` }, ...children);

// Two columns under a title; `label` is what a screen reader calls them.
export const pair = (title, columns, label = title) =>
  element(
    "div",
    { class: "live-pair", role: "group", "aria-label": label },
    element("span", { class: "live-title" }, title),
    ...columns,
  );

const SVG = "http://www.w3.org/2000/svg";

export function drawn(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// Each widget in Jupyter loads its own copy of this module, on one page: hence the random part.
const copyOfModule = Math.random().toString(36).slice(2, 10);
let identities = 0;
export const freshId = (stem) => `live-${copyOfModule}-${stem}-${++identities}`;

// Numbers as they are read: those from 0.01 to 10000 plainly, others with a power of ten.
export function number(value, digits = 2) {
  if (value === 0) return "0";
  const magnitude = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  const text =
    magnitude >= 1e-2 && magnitude < 1e4
      ? value.toPrecision(Math.max(digits, Math.ceil(Math.log10(magnitude) + 1e-9)))
      : value.toExponential(digits - 1);
  return text.replace(/e([+-])(\d+)$/, power).replaceAll("-", "−");
}

const power = (_, sign, digits) =>
  `\u00a0×\u00a010${sign === "-" ? "⁻" : ""}${[...digits].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("")}`;

// The two ends of an axis, with as many digits as tell them apart.
export function axisEnds(low, high) {
  const digits = Math.min(12, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(high - low) || 1))));
  const large = Math.max(Math.abs(low), Math.abs(high)) >= 1e4;
  return [low, high].map((end) => [
    end,
    large ? number(end) : Number(end.toFixed(digits)).toString().replace("-", "−"),
  ]);
}

// Alternatives in one place, which is as large as the largest: choosing among them moves nothing. `show` names the one
// that is seen.
export class Alternatives {
  constructor(nodes) {
    this.nodes = nodes;
    this.node = part("alternatives", ...Object.values(nodes));
  }

  show(chosen) {
    for (const [name, node] of Object.entries(this.nodes)) {
      node.classList.toggle("live-absent", name !== chosen);
    }
  }
}

// What a reader who wants no more than the idea can leave folded.
export const fold = (title, ...children) =>
  element(
    "details",
    { class: "live-fold" },
    element("summary", {}, title),
    part("folded", ...children),
  );

// Where all of a figure would be several screens long, some of it is folded at first. In pixels, as in the style sheets.
export const isNarrow = (root) => root.clientWidth <= 560;

// Says what has changed: once the changes have paused or, while they go on, every few seconds.
export class Announcer {
  static PATIENCE = 3000;

  constructor(name = "live-summary") {
    this.node = element("p", { class: name, role: "status" });
    this.unsaidSince = null;
  }

  say(text, wait = 600) {
    clearTimeout(this.waiting);
    this.unsaidSince ??= performance.now();
    const left = this.unsaidSince + Announcer.PATIENCE - performance.now();
    this.waiting = setTimeout(
      () => {
        this.unsaidSince = null;
        if (this.node.textContent !== text) this.node.textContent = text;
      },
      Math.max(0, Math.min(wait, left)),
    );
  }
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // Not allowed here, for example on a page opened from the disk: the text is shown instead.
  }
}
