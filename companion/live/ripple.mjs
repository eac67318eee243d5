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
  sum,
} from "./classifier.mjs";
import { Chart, rangeOf, Table } from "./charts.mjs";
import { choice, imageChoice, powersOfTen, slider, tries } from "./controls.mjs";
import { Announcer, element, fold, isNarrow, number, pair, part } from "./elements.mjs";
import { openImages } from "./hosts.mjs";
import { mount } from "./mount.mjs";
import { largestPixel, onAllChannels, Probe, SignedMap, sumChannels } from "./pictures.mjs";

const HEIGHTS = powersOfTen(-4, 0, 10);
const FREQUENCIES = powersOfTen(-1, 4, 10);
const WAVES = 3;
const POINTS = 37;

const norm1 = (values) => sum(values.map(Math.abs));
const distance1 = (a, b) => norm1(a.map((value, j) => value - b[j]));

async function lossOf(classifier, x, y) {
  const logits = await classifier.forward(x);
  const gradient = await classifier.pullback(lossWeights(logits, y));
  return { logits, loss: crossEntropy(logits, y), gradient };
}

// The same where the logit of class y carries the ripple, or the loss does.
async function rippled(network, shift, onLoss, x, y) {
  if (!onLoss) return lossOf(new Altered(network, shift, y), x, y);
  const { logits, loss, gradient } = await lossOf(network, x, y);
  const { byInput } = shift.gradient(x, logits);
  return {
    logits,
    loss: loss + shift.value(x, logits),
    gradient: gradient.map((value, j) => value + byInput[j]),
  };
}

// The image itself or, with `phase`, the nearest one that is brighter by an even amount and at that place of the wave.
function placed(x, { place, frequency }, picture) {
  if (place === "itself") return x;
  const phase = place === "peak" ? Math.PI / 2 : 0;
  const turn = (((phase - frequency * inner(x, picture)) % (2 * Math.PI)) + 2 * Math.PI) % (2 * Math.PI);
  return x.map((value) => value + turn / (frequency * sum(picture)));
}

