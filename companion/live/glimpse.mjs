// The first live figure at a glance, for the book's first page: one image, one picture T, one slider. It is given what
// chapter 1 gives its figure (fooling.mjs).

import { ProbabilityBars } from "./charts.mjs";
import { Altered, largestDifference, linearShift, openNetwork, outputs } from "./classifier.mjs";
import { slider } from "./controls.mjs";
import { Announcer, element, number, part } from "./elements.mjs";
import { openImages, openPictures } from "./hosts.mjs";
import { mount } from "./mount.mjs";
import { largestPixel, onAllChannels, Picture, SignedMap } from "./pictures.mjs";

const STRENGTHS = Array.from({ length: 51 }, (_, k) => k / 10);
const START = 1; // The gradient and the picture are both seen.

export function glimpse(host, root) {
  host.payload = { ...host.payload, view: { ...host.payload.view, strength: START } };
  const { payload } = host;
  const { channels, height, width, cells, pixels, labels } = openImages(payload.images);
  const { image, picture } = payload.view;
  const [x, y] = [pixels[image], labels[image]];
  const network = openNetwork(payload.networks.model, "float64", host);
  const { label, values } = openPictures(payload.pictures)[picture];
  const face = onAllChannels(values, channels);

  // Both through the network: f + g is not told what f answered.
  async function* compute({ strength }) {
    const before = await outputs(network, x, y);
    const after = await outputs(new Altered(network, linearShift(face, strength)), x, y);
    const change = (name) => largestDifference(before[name], after[name]);
    yield { before, after, probabilities: change("probabilities"), map: change("logitGradient") };
  }

  const controls = {
    strength: slider({
      label: `How much of a ${label} is added to every score`,
      numbers: STRENGTHS,
      format: (strength) => strength.toFixed(1),
    }),
  };
  const canvas = (label) => new Picture({ label, height, width });
  const input = canvas("a digit");
  const maps = [new SignedMap(canvas("gradient map")), new SignedMap(canvas("the map now"))];
  const bars = new ProbabilityBars(payload.classes);
  const found = element("p", { class: "live-found" });
  const spoken = new Announcer("live-unseen");
  input.showImage(x);

  function draw({ before, after, probabilities, map }) {
    [before, after].forEach(({ logitGradient }, k) =>
      maps[k].show(logitGradient, largestPixel(logitGradient, cells)),
    );
    bars.show(before.probabilities, after.probabilities);
    found.replaceChildren(
      `The map changed by up to ${number(map)}, the `,
      element("strong", {}, `probabilities changed by ${number(probabilities, 1)}`),
      ".",
    );
    spoken.say(found.textContent);
  }

  root.classList.add("live-glimpse");
  const figure = mount({ host, allowed: { strength: STRENGTHS }, controls, compute, draw });
  root.replaceChildren(
    part("glimpsed", input.node, ...maps, bars),
    part("told", controls.strength, found),
    spoken.node,
  );
  return figure;
}
