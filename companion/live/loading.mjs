// What a page's figure loads: its payload, and the networks that it names. Each part is a script that hands it over by
// `companionLive.receive(name, part)` (main.mjs). Scripts, since a page opened from the disk may not fetch.

import { element } from "./elements.mjs";

// A script that did not come. It may come when it is asked for again.
export class NotLoaded extends Error {}

const received = new Map();
const loading = new Map();

export function keep(name, part) {
  received.set(name, part);
}

// The folder of this script, where the parts lie too.
const folder = document.currentScript?.src.replace(/[^/]*$/, "");

export function load(name) {
  if (!loading.has(name)) loading.set(name, loadScript(name));
  return loading.get(name);
}

async function loadScript(name) {
  const script = element("script", { src: `${folder}${name}.js` });
  await new Promise((resolve) => {
    script.onload = script.onerror = resolve;
    document.head.append(script);
  });
  if (received.has(name)) return received.get(name);
  loading.delete(name);
  throw new NotLoaded(`${name}.js could not be loaded`);
}

// A part of a payload, which may lie in a script of its own.
export const whole = async (part) => (typeof part === "string" ? load(part) : part);

// A payload with its networks or, where these are for later, with the names of their scripts.
export async function loadPayload(name) {
  const payload = { ...(await load(name)) };
  if (payload.later) return payload;
  const networks = Object.entries(payload.networks);
  payload.networks = Object.fromEntries(
    await Promise.all(
      networks.map(async ([name, part]) => [name, await whole(part)]),
    ),
  );
  return payload;
}
