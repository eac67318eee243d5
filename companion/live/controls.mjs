// What the reader sets. Each control can be reached and used by keyboard, and has a name that a screen reader can say.
// `set` shows a value; `onChange` is called with what the reader has chosen, and comes from `mount` unless it is given.
// `values` are all that can be chosen; a slider has none, since it shows any number at the place of the nearest.

import { element, freshId, number } from "./elements.mjs";
import { paintImage } from "./pictures.mjs";

// The numbers of a slider from 10^low to 10^high, so many to a power of ten, with two digits each.
export const powersOfTen = (low, high, perPower) =>
  Array.from({ length: Math.round((high - low) * perPower) + 1 }, (_, k) =>
    Number((10 ** (low + k / perPower)).toPrecision(2)),
  );

// A slider over the numbers of a list.
export function slider({ label, numbers, format = number }) {
  const id = freshId("slider");
  const output = element("output", { for: id });
  const input = element("input", { type: "range", id, min: 0, max: numbers.length - 1, step: 1 });
  const chosen = () => numbers[Number(input.value)];
  const show = () => {
    output.textContent = format(chosen());
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => {
    show();
    control.onChange(chosen());
  });
  const control = {
    node: element("div", { class: "live-slider" }, element("label", { for: id }, label), input, output),
    set(wanted) {
      const distances = numbers.map((one) => Math.abs(one - wanted));
      input.value = distances.indexOf(Math.min(...distances));
      show();
    },
  };
  return control;
}

// One of a few: radio buttons in a row. Options are [value, label] pairs; a label may be a node.
export function choice({ label, options, onChange }) {
  const name = freshId("choice");
  const values = options.map(([value]) => value);
  const inputs = values.map((value) =>
    element("input", { type: "radio", name, value, onchange: () => control.onChange(value) }),
  );
  const labelled = options.map(([, text], k) => element("label", {}, inputs[k], element("span", {}, text)));
  const control = {
    node: element(
      "fieldset",
      { class: "live-choice" },
      element("legend", {}, label),
      element("div", {}, ...labelled),
    ),
    values,
    onChange,
    set(wanted) {
      values.forEach((value, k) => (inputs[k].checked = value === wanted));
    },
  };
  return control;
}

// One of many: a drop-down list.
export function select({ label, options }) {
  const id = freshId("select");
  const values = options.map(([value]) => value);
  const list = element(
    "select",
    { id, onchange: () => control.onChange(values[list.selectedIndex]) },
    ...options.map(([, text]) => element("option", {}, text)),
  );
  const control = {
    node: element("div", { class: "live-select" }, element("label", { for: id }, label), list),
    values,
    set(wanted) {
      list.selectedIndex = values.indexOf(wanted);
    },
  };
  return control;
}

// Which class: buttons where there are few, a list where there are many.
export const classChoice = (label, classes) =>
  (classes.length <= 12 ? choice : select)({ label, options: classes.map((name, i) => [i, name]) });

// Which image: small pictures to choose from.
export function imageChoice({ label, images, classes, more = [], onChange }) {
  const { height, width, labels } = images;
  const options = images.pixels.map((pixels, index) => {
    const canvas = element("canvas", { width, height, "aria-hidden": "true" });
    paintImage(canvas, pixels);
    const name = `Image ${index + 1}, ${classes[labels[index]]}`;
    return [
      index,
      element("span", { class: "live-thumbnail" }, canvas, element("span", { class: "live-unseen" }, name)),
    ];
  });
  return choice({ label, options: [...options, ...more], onChange });
}

export const precisionChoice = (label) =>
  choice({ label, options: ["float64", "float32"].map((precision) => [precision, precision]) });

export function checkbox({ label }) {
  const input = element("input", { type: "checkbox", onchange: () => control.onChange(input.checked) });
  const control = {
    node: element("label", { class: "live-checkbox" }, input, " ", label),
    values: [true, false],
    set(wanted) {
      input.checked = wanted;
    },
  };
  return control;
}

// Views worth a look: [label, what differs from the start of the view]. On a page they are links.
export const tries = (host, set, views) =>
  element(
    "p",
    { class: "live-tries" },
    "Try: ",
    ...views.map(([label, changes]) => {
      const view = { ...host.payload.view, ...changes };
      return host.ask
        ? button(label, () => set(view))
        : element("a", { href: host.linkTo(view).replace(/^[^#]*/, "") }, label);
    }),
  );

export const button = (label, onClick, attributes = {}) =>
  element("button", { type: "button", ...attributes, onclick: onClick }, label);
