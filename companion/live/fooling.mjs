// Live figure 1: the logit-gradient is fooled (section 2). The reader chooses an image, a class and a function g; f
// and f + g are computed side by side.

import { drawingToText, encode, textToDrawing } from "./arrays.mjs";
import {
  Altered,
  blankShift,
  linearShift,
  meanLogitShift,
  openInEachPrecision,
  outputs,
  sineShift,
  swapShift,
} from "./classifier.mjs";
import { ChangeTable, ProbabilityBars } from "./charts.mjs";
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
  tries,
} from "./controls.mjs";
import { DrawingTools, painted } from "./drawing.mjs";
import { Alternatives, Announcer, element, fold, isNarrow, number, pair, part } from "./elements.mjs";
import { openImages, openPictures } from "./hosts.mjs";
import { mount } from "./mount.mjs";
import { largestPixel, onAllChannels, Probe, SignedMap, sumChannels } from "./pictures.mjs";

const TRIES = [
  ["a greeting", { picture: "word", strength: 20 }],
  ["a blank map", { g: "blank" }],
  ["the map of another class", { g: "swap" }],
  ["break float32", { picture: "checkerboard", strength: 1e5, precision: "float32" }],
];

export function fooling(host, root) {
  const { payload } = host;
  const { classes } = payload;
  const images = openImages(payload.images);
  const { channels, height, width, cells } = images;
  const network = openInEachPrecision(payload.networks.model, host);
  const pictures = openPictures(payload.pictures);

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
      blank: () => blankShift(view.y),
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
        ["picture", "a picture"],
        ["sine", "a sine"],
        ["mean", "minus the mean logit"],
        ["blank", "minus this logit"],
        ["swap", "another logit, less this one"],
      ],
    }),
    picture: choice({
      label: "Picture T: g = s ⟨x, T⟩",
      options: [
        ...Object.entries(pictures).map(([name, { label }]) => [name, label]),
        ["own", "your drawing"],
      ],
    }),
    strength: slider({ label: "Strength s", numbers: [0, ...powersOfTen(-1, 5, 20)] }),
    epsilon: slider({ label: "Height ε: g = ε sin(m Σ x)", numbers: powersOfTen(-3, 0, 10) }),
    frequency: slider({ label: "Frequency m", numbers: powersOfTen(-1, 4, 10) }),
    rival: classChoice("The other logit", classes),
    precision: precisionChoice("Precision"),
    ownScale: checkbox({ label: "each map on its own scale" }),
  };
  const note = (text) => element("p", { class: "live-note" }, text);
  const settings = new Alternatives({
    picture: part("controls", controls.picture, controls.strength),
    sine: part("controls", controls.epsilon, controls.frequency),
    mean: note("There is nothing to set: g = −(1/C) Σ f centres the logits."),
    blank: note("There is nothing to set: with g = −f, for the class that is explained, its map is blank."),
    swap: part("controls", controls.rival),
  });

  // ---- What the reader draws ----

  const blank = (length) => drawingToText(new Float64Array(length));
  const drawInput = (drawing) => figure.set({ image: "drawing", drawing });
  const drawTarget = (own) => figure.set({ g: "picture", picture: "own", own });
  const tools = new DrawingTools({
    keep: () => {
      const { g, image, drawing, picture, own } = figure.view;
      return { g, image, drawing, picture, own };
    },
    restore: (kept) => figure.set(kept),
    further: [
      button("Clear input", () => (tools.begin(), drawInput(blank(channels * cells)))),
      button("Clear T", () => (tools.begin(), drawTarget(blank(cells)))),
    ],
  });
  const paint = (values, at, erase) => drawingToText(painted(values, width, cells, at, erase));
  const inputPen = tools.pen((at, erase) => drawInput(paint(input(figure.view), at, erase)));
  const targetPen = tools.pen((at, erase) => drawTarget(paint(target(figure.view), at, erase)));

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
  const picture = (label, pen) => probe.picture({ label, height, width, pen });
  const beforeAndAfter = () => [new SignedMap(picture("before: f")), new SignedMap(picture("after: f + g"))];
  const hint = matchMedia("(pointer: coarse)").matches ? "" : " (draw)"; // A finger asks first.
  const inputPicture = picture(`input${hint}`, inputPen);
  const targetPicture = picture(`T${hint}`, targetPen);
  tools.on([inputPicture, targetPicture]);
  const logitMaps = beforeAndAfter();
  const lossMaps = beforeAndAfter();
  const bars = new ProbabilityBars(classes);
  const table = new ChangeTable("What g has changed");
  const summary = new Announcer();
  const answer = element("div", { class: "live-answer", role: "status" });

  function arrange({ g }) {
    settings.show(g);
    targetPicture.node.classList.toggle("live-absent", g !== "picture");
    answer.replaceChildren();
  }

  function draw({ x, target, before, after }, { y, precision, ownScale }) {
    inputPicture.showImage(x);
    targetPicture.showImage(target);
    drawPair(logitMaps, [before.logitGradient, after.logitGradient], ownScale);
    drawPair(lossMaps, [before.lossGradient, after.lossGradient], ownScale);
    bars.show(before.probabilities, after.probabilities);
    const [probabilities, , lossGradient, , logitGradient] = table.show([
      ["probabilities", before.probabilities, after.probabilities],
      ["loss", [before.loss], [after.loss]],
      ["loss-gradient", before.lossGradient, after.lossGradient],
      ["logits", before.logits, after.logits],
      ["logit-gradient", before.logitGradient, after.logitGradient],
    ]);
    summary.say(
      `Class ${classes[y]}, ${precision}: the logit-gradient changed by up to ${logitGradient}, probabilities by ` +
        `at most ${probabilities}, the loss-gradient by ${lossGradient}.`,
    );
  }

  // Two maps on one scale, which then stands below the first, or each on its own.
  function drawPair(maps, gradients, ownScale) {
    const limits = gradients.map((values) => largestPixel(values, cells));
    maps.forEach((map, k) => map.show(gradients[k], ownScale ? limits[k] : Math.max(...limits)));
    maps[1].scale.classList.toggle("live-absent", !ownScale);
  }

  const advanced = fold(
    "Advanced: class, precision, scales, checks",
    part("controls", controls.y, controls.precision, controls.ownScale),
  );
  const figure = mount({
    host,
    controls,
    compute,
    draw,
    arrange,
    advanced: { node: advanced, names: ["precision", "ownScale"] },
  });

  const python = () =>
    asPyTorch(figure.view, otherClass(figure.view), { code: payload.code, images, pictures });
  const question = (view) => ({ ...view, picture: encode(target(view)), rival: otherClass(view) });
  advanced.append(checkButtons({ host, figure, answer, altered, question, python }), answer);
  const unchanged = fold(
    "What stays: the gradient of the loss, and the answers",
    part("columns", pair("gradient of the loss", lossMaps), bars, table),
  );
  unchanged.open = !isNarrow(root);
  root.replaceChildren(
    tries(host, figure.set, TRIES.filter(([, { picture }]) => !picture || pictures[picture])),
    part("controls", controls.image, controls.g),
    settings.node,
    summary.node,
    part(
      "maps",
      pair("what you give", [inputPicture, targetPicture, tools], "What you give"),
      pair("gradient of the logit", logitMaps),
    ),
    probe.node,
    unchanged,
    advanced,
  );
  return { ...figure, asPyTorch: python };
}
