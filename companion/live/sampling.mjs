// Live figure 4: climbing a logit, and Langevin dynamics (section 4.1), with two networks side by side.

import { logitWeights, openNetwork } from "./classifier.mjs";
import { Chart, roundEnd } from "./charts.mjs";
import { clamped, inWords, noise, reached } from "./climb.mjs";
import { button, checkbox, choice, classChoice, powersOfTen, slider, tries } from "./controls.mjs";
import { Alternatives, Announcer, element, fold, number, part } from "./elements.mjs";
import { mount } from "./mount.mjs";
import { Picture } from "./pictures.mjs";
import { randomNumbers } from "./random.mjs";

const STEP_SIZES = powersOfTen(-3, 0, 10);
const TEMPERATURES = [0, ...powersOfTen(-5, 0, 5)];
const PULLS = [0, ...powersOfTen(-3, 0, 5)];

// A few hundred points of a curve, each with its place in it.
function thinned(curve) {
  const every = Math.ceil(curve.length / 300);
  return [...curve.entries()].filter(([time]) => time % every === 0 || time === curve.length - 1);
}

export function sampling(host, root) {
  const { payload } = host;
  const [channels, height, width] = payload.shape;
  const names = Object.keys(payload.networks);
  const networks = names.map((name) => openNetwork(payload.networks[name], "float64", host));
  const labels = names.map((name) => payload.labels[name]);
  let walks = [];
  let scores = null;
  let random = null;
  let isRunning = false;

  // ---- The walk ----

  // The same noise N(0.5, 0.2^2) for all, clamped to [0, 1].
  async function* start({ seed, clamp }) {
    random = randomNumbers(seed);
    const begin = noise(channels * height * width, random);
    const x = clamp ? begin.map(clamped) : begin;
    walks = names.map((name) => ({ name, x: x.slice(), logits: null, curve: [] }));
    await look();
    yield walks;
  }

  async function look() {
    const { y } = figure.view;
    const logits = await Promise.all(walks.map(({ x }, k) => networks[k].forward(x)));
    for (const [k, walk] of walks.entries()) {
      walk.logits = logits[k];
      walk.curve.push(reached(walk.logits, y));
    }
    // Asked for at once, so that they are computed while this step is drawn.
    scores = Promise.all(walks.map((walk, k) => networks[k].pullback(logitWeights(walk.logits, y))));
  }

  // x + a (grad f_i - w (x - 1/2)), with half the step and sqrt(a T) n added for Langevin; then the clamp.
  async function* step() {
    const { method, stepSize, pull, temperature, clamp } = figure.view;
    const isLangevin = method === "langevin";
    const scale = isLangevin ? stepSize / 2 : stepSize;
    const kicks = walks[0].x.map(() =>
      isLangevin ? Math.sqrt(stepSize * temperature) * random.normal() : 0,
    );
    const found = await scores;
    for (const [k, walk] of walks.entries()) {
      walk.x = walk.x.map((value, j) => {
        const next = value + scale * (found[k][j] - pull * (value - 0.5)) + kicks[j];
        return clamp ? clamped(next) : next;
      });
    }
    await look();
    yield walks;
  }

  // Steps, one after the other, while the reader changes how they are made.
  async function* keepStepping() {
    showRunning(true);
    try {
      let areFinite = true;
      while (areFinite && root.isConnected) {
        yield* step();
        areFinite = walks.every(({ logits }) => logits.every(Number.isFinite));
      }
      if (!areFinite) summary.say("The pictures are no longer finite numbers: choose a smaller step.", 0);
    } finally {
      showRunning(false);
    }
  }

  function showRunning(running) {
    isRunning = running;
    runButton.textContent = running ? "Pause" : "Run";
  }

  // ---- What the reader chooses and sees ----

  const controls = {
    y: classChoice("Class whose logit is climbed", payload.classes),
    method: choice({
      label: "Method",
      options: [
        ["climb", "activation maximisation"],
        ["langevin", "Langevin dynamics"],
      ],
    }),
    stepSize: slider({ label: "Step α", numbers: STEP_SIZES }),
    temperature: slider({ label: "Temperature T", numbers: TEMPERATURES }),
    pull: slider({ label: "Pull to grey w", numbers: PULLS }),
    clamp: checkbox({ label: "clamp pixels to [0, 1]" }),
  };
  const pictures = labels.map((label) => new Picture({ label, height, width }));
  const notes = labels.map(() => element("p", { class: "live-note" }));
  const logits = new Chart({ label: "Logit of the class", xLabel: "steps" });
  const probabilities = new Chart({ label: "Probability of the class", xLabel: "steps" });
  const summary = new Announcer();
  const runButton = button("Run", () => (isRunning ? figure.stop() : figure.run(keepStepping)));

  const settings = new Alternatives({
    climb: element("p", { class: "live-note" }, "No noise: each step goes straight uphill."),
    langevin: controls.temperature.node,
  });
  const arrange = ({ method }) => settings.show(method);

  function draw(walks) {
    const words = walks.map(({ curve }) => inWords(curve.at(-1)));
    for (const [k, { x }] of walks.entries()) {
      pictures[k].showImage(x);
      notes[k].textContent = words[k];
    }
    const steps = walks[0].curve.length - 1;
    const series = (quantity) =>
      walks.map(({ curve }, k) => ({
        name: labels[k],
        colour: k ? "var(--live-after)" : "var(--live-before)",
        points: thinned(curve).map(([time, point]) => [time, point[quantity]]),
      }));
    const heights = walks.flatMap(({ curve }) => thinned(curve).map(([, { logit }]) => logit));
    const x = [0, roundEnd(Math.max(20, steps))];
    const xTicks = x.map((tick) => [tick, String(tick)]);
    const y = [roundEnd(Math.min(0, ...heights)), roundEnd(Math.max(1, ...heights))];
    logits.show(series("logit"), { x, y, xTicks });
    probabilities.show(series("probability"), { x, y: [0, 1], xTicks });
    summary.say(`Step ${steps}. ${labels.map((label, k) => `${label}: ${words[k]}`).join("; ")}.`);
  }

  const advanced = fold(
    "Advanced: step, pull, clamp",
    part("controls", controls.stepSize, controls.pull, controls.clamp),
  );
  const allowed = { stepSize: STEP_SIZES, temperature: TEMPERATURES, pull: PULLS };
  const figure = mount({
    host,
    allowed,
    controls,
    compute: start,
    draw,
    arrange,
    advanced: { node: advanced, names: ["stepSize", "pull", "clamp"] },
    restartedBy: ["y", "seed"],
  });
  root.replaceChildren(
    tries(host, figure.set, [
      ["Langevin dynamics", { method: "langevin" }],
      ["too hot", { method: "langevin", temperature: 1 }],
      ["steps that overshoot", { stepSize: 1 }],
    ]),
    part("controls", controls.y, controls.method, settings),
    part(
      "buttons",
      button("Step", () => figure.run(step)),
      runButton,
      button("Reset", () => figure.run(start)),
      button("Other noise", () => figure.set({ seed: figure.view.seed + 1 })),
    ),
    summary.node,
    element(
      "div",
      { class: "live-pair live-beside" },
      ...pictures.map((picture, k) => element("div", {}, picture, notes[k])),
    ),
    part("columns", logits, probabilities),
    advanced,
  );
  return figure;
}
