// The trace of the Hessian of a logit f(x), exact and estimated (eq. 3 and 8). `places` are the entries of x with
// respect to which second derivatives are taken.

import { inner, logitWeights } from "./classifier.mjs";

const H = 1e-4; // The step of the central differences of gradients, in double precision.

export const ESTIMATORS = {
  forward: { label: "Taylor, forward (eq. 8)", colour: "var(--live-forward)" },
  control: { label: "Taylor, control", colour: "var(--live-control)" },
  central: { label: "Taylor, central", colour: "var(--live-central)" },
  hutchinson: { label: "Hutchinson, signs", colour: "var(--live-hutchinson)" },
};

// The logit of class y.
export const logitOf = (classifier, y) => ({
  value: async (x) => (await classifier.forward(x))[y],
  gradient: async (x) => classifier.pullback(logitWeights(await classifier.forward(x), y)),
});

const moved = (x, v, scale) => x.map((value, j) => value + scale * v[j]);

// v' H v: the derivative along v of the gradient's part along v, by a central difference whose error is of the order
// of H^2.
async function curvature(f, x, v) {
  const ahead = await f.gradient(moved(x, v, H));
  const behind = await f.gradient(moved(x, v, -H));
  return (inner(v, ahead) - inner(v, behind)) / (2 * H);
}

// The sum of the curvatures along each of the places, which `report` counts. It takes long, and yields in between.
export async function* exactTrace(f, x, places, report) {
  let trace = 0;
  for (const [k, place] of places.entries()) {
    const unit = new Float64Array(x.length);
    unit[place] = 1;
    trace += await curvature(f, x, unit);
    if (k % 4 === 3) {
      report(k + 1);
      yield;
    }
  }
  return trace;
}

// One estimate at x, where f has that `value` and `gradient`, with fresh noise.
export async function estimate(estimator, f, { x, value, gradient }, places, sigma, { uniform, normal }) {
  const v = new Float64Array(x.length);
  if (estimator === "hutchinson") {
    for (const j of places) v[j] = uniform() < 0.5 ? -1 : 1;
    return curvature(f, x, v);
  }
  for (const j of places) v[j] = sigma * normal();
  const ahead = (await f.value(moved(x, v, 1))) - value;
  if (estimator === "forward") return (2 / sigma ** 2) * ahead;
  if (estimator === "control") return (2 / sigma ** 2) * (ahead - inner(gradient, v));
  const behind = (await f.value(moved(x, v, -1))) - value;
  return (ahead + behind) / sigma ** 2;
}
