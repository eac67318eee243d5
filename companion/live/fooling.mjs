// Live figure 1: the logit-gradient is fooled (section 2). The reader chooses an image, a class and a function g; f
// and f + g are computed side by side.

import { decode, drawingToText, encode, textToDrawing } from "./arrays.mjs";
import {
  Altered,
  crossEntropy,
  largestDifference,
  linearShift,
  logitWeights,
  lossWeights,
  meanLogitShift,
  openNetwork,
  sineShift,
  softmax,
  swapShift,
} from "./classifier.mjs";
import { openImages } from "./hosts.mjs";
import { Chart, Table } from "./charts.mjs";
import { asPyTorch, checkByDifferences } from "./checks.mjs";
import { button, checkbox, choice, classChoice, imageChoice, slider } from "./controls.mjs";
import { Announcer, PROBE_HINT, copy, element, number, pixelName } from "./elements.mjs";
import { ColourBar, largestPixel, painted, Picture, sumChannels } from "./pictures.mjs";
import { oncePerFrame, oneAtATime } from "./timing.mjs";

const STRENGTHS = [0, ...Array.from({ length: 121 }, (_, k) => Number((10 ** (k / 20 - 1)).toPrecision(2)))];
const HEIGHTS = Array.from({ length: 31 }, (_, k) => Number((10 ** (k / 10 - 3)).toPrecision(2)));
const FREQUENCIES = Array.from({ length: 51 }, (_, k) => Number((10 ** (k / 10 - 1)).toPrecision(2)));

// Logits, probabilities, loss and both gradients of a classifier, at x and for class y.
async function outputs(classifier, x, y) {
  const logits = await classifier.forward(x);
  return {
    logits,
    probabilities: softmax(logits),
    loss: crossEntropy(logits, y),
    logitGradient: await classifier.pullback(logitWeights(logits, y)),
    lossGradient: await classifier.pullback(lossWeights(logits, y)),
  };
}

