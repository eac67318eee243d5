// Live figure 5: the reader's own picture. Several networks look at it; the reader fools them with a g (section 2), or
// climbs a logit from the picture (section 4.1). All is asked of f + g, which is f where the strength of g is nought.

import { Card } from "./cards.mjs";
import { ChangeTable } from "./charts.mjs";
import { Altered, linearShift, logitWeights, openNetwork, softmax } from "./classifier.mjs";
import { clamped, climbFrom, climbOn, ClimbView, hasAppeared, noise, staysFinite, SURE } from "./climb.mjs";
import { button, choice, classChoice, imageChoice, powersOfTen, slider } from "./controls.mjs";
import { Announcer, element, number, part } from "./elements.mjs";
import { openImages, openPictures } from "./hosts.mjs";
import { mount } from "./mount.mjs";
import { onAllChannels, Picture, Probe, sumChannels } from "./pictures.mjs";
import { randomNumbers } from "./random.mjs";
import { pictureTaker } from "./taking.mjs";

const STEP_SIZES = powersOfTen(-3, 0, 10);
const STRENGTHS = [0, ...powersOfTen(-1, 3, 20)];
const SEEN = 10; // A strength at which a picture is seen in any map.

// Probabilities, and the gradients of logit y and of the centred logit, f_y less the mean of all logits. The gradient
// of the mean is the same for every class: a network that remembers it has one gradient to compute for another class.
async function look(classifier, x, y) {
  const logits = await classifier.forward(x);
  const logitGradient = await classifier.pullback(logitWeights(logits, y));
  const ofMean = await classifier.pullback(logits.map(() => 1 / logits.length));
  return {
    logits,
    probabilities: softmax(logits),
    logitGradient,
    centred: logitGradient.map((value, j) => value - ofMean[j]),
  };
}

