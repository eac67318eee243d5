// The entrance: one live figure for each kind of payload, on a page or in Jupyter.

import { fooling } from "./fooling.mjs";
import { JupyterHost, PageHost } from "./hosts.mjs";
import { ripple } from "./ripple.mjs";
import { sampling } from "./sampling.mjs";
import { traces } from "./traces.mjs";
import { element } from "./elements.mjs";

const FIGURES = { fooling, ripple, traces, sampling };

// Draws a figure in `place`. What it returns is kept there as `companion`, for tests.
function renderFigure(host, place) {
  const root = element("div", { class: "live" });
  place.append(root);
  place.companion = FIGURES[host.payload.kind](host, root);
}

// What anywidget calls in Jupyter.
export function render({ model, el }) {
  renderFigure(new JupyterHost(model), el);
}

// On a page, figures are drawn when they come near. Each names the scripts that hold its payload; a script hands it
// over by `companionLive.receive(name, part)`. Scripts, since a page opened from the disk may not fetch.
export function mountAll() {
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        loadFigure(target);
      }
    },
    { rootMargin: "600px" },
  );
  for (const place of document.querySelectorAll(".live-figure")) {
    seen.observe(place);
    if (location.hash.startsWith(`#live-${place.dataset.kind}?`)) place.scrollIntoView();
  }
}

const received = new Map();
const loading = new Map();

export function receive(name, part) {
  received.set(name, part);
}

// The folder of this script, where the parts lie too.
const folder = document.currentScript?.src.replace(/[^/]*$/, "");

function load(name) {
  if (!loading.has(name)) {
    loading.set(
      name,
      new Promise((resolve, reject) => {
        const onload = () => resolve(received.get(name));
        const onerror = () => reject(new Error(`${name} could not be loaded`));
        document.head.append(element("script", { src: `${folder}${name}.js`, onload, onerror }));
      }),
    );
  }
  return loading.get(name);
}

async function loadFigure(place) {
  const payload = { ...(await load(place.dataset.payload)) };
  const networks = Object.entries(payload.networks);
  payload.networks = Object.fromEntries(
    await Promise.all(
      networks.map(async ([name, part]) => [name, typeof part === "string" ? await load(part) : part]),
    ),
  );
  renderFigure(new PageHost(payload), place);
  place.classList.add("live-ready");
}
