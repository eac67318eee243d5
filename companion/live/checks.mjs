// How the reader can check the first live figure: by finite differences, and in PyTorch.

import { crossEntropy } from "./classifier.mjs";
import { randomNumbers } from "./random.mjs";

// Compares two gradients of a classifier, at a few pixels, with the central differences (F(x + h) − F(x − h)) / 2h of
// the logit and of the loss of class y. Returns the largest errors, and the largest gradients there.
export async function checkByDifferences(classifier, x, y, { logitGradient, lossGradient }, h, pixels = 8) {
  const { uniform } = randomNumbers(1);
  const found = { logitError: 0, lossError: 0, logitSize: 0, lossSize: 0 };
  const atLeast = (name, value) => (found[name] = Math.max(found[name], Math.abs(value)));
  for (let count = 0; count < pixels; count++) {
    const j = Math.floor(uniform() * x.length);
    const values = [];
    for (const step of [h, -h]) {
      const moved = Float64Array.from(x);
      moved[j] += step;
      const logits = await classifier.forward(moved);
      values.push([logits[y], crossEntropy(logits, y)]);
    }
    const slope = (k) => (values[0][k] - values[1][k]) / (2 * h);
    atLeast("logitError", slope(0) - logitGradient[j]);
    atLeast("lossError", slope(1) - lossGradient[j]);
    atLeast("logitSize", logitGradient[j]);
    atLeast("lossSize", lossGradient[j]);
  }
  return found;
}

// A few lines of Python that show with the package what the figure shows.
export function asPyTorch(view, rival, { code, images, pictures }) {
  const [, height, width] = images.shape;
  const drawing = (text, shape) => `live.drawing("${text}", (${shape.join(", ")}))`;
  const x =
    view.image === "drawing"
      ? drawing(view.drawing, [1, ...images.shape])
      : code.image.replace("INDEX", images.indices[view.image]);
  const picture =
    view.picture === "own" ? drawing(view.own, [1, height, width]) : pictures[view.picture].code;
  const g = {
    picture: `fooling.linear_shift(${picture}, ${view.strength})`,
    sine: `fooling.sine_shift(${view.epsilon}, ${view.frequency})`,
    mean: "fooling.mean_logit_shift(model)",
    swap: `lambda x: model(x)[:, ${rival}] - model(x)[:, ${view.y}]`,
  }[view.g];
  return [
    "from companion import data, fooling, gradients, live, pictures, runs",
    `model = ${code.model}`,
    `x = ${x}.double()`,
    `fooled = fooling.shift_logits(model, ${g})`,
    "print((fooled(x).softmax(1) - model(x).softmax(1)).abs().max())",
    `print(gradients.logit_gradient(fooled, x, ${view.y}))`,
  ].join("\n");
}
