// The entrance: one live figure for each kind of payload, on a page or in Jupyter.

import { button } from "./controls.mjs";
import { element } from "./elements.mjs";
import { fooling } from "./fooling.mjs";
import { glimpse } from "./glimpse.mjs";
import { JupyterHost, PageHost } from "./hosts.mjs";
import { keep, loadPayload, NotLoaded } from "./loading.mjs";
import { photograph } from "./photograph.mjs";
import { ripple } from "./ripple.mjs";
import { sampling } from "./sampling.mjs";
import { traces } from "./traces.mjs";

const FIGURES = { fooling, glimpse, photograph, ripple, traces, sampling };

// Draws a figure in `place`. What it returns is kept there as `companion`, for tests.
function renderFigure(host, place, kind) {
  const root = element("div", { class: "live" });
  place.append(root);
  place.companion = FIGURES[kind](host, root);
}

// What anywidget calls in Jupyter.
export function render({ model, el }) {
  const host = new JupyterHost(model);
  renderFigure(host, el, host.payload.kind);
}

// What the scripts of a page's parts call.
export function receive(name, part) {
  keep(name, part);
}

// On a page, figures are drawn when they come near.
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
  const places = [...document.querySelectorAll(".live-figure")];
  const linked = () => places.find(({ dataset }) => location.hash.startsWith(`#live-${dataset.kind}?`));
  for (const place of places) seen.observe(place);
  window.addEventListener("hashchange", () => {
    const place = linked();
    if (place && !isInSight(place)) place.scrollIntoView();
  });
  linked()?.scrollIntoView();
}

function isInSight(place) {
  const { top, bottom } = place.getBoundingClientRect();
  return top < innerHeight / 2 && bottom > innerHeight / 2;
}

// Until all that a figure needs is there, its still picture is.
async function loadFigure(place) {
  try {
    const { kind, payload } = place.dataset;
    renderFigure(new PageHost(await loadPayload(payload), kind), place, kind);
    place.classList.add("live-ready");
  } catch (error) {
    if (!(error instanceof NotLoaded)) throw error;
    place.append(failure(error, () => loadFigure(place)));
  }
}

function failure(error, tryAgain) {
  const again = button("Try again", () => {
    note.remove();
    tryAgain();
  });
  const words = `The picture above stays still: ${error.message}. `;
  const note = element("p", { class: "live live-failure", role: "alert" }, words, again);
  return note;
}
