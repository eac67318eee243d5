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
  openInEachPrecision,
  sineShift,
  softmax,
  swapShift,
} from "./classifier.mjs";
import { Chart, Table } from "./charts.mjs";
import { asPyTorch, checkButtons } from "./checks.mjs";
import {
  button,
  checkbox,
  choice,
  classChoice,
  imageChoice,
  powersOfTen,
  precisionChoice,
  slider,
} from "./controls.mjs";
import { Announcer, element, number, pair, part } from "./elements.mjs";
import { openImages } from "./hosts.mjs";
import { mount } from "./mount.mjs";
import { largestPixel, onAllChannels, painted, Probe, SignedMap, sumChannels } from "./pictures.mjs";

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

export function fooling(host, root) {
  const { payload } = host;
  const { classes } = payload;
  const images = openImages(payload.images);
  const { channels, height, width, cells } = images;
  const network = openInEachPrecision(payload.networks.model, host);
  const pictures = Object.fromEntries(
    payload.pictures.map((picture) => [picture.name, { ...picture, values: decode(picture.array) }]),
  );

  // ---- From the view to the numbers ----

  const input = ({ image, drawing }) =>
    image === "drawing" ? textToDrawing(drawing, channels * cells) : images.pixels[image];
  const target = ({ picture, own }) =>
    picture === "own" ? textToDrawing(own, cells) : pictures[picture].values;
  const otherClass = ({ rival, y }) => (rival === y ? (y + 1) % classes.length : rival);

  function altered(view) {
    const shifts = {
      picture: () => linearShift(onAllChannels(target(view), channels), view.strength),
      sine: () => sineShift(view.epsilon, view.frequency),
      mean: () => meanLogitShift(),
      swap: () => swapShift(view.y, otherClass(view)),
    };
    return new Altered(network(view.precision), shifts[view.g]());
  }

  async function* compute(view) {
    const x = input(view);
    const fooled = altered(view);
    const before = await outputs(network(view.precision), x, view.y);
    const after = await outputs(fooled, x, view.y);
    yield { x, target: target(view), before, after, g: fooled.shift.value(x, before.logits) };
  }

  // ---- What the reader chooses ----

  const controls = {
    image: imageChoice({
      label: "Image",
      images,
      classes,
      more: [["drawing", "your drawing"]],
      onChange: (image) =>
        figure.set(
          image === "drawing"
            ? { image, drawing: figure.view.drawing || blank(channels * cells) }
            : { image, y: images.labels[image] },
        ),
    }),
    y: classChoice("Class that is explained", classes),
    g: choice({
      label: "Add to every logit",
      options: [
        ["picture", "a picture: g = s ⟨x, T⟩"],
        ["sine", "a sine: g = ε sin(m Σ x)"],
        ["mean", "minus the mean logit"],
        ["swap", "another logit, less this one"],
      ],
    }),
    picture: choice({
      label: "Picture T",
      options: [
        ...Object.entries(pictures).map(([name, { label }]) => [name, label]),
        ["own", "your drawing"],
      ],
    }),
    strength: slider({ label: "Strength s", numbers: [0, ...powersOfTen(-1, 5, 20)] }),
    epsilon: slider({ label: "Height ε", numbers: powersOfTen(-3, 0, 10) }),
    frequency: slider({ label: "Frequency m", numbers: powersOfTen(-1, 4, 10) }),
    rival: classChoice("The other logit", classes),
    precision: precisionChoice("Precision"),
    ownScale: checkbox({ label: "each map on its own scale" }),
  };
  const settings = {
    picture: element("div", {}, controls.picture, controls.strength),
    sine: element("div", {}, controls.epsilon, controls.frequency),
    mean: element("p", { class: "live-note" }, "There is nothing to set: g = −(1/C) Σ f."),
    swap: element("div", {}, controls.rival),
  };

  const blank = (length) => drawingToText(new Float64Array(length));
  const drawInput = (drawing) => figure.set({ image: "drawing", drawing });
  const paint = (values, cell, erase) => drawingToText(painted(values, width, cells, cell, erase));
  const paintInput = (cell, erase) => drawInput(paint(input(figure.view), cell, erase));
  const paintTarget = (cell, erase) =>
    figure.set({ g: "picture", picture: "own", own: paint(target(figure.view), cell, erase) });
  const clearInput = button("Clear", () => drawInput(blank(channels * cells)), {
    "aria-label": "Clear the input",
  });
  const clearTarget = button("Clear", () => figure.set({ picture: "own", own: blank(cells) }), {
    "aria-label": "Clear the picture T",
  });

  // ---- What the reader sees ----

  const probe = new Probe(width, (cell) => {
    if (!figure.results()) return null;
    const { x, target, before, after } = figure.results();
    const change = (name) =>
      [before, after].map((one) => number(sumChannels(one[name], cells)[cell])).join(" → ");
    return (
      `input ${number(x[cell])}, T ${number(target[cell])}; ` +
      `logit-gradient ${change("logitGradient")}; loss-gradient ${change("lossGradient")}`
    );
  });
  const picture = (label, onPaint) => probe.picture({ label, height, width, onPaint });
  const beforeAndAfter = () => [new SignedMap(picture("before: f")), new SignedMap(picture("after: f + g"))];
  const inputPicture = picture("input (draw)", paintInput);
  const targetPicture = picture("T (draw)", paintTarget);
  const logitMaps = beforeAndAfter();
  const lossMaps = beforeAndAfter();
  const targetPlace = element("div", {}, targetPicture, clearTarget);
  const bars = new Chart({ label: "Probabilities", xLabel: "class" });
  const table = new Table("What g has changed", ["size before", "largest change"]);
  const summary = new Announcer();
  const answer = element("div", { class: "live-answer", role: "status" });

  function arrange({ g }) {
    for (const [name, node] of Object.entries(settings)) node.hidden = name !== g;
    targetPlace.hidden = g !== "picture";
    answer.replaceChildren();
  }

  function draw({ x, target, before, after, g }, { y, ownScale }) {
    inputPicture.showImage(x);
    targetPicture.showImage(target);
    drawPair(logitMaps, [before.logitGradient, after.logitGradient], ownScale);
    drawPair(lossMaps, [before.lossGradient, after.lossGradient], ownScale);
    drawProbabilities(before.probabilities, after.probabilities);
    const row = (name, one, other) => [
      name,
      number(largestPixel(one, one.length)),
      number(largestDifference(one, other)),
    ];
    const rows = [
      row("probabilities", before.probabilities, after.probabilities),
      row("loss", [before.loss], [after.loss]),
      row("loss-gradient", before.lossGradient, after.lossGradient),
      row("logit-gradient", before.logitGradient, after.logitGradient),
    ];
    table.show(rows);
    const [probabilities, , lossGradient, logitGradient] = rows.map(([, , change]) => change);
    summary.say(
      `Class ${classes[y]}, g = ${number(g)} at this image. Probabilities changed by at most ` +
        `${probabilities}, the loss-gradient by ${lossGradient}; the logit-gradient by up to ${logitGradient}.`,
    );
  }

  // Two maps on one scale, which then stands below the first, or each on its own.
  function drawPair(maps, gradients, ownScale) {
    const limits = gradients.map((values) => largestPixel(values, cells));
    maps.forEach((map, k) => map.show(gradients[k], ownScale ? limits[k] : Math.max(...limits)));
    maps[1].scale.hidden = !ownScale;
  }

  // The ten largest, in the order of the classes.
  function drawProbabilities(before, after) {
    const shown = Array.from(before.keys())
      .sort((i, j) => before[j] - before[i])
      .slice(0, 10)
      .sort((i, j) => i - j);
    const series = (name, colour, barWidth, values) => ({
      name,
      colour,
      kind: "bars",
      barWidth,
      points: shown.map((i, k) => [k, values[i]]),
    });
    bars.show(
      [series("f", "var(--live-before)", 0.8, before), series("f + g", "var(--live-after)", 0.35, after)],
      {
        x: [-0.6, shown.length - 0.4],
        y: [0, 1],
        xTicks: shown.map((i, k) => [k, classes[i].slice(0, 5)]),
        description: shown
          .map((i) => `${classes[i]}: ${number(before[i])}, then ${number(after[i])}`)
          .join("; "),
      },
    );
  }

  const figure = mount({ host, controls, compute, draw, arrange });

  const python = () =>
    asPyTorch(figure.view, otherClass(figure.view), { code: payload.code, images, pictures });
  const question = (view) => ({ ...view, picture: encode(target(view)), rival: otherClass(view) });
  root.replaceChildren(
    part("controls", controls.image, controls.y, controls.g, ...Object.values(settings)),
    part(
      "maps",
      pair("what you give", [element("div", {}, inputPicture, clearInput), targetPlace], "What you give"),
      pair("gradient of the logit", logitMaps),
      pair("gradient of the loss", lossMaps),
    ),
    probe.node,
    part("columns", bars, table),
    summary.node,
    part("controls", controls.precision, controls.ownScale),
    checkButtons({ host, figure, answer, altered, question, python }),
    answer,
  );
  return { ...figure, asPyTorch: python };
}
