// A climb of a logit, step by step: activation maximisation without a pull (section 4.1), pixels clamped to [0, 1].

import { Chart } from "./charts.mjs";
import { logitWeights, softmax } from "./classifier.mjs";
import { element, number } from "./elements.mjs";
import { Picture } from "./pictures.mjs";

export const SURE = 0.99; // The probability at which a class counts as having appeared.

export const clamped = (value) => Math.min(1, Math.max(0, value));

// N(0.5, 0.2^2), as sampling.activation_maximisation starts before it clamps.
export const noise = (length, { normal }) => Float64Array.from({ length }, () => 0.5 + 0.2 * normal());

// What a climb has reached, from the logits there.
export const reached = (logits, y) => ({ logit: logits[y], probability: softmax(logits)[y] });

export const inWords = ({ logit, probability }) =>
  `logit ${number(logit, 3)}, probability ${probability.toFixed(3)}`;

// A climb that has not begun. `curve` has a point for each picture that was looked at.
export const climbFrom = (x) => ({ x, curve: [] });

// One step: x + a grad f_y, of the classifier at the climb's x.
export async function climbOn(climb, classifier, y, stepSize) {
  const look = async (x) => {
    const logits = await classifier.forward(x);
    climb.curve.push(reached(logits, y));
    return logits;
  };
  const logits = climb.curve.length ? await classifier.forward(climb.x) : await look(climb.x);
  const gradient = await classifier.pullback(logitWeights(logits, y));
  climb.x = climb.x.map((value, j) => clamped(value + stepSize * gradient[j]));
  await look(climb.x);
}

// Whether the last step made the network sure of the class.
export const hasAppeared = ({ curve }) =>
  curve.length > 1 && curve.at(-1).probability >= SURE && curve.at(-2).probability < SURE;

export const staysFinite = ({ curve }) => curve.every(({ logit }) => Number.isFinite(logit));

// The picture that climbs, and its probability on the way.
export class ClimbView {
  constructor({ height, width }) {
    this.picture = new Picture({ label: "the picture that climbs", height, width });
    this.note = element("p", { class: "live-note" });
    this.chart = new Chart({ label: "Probability of the class", xLabel: "steps" });
  }

  // Returns what it says of the climb.
  show({ x, curve }) {
    this.picture.showImage(x);
    const steps = Math.max(0, curve.length - 1);
    const points = curve.map(({ probability }, time) => [time, probability]);
    const right = Math.max(10, steps);
    this.chart.show([{ name: "", colour: "var(--live-after)", points }], {
      x: [0, right],
      y: [0, 1],
      xTicks: [0, right].map((tick) => [tick, String(tick)]),
      description: steps ? `After ${steps} steps ${points.at(-1)[1].toFixed(3)}` : "No step yet",
    });
    this.note.textContent = steps ? `Step ${steps}: ${inWords(curve.at(-1))}.` : "No step yet.";
    return this.note.textContent;
  }
}