export function ripple(host, root) {
  const { payload } = host;
  const { classes } = payload;
  const images = openImages(payload.images);
  const { channels, height, width, cells } = images;
  const network = openNetwork(payload.networks.model, "float64", host);
  const pictures = {
    sum: new Float64Array(channels * cells).fill(1),
    face: onAllChannels(decode(payload.face), channels),
  };

  // ---- From the view to the numbers ----

  async function* compute(view) {
    const { image, epsilon, frequency } = view;
    const picture = pictures[view.picture];
    const x = placed(images.pixels[image], view, picture);
    const y = images.labels[image];
    const onLoss = view.where === "loss";
    const shift = sineShift(epsilon, frequency, picture);
    const before = await lossOf(network, x, y);
    const after = await rippled(network, shift, onLoss, x, y);
    const results = {
      x,
      y,
      picture,
      onLoss,
      before,
      after,
      change: distance1(after.gradient, before.gradient),
      ripple: frequency * epsilon * norm1(picture),
      gap: onLoss ? 0 : null,
      g: shift.value(x, before.logits),
    };
    yield results;
    results.gap ??= Math.tanh(epsilon / 4) * (await largestGap(x, y));
    yield results;

    // Loss and slope as the image is brightened evenly, over a few waves.
    const wavelength = (2 * Math.PI) / (frequency * sum(picture));
    const slice = [];
    for (let k = 0; k < POINTS; k++) {
      const brightness = WAVES * wavelength * (k / (POINTS - 1) - 0.5);
      const point = x.map((value) => value + brightness);
      const plain = await lossOf(network, point, y);
      const altered = await rippled(network, shift, onLoss, point, y);
      slice.push({
        grey: 255 * brightness,
        before: plain.loss,
        slopeBefore: sum(plain.gradient) / 255,
        after: altered.loss,
        slopeAfter: sum(altered.gradient) / 255,
      });
      yield;
    }
    yield Object.assign(results, { slice });
  }

  // G in the second term of the bound, tanh(eps / 4) G: the largest l1 distance between the gradient of logit y and
  // that of another. It takes a gradient for each class.
  async function largestGap(x, y) {
    const logits = await network.forward(x);
    const own = await network.pullback(logitWeights(logits, y));
    let largest = 0;
    for (const j of logits.keys()) {
      const other = await network.pullback(logitWeights(logits, j));
      largest = Math.max(largest, distance1(own, other));
    }
    return largest;
  }

  // ---- What the reader chooses ----

  const controls = {
    image: imageChoice({ label: "Image, from uncertain to confident", images, classes }),
    where: choice({
      label: "Add the ripple to",
      options: [
        ["loss", "the loss, as printed"],
        ["logit", "one logit: a real classifier"],
      ],
    }),
    picture: choice({
      label: "Ripple along",
      options: [
        ["sum", "the sum of all pixels"],
        ["face", "a face: ⟨x, T⟩"],
      ],
    }),
    place: choice({
      label: "Look at",
      options: [
        ["itself", "the image itself"],
        ["slope", "the steepest place near it"],
        ["peak", "a peak near it"],
      ],
    }),
    epsilon: slider({ label: "Height ε", numbers: HEIGHTS }),
    frequency: slider({ label: "Frequency m", numbers: FREQUENCIES }),
  };

  // ---- What the reader sees ----

  const probe = new Probe(width, (cell) => {
    if (!figure.results()) return null;
    const { x, before, after } = figure.results();
    const at = ({ gradient }) => number(sumChannels(gradient, cells)[cell]);
    return `input ${number(x[cell])}; loss-gradient ${at(before)} → ${at(after)}`;
  });
  const picture = (label) => probe.picture({ label, height, width });
  const inputPicture = picture("input");
  const maps = [new SignedMap(picture("before")), new SignedMap(picture("with the ripple"))];
  const table = new Table("Measured, beside its bound", [
    "before",
    "with the ripple",
    "change",
    "bound on the change",
  ]);
  const xLabel = "brightness added, in grey levels";
  const lossChart = new Chart({ label: "Loss", xLabel });
  const slopeChart = new Chart({ label: "Change of loss per grey level", xLabel });
  const summary = new Announcer();

  function draw({ x, y, onLoss, before, after, change, ripple, gap, g, slice }, { epsilon }) {
    inputPicture.showImage(x);
    maps.forEach((map, k) => {
      const { gradient } = [before, after][k];
      map.show(gradient, largestPixel(gradient, cells));
    });
    const moved = number(Math.abs(after.loss - before.loss));
    const total = onLoss ? Math.exp(-g) : sum(softmax(after.logits));
    table.show([
      ["loss", number(before.loss), number(after.loss), moved, `${number(epsilon)} (ε)`],
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
      `Class ${classes[y]}: the loss moved by ${moved}, its gradient by ${number(change)} in the ℓ₁ norm, which was ` +
        `${number(norm1(before.gradient))}.${below}`,
    );
    if (slice) drawSlice(slice);
  }

  function drawSlice(slice) {
    const line = (name, colour, key) => ({ name, colour, points: slice.map((row) => [row.grey, row[key]]) });
    const x = [slice[0].grey, slice.at(-1).grey];
    for (const [chart, before, after] of [
      [lossChart, "before", "after"],
      [slopeChart, "slopeBefore", "slopeAfter"],
    ]) {
      const y = rangeOf(slice.flatMap((row) => [row[before], row[after]]));
      const lines = [
        line("as trained", "var(--live-before)", before),
        line("with the ripple", "var(--live-after)", after),
      ];
      chart.show(lines, { x, y });
    }
  }

  const advanced = fold("Advanced: direction, place", part("controls", controls.picture, controls.place));
  const figure = mount({
    host,
    allowed: { epsilon: HEIGHTS, frequency: FREQUENCIES },
    controls,
    compute,
    draw,
    advanced: { node: advanced, names: ["picture", "place"] },
    patience: 250,
  });
  const measured = fold(
    "Measured: bounds, and a slice through the wave",
    table,
    part("columns", lossChart, slopeChart),
  );
  measured.open = !isNarrow(root);
  root.replaceChildren(
    tries(host, figure.set, [
      ["a tenth of the height, the same map", { epsilon: 0.001, frequency: 5000 }],
      [
        "a loss that no classifier has",
        { image: images.pixels.length - 1, where: "loss", place: "peak", epsilon: 0.1 },
      ],
    ]),
    part("controls", controls.image, controls.where, controls.epsilon, controls.frequency),
    summary.node,
    part(
      "maps",
      part("pair", element("span", { class: "live-title" }, "image"), inputPicture),
      pair("gradient of the loss, each on its own scale", maps, "gradient of the loss"),
    ),
    probe.node,
    measured,
    advanced,
  );
  return figure;
}
