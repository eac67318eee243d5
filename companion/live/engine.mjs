// Logits and input-gradients of a trained network, in plain JavaScript and double precision.
//
// A network is a list of steps. Step k takes the values of earlier steps and computes its own; step 0 is the
// input. `forward` goes down the list and keeps every value. `pullback` goes up again, which is reverse-mode
// differentiation: from a weight v_i for each logit it computes
//
//     the gradient of  sum_i v_i f_i(x)  with respect to x.
//
// With v = e_i that is the logit-gradient; with v = p - e_i it is the loss-gradient (the paper's eq. 6).
//
// An array of shape (channels, height, width) is flat, a row of pixels after the other.

import { decode } from "./arrays.mjs";

export class Network {
  // `Real` is Float64Array, or Float32Array to see what single precision does.
  constructor(description, Real = Float64Array) {
    this.Real = Real;
    this.shape = description.input;
    this.steps = [];
    for (const given of description.steps) {
      const inputs = given.inputs.map((index) => this.steps[index]);
      const step = { ...given, inputs, operation: OPERATIONS[given.op] };
      for (const [name, array] of Object.entries(given.arrays ?? {})) step[name] = Real.from(decode(array));
      step.shape = given.op === "input" ? description.input : step.operation.prepare(step, Real);
      step.value = new Real(size(step.shape));
      step.cotangent = new Real(size(step.shape));
      this.steps.push(step);
    }
  }

  // The logits f(x), one for each class.
  forward(x) {
    this.steps[0].value.set(x);
    for (const step of this.steps.slice(1)) step.operation.forward(step);
    return this.steps.at(-1).value.slice();
  }

  // The gradient of <v, f> at the x that `forward` was given last.
  pullback(v) {
    for (const step of this.steps) step.cotangent.fill(0);
    this.steps.at(-1).cotangent.set(v);
    for (const step of this.steps.slice(1).reverse()) step.operation.backward(step);
    return this.steps[0].cotangent.slice();
  }
}

const size = (shape) => shape.reduce((product, length) => product * length, 1);

