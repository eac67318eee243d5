// Live figure 2: the loss-gradient is fooled (appendix A.1). A ripple epsilon sin(m <x, T>) is added to the loss, as
// the appendix has it, or to one logit, which makes it a real classifier.

import { decode } from "./arrays.mjs";
import {
  Altered,
  crossEntropy,
  inner,
  logitWeights,
  lossWeights,
  openNetwork,
  sineShift,
  softmax,
} from "./classifier.mjs";
import { openImages } from "./hosts.mjs";
import { Chart, Table } from "./charts.mjs";
import { choice, imageChoice, slider } from "./controls.mjs";
import { Announcer, PROBE_HINT, element, number, pixelName } from "./elements.mjs";
import { ColourBar, largestPixel, Picture, sumChannels } from "./pictures.mjs";
import { nextFrame, oncePerFrame, oneAtATime } from "./timing.mjs";

const HEIGHTS = Array.from({ length: 41 }, (_, k) => Number((10 ** (k / 10 - 4)).toPrecision(2)));
const FREQUENCIES = Array.from({ length: 51 }, (_, k) => Number((10 ** (k / 10 - 1)).toPrecision(2)));
const WAVES = 3;
const POINTS = 37;

const norm1 = (values) => values.reduce((sum, value) => sum + Math.abs(value), 0);

// Loss and loss-gradient of a classifier whose logits carry the ripple, or whose loss does.
async function rippled(network, shift, onLoss, x, y) {
  const classifier = onLoss ? network : new Altered(network, shift, y);
  const logits = await classifier.forward(x);
  const loss = crossEntropy(logits, y);
  const gradient = await classifier.pullback(lossWeights(logits, y));
  if (!onLoss) return { logits, loss, gradient };
  const { byInput } = shift.gradient(x, logits);
  return {
    logits,
    loss: loss + shift.value(x, logits),
    gradient: gradient.map((value, j) => value + byInput[j]),
  };
}

