// How the reader can check the first live figure: by finite differences, and in PyTorch.

import { decode, encode } from "./arrays.mjs";
import { Table } from "./charts.mjs";
import { crossEntropy, largestDifference } from "./classifier.mjs";
import { button } from "./controls.mjs";
import { copy, element, number, part } from "./elements.mjs";
import { randomNumbers } from "./random.mjs";

// The buttons, which write what they find into `answer`. `altered`, `question` and `python` tell what a view stands
// for: the classifier f + g, the same as a question to the kernel, and as a few lines of Python.
export function checkButtons({ host, figure, answer, altered, question, python }) {
  const say = (...nodes) => answer.replaceChildren(...nodes);
  const attempt = (check) => () =>
    figure.alone(check).catch((error) => say(element("p", {}, `This failed: ${error.message}`)));

  async function byDifferences() {
    const { view } = figure;
    const results = figure.results();
    const h = view.precision === "float64" ? 1e-4 : 1e-2;
    const checked = await checkByDifferences(altered(view), results.x, view.y, results.after, h);
    results.checked = checked;
    say(
      element(
        "p",
        {},
        `At 8 pixels, (F(x + h) − F(x − h)) / 2h with h = ${number(h, 1)}, computed through f + g, differs from ` +
          `the gradient by at most ${number(checked.logitError)} for the logit (gradients up to ` +
          `${number(checked.logitSize)}), and ${number(checked.lossError)} for the loss (up to ${number(checked.lossSize)}).`,
      ),
    );
  }

  async function withPyTorch() {
    const { x, before, after } = figure.results();
    const theirs = await host.ask({ ask: "fooling", x: encode(x), ...question(figure.view) });
    const rows = [
      ["probabilities", "probabilities", "probabilities"],
      ["loss-gradient", "lossGradient", "loss_gradient"],
      ["logit-gradient", "logitGradient", "logit_gradient"],
    ].map(([name, ours, key]) => [
      name,
      number(largestDifference(before[ours], decode(theirs[`${key}_before`]))),
      number(largestDifference(after[ours], decode(theirs[`${key}_after`]))),
    ]);
    const comparison = new Table("Largest difference from PyTorch, in float64", ["f", "f + g"]);
    comparison.show(rows);
    say(comparison.node);
  }

  const show = (write) => async () => {
    const text = write();
    const copied = (await copy(text)) ? "Copied:" : "Copying is not allowed here; this is the text:";
    say(element("p", {}, copied), element("pre", { tabindex: 0 }, text));
  };

  return part(
    "buttons",
    button("Check by finite differences", attempt(byDifferences)),
    button("Copy as PyTorch", show(python)),
    host.ask
      ? button("Compare with PyTorch", attempt(withPyTorch))
      : button(
          "Copy a link to this view",
          show(() => host.linkTo(figure.view)),
        ),
  );
}

// Compares two gradients of a classifier, at a few pixels, with the central differences (F(x + h) − F(x − h)) / 2h of
// the logit and of the loss of class y. Returns the largest errors, and the largest gradients there.
async function checkByDifferences(classifier, x, y, { logitGradient, lossGradient }, h, pixels = 8) {
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
  const { channels, height, width } = images;
  const drawing = (text, shape) => `live.drawing("${text}", (${shape.join(", ")}))`;
  const x =
    view.image === "drawing"
      ? drawing(view.drawing, [1, channels, height, width])
      : code.image.replace("INDEX", images.indices[view.image]);
  const picture =
    view.picture === "own" ? drawing(view.own, [1, height, width]) : pictures[view.picture].code;
  const g = {
    picture: `fooling.linear_shift(${picture}, ${view.strength})`,
    sine: `fooling.sine_shift(${view.epsilon}, ${view.frequency})`,
    mean: "fooling.mean_logit_shift(model)",
    blank: `lambda x: -model(x)[:, ${view.y}]`,
    swap: `lambda x: model(x)[:, ${rival}] - model(x)[:, ${view.y}]`,
  }[view.g];
  return [
    "from companion import data, fooling, gradients, live, runs",
    "from companion.book import stencils",
    `model = ${code.model}`,
    `x = ${x}.double()`,
    `fooled = fooling.shift_logits(model, ${g})`,
    "print((fooled(x).softmax(1) - model(x).softmax(1)).abs().max())",
    `print(gradients.logit_gradient(fooled, x, ${view.y}))`,
  ].join("\n");
}
