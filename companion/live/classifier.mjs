// What a classifier makes of its logits, and classifiers that are altered: f + g.
//
// A classifier has two asynchronous functions. `forward(x)` returns the logits, `pullback(v)` the gradient of
// <v, f> at that x. Arrays keep the type of the logits, so that in Float32Arrays every result is rounded to single
// precision.

import { decode, encode } from "./arrays.mjs";
import { BackgroundNetwork } from "./background.mjs";

// p_i = exp f_i / sum_j exp f_j. The largest logit is subtracted first; softmax does not change by that.
export function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const total = sum(powers);
  return powers.map((power) => power / total);
}

// The loss l_y = -f_y + log sum_j exp f_j (eq. 5).
export function crossEntropy(logits, y) {
  const largest = Math.max(...logits);
  const differences = logits.map((logit) => logit - largest);
  return Math.log(sum(differences.map(Math.exp))) - differences[y];
}

// The weights v for which `pullback` gives the loss-gradient: p - e_y (eq. 6).
export function lossWeights(logits, y) {
  const weights = softmax(logits);
  weights[y] -= 1;
  return weights;
}

// The weights v for which `pullback` gives the gradient of logit i: e_i.
export function logitWeights(logits, i) {
  const weights = logits.map(() => 0);
  weights[i] = 1;
  return weights;
}

// Logits, probabilities, loss and both gradients of a classifier, at x and for class y.
export async function outputs(classifier, x, y) {
  const logits = await classifier.forward(x);
  return {
    logits,
    probabilities: softmax(logits),
    loss: crossEntropy(logits, y),
    logitGradient: await classifier.pullback(logitWeights(logits, y)),
    lossGradient: await classifier.pullback(lossWeights(logits, y)),
  };
}

export const largestDifference = (a, b) =>
  a.reduce((largest, value, j) => Math.max(largest, Math.abs(value - b[j])), 0);

export const sum = (values) => values.reduce((total, value) => total + value, 0);

export const inner = (a, b) => a.reduce((total, value, j) => total + value * b[j], 0);

// Opens a network from its description: computed by the engine in the browser or, if it has steps that the engine
// does not know, in the notebook's kernel by PyTorch.
export function openNetwork(description, precision, host) {
  const Real = precision === "float32" ? Float32Array : Float64Array;
  const classifier = description.steps
    ? new BackgroundNetwork(description, Real)
    : new KernelClassifier(description.name, Real, host);
  return new Remembering(classifier);
}

// The same network in each precision, opened when it is first asked for.
export function openInEachPrecision(description, host) {
  const opened = {};
  return (precision) => (opened[precision] ??= openNetwork(description, precision, host));
}

class KernelClassifier {
  constructor(name, Real, host) {
    Object.assign(this, { name, Real, host });
  }

  async forward(x) {
    this.x = encode(x);
    return this.ask({});
  }

  async pullback(v) {
    return this.ask({ weights: encode(v) });
  }

  async ask(question) {
    const precision = this.Real === Float32Array ? "float32" : "float64";
    const answer = await this.host.ask({
      ...question,
      ask: "network",
      network: this.name,
      precision,
      x: this.x,
    });
    return this.Real.from(decode(answer.values));
  }
}

// A classifier that does not compute twice what it was asked before at the same x: a slider that leaves x alone then
// costs only what is new.
class Remembering {
  constructor(classifier) {
    this.classifier = classifier;
    this.Real = classifier.Real;
    this.x = null;
  }

  async forward(x) {
    if (!this.x || x.some((value, j) => value !== this.x[j])) {
      this.x = x.slice();
      this.gradients = new Map();
      this.logits = await this.classifier.forward(x);
    }
    return this.logits.slice();
  }

  async pullback(v) {
    const { gradients } = this; // Those at this x: the next may be asked for before an answer comes.
    const key = v.join();
    if (!gradients.has(key)) {
      if (gradients.size > 50) gradients.clear();
      gradients.set(key, await this.classifier.pullback(v));
    }
    return gradients.get(key).slice();
  }
}

// The classifier f + g: g is added to every logit (section 2) or, with `onlyClass`, to that of one class (the
// ripple of appendix A.1 as a real classifier). All that is asked of it is computed through the sum.
export class Altered {
  constructor(classifier, shift, onlyClass = null) {
    Object.assign(this, { classifier, shift, onlyClass });
    this.Real = classifier.Real;
  }

  async forward(x) {
    this.x = x;
    this.logits = await this.classifier.forward(x);
    const g = this.shift.value(x, this.logits);
    return this.logits.map((logit, i) => (this.reaches(i) ? logit + g : logit));
  }

  // By the chain rule: v reaches g through each logit that g was added to, and g reaches x directly, or through the
  // logits of f that it is made of.
  async pullback(v) {
    const onShift = v.reduce((sum, weight, i) => (this.reaches(i) ? sum + weight : sum), 0);
    const { byInput, byLogits } = this.shift.gradient(this.x, this.logits);
    const weights = byLogits ? v.map((weight, i) => weight + onShift * byLogits[i]) : v;
    const gradient = await this.classifier.pullback(weights);
    return byInput ? gradient.map((value, j) => value + onShift * byInput[j]) : gradient;
  }

  reaches(i) {
    return this.onlyClass === null || this.onlyClass === i;
  }
}

// Functions g(x) to add, as in companion/shifts.py. Each has its value and its gradient, in two parts: with respect
// to the input, and with respect to the logits f that it is made of; null where there is none.

// g = s <x, T>, whose gradient is the picture s T everywhere.
export const linearShift = (picture, strength) => ({
  value: (x) => strength * inner(x, picture),
  gradient: () => ({ byInput: picture.map((value) => strength * value), byLogits: null }),
});

// g = epsilon sin(m <x, T>), never above epsilon and as steep as you like. Without a picture T is one everywhere. m
// multiplies every error of the sum, which is therefore compensated.
export const sineShift = (epsilon, frequency, picture = null) => {
  const phase = (x) =>
    frequency * compensatedSum(picture ? Float64Array.from(x, (value, j) => value * picture[j]) : x);
  return {
    value: (x) => epsilon * Math.sin(phase(x)),
    gradient(x) {
      const slope = epsilon * frequency * Math.cos(phase(x));
      return { byInput: Float64Array.from(x, (_, j) => slope * (picture ? picture[j] : 1)), byLogits: null };
    },
  };
};

// Neumaier's sum: what each addition rounds off is added up on its own.
function compensatedSum(values) {
  let [sum, lost] = [0, 0];
  for (const value of values) {
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return sum + lost;
}

// g = -(1/C) sum_j f_j centres the logits.
export const meanLogitShift = () => ({
  value: (_, logits) => -sum(logits) / logits.length,
  gradient: (_, logits) => ({ byInput: null, byLogits: logits.map(() => -1 / logits.length) }),
});

// g = -f_i leaves class i a logit of nought, and a blank map.
export const blankShift = (i) => ({
  value: (_, logits) => -logits[i],
  gradient: (_, logits) => ({ byInput: null, byLogits: logits.map((_, k) => (k === i ? -1 : 0)) }),
});

// g = f_j - f_i gives class i the logit, and the map, that class j had.
export const swapShift = (i, j) => ({
  value: (_, logits) => logits[j] - logits[i],
  gradient(_, logits) {
    const byLogits = logits.map(() => 0);
    byLogits[j] += 1;
    byLogits[i] -= 1;
    return { byInput: null, byLogits };
  },
});
