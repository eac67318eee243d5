// What the reader sets. Each control can be reached and used by keyboard, and has a name that a screen reader can
// say. `set` shows another value without calling back.

import { element, freshId, number } from "./elements.mjs";
import { paintImage } from "./pictures.mjs";

// A slider over the numbers of a list.
export function slider({ label, values, value, format = number, onInput }) {
  const id = freshId("slider");
  const nearest = (wanted) =>
    values.reduce((best, one, k) => (Math.abs(one - wanted) < Math.abs(values[best] - wanted) ? k : best), 0);
  const output = element("output", { for: id });
  const input = element("input", { type: "range", id, min: 0, max: values.length - 1, step: 1 });
  const show = () => {
    const text = format(values[Number(input.value)]);
    output.textContent = text;
    input.setAttribute("aria-valuetext", text);
  };
  input.addEventListener("input", () => {
    show();
    onInput(values[Number(input.value)]);
  });
  const node = element("div", { class: "live-slider" }, element("label", { for: id }, label), input, output);
  const control = {
    node,
    set(wanted) {
      input.value = nearest(wanted);
      show();
    },
  };
  control.set(value);
  return control;
}

// One of a few: radio buttons in a row. Options are [value, label] pairs; a label may be a node.
export function choice({ label, options, value, onChange }) {
  const name = freshId("choice");
  const inputs = options.map(([option, text]) => {
    const input = element("input", { type: "radio", name, value: option, onchange: () => onChange(option) });
    return [option, input, element("label", {}, input, element("span", {}, text))];
  });
  const node = element(
    "fieldset",
    { class: "live-choice" },
    element("legend", {}, label),
    element("div", {}, ...inputs.map(([, , labelled]) => labelled)),
  );
  const control = {
    node,
    set(wanted) {
      for (const [option, input] of inputs) input.checked = option === wanted;
    },
  };
  control.set(value);
  return control;
}

// One of many: a drop-down list.
export function select({ label, options, value, onChange }) {
  const id = freshId("select");
  const list = element(
    "select",
    { id, onchange: () => onChange(options[list.selectedIndex][0]) },
    ...options.map(([, text]) => element("option", {}, text)),
  );
  const control = {
    node: element("div", { class: "live-select" }, element("label", { for: id }, label), list),
    set(wanted) {
      list.selectedIndex = options.findIndex(([option]) => option === wanted);
    },
  };
  control.set(value);
  return control;
}

// Which class: buttons where there are few, a list where there are many.
export const classChoice = (classes, settings) =>
  (classes.length <= 12 ? choice : select)({ ...settings, options: classes.map((name, i) => [i, name]) });

// Which image: small pictures to choose from.
export function imageChoice({ label, images, describe, value, onChange, more = [] }) {
  const [, height, width] = images.shape;
  const options = images.pixels.map((pixels, index) => {
    const canvas = element("canvas", { width, height, "aria-hidden": "true" });
    paintImage(canvas, pixels);
    const name = element("span", { class: "live-unseen" }, describe(index));
    return [index, element("span", { class: "live-thumbnail" }, canvas, name)];
  });
  return choice({ label, options: [...options, ...more], value, onChange });
}

export function checkbox({ label, value, onChange }) {
  const input = element("input", { type: "checkbox", onchange: () => onChange(input.checked) });
  const control = {
    node: element("label", { class: "live-checkbox" }, input, " ", label),
    set(wanted) {
      input.checked = wanted;
    },
  };
  control.set(value);
  return control;
}

export const button = (label, onClick, attributes = {}) =>
  element("button", { type: "button", ...attributes, onclick: onClick }, label);