export function renderRipple(host, root) {
  const { payload } = host;
  const images = openImages(payload.images);
  const [channels, height, width] = images.shape;
  const cells = height * width;
  const network = openNetwork(payload.networks.model, "float64", host);
  const face = decode(payload.face);
  const pictures = {
    sum: new Float64Array(channels * cells).fill(1),
    face: Float64Array.from({ length: channels * cells }, (_, j) => face[j % cells]),
  };
  const view = {
    ...payload.view,
    ...host.loadView({
      image: [...images.pixels.keys()],
      where: ["loss", "logit"],
      picture: ["sum", "face"],
      place: ["itself", "slope", "peak"],
      epsilon: HEIGHTS,
      frequency: FREQUENCIES,
    }),
  };
  const alone = oneAtATime();
  let results = null;
  let version = 0;

  // The image itself or, with `phase`, the nearest one that is brighter by an even amount and at that place of the wave.
  function place(x, picture) {
    if (view.place === "itself") return x;
    const phase = view.place === "peak" ? Math.PI / 2 : 0;
    const turn =
      (((phase - view.frequency * inner(x, picture)) % (2 * Math.PI)) + 2 * Math.PI) % (2 * Math.PI);
    return x.map((value) => value + turn / (view.frequency * inner(picture, pictures.sum)));
  }

  async function compute() {
    const picture = pictures[view.picture];
    const x = place(images.pixels[view.image], picture);
    const y = images.labels[view.image];
    const shift = sineShift(view.epsilon, view.frequency, picture);
    const onLoss = view.where === "loss";
    const logits = await network.forward(x);
    const before = {
      loss: crossEntropy(logits, y),
      gradient: await network.pullback(lossWeights(logits, y)),
      logits,
    };
    const after = await rippled(network, shift, onLoss, x, y);
    const change = norm1(after.gradient.map((value, j) => value - before.gradient[j]));
    const ripple = view.frequency * view.epsilon * norm1(picture);
    results = {
      x,
      y,
      picture,
      shift,
      onLoss,
      before,
      after,
      change,
      ripple,
      gap: onLoss ? 0 : null,
      g: shift.value(x, logits),
    };
  }

  // The second term of the bound: tanh(eps / 4) G, with G the largest l1 distance between the gradient of logit y and
  // that of another. It takes a gradient for each class, so it waits until the reader has stopped.
  async function computeGap() {
    const { x, y, before } = results;
    await network.forward(x);
    const own = await network.pullback(logitWeights(before.logits, y));
    let largest = 0;
    for (let j = 0; j < before.logits.length; j++) {
      const other = await network.pullback(logitWeights(before.logits, j));
      largest = Math.max(largest, norm1(own.map((value, k) => value - other[k])));
    }
    results.gap = Math.tanh(view.epsilon / 4) * largest;
  }

  // Loss and slope as the image is brightened evenly, over a few waves.
  async function computeSlice(current) {
    const { x, y, picture, shift, onLoss } = results;
    const wavelength = (2 * Math.PI) / (view.frequency * inner(picture, pictures.sum));
    const slice = [];
    for (let k = 0; k < POINTS; k++) {
      const brightness = WAVES * wavelength * (k / (POINTS - 1) - 0.5);
      const point = x.map((value) => value + brightness);
      const plain = await network.forward(point);
      const row = { grey: 255 * brightness, before: crossEntropy(plain, y) };
      const slope = (gradient) => gradient.reduce((sum, value) => sum + value, 0) / 255;
      row.slopeBefore = slope(await network.pullback(lossWeights(plain, y)));
      const after = await rippled(network, shift, onLoss, point, y);
      slice.push({ ...row, after: after.loss, slopeAfter: slope(after.gradient) });
      await nextFrame();
      if (current !== version) return;
    }
    results.slice = slice;
  }

  const update = oncePerFrame(async () => {
    const current = ++version;
    await alone(compute);
    draw();
    clearTimeout(update.waiting);
    update.waiting = setTimeout(async () => {
      if (results.gap === null) await alone(computeGap);
      if (current === version) draw();
      await alone(() => computeSlice(current));
      if (current === version) drawSlice();
    }, 250);
  });

  function set(changes) {
    Object.assign(view, changes);
    for (const [name, control] of Object.entries(controls)) control.set(view[name]);
    if (Object.keys(changes).length) host.saveView(view);
    update();
  }

  const choose = (name) => (value) => set({ [name]: value });
  const controls = {
    image: imageChoice({
      label: "Image, from uncertain to confident",
      images,
      value: view.image,
      onChange: choose("image"),
      describe: (index) => `Image ${index + 1}, ${payload.classes[images.labels[index]]}`,
    }),
    where: choice({
      label: "Add the ripple to",
      value: view.where,
      onChange: choose("where"),
      options: [
        ["loss", "the loss, as printed"],
        ["logit", "one logit: a real classifier"],
      ],
    }),
    picture: choice({
      label: "Ripple along",
      value: view.picture,
      onChange: choose("picture"),
      options: [
        ["sum", "the sum of all pixels"],
        ["face", "a face: ⟨x, T⟩"],
      ],
    }),
    place: choice({
      label: "Look at",
      value: view.place,
      onChange: choose("place"),
      options: [
        ["itself", "the image itself"],
        ["slope", "the steepest place near it"],
        ["peak", "a peak near it"],
      ],
    }),
    epsilon: slider({ label: "Height ε", values: HEIGHTS, value: view.epsilon, onInput: choose("epsilon") }),
    frequency: slider({
      label: "Frequency m",
      values: FREQUENCIES,
      value: view.frequency,
      onInput: choose("frequency"),
    }),
  };

  const shape = { height, width, onProbe: probe };
  const maps = {
    x: new Picture({ label: "input", ...shape }),
    before: new Picture({ label: "before", ...shape }),
    after: new Picture({ label: "with the ripple", ...shape }),
  };
  const scales = [new ColourBar(), new ColourBar()];
  const probed = element("p", { class: "live-probe", role: "status" });
  const table = new Table("Measured, beside its bound", [
    "before",
    "with the ripple",
    "change",
    "bound on the change",
  ]);
  const lossChart = new Chart({ label: "Loss", xLabel: "brightness added, in grey levels" });
  const slopeChart = new Chart({
    label: "Change of loss per grey level",
    xLabel: "brightness added, in grey levels",
  });
  const summary = new Announcer();

  function probe(cell) {
    for (const map of Object.values(maps)) map.mark(cell);
    if (cell === null || !results) {
      probed.textContent = PROBE_HINT;
      return;
    }
    const at = (values) => number(sumChannels(values, cells)[cell]);
    probed.textContent =
      `${pixelName(cell, width)}: input ${number(results.x[cell])}; ` +
      `loss-gradient ${at(results.before.gradient)} → ${at(results.after.gradient)}.`;
  }

  function draw() {
    const { x, y, before, after, change, ripple, gap, onLoss, g } = results;
    maps.x.showImage(x);
    for (const [map, scale, { gradient }] of [
      [maps.before, scales[0], before],
      [maps.after, scales[1], after],
    ]) {
      const limit = largestPixel(gradient, cells);
      map.showSigned(gradient, limit);
      scale.show(limit);
    }
    const total = onLoss ? Math.exp(-g) : softmax(after.logits).reduce((sum, p) => sum + p, 0);
    table.show([
      [
        "loss",
        number(before.loss),
        number(after.loss),
        number(Math.abs(after.loss - before.loss)),
        `${number(view.epsilon)} (ε)`,
      ],
      [
        "loss-gradient, ℓ₁ norm",
        number(norm1(before.gradient)),
        number(norm1(after.gradient)),
        number(change),
        gap === null ? "…" : number(ripple + gap),
      ],
      ["sum of exp(−loss) over classes", "1", total.toFixed(6), number(Math.abs(total - 1)), ""],
    ]);
    const below = after.loss < 0 ? " The loss is below zero: no classifier has that." : "";
    summary.say(
      `Class ${payload.classes[y]}: the loss moved by ${number(Math.abs(after.loss - before.loss))}, its gradient by ` +
        `${number(change)} in the ℓ₁ norm, which was ${number(norm1(before.gradient))}.${below}`,
    );
  }

  function drawSlice() {
    const { slice } = results;
    const grey = slice.map((row) => row.grey);
    const lines = (before, after) => [
      {
        name: "as trained",
        colour: "var(--live-before)",
        points: slice.map((row) => [row.grey, row[before]]),
      },
      {
        name: "with the ripple",
        colour: "var(--live-after)",
        points: slice.map((row) => [row.grey, row[after]]),
      },
    ];
    const range = (names) => {
      const values = slice.flatMap((row) => names.map((name) => row[name]));
      const [low, high] = [Math.min(...values), Math.max(...values)];
      const air = 0.05 * (high - low) || 1e-12;
      return [low - air, high + air];
    };
    const ends = { x: [grey[0], grey.at(-1)] };
    lossChart.show(lines("before", "after"), { ...ends, y: range(["before", "after"]) });
    slopeChart.show(lines("slopeBefore", "slopeAfter"), { ...ends, y: range(["slopeBefore", "slopeAfter"]) });
  }

  root.replaceChildren(
    element("div", { class: "live-controls" }, ...Object.values(controls).map((control) => control.node)),
    element(
      "div",
      { class: "live-maps" },
      element("div", { class: "live-pair" }, element("span", { class: "live-title" }, "image"), maps.x.node),
      element(
        "div",
        { class: "live-pair", role: "group", "aria-label": "gradient of the loss" },
        element("span", { class: "live-title" }, "gradient of the loss, each on its own scale"),
        element("div", {}, maps.before.node, scales[0].node),
        element("div", {}, maps.after.node, scales[1].node),
      ),
    ),
    probed,
    table.node,
    element("div", { class: "live-columns" }, lossChart.node, slopeChart.node),
    summary.node,
  );
  probe(null);
  set({});
  return {
    view,
    set: async (changes) => {
      set(changes);
      await alone(compute);
      await alone(computeGap);
      draw();
    },
    results: () => results,
  };
}
