// Live figure 3: estimates of the trace of a logit's Hessian (eq. 3 and 8) against the exact trace.

import { inner, logitWeights, openNetwork } from "./classifier.mjs";
import { openImages } from "./hosts.mjs";
import { Chart, Table } from "./charts.mjs";
import { button, choice, imageChoice, slider } from "./controls.mjs";
import { Announcer, element, number } from "./elements.mjs";
import { Picture } from "./pictures.mjs";
import { randomNumbers } from "./random.mjs";
import { nextFrame, oneAtATime } from "./timing.mjs";

const PATCH = 8;
const SIGMAS = Array.from({ length: 36 }, (_, k) => Number((10 ** (k / 10 - 4)).toPrecision(2)));
const SWEEP = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1];
const PROBES = [8, 16, 32, 64, 128, 256, 512];
const H = 1e-4; // The step of the central differences of gradients, in double precision.

const VARIANTS = {
  forward: { label: "Taylor, forward (eq. 8)", colour: "var(--live-forward)" },
  control: { label: "Taylor, control", colour: "var(--live-control)" },
  central: { label: "Taylor, central", colour: "var(--live-central)" },
  hutchinson: { label: "Hutchinson, signs", colour: "var(--live-hutchinson)" },
};

export function renderTraces(host, root) {
  const { payload } = host;
  const images = openImages(payload.images);
  const [channels, height, width] = images.shape;
  const cells = height * width;
  const view = {
    ...payload.view,
    ...host.loadView({
      image: [...images.pixels.keys()],
      region: payload.exact ? ["patch", "whole"] : ["patch"],
      row: [...Array(height - PATCH + 1).keys()],
      column: [...Array(width - PATCH + 1).keys()],
      variant: Object.keys(VARIANTS),
      sigma: SIGMAS,
      probes: PROBES,
      precision: ["float64", "float32"],
    }),
  };
  const networks = {};
  const alone = oneAtATime();
  const exactPatch = new Map();
  const tried = Object.fromEntries(Object.keys(VARIANTS).map((name) => [name, new Map()]));
  let results = null;
  let version = 0;

  // ---- The function, and the region in which x may move ----

  const network = (precision = view.precision) =>
    (networks[precision] ??= openNetwork(payload.networks.model, precision, host));
  const input = () => images.pixels[view.image];
  const y = () => images.labels[view.image];

  function region() {
    if (view.region === "whole") return Array.from({ length: channels * cells }, (_, j) => j);
    const places = [];
    for (let c = 0; c < channels; c++) {
      for (let r = 0; r < PATCH; r++) {
        for (let s = 0; s < PATCH; s++) places.push((c * height + view.row + r) * width + view.column + s);
      }
    }
    return places;
  }

  async function value(x, precision) {
    return (await network(precision).forward(x))[y()];
  }

  async function gradient(x, precision) {
    const logits = await network(precision).forward(x);
    return network(precision).pullback(logitWeights(logits, y()));
  }

  const moved = (x, v, scale) => x.map((number, j) => number + scale * v[j]);

  // The exact trace, in double precision: for every pixel d of the patch the derivative of the gradient's entry d
  // along d, by a central difference whose error is of the order of H^2. For the whole picture it came with the page,
  // from PyTorch.
  async function exactTrace(places, current) {
    if (view.region === "whole") return payload.exact[view.image];
    const key = [view.image, view.row, view.column].join();
    if (exactPatch.has(key)) return exactPatch.get(key);
    const x = input();
    let sum = 0;
    for (const [done, d] of places.entries()) {
      const slopes = [];
      for (const sign of [1, -1]) {
        const point = Float64Array.from(x);
        point[d] += sign * H;
        slopes.push((await gradient(point, "float64"))[d]);
      }
      sum += (slopes[0] - slopes[1]) / (2 * H);
      if (done % 4 === 3) {
        progress.textContent = `Exact trace: ${done + 1} of ${places.length} second derivatives`;
        await nextFrame();
        if (current !== version) return null;
      }
    }
    exactPatch.set(key, sum);
    return sum;
  }

  // One estimate; the noise depends on the probe's number and the seed alone, so that all sigmas and variants see
  // the same.
  async function estimate(variant, sigma, places, probe, base) {
    const { uniform, normal } = randomNumbers(1e6 * view.seed + probe);
    const x = input();
    const v = new Float64Array(x.length);
    if (variant === "hutchinson") {
      // u' H u with signs u; H u is the derivative of the gradient along u.
      for (const j of places) v[j] = uniform() < 0.5 ? -1 : 1;
      const ahead = await gradient(moved(x, v, H), "float64");
      const behind = await gradient(moved(x, v, -H), "float64");
      return (inner(v, ahead) - inner(v, behind)) / (2 * H);
    }
    for (const j of places) v[j] = sigma * normal();
    const difference = (await value(moved(x, v, 1))) - base.value;
    if (variant === "forward") return (2 / sigma ** 2) * difference;
    if (variant === "control") return (2 / sigma ** 2) * (difference - inner(base.gradient, v));
    return (difference + (await value(moved(x, v, -1))) - base.value) / sigma ** 2;
  }

  // ---- Drawing estimates until there are enough, and showing them as they come ----

  async function run() {
    const current = ++version;
    await alone(async () => {
      const places = region();
      const base = { value: await value(input()), gradient: await gradient(input()) };
      const slope = Math.sqrt(places.reduce((sum, j) => sum + base.gradient[j] ** 2, 0));
      results = { samples: [], exact: null, slope, places, variant: view.variant, sigma: view.sigma };
      drawPatch();
      let drawnAt = 0;
      while (results.samples.length < view.probes) {
        results.samples.push(await estimate(view.variant, view.sigma, places, results.samples.length, base));
        if (performance.now() - drawnAt > 30) {
          progress.textContent = `${results.samples.length} of ${view.probes} estimates`;
          draw();
          drawnAt = performance.now();
          await nextFrame();
          if (current !== version) return;
        }
      }
      draw();
      results.exact = await exactTrace(places, current);
      if (results.exact === null) return;
      remember(view.variant, view.sigma, results);
      results.done = true;
      progress.textContent = "";
      draw();
    });
  }

  // The chosen variant at eight sigmas, with a few probes each.
  async function sweep() {
    const current = ++version;
    await alone(async () => {
      const places = region();
      const exact = await exactTrace(places, current);
      if (exact === null) return;
      const base = { value: await value(input()), gradient: await gradient(input()) };
      for (const sigma of SWEEP) {
        const samples = [];
        for (let probe = 0; probe < 16; probe++) {
          samples.push(await estimate(view.variant, sigma, places, probe, base));
          await nextFrame();
          if (current !== version) return;
        }
        remember(view.variant, sigma, { samples, exact });
        progress.textContent = `σ = ${number(sigma, 1)} done`;
        drawTried();
      }
      progress.textContent = "";
    });
  }

  const errorOf = ({ samples, exact }) =>
    Math.sqrt(samples.reduce((sum, sample) => sum + (sample - exact) ** 2, 0) / samples.length);

  function remember(variant, sigma, outcome) {
    const key = [
      view.image,
      view.region,
      view.region === "whole" ? "" : [view.row, view.column],
      view.precision,
    ].join();
    if (tried.key !== key) for (const name of Object.keys(VARIANTS)) tried[name].clear();
    tried.key = key;
    tried[variant].set(sigma, errorOf(outcome));
  }

  function set(changes) {
    Object.assign(view, changes);
    for (const [name, control] of Object.entries(controls)) control.set(view[name]);
    if (Object.keys(changes).length) host.saveView(view);
    run();
  }

  const choose = (name) => (value) => set({ [name]: value });
  const controls = {
    image: imageChoice({
      label: "Image",
      images,
      value: view.image,
      onChange: choose("image"),
      describe: (index) => `Image ${index + 1}, ${payload.classes[images.labels[index]]}`,
    }),
    region: choice({
      label: "Second derivatives with respect to",
      value: view.region,
      onChange: choose("region"),
      options: [
        ["patch", `a patch of ${PATCH} × ${PATCH} pixels`],
        ...(payload.exact ? [["whole", "all pixels (exact trace from PyTorch)"]] : []),
      ],
    }),
    variant: choice({
      label: "Estimator",
      value: view.variant,
      onChange: choose("variant"),
      options: Object.entries(VARIANTS).map(([name, { label }]) => [name, label]),
    }),
    sigma: slider({
      label: "Step σ",
      values: SIGMAS,
      value: view.sigma,
      format: (value) => number(value, 1),
      onInput: choose("sigma"),
    }),
    probes: slider({
      label: "Probes N",
      values: PROBES,
      value: view.probes,
      format: String,
      onInput: choose("probes"),
    }),
    precision: choice({
      label: "Function values in",
      value: view.precision,
      onChange: choose("precision"),
      options: [
        ["float64", "float64"],
        ["float32", "float32"],
      ],
    }),
  };

  // ---- What the reader sees ----

  const picture = new Picture({
    label: "input: choose the patch",
    height,
    width,
    hint: "Enter moves the patch here.",
    onProbe: (cell) => {
      picture.pointed = cell;
    },
  });
  const outline = element("span", { class: "live-patch", "aria-hidden": "true" });
  picture.frame.append(outline);
  const movePatch = () => {
    if (picture.pointed === null) return;
    const inside = (place, length) => Math.max(0, Math.min(length - PATCH, place - PATCH / 2));
    set({
      region: "patch",
      row: inside(Math.floor(picture.pointed / width), height),
      column: inside(picture.pointed % width, width),
    });
  };
  picture.frame.addEventListener("click", movePatch);
  picture.frame.addEventListener("keydown", (event) => {
    if (event.key === "Enter") movePatch();
    else picture.mark(picture.pointed);
  });
  const progress = element("p", { class: "live-probe" });
  const histogram = new Chart({ label: "Single estimates", xLabel: "estimate of the trace" });
  const errors = new Chart({ label: "Error of one estimate, at the σ tried", xLabel: "σ" });
  const table = new Table("The estimate", ["value"]);
  const summary = new Announcer();

  function drawPatch() {
    picture.showImage(input());
    outline.hidden = view.region === "whole";
    const percent = (cells, length) => `${(100 * cells) / length}%`;
    Object.assign(outline.style, {
      left: percent(view.column, width),
      top: percent(view.row, height),
      width: percent(PATCH, width),
      height: percent(PATCH, height),
    });
  }

  function draw() {
    const { samples, exact, slope, sigma, variant, places } = results;
    const n = samples.length;
    if (!n) return;
    const mean = samples.reduce((sum, sample) => sum + sample, 0) / n;
    const deviation = Math.sqrt(
      samples.reduce((sum, sample) => sum + (sample - mean) ** 2, 0) / Math.max(1, n - 1),
    );
    const standardError = deviation / Math.sqrt(n);
    drawHistogram(samples, mean, standardError, exact, variant);
    table.show([
      [`exact trace, ${places.length} second derivatives`, exact === null ? "…" : number(exact, 4)],
      [`mean of ${n} estimates`, number(mean, 4)],
      ["its standard error", n > 1 ? number(standardError) : "…"],
      ["error of one estimate, measured", exact === null ? "…" : number(errorOf(results))],
      ["of that, the gradient's noise 2‖∇f‖/σ", variant === "forward" ? number((2 * slope) / sigma) : "none"],
    ]);
    if (results.done) {
      drawTried();
      summary.say(
        `${VARIANTS[variant].label}, σ = ${number(sigma, 1)}: ${n} estimates have the mean ${number(mean, 3)} ± ` +
          `${number(standardError)}; the exact trace is ${number(exact, 3)}. One estimate misses it by ${number(errorOf(results))}.`,
      );
    }
  }

  function drawHistogram(samples, mean, standardError, exact, variant) {
    const all = exact === null ? samples : [...samples, exact];
    let [low, high] = [Math.min(...all), Math.max(...all)];
    const air = 0.05 * (high - low) || Math.abs(low) * 0.01 || 1;
    [low, high] = [low - air, high + air];
    const bins = 24;
    const counts = new Array(bins).fill(0);
    for (const sample of samples)
      counts[Math.min(bins - 1, Math.floor(((sample - low) / (high - low)) * bins))] += 1;
    const most = Math.max(...counts);
    histogram.show(
      [
        {
          name: "estimates",
          colour: VARIANTS[variant].colour,
          kind: "bars",
          barWidth: (high - low) / bins,
          points: counts.map((count, k) => [low + ((k + 0.5) * (high - low)) / bins, count]),
        },
        {
          name: "their mean, ± 2 standard errors",
          colour: "var(--live-before)",
          kind: "rule",
          dashed: true,
          points: [[mean - 2 * standardError], [mean + 2 * standardError]],
        },
        ...(exact === null
          ? []
          : [{ name: "exact", colour: "var(--live-ink)", kind: "rule", points: [[exact]] }]),
      ],
      { x: [low, high], y: [0, most], description: `${samples.length} estimates, mean ${number(mean, 3)}` },
    );
  }

  function drawTried() {
    const series = Object.entries(VARIANTS)
      .filter(([name]) => tried[name].size)
      .map(([name, { label, colour }]) => ({
        name: label,
        colour,
        points: [...tried[name]]
          .sort(([a], [b]) => a - b)
          .map(([sigma, error]) => [Math.log10(sigma), Math.log10(error || 1e-12)]),
      }));
    const heights = series.flatMap(({ points }) => points.map(([, error]) => error));
    const [bottom, top] = [Math.floor(Math.min(...heights)), Math.ceil(Math.max(...heights) + 1e-9)];
    // A single σ is a short dash, so that it can be seen.
    for (const one of series)
      if (one.points.length === 1) one.points.push([one.points[0][0] + 0.08, one.points[0][1]]);
    errors.show(series, {
      x: [-4, -0.5],
      y: [bottom, top],
      xTicks: [-4, -3, -2, -1].map((power) => [power, `${10 ** power}`]),
      yTicks: Array.from({ length: top - bottom + 1 }, (_, k) => [bottom + k, number(10 ** (bottom + k), 1)]),
      description: series.map(({ name, points }) => `${name}: ${points.length} values of σ`).join("; "),
    });
  }

  root.replaceChildren(
    element("div", { class: "live-controls" }, ...Object.values(controls).map((control) => control.node)),
    element(
      "div",
      { class: "live-buttons" },
      button("Draw other probes", () => set({ seed: view.seed + 1 })),
      button("Try eight values of σ", sweep),
    ),
    element(
      "div",
      { class: "live-columns" },
      element("div", { class: "live-alone" }, picture.node),
      histogram.node,
    ),
    progress,
    element("div", { class: "live-columns" }, errors.node, table.node),
    summary.node,
  );
  set({});
  return {
    view,
    set: async (changes) => {
      set(changes);
      await alone(() => {});
    },
    results: () => results,
    sweep,
  };
}
