// The engine in a thread of its own, so that the page answers its reader while a network computes.

import { Network } from "./engine.mjs";

// What the worker is made of. It has no file, since a page opened from the disk may not load one as a worker: it runs the
// text of these modules, which bundle.py keeps in `definitions`.
const MODULES = ["arrays", "engine", "background"];

const REALS = { Float32Array, Float64Array };

// A classifier (classifier.mjs) that the engine computes: in a worker or, where the browser refuses one, on the page's
// own thread.
export class BackgroundNetwork {
  constructor(description, Real) {
    this.Real = Real;
    this.opened = inWorker(description, Real).catch(() => new Network(description, Real));
  }

  async forward(x) {
    return (await this.opened).forward(x);
  }

  async pullback(v) {
    return (await this.opened).pullback(v);
  }
}

async function inWorker(description, Real) {
  const url = URL.createObjectURL(new Blob([workerScript()], { type: "text/javascript" }));
  const worker = new Worker(url);
  const waiting = new Map();
  let asked = 0;
  const ask = (question, given) => {
    asked += 1;
    worker.postMessage({ id: asked, question, given });
    return new Promise((resolve, reject) => waiting.set(asked, { resolve, reject }));
  };
  worker.onmessage = ({ data: { id, answer, error } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error) reject(new Error(error));
    else resolve(answer);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    for (const { reject } of waiting.values()) reject(new Error(event.message ?? "no worker"));
  };
  await ask("open", { description, real: Real.name });
  URL.revokeObjectURL(url);
  return { forward: (x) => ask("forward", x), pullback: (v) => ask("pullback", v) };
}

function workerScript() {
  const defined = MODULES.map((name) => `modules.${name} = (${definitions[name]})();`);
  return ["const modules = {};", ...defined, "modules.background.serve(self);"].join("\n");
}

// What a worker does: it opens one network, and answers for it.
export function serve(scope) {
  let network = null;
  const answers = {
    open({ description, real }) {
      network = new Network(description, REALS[real]);
    },
    forward: (x) => network.forward(x),
    pullback: (v) => network.pullback(v),
  };
  scope.onmessage = ({ data: { id, question, given } }) => {
    try {
      scope.postMessage({ id, answer: answers[question](given) });
    } catch (error) {
      scope.postMessage({ id, error: error.message });
    }
  };
}