export function renderFooling(host, root) {
  const { payload } = host;
  const images = openImages(payload.images);
  const [channels, height, width] = images.shape;
  const cells = height * width;
  const pictures = Object.fromEntries(
    payload.pictures.map((picture) => [picture.name, { ...picture, values: decode(picture.array) }]),
  );
  const view = {
    ...payload.view,
    ...host.loadView({
      image: [...images.pixels.keys(), "drawing"],
      y: [...payload.classes.keys()],
      rival: [...payload.classes.keys()],
      g: ["picture", "sine", "mean", "swap"],
      picture: [...Object.keys(pictures), "own"],
      precision: ["float64", "float32"],
      ownScale: [true, false],
    }),
  };
  const networks = {};
  const alone = oneAtATime();
  let results = null;

  // ---- From the view to the numbers ----

  const network = () =>
    (networks[view.precision] ??= openNetwork(payload.networks.model, view.precision, host));
  const input = () =>
    view.image === "drawing" ? textToDrawing(view.drawing, channels * cells) : images.pixels[view.image];
  const target = () =>
    view.picture === "own" ? textToDrawing(view.own, cells) : pictures[view.picture].values;
  const rival = () => (view.rival === view.y ? (view.y + 1) % payload.classes.length : view.rival);

  // One picture serves for all channels, as in fooling.linear_shift.
  const onAllChannels = (picture) =>
    Float64Array.from({ length: channels * cells }, (_, j) => picture[j % cells]);

  function shift() {
    switch (view.g) {
      case "picture":
        return linearShift(onAllChannels(target()), view.strength);
      case "sine":
        return sineShift(view.epsilon, view.frequency);
      case "mean":
        return meanLogitShift();
      default:
        return swapShift(view.y, rival());
    }
  }

  async function compute() {
    const x = input();
    const altered = new Altered(network(), shift());
    const before = await outputs(network(), x, view.y);
    const after = await outputs(altered, x, view.y);
    results = {
      x,
      y: view.y,
      target: target(),
      before,
      after,
      g: altered.shift.value(x, before.logits),
    };
  }

  // ---- What the reader chooses ----

  const update = oncePerFrame(async () => {
    await alone(compute);
    draw();
  });

  function set(changes) {
    Object.assign(view, changes);
    for (const [name, control] of Object.entries(controls)) control.set(view[name]);
    for (const [name, node] of Object.entries(settingsOf)) node.hidden = name !== view.g;
    if (Object.keys(changes).length) host.saveView(view);
    answer.replaceChildren();
    update();
  }

  const describe = (index) => `Image ${index + 1}, ${payload.classes[images.labels[index]]}`;
  const choose = (name) => (value) => set({ [name]: value });
  const controls = {
    image: imageChoice({
      label: "Image",
      images,
      describe,
      value: view.image,
      more: [["drawing", "your drawing"]],
      onChange: (image) =>
        set(
          image === "drawing"
            ? { image, drawing: view.drawing || drawingToText(new Float64Array(channels * cells)) }
            : { image, y: images.labels[image] },
        ),
    }),
    y: classChoice(payload.classes, {
      label: "Class that is explained",
      value: view.y,
      onChange: choose("y"),
    }),
    g: choice({
      label: "Add to every logit",
      value: view.g,
      onChange: choose("g"),
      options: [
        ["picture", "a picture: g = s ⟨x, T⟩"],
        ["sine", "a sine: g = ε sin(m Σ x)"],
        ["mean", "minus the mean logit"],
        ["swap", "another logit, less this one"],
      ],
    }),
    picture: choice({
      label: "Picture T",
      value: view.picture,
      onChange: choose("picture"),
      options: [
        ...Object.entries(pictures).map(([name, { label }]) => [name, label]),
        ["own", "your drawing"],
      ],
    }),
    strength: slider({
      label: "Strength s",
      values: STRENGTHS,
      value: view.strength,
      onInput: choose("strength"),
    }),
    epsilon: slider({ label: "Height ε", values: HEIGHTS, value: view.epsilon, onInput: choose("epsilon") }),
    frequency: slider({
      label: "Frequency m",
      values: FREQUENCIES,
      value: view.frequency,
      onInput: choose("frequency"),
    }),
    rival: classChoice(payload.classes, {
      label: "The other logit",
      value: view.rival,
      onChange: choose("rival"),
    }),
    precision: choice({
      label: "Precision",
      value: view.precision,
      onChange: choose("precision"),
      options: [
        ["float64", "float64"],
        ["float32", "float32"],
      ],
    }),
    ownScale: checkbox({
      label: "each map on its own scale",
      value: view.ownScale,
      onChange: choose("ownScale"),
    }),
  };

  const paintInput = (cell, erase) =>
    set({ image: "drawing", drawing: drawingToText(painted(input(), width, cells, cell, erase)) });
  const paintTarget = (cell, erase) =>
    set({ g: "picture", picture: "own", own: drawingToText(painted(target(), width, cells, cell, erase)) });
  const blank = (length) => drawingToText(new Float64Array(length));
  const clearInput = button("Clear", () => set({ image: "drawing", drawing: blank(channels * cells) }), {
    "aria-label": "Clear the input",
  });
  const clearTarget = button("Clear", () => set({ picture: "own", own: blank(cells) }), {
    "aria-label": "Clear the picture T",
  });

  // ---- What the reader sees ----

  const shape = { height, width, onProbe: probe };
  const maps = {
    x: new Picture({ label: "input (draw)", ...shape, onPaint: paintInput }),
    target: new Picture({ label: "T (draw)", ...shape, onPaint: paintTarget }),
    logitBefore: new Picture({ label: "before: f", ...shape }),
    logitAfter: new Picture({ label: "after: f + g", ...shape }),
    lossBefore: new Picture({ label: "before: f", ...shape }),
    lossAfter: new Picture({ label: "after: f + g", ...shape }),
  };
  const scales = Array.from({ length: 4 }, () => new ColourBar());
  const probed = element("p", { class: "live-probe", role: "status" });
  const bars = new Chart({ label: "Probabilities", xLabel: "class" });
  const table = new Table("What g has changed", ["size before", "largest change"]);
  const summary = new Announcer();
  const answer = element("div", { class: "live-answer", role: "status" });

  // The same pixel in all maps.
  function probe(cell) {
    for (const map of Object.values(maps)) map.mark(cell);
    if (cell === null || !results) {
      probed.textContent = PROBE_HINT;
      return;
    }
    const { x, target, before, after } = results;
    const at = (values) => number(sumChannels(values, cells)[cell]);
    probed.textContent =
      `${pixelName(cell, width)}: input ${number(x[cell])}, T ${number(target[cell])}; ` +
      `logit-gradient ${at(before.logitGradient)} → ${at(after.logitGradient)}; ` +
      `loss-gradient ${at(before.lossGradient)} → ${at(after.lossGradient)}.`;
  }

  function drawPair(low, high, before, after, barLow, barHigh) {
    const limits = [before, after].map((values) => largestPixel(values, cells));
    const shared = Math.max(...limits);
    low.showSigned(before, view.ownScale ? limits[0] : shared);
    high.showSigned(after, view.ownScale ? limits[1] : shared);
    barLow.show(view.ownScale ? limits[0] : shared);
    barHigh.show(limits[1]);
    barHigh.node.hidden = !view.ownScale;
  }

  function draw() {
    const { x, target, before, after } = results;
    maps.x.showImage(x);
    maps.target.showImage(target);
    maps.target.node.parentNode.hidden = view.g !== "picture";
    drawPair(
      maps.logitBefore,
      maps.logitAfter,
      before.logitGradient,
      after.logitGradient,
      scales[0],
      scales[1],
    );
    drawPair(maps.lossBefore, maps.lossAfter, before.lossGradient, after.lossGradient, scales[2], scales[3]);
    drawProbabilities(before.probabilities, after.probabilities);
    const row = (name, one, other) => [
      name,
      number(largestPixel(one, one.length)),
      number(largestDifference(one, other)),
    ];
    table.show([
      row("probabilities", before.probabilities, after.probabilities),
      row("loss", [before.loss], [after.loss]),
      row("loss-gradient", before.lossGradient, after.lossGradient),
      row("logit-gradient", before.logitGradient, after.logitGradient),
    ]);
    const name = payload.classes[view.y];
    summary.say(
      `Class ${name}, g = ${number(results.g)} at this image. Probabilities changed by at most ` +
        `${number(largestDifference(before.probabilities, after.probabilities))}, the loss-gradient by ` +
        `${number(largestDifference(before.lossGradient, after.lossGradient))}; the logit-gradient by up to ` +
        `${number(largestDifference(before.logitGradient, after.logitGradient))}.`,
    );
  }

  function drawProbabilities(before, after) {
    const shown = Array.from(before.keys())
      .sort((i, j) => before[j] - before[i])
      .slice(0, 10)
      .sort((i, j) => i - j);
    bars.show(
      [
        {
          name: "f",
          colour: "var(--live-before)",
          kind: "bars",
          barWidth: 0.8,
          points: shown.map((i, k) => [k, before[i]]),
        },
        {
          name: "f + g",
          colour: "var(--live-after)",
          kind: "bars",
          barWidth: 0.35,
          points: shown.map((i, k) => [k, after[i]]),
        },
      ],
      {
        x: [-0.6, shown.length - 0.4],
        y: [0, 1],
        xTicks: shown.map((i, k) => [k, payload.classes[i].slice(0, 5)]),
        description: shown
          .map((i) => `${payload.classes[i]}: ${number(before[i])}, then ${number(after[i])}`)
          .join("; "),
      },
    );
  }

  // ---- Checks ----

  async function showDifferences() {
    const h = view.precision === "float64" ? 1e-4 : 1e-2;
    const { x, after } = results;
    const altered = new Altered(network(), shift());
    results.checked = await checkByDifferences(altered, x, view.y, after, h);
    const { logitError, lossError, logitSize, lossSize } = results.checked;
    answer.replaceChildren(
      element(
        "p",
        {},
        `At 8 pixels, (F(x + h) − F(x − h)) / 2h with h = ${number(h, 1)}, computed through f + g, differs from ` +
          `the gradient by at most ${number(logitError)} for the logit (gradients up to ${number(logitSize)}), ` +
          `and ${number(lossError)} for the loss (up to ${number(lossSize)}).`,
      ),
    );
  }

  async function compareWithPyTorch() {
    const { x, before, after } = results;
    const theirs = await host.ask({
      ask: "fooling",
      x: encode(x),
      y: view.y,
      g: view.g,
      picture: encode(target()),
      strength: view.strength,
      epsilon: view.epsilon,
      frequency: view.frequency,
      rival: rival(),
    });
    const rows = [
      ["probabilities", "probabilities", before.probabilities, after.probabilities],
      ["loss-gradient", "loss_gradient", before.lossGradient, after.lossGradient],
      ["logit-gradient", "logit_gradient", before.logitGradient, after.logitGradient],
    ].map(([name, key, one, other]) => [
      name,
      largestDifference(one, decode(theirs[`${key}_before`])),
      largestDifference(other, decode(theirs[`${key}_after`])),
    ]);
    const comparison = new Table("Largest difference from PyTorch, in float64", ["f", "f + g"]);
    comparison.show(
      rows.map(([name, ...differences]) => [name, ...differences.map((value) => number(value))]),
    );
    results.compared = Math.max(...rows.flatMap(([, ...differences]) => differences));
    answer.replaceChildren(comparison.node);
  }

  const code = () => asPyTorch(view, rival(), { code: payload.code, images, pictures });

  const attempt = (work) =>
    alone(work).catch((error) => answer.replaceChildren(element("p", {}, `This failed: ${error.message}`)));

  async function show(text, copied) {
    answer.replaceChildren(
      element("p", {}, (await copy(text)) ? copied : "Copying is not allowed here; this is the text:"),
      element("pre", { tabindex: 0 }, text),
    );
  }

  const buttons = element(
    "div",
    { class: "live-buttons" },
    button("Check by finite differences", () => attempt(showDifferences)),
    button("Copy as PyTorch", () => show(code(), "Copied:")),
    host.ask
      ? button("Compare with PyTorch", () => attempt(compareWithPyTorch))
      : button("Copy a link to this view", () => show(host.linkTo(view), "Copied:")),
  );

  const settingsOf = {
    picture: element("div", {}, controls.picture.node, controls.strength.node),
    sine: element("div", {}, controls.epsilon.node, controls.frequency.node),
    mean: element("p", { class: "live-note" }, "There is nothing to set: g = −(1/C) Σ f."),
    swap: element("div", {}, controls.rival.node),
  };
  const pair = (title, names, pairScales) =>
    element(
      "div",
      { class: "live-pair", role: "group", "aria-label": title },
      element("span", { class: "live-title" }, title),
      ...names.map((name, k) => element("div", {}, maps[name].node, pairScales[k].node)),
    );
  root.replaceChildren(
    element(
      "div",
      { class: "live-controls" },
      controls.image.node,
      controls.y.node,
      controls.g.node,
      ...Object.values(settingsOf),
    ),
    element(
      "div",
      { class: "live-maps" },
      element(
        "div",
        { class: "live-pair", role: "group", "aria-label": "What you give" },
        element("span", { class: "live-title" }, "what you give"),
        element("div", {}, maps.x.node, clearInput),
        element("div", {}, maps.target.node, clearTarget),
      ),
      pair("gradient of the logit", ["logitBefore", "logitAfter"], [scales[0], scales[1]]),
      pair("gradient of the loss", ["lossBefore", "lossAfter"], [scales[2], scales[3]]),
    ),
    probed,
    element("div", { class: "live-columns" }, bars.node, table.node),
    summary.node,
    element("div", { class: "live-controls" }, controls.precision.node, controls.ownScale.node),
    buttons,
    answer,
  );
  probe(null);
  set({});
  return {
    view,
    set: async (changes) => {
      set(changes);
      await alone(compute);
      draw();
    },
    results: () => results,
    asPyTorch: code,
  };
}