// What a step can do. `prepare` returns the shape of its value; `forward` fills `step.value`; `backward` adds to
// the cotangents of its inputs what `step.cotangent` sends back to them.
const OPERATIONS = {
  input: {},

  // Each output channel is a weighted sum over a small window of all input channels.
  // The windows are laid out as the columns of a matrix, so that the sums become a matrix product.
  conv: {
    prepare(step, Real) {
      const [channels, height, width] = step.inputs[0].shape;
      const { kernel, stride, padding } = step;
      const out = (length) => Math.floor((length + 2 * padding - kernel) / stride) + 1;
      step.outputs = step.weight.length / (channels * kernel * kernel);
      step.window = channels * kernel * kernel;
      step.pixels = out(height) * out(width);
      step.columns = new Real(step.window * step.pixels);
      step.transposed = transpose(step.weight, step.outputs, step.window);
      return [step.outputs, out(height), out(width)];
    },
    forward(step) {
      step.columns.fill(0);
      const { columns, stride } = step;
      const { value } = step.inputs[0];
      forEachWindowRow(step, (column, pixel, length) => {
        for (let j = 0; j < length; j++) columns[column + j] = value[pixel + j * stride];
      });
      for (let channel = 0; channel < step.outputs; channel++) {
        const start = channel * step.pixels;
        step.value.fill(step.bias ? step.bias[channel] : 0, start, start + step.pixels);
      }
      addProduct(step.weight, step.columns, step.value, step.outputs, step.window, step.pixels);
    },
    backward(step) {
      step.columns.fill(0);
      addProduct(step.transposed, step.cotangent, step.columns, step.window, step.outputs, step.pixels);
      const { columns, stride } = step;
      const { cotangent } = step.inputs[0];
      forEachWindowRow(step, (column, pixel, length) => {
        for (let j = 0; j < length; j++) cotangent[pixel + j * stride] += columns[column + j];
      });
    },
  },

  // In evaluation mode a batch norm is a fixed scale and shift of each channel.
  batch_norm: {
    prepare(step) {
      step.scale = step.weight.map((weight, c) => weight / Math.sqrt(step.variance[c] + step.epsilon));
      step.shift = step.bias.map((bias, c) => bias - step.mean[c] * step.scale[c]);
      return step.inputs[0].shape;
    },
    forward(step) {
      const pixels = step.value.length / step.scale.length;
      const [input] = step.inputs;
      for (let c = 0, j = 0; c < step.scale.length; c++) {
        for (const end = j + pixels; j < end; j++)
          step.value[j] = step.scale[c] * input.value[j] + step.shift[c];
      }
    },
    backward(step) {
      const pixels = step.value.length / step.scale.length;
      const [input] = step.inputs;
      for (let c = 0, j = 0; c < step.scale.length; c++) {
        for (const end = j + pixels; j < end; j++) input.cotangent[j] += step.scale[c] * step.cotangent[j];
      }
    },
  },

  // log(1 + exp(beta x)) / beta, and x itself where beta x is above the threshold, as PyTorch has it.
  softplus: {
    prepare: (step) => step.inputs[0].shape,
    forward({ inputs: [input], value, beta, threshold }) {
      for (let j = 0; j < value.length; j++) {
        const z = beta * input.value[j];
        value[j] = z > threshold ? input.value[j] : Math.log1p(Math.exp(z)) / beta;
      }
    },
    backward({ inputs: [input], cotangent, beta, threshold }) {
      for (let j = 0; j < cotangent.length; j++) {
        const z = beta * input.value[j];
        input.cotangent[j] += z > threshold ? cotangent[j] : cotangent[j] / (1 + Math.exp(-z));
      }
    },
  },

  relu: {
    prepare: (step) => step.inputs[0].shape,
    forward({ inputs: [input], value }) {
      for (let j = 0; j < value.length; j++) value[j] = Math.max(0, input.value[j]);
    },
    backward({ inputs: [input], cotangent }) {
      for (let j = 0; j < cotangent.length; j++) if (input.value[j] > 0) input.cotangent[j] += cotangent[j];
    },
  },

  add: {
    prepare: (step) => step.inputs[0].shape,
    forward({ inputs: [a, b], value }) {
      for (let j = 0; j < value.length; j++) value[j] = a.value[j] + b.value[j];
    },
    backward({ inputs: [a, b], cotangent }) {
      for (let j = 0; j < cotangent.length; j++) {
        a.cotangent[j] += cotangent[j];
        b.cotangent[j] += cotangent[j];
      }
    },
  },

  // The mean of each channel over its pixels.
  spatial_mean: {
    prepare: (step) => [step.inputs[0].shape[0]],
    forward({ inputs: [input], value }) {
      const pixels = input.value.length / value.length;
      for (let c = 0; c < value.length; c++) {
        let sum = 0;
        for (let j = c * pixels; j < (c + 1) * pixels; j++) sum += input.value[j];
        value[c] = sum / pixels;
      }
    },
    backward({ inputs: [input], cotangent }) {
      const pixels = input.cotangent.length / cotangent.length;
      for (let j = 0; j < input.cotangent.length; j++) {
        input.cotangent[j] += cotangent[Math.floor(j / pixels)] / pixels;
      }
    },
  },

  flatten: {
    prepare: (step) => [size(step.inputs[0].shape)],
    forward: ({ inputs: [input], value }) => value.set(input.value),
    backward({ inputs: [input], cotangent }) {
      for (let j = 0; j < cotangent.length; j++) input.cotangent[j] += cotangent[j];
    },
  },

  linear: {
    prepare: (step) => [step.weight.length / size(step.inputs[0].shape)],
    forward({ inputs: [input], value, weight, bias }) {
      const length = input.value.length;
      for (let i = 0; i < value.length; i++) {
        let sum = bias ? bias[i] : 0;
        for (let j = 0; j < length; j++) sum += weight[i * length + j] * input.value[j];
        value[i] = sum;
      }
    },
    backward({ inputs: [input], cotangent, weight }) {
      const length = input.value.length;
      for (let i = 0; i < cotangent.length; i++) {
        for (let j = 0; j < length; j++) input.cotangent[j] += weight[i * length + j] * cotangent[i];
      }
    },
  },
};

