// Live figure 3: estimates of the trace of a logit's Hessian (eq. 3 and 8) against the exact trace.

import { openInEachPrecision, sum } from "./classifier.mjs";
import { Chart, roundEnd, SteadyRange, Table } from "./charts.mjs";
import { button, choice, imageChoice, powersOfTen, precisionChoice, slider, tries } from "./controls.mjs";
import { Announcer, element, fold, number, part } from "./elements.mjs";
import { ESTIMATORS, estimate, exactTrace, logitOf } from "./estimators.mjs";
import { openImages } from "./hosts.mjs";
import { mount } from "./mount.mjs";
import { Picture } from "./pictures.mjs";
import { randomNumbers } from "./random.mjs";

const PATCH = 8;
const SIGMAS = powersOfTen(-4, -0.5, 10);
const SWEEP = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1];
const PROBES = [8, 16, 32, 64, 128, 256, 512];
const BINS = 24;

// How far a single estimate is from the exact trace: the root of the mean square.
const errorOf = ({ samples, exact }) =>
  Math.sqrt(sum(samples.map((sample) => (sample - exact) ** 2)) / samples.length);

export function traces(host, root) {
  const { payload } = host;
  const images = openImages(payload.images);
  const { channels, height, width, cells } = images;
  const network = openInEachPrecision(payload.networks.model, host);
  const exactOfPatch = new Map();
  let tried = { key: null, errors: {} };
  let axis = { of: null, range: null };

  // ---- From the view to the numbers ----

  // The entries of x that may move.
  function placesOf({ region, row, column }) {
    const all = Array.from({ length: channels * cells }, (_, j) => j);
    if (region === "whole") return all;
    const isWithin = (place, start) => start <= place && place < start + PATCH;
    return all.filter((j) => isWithin(Math.floor((j % cells) / width), row) && isWithin(j % width, column));
  }

  // Gives `sample(k, sigma)`, the k-th estimate, and the norm of the gradient. The noise depends on k and the seed alone,
  // so that all sigmas and estimators see the same.
  async function estimatesOf({ image, variant, precision, seed }, places) {
    const x = images.pixels[image];
    const f = logitOf(network(variant === "hutchinson" ? "float64" : precision), images.labels[image]);
    const base = { x, value: await f.value(x), gradient: await f.gradient(x) };
    const slope = Math.sqrt(sum(places.map((j) => base.gradient[j] ** 2)));
    const sample = (k, sigma) => estimate(variant, f, base, places, sigma, randomNumbers(1e6 * seed + k));
    return { slope, sample };
  }

  // The exact trace: of a patch in double precision; that of the whole picture came with the page, from PyTorch.
  async function* exactOf({ image, region, row, column }, places) {
    if (region === "whole") return payload.exact[image];
    const key = [image, row, column].join();
    if (!exactOfPatch.has(key)) {
      const f = logitOf(network("float64"), images.labels[image]);
      const report = (done) => tell(`Exact trace: ${done} of ${places.length} second derivatives`);
      exactOfPatch.set(key, yield* exactTrace(f, images.pixels[image], places, report));
    }
    return exactOfPatch.get(key);
  }

  // Draws estimates until there are enough, and shows them as they come.
  async function* compute(view) {
    const places = placesOf(view);
    const { slope, sample } = await estimatesOf(view, places);
    const results = { samples: [], exact: null, slope, places };
    let shownAt = 0;
    while (results.samples.length < view.probes) {
      results.samples.push(await sample(results.samples.length, view.sigma));
      if (performance.now() - shownAt > 30) {
        tell(`${results.samples.length} of ${view.probes} estimates`);
        yield results;
        shownAt = performance.now();
      }
    }
    yield results;
    results.exact = yield* exactOf(view, places);
    remember(view, view.sigma, results);
    results.done = true;
    tell("");
    yield results;
  }

  // The chosen estimator at eight sigmas, with a few probes each.
  async function* sweep(view) {
    const places = placesOf(view);
    const exact = yield* exactOf(view, places);
    const { sample } = await estimatesOf(view, places);
    for (const sigma of SWEEP) {
      const samples = [];
      for (let k = 0; k < 16; k++) {
        samples.push(await sample(k, sigma));
        yield;
      }
      remember(view, sigma, { samples, exact });
      tell(`σ = ${number(sigma, 1)} done`);
      drawTried();
    }
    tell("");
  }

  // Keeps the error at each sigma tried, as long as it is the same function and region.
  function remember({ image, region, row, column, precision, variant }, sigma, outcome) {
    const key = [image, region, region === "whole" ? "" : [row, column], precision].join();
    if (tried.key !== key) tried = { key, errors: {} };
    (tried.errors[variant] ??= new Map()).set(sigma, errorOf(outcome));
  }

  // ---- What the reader chooses ----

  const controls = {
    image: imageChoice({ label: "Image", images, classes: payload.classes }),
    region: choice({
      label: "Second derivatives with respect to",
      options: [
        ["patch", `a patch of ${PATCH} × ${PATCH} pixels`],
        ...(payload.exact ? [["whole", "all pixels (exact trace from PyTorch)"]] : []),
      ],
    }),
    variant: choice({
      label: "Estimator",
      options: Object.entries(ESTIMATORS).map(([name, { label }]) => [name, label]),
    }),
    sigma: slider({ label: "Step σ", numbers: SIGMAS, format: (sigma) => number(sigma, 1) }),
    probes: slider({ label: "Probes N", numbers: PROBES, format: String }),
    precision: precisionChoice("Function values in"),
  };

  let pointed = null;
  const picture = new Picture({
    label: "input: choose the patch",
    height,
    width,
    hint: "Enter moves the patch here.",
    onProbe: (cell) => (pointed = cell),
  });
  const outline = element("span", { class: "live-patch", "aria-hidden": "true" });
  picture.frame.append(outline);
  function movePatch() {
    if (pointed === null) return;
    const inside = (place, length) => Math.max(0, Math.min(length - PATCH, place - PATCH / 2));
    figure.set({
      region: "patch",
      row: inside(Math.floor(pointed / width), height),
      column: inside(pointed % width, width),
    });
  }
  picture.frame.addEventListener("click", movePatch);
  picture.frame.addEventListener("keydown", (event) => {
    if (event.key === "Enter") movePatch();
    else picture.mark(pointed);
  });

  // ---- What the reader sees ----

  const progress = element("p", { class: "live-probe" });
  const tell = (text) => (progress.textContent = text);
  const histogram = new Chart({ label: "Single estimates", xLabel: "estimate of the trace" });
  const errors = new Chart({ label: "Error of one estimate, at the σ tried", xLabel: "σ" });
  const table = new Table("The estimate", ["value"]);
  const summary = new Announcer();

  function arrange({ image, region, row, column }) {
    picture.showImage(images.pixels[image]);
    outline.hidden = region === "whole";
    const percent = (part, whole) => `${(100 * part) / whole}%`;
    Object.assign(outline.style, {
      left: percent(column, width),
      top: percent(row, height),
      width: percent(PATCH, width),
      height: percent(PATCH, height),
    });
  }

  function draw(results, { variant, sigma }) {
    const { samples, exact, slope, places, done } = results;
    const n = samples.length;
    const mean = sum(samples) / n;
    const variance = sum(samples.map((sample) => (sample - mean) ** 2)) / Math.max(1, n - 1);
    const standardError = Math.sqrt(variance) / Math.sqrt(n);
    if (axis.of !== results) axis = { of: results, range: new SteadyRange() };
    drawHistogram(samples, mean, standardError, exact, variant);
    const error = exact === null ? "…" : number(errorOf(results));
    table.show([
      [`exact trace, ${places.length} second derivatives`, exact === null ? "…" : number(exact, 4)],
      [`mean of ${n} estimates`, number(mean, 4)],
      ["its standard error", n > 1 ? number(standardError) : "…"],
      ["error of one estimate, measured", error],
      ["of that, the gradient's noise 2‖∇f‖/σ", variant === "forward" ? number((2 * slope) / sigma) : "none"],
    ]);
    if (!done) return;
    drawTried();
    summary.say(
      `${ESTIMATORS[variant].label}, σ = ${number(sigma, 1)}: ${n} estimates have the mean ${number(mean, 3)} ± ` +
        `${number(standardError)}; the exact trace is ${number(exact, 3)}. One estimate misses it by ${error}.`,
    );
  }

  function drawHistogram(samples, mean, standardError, exact, variant) {
    const [low, high] = axis.range.including(exact === null ? samples : [...samples, exact]);
    const counts = new Array(BINS).fill(0);
    for (const sample of samples) {
      counts[Math.min(BINS - 1, Math.floor(((sample - low) / (high - low)) * BINS))] += 1;
    }
    const series = [
      {
        name: "estimates",
        colour: ESTIMATORS[variant].colour,
        kind: "bars",
        barWidth: (high - low) / BINS,
        points: counts.map((count, k) => [low + ((k + 0.5) * (high - low)) / BINS, count]),
      },
      {
        name: "their mean, ± 2 standard errors",
        colour: "var(--live-before)",
        kind: "rule",
        dashed: true,
        points: [[mean - 2 * standardError], [mean + 2 * standardError]],
      },
    ];
    if (exact !== null) {
      series.push({ name: "exact", colour: "var(--live-ink)", kind: "rule", points: [[exact]] });
    }
    const description = `${samples.length} estimates, mean ${number(mean, 3)}`;
    histogram.show(series, { x: [low, high], y: [0, roundEnd(Math.max(...counts))], description });
  }

  function drawTried() {
    const series = Object.entries(ESTIMATORS)
      .filter(([name]) => tried.errors[name])
      .map(([name, { label, colour }]) => ({
        name: label,
        colour,
        points: [...tried.errors[name]]
          .sort(([a], [b]) => a - b)
          .map(([sigma, error]) => [Math.log10(sigma), Math.log10(error || 1e-12)]),
      }));
    const heights = series.flatMap(({ points }) => points.map(([, error]) => error));
    const [bottom, top] = [Math.floor(Math.min(...heights)), Math.ceil(Math.max(...heights) + 1e-9)];
    // A single σ is a short dash, so that it can be seen.
    for (const { points } of series) {
      if (points.length === 1) points.push([points[0][0] + 0.08, points[0][1]]);
    }
    errors.show(series, {
      x: [-4, -0.5],
      y: [bottom, top],
      xTicks: [-4, -3, -2, -1].map((power) => [power, `${10 ** power}`]),
      yTicks: Array.from({ length: top - bottom + 1 }, (_, k) => [bottom + k, number(10 ** (bottom + k), 1)]),
      description: series.map(({ name, points }) => `${name}: ${points.length} values of σ`).join("; "),
    });
  }

  const allowed = {
    row: [...Array(height - PATCH + 1).keys()],
    column: [...Array(width - PATCH + 1).keys()],
    sigma: SIGMAS,
    probes: PROBES,
  };
  const { image, region, variant, sigma, probes, precision } = controls;
  const advanced = fold(
    "Advanced: image, pixels, probes, precision",
    part("controls", image, region, probes, precision),
  );
  const figure = mount({
    host,
    allowed,
    controls,
    compute,
    draw,
    arrange,
    advanced: { node: advanced, names: ["image", "region", "probes", "precision"] },
  });
  root.replaceChildren(
    tries(host, figure.set, [
      ["the central estimate", { variant: "central" }],
      ["a step too long", { variant: "central", sigma: 0.32 }],
      ["break float32", { variant: "central", sigma: 1e-4, precision: "float32" }],
    ]),
    part("controls", variant, sigma),
    part(
      "buttons",
      button("Draw other probes", () => figure.set({ seed: figure.view.seed + 1 })),
      button("Try eight values of σ", () => figure.run(sweep)),
    ),
    summary.node,
    part("columns", part("alone", picture), histogram),
    progress,
    part("columns", errors, table),
    advanced,
  );
  return figure;
}
