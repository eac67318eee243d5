// Live figure 4: climbing a logit, and Langevin dynamics (section 4.1), with two networks side by side.

import { logitWeights, openNetwork, softmax } from "./classifier.mjs";
import { Chart } from "./charts.mjs";
import { button, checkbox, choice, classChoice, slider } from "./controls.mjs";
import { Announcer, element, number } from "./elements.mjs";
import { Picture } from "./pictures.mjs";
import { randomNumbers } from "./random.mjs";
import { nextFrame, oneAtATime } from "./timing.mjs";

const STEP_SIZES = Array.from({ length: 31 }, (_, k) => Number((10 ** (k / 10 - 3)).toPrecision(2)));
const TEMPERATURES = [0, ...Array.from({ length: 26 }, (_, k) => Number((10 ** (k / 5 - 5)).toPrecision(2)))];
const PULLS = [0, ...Array.from({ length: 16 }, (_, k) => Number((10 ** (k / 5 - 3)).toPrecision(2)))];

export function renderSampling(host, root) {
  const { payload } = host;
  const [channels, height, width] = payload.shape;
  const view = {
    ...payload.view,
    ...host.loadView({
      y: [...payload.classes.keys()],
      method: ["climb", "langevin"],
      stepSize: STEP_SIZES,
      temperature: TEMPERATURES,
      pull: PULLS,
      clamp: [true, false],
    }),
  };
  const alone = oneAtATime();
  const models = Object.entries(payload.networks).map(([name, description], k) => ({
    name,
    label: payload.labels[name],
    colour: k ? "var(--live-after)" : "var(--live-before)",
    network: openNetwork(description, "float64", host),
    picture: new Picture({ label: payload.labels[name], height, width }),
    note: element("p", { class: "live-note" }),
  }));
  let running = false;
  let random = null;

  // ---- The walk ----

  // The same noise N(0.5, 0.2^2) for both, clamped to [0, 1].
  async function start() {
    random = randomNumbers(view.seed);
    const noise = Float64Array.from({ length: channels * height * width }, () => 0.5 + 0.2 * random.normal());
    const x = view.clamp ? noise.map((value) => Math.min(1, Math.max(0, value))) : noise;
    for (const model of models) Object.assign(model, { x: x.slice(), curve: [] });
    for (const model of models) await look(model);
  }

  async function look(model) {
    model.logits = await model.network.forward(model.x);
    model.curve.push({ logit: model.logits[view.y], probability: softmax(model.logits)[view.y] });
  }

  // x + a (grad f_i - w (x - 1/2)), with half the step and sqrt(a T) n added for Langevin; then the clamp.
  async function step() {
    const { stepSize, pull, temperature, clamp } = view;
    const isLangevin = view.method === "langevin";
    const scale = isLangevin ? stepSize / 2 : stepSize;
    const noise = Float64Array.from({ length: models[0].x.length }, () => (isLangevin ? random.normal() : 0));
    for (const model of models) {
      const score = await model.network.pullback(logitWeights(model.logits, view.y));
      model.x = model.x.map((value, j) => {
        const next =
          value + scale * (score[j] - pull * (value - 0.5)) + Math.sqrt(stepSize * temperature) * noise[j];
        return clamp ? Math.min(1, Math.max(0, next)) : next;
      });
      await look(model);
    }
  }

  const stepOnce = async () => {
    await alone(step);
    draw();
  };

  async function run() {
    running = true;
    showRunning();
    while (running && root.isConnected) {
      await stepOnce();
      await nextFrame();
      if (!models.every((model) => model.logits.every(Number.isFinite))) {
        running = false;
        summary.say("The pictures are no longer finite numbers: choose a smaller step.", 0);
      }
    }
    running = false;
    showRunning();
  }

  async function reset() {
    running = false;
    await alone(start);
    draw();
  }

  function set(changes) {
    const restart = ["y", "seed"].some((name) => name in changes && changes[name] !== view[name]);
    Object.assign(view, changes);
    for (const [name, control] of Object.entries(controls)) control.set(view[name]);
    controls.temperature.node.hidden = view.method !== "langevin";
    if (Object.keys(changes).length) host.saveView(view);
    return restart ? reset() : Promise.resolve();
  }

  // ---- What the reader chooses and sees ----

  const choose = (name) => (value) => set({ [name]: value });
  const controls = {
    y: classChoice(payload.classes, {
      label: "Class whose logit is climbed",
      value: view.y,
      onChange: choose("y"),
    }),
    method: choice({
      label: "Method",
      value: view.method,
      onChange: choose("method"),
      options: [
        ["climb", "activation maximisation"],
        ["langevin", "Langevin dynamics"],
      ],
    }),
    stepSize: slider({
      label: "Step α",
      values: STEP_SIZES,
      value: view.stepSize,
      onInput: choose("stepSize"),
    }),
    temperature: slider({
      label: "Temperature T",
      values: TEMPERATURES,
      value: view.temperature,
      onInput: choose("temperature"),
    }),
    pull: slider({ label: "Pull to grey w", values: PULLS, value: view.pull, onInput: choose("pull") }),
    clamp: checkbox({ label: "clamp pixels to [0, 1]", value: view.clamp, onChange: choose("clamp") }),
  };
  const logits = new Chart({ label: "Logit of the class", xLabel: "steps" });
  const probabilities = new Chart({ label: "Probability of the class", xLabel: "steps" });
  const summary = new Announcer();
  const runButton = button("Run", () => (running ? (running = false) : run()));
  const showRunning = () => (runButton.textContent = running ? "Pause" : "Run");

  function draw() {
    for (const { x, picture, curve, note } of models) {
      picture.showImage(x);
      const { logit, probability } = curve.at(-1);
      note.textContent = `logit ${number(logit, 3)}, probability ${probability.toFixed(3)}`;
    }
    const steps = models[0].curve.length - 1;
    const series = (quantity) =>
      models.map(({ label, colour, curve }) => ({
        name: label,
        colour,
        points: curve.map((point, k) => [k, point[quantity]]),
      }));
    const heights = models.flatMap(({ curve }) => curve.map(({ logit }) => logit));
    const x = [0, Math.max(20, steps)];
    logits.show(series("logit"), {
      x,
      y: [Math.min(0, ...heights), Math.max(1, ...heights)],
      xTicks: x.map((tick) => [tick, String(tick)]),
    });
    probabilities.show(series("probability"), {
      x,
      y: [0, 1],
      xTicks: x.map((tick) => [tick, String(tick)]),
    });
    summary.say(
      `Step ${steps}. ` +
        models
          .map(
            ({ label, curve }) =>
              `${label}: logit ${number(curve.at(-1).logit, 3)}, probability ${curve.at(-1).probability.toFixed(3)}`,
          )
          .join("; ") +
        ".",
    );
  }

  root.replaceChildren(
    element("div", { class: "live-controls" }, ...Object.values(controls).map((control) => control.node)),
    element(
      "div",
      { class: "live-buttons" },
      button("Step", () => {
        running = false;
        return stepOnce();
      }),
      runButton,
      button("Reset", reset),
      button("Other noise", () => set({ seed: view.seed + 1 })),
    ),
    element(
      "div",
      { class: "live-pair live-beside" },
      ...models.map(({ picture, note }) => element("div", {}, picture.node, note)),
    ),
    element("div", { class: "live-columns" }, logits.node, probabilities.node),
    summary.node,
  );
  set({});
  reset();
  return {
    view,
    set,
    reset,
    step: stepOnce,
    results: () => models.map(({ name, x, logits, curve }) => ({ name, x, logits, curve })),
  };
}