export function photograph(host, root) {
  const { payload } = host;
  const { classes, labels } = payload;
  const images = openImages(payload.images);
  const { channels, height, width, cells } = images;
  const names = Object.keys(payload.networks);
  const networks = {}; // Those that have been loaded.
  const pictures = openPictures(payload.pictures);
  let own = images.pixels[0]; // The reader's picture, once there is one. A link does not hold it.

  // ---- From the view to the numbers ----

  const input = ({ image }) => (image === "own" ? own : images.pixels[image]);
  const target = ({ picture }) => pictures[picture].values;
  const shift = (view) => linearShift(onAllChannels(target(view), channels), view.strength);
  const fooled = (view) => new Altered(networks[view.network], shift(view));

  // The network in view comes first; the others follow once the reader has paused.
  async function* compute(view) {
    const x = input(view);
    const start = view.start === "noise" ? noise(x.length, randomNumbers(view.seed)).map(clamped) : x;
    const found = { x, target: target(view), before: {}, after: {}, climb: climbFrom(start) };
    yield* lookWithAll(view, found);
  }

  async function* lookWithAll(view, found) {
    const missing = [view.network, ...names].filter((name) => networks[name] && !found.after[name]);
    if (!missing.length) yield found;
    for (const name of new Set(missing)) {
      found.before[name] = await look(networks[name], found.x, view.y);
      found.after[name] = await look(new Altered(networks[name], shift(view)), found.x, view.y);
      yield found;
    }
  }

  async function* step(view) {
    const found = figure.results();
    await climbOn(found.climb, fooled(view), view.y, figure.view.stepSize);
    yield found;
    yield* lookWithAll(view, found);
  }

  // Steps, one after the other, until the class appears. Then the reader may go on.
  async function* keepClimbing(view) {
    showClimbing(true);
    const found = figure.results();
    const { climb } = found;
    try {
      do {
        await climbOn(climb, fooled(view), view.y, figure.view.stepSize);
        yield found;
      } while (root.isConnected && staysFinite(climb) && !hasAppeared(climb));
    } finally {
      showClimbing(false);
    }
    yield* lookWithAll(view, found);
  }

  // ---- What the reader gives, and asks for ----

  const controls = {
    image: imageChoice({
      label: "Free photographs",
      images,
      classes,
      more: [["own", "yours"]],
      onChange: (image) => figure.set(image === "own" ? { image } : { image, y: images.labels[image] }),
    }),
    network: choice({ label: "Network in view", options: names.map((name) => [name, labels[name]]) }),
    y: classChoice("Class that is explained", classes),
    picture: choice({
      label: "Add g = s ⟨x, T⟩ to every logit: picture T",
      options: Object.entries(pictures).map(([name, { label }]) => [name, label]),
      onChange: (picture) => figure.set({ picture, strength: figure.view.strength || SEEN }),
    }),
    strength: slider({ label: "Strength s", numbers: STRENGTHS }),
    start: choice({
      label: "Climb from",
      options: [
        ["picture", "the picture"],
        ["noise", "noise"],
      ],
    }),
    stepSize: slider({ label: "Step α", numbers: STEP_SIZES }),
  };

  const ownOption = controls.image.node.querySelector("label:last-child");
  ownOption.hidden = true;

  async function takePicture(values) {
    own = values;
    ownOption.hidden = false;
    await lookAtOwn();
  }

  // Of the reader's picture nobody has said what it shows: the network in view does.
  async function lookAtOwn() {
    const network = networks[figure.view.network];
    if (!network) return figure.set({ image: "own" });
    figure.stop();
    const logits = await figure.alone(() => network.forward(own));
    return figure.set({ image: "own", y: logits.indexOf(Math.max(...logits)) });
  }

  const count = names.length;
  const progress = element("progress", { max: count, value: 0, "aria-label": "Networks loaded", hidden: true });
  const loadButton = button(loadLabel(), () => load(), { hidden: !payload.later });
  const loadNote = element("p", { class: "live-note", role: "status" });
  const loading = part("taker", loadButton, progress, loadNote);

  function loadLabel() {
    const bytes = Object.values(payload.later ?? {}).reduce((sum, size) => sum + size, 0);
    return `Load the ${count === 1 ? "network" : `${count} networks`} (${(bytes / 1e6).toFixed(1)} MB)`;
  }

  // The network in view comes first here, too.
  async function load() {
    loadButton.hidden = true;
    progress.hidden = false;
    loadNote.textContent = "The networks are on their way.";
    try {
      for (const name of new Set([figure.view.network, ...names])) {
        if (!networks[name]) networks[name] = openNetwork(await host.network(name), "float64", host);
        progress.value = Object.keys(networks).length;
        loadNote.textContent = `${progress.value} of ${count} networks are loaded.`;
        answers.hidden = false;
        await figure.run((view) => lookWithAll(view, figure.results()));
      }
      loading.hidden = true;
      if (figure.view.image === "own") await lookAtOwn();
    } catch (error) {
      loadNote.textContent = `This failed: ${error.message}.`;
      loadButton.hidden = false;
    }
  }

  // ---- What the reader sees ----

  const probe = new Probe(width, (cell) => {
    if (!figure.results()) return null;
    const { x, after } = figure.results();
    const read = (key) =>
      names
        .filter((name) => after[name])
        .map((name) => number(sumChannels(after[name][key], cells)[cell]))
        .join(", ");
    return (
      `input ${number(sumChannels(x, cells)[cell] / channels)}; logit-gradients ${read("logitGradient")}; ` +
      `of the centred logits ${read("centred")}`
    );
  });
  const picture = (label) => probe.picture({ label, height, width });
  const inputPicture = picture("what the networks see");
  const cards = Object.fromEntries(
    names.map((name) => {
      const onClass = (y) => figure.set({ y, network: name });
      return [name, new Card({ label: labels[name], classes, picture, onClass })];
    }),
  );
  const targetPicture = new Picture({ label: "T", height, width });
  const table = new ChangeTable("Through f + g, in double precision");
  const climbView = new ClimbView({ height, width });
  const climbButton = button("Climb", () => (isClimbing ? figure.stop() : figure.run(keepClimbing)));
  const summary = new Announcer();
  let isClimbing = false;

  function showClimbing(climbing) {
    isClimbing = climbing;
    const hasBegun = figure.results().climb.curve.length > 0;
    climbButton.textContent = climbing ? "Stop" : hasBegun ? "Continue" : "Climb";
  }

  function draw({ x, target, before, after, climb }, { network, y, strength }) {
    inputPicture.showImage(x);
    targetPicture.showImage(target);
    for (const name of names) cards[name].show(after[name], y, name === network);
    const climbed = climbView.show(climb);
    if (!isClimbing) showClimbing(false);
    if (!after[network]) return summary.say("The networks have not been loaded yet.");
    const [plain, altered] = [before[network], after[network]];
    const [, , change] = table.show([
      ["probabilities", plain.probabilities, altered.probabilities],
      ["map of the centred logit", plain.centred, altered.centred],
      ["map of the logit", plain.logitGradient, altered.logitGradient],
    ]);
    if (climb.curve.length) {
      const end = hasAppeared(climb) ? ` ${labels[network]} is sure of it.` : "";
      const held = strength ? " It climbs with g, whose picture it draws; for the network's own way set s to 0." : "";
      return summary.say(`${labels[network]}, class ${classes[y]}. ${climbed}${end}${held}`);
    }
    const top = altered.probabilities.indexOf(Math.max(...altered.probabilities));
    const moved = strength ? ` With g, its map has changed by up to ${change}.` : "";
    summary.say(
      `Class ${classes[y]}: ${labels[network]} gives it a probability of ${number(altered.probabilities[y])}. ` +
        `Its first class is ${classes[top]}, ${number(altered.probabilities[top])}.${moved}`,
    );
  }

  const section = (title, ...children) =>
    element(
      "div",
      { class: "live-section", role: "group", "aria-label": title },
      element("span", { class: "live-title" }, title),
      ...children,
    );
  const answers = element(
    "div",
    { class: "live-answers", hidden: true },
    part("controls", controls.network, controls.y, controls.picture, controls.strength),
    part("cards", ...Object.values(cards)),
    probe.node,
    section(
      "What g has changed in the network in view",
      part("columns", element("div", { class: "live-small" }, targetPicture), table),
    ),
    section(
      `Climb the logit of the class until its probability is ${SURE}`,
      part("controls", controls.start, controls.stepSize),
      part(
        "buttons",
        button("Step", () => figure.run(step)),
        climbButton,
        button("Start again", () => figure.run(compute)),
        button("Other noise", () => figure.set({ start: "noise", seed: figure.view.seed + 1 })),
      ),
      part("columns", element("div", { class: "live-alone" }, climbView.picture, climbView.note), climbView.chart),
    ),
  );
  const figure = mount({
    host,
    allowed: { image: [...images.pixels.keys()], network: names, strength: STRENGTHS, stepSize: STEP_SIZES },
    controls,
    compute,
    draw,
    restartedBy: ["image", "network", "y", "picture", "strength", "start", "seed"],
    patience: 150,
  });
  root.replaceChildren(
    part("controls", controls.image),
    part(
      "columns",
      element("div", { class: "live-alone" }, inputPicture),
      element("div", {}, pictureTaker({ root, channels, size: width, onPicture: takePicture }), loading),
    ),
    answers,
    summary.node,
  );
  if (figure.view.image === "own") figure.set({ image: 0 }); // A notebook that is shown again has lost it.
  if (!payload.later) load();
  return { ...figure, load };
}