// Calls visit(place in `columns`, place in the input, length) for every row of entries that lie in the image: `length`
// places that follow each other in `columns`, and lie a stride apart in the input.
function forEachWindowRow(step, visit) {
  const [channels, height, width] = step.inputs[0].shape;
  const [, outHeight, outWidth] = step.shape;
  const { kernel, stride, padding } = step;
  let row = 0;
  for (let c = 0; c < channels; c++) {
    for (let ky = 0; ky < kernel; ky++) {
      for (let kx = 0; kx < kernel; kx++, row++) {
        const first = Math.max(0, Math.ceil((padding - kx) / stride));
        const end = Math.min(outWidth, Math.floor((width - 1 + padding - kx) / stride) + 1);
        for (let oy = 0; oy < outHeight; oy++) {
          const y = oy * stride + ky - padding;
          if (y < 0 || y >= height) continue;
          const column = (row * outHeight + oy) * outWidth;
          const pixel = (c * height + y) * width + kx - padding;
          visit(column + first, pixel + first * stride, end - first);
        }
      }
    }
  }
}

function transpose(matrix, rows, columns) {
  const result = new matrix.constructor(matrix.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = matrix[i * columns + j];
  }
  return result;
}

// C += A B for A (m, k), B (k, n), C (m, n). Sixteen sums at a time, of four rows of A with four columns of B, so that
// each number that was fetched serves four of them.
function addProduct(A, B, C, m, k, n) {
  const rows = m - (m % 4);
  const columns = n - (n % 4);
  for (let i = 0; i < rows; i += 4) {
    for (let j = 0; j < columns; j += 4) addTile(A, B, C, i, j, k, n);
  }
  for (let i = 0; i < m; i++) {
    for (let j = i < rows ? columns : 0; j < n; j++) {
      let sum = 0;
      for (let r = 0; r < k; r++) sum += A[i * k + r] * B[r * n + j];
      C[i * n + j] += sum;
    }
  }
}

// Rows i to i + 3 and columns j to j + 3 of C. The sums are p, q, r and s, row by row.
function addTile(A, B, C, i, j, k, n) {
  let [p0, p1, p2, p3] = [0, 0, 0, 0];
  let [q0, q1, q2, q3] = [0, 0, 0, 0];
  let [r0, r1, r2, r3] = [0, 0, 0, 0];
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  for (let a = i * k, b = j; a < (i + 1) * k; a++, b += n) {
    const b0 = B[b];
    const b1 = B[b + 1];
    const b2 = B[b + 2];
    const b3 = B[b + 3];
    let factor = A[a];
    p0 += factor * b0;
    p1 += factor * b1;
    p2 += factor * b2;
    p3 += factor * b3;
    factor = A[a + k];
    q0 += factor * b0;
    q1 += factor * b1;
    q2 += factor * b2;
    q3 += factor * b3;
    factor = A[a + 2 * k];
    r0 += factor * b0;
    r1 += factor * b1;
    r2 += factor * b2;
    r3 += factor * b3;
    factor = A[a + 3 * k];
    s0 += factor * b0;
    s1 += factor * b1;
    s2 += factor * b2;
    s3 += factor * b3;
  }
  addFour(C, i * n + j, p0, p1, p2, p3);
  addFour(C, (i + 1) * n + j, q0, q1, q2, q3);
  addFour(C, (i + 2) * n + j, r0, r1, r2, r3);
  addFour(C, (i + 3) * n + j, s0, s1, s2, s3);
}

function addFour(C, place, c0, c1, c2, c3) {
  C[place] += c0;
  C[place + 1] += c1;
  C[place + 2] += c2;
  C[place + 3] += c3;
}
