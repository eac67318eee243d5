// How a reader's own picture comes in: from a file, by drop or by paste. It is read on this page, and goes nowhere.

import { button } from "./controls.mjs";
import { element, part } from "./elements.mjs";

const FINEST = 1024; // Pixels along a side of the square, before the mean over blocks.

// The parts of a figure that take a picture. `onPicture` is called with its values; `root` is where it may be dropped,
// or pasted while the pointer or the keyboard is there.
export function pictureTaker({ root, channels, size, onPicture }) {
  const said = element("p", { class: "live-note", role: "status" });
  const file = element("input", { type: "file", accept: "image/*", hidden: true, "aria-hidden": "true" });

  async function take(blob) {
    try {
      onPicture(await squareOf(blob, channels, size));
      said.textContent = `Cut to the central square, and scaled to ${size} × ${size}.`;
    } catch {
      said.textContent = "This could not be read as a picture. A JPEG or a PNG can.";
    }
  }

  file.addEventListener("change", () => {
    if (file.files.length) take(file.files[0]);
    file.value = ""; // So that the same file can be chosen again.
  });
  root.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    root.classList.add("live-dropping");
  });
  root.addEventListener("dragleave", ({ relatedTarget }) => {
    if (!root.contains(relatedTarget)) root.classList.remove("live-dropping");
  });
  root.addEventListener("drop", (event) => {
    root.classList.remove("live-dropping");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const [pasted] = event.clipboardData?.files ?? [];
    if (!pasted || !root.matches(":hover, :focus-within")) return;
    event.preventDefault();
    take(pasted);
  });

  return part(
    "taker",
    button("Choose a photograph…", () => file.click()),
    file,
    element(
      "p",
      { class: "live-note" },
      "Or drop one here, or paste one. It stays on this page: nothing is uploaded, and nothing is kept.",
    ),
    said,
  );
}

// The central square of a picture as (channels, size, size) values in [0, 1]: each the mean over a block of pixels,
// whatever the browser's way to scale. What is transparent becomes white.
async function squareOf(blob, channels, size) {
  const bitmap = await createImageBitmap(blob, { imageOrientation: "from-image" });
  const side = Math.min(bitmap.width, bitmap.height);
  const block = Math.min(FINEST / size, Math.max(1, Math.round(side / size)));
  const fine = size * block;
  const canvas = element("canvas", { width: fine, height: fine });
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, fine, fine);
  context.imageSmoothingQuality = "high";
  const [left, top] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
  context.drawImage(bitmap, left, top, side, side, 0, 0, fine, fine);
  const { data } = context.getImageData(0, 0, fine, fine);
  const colours = [0, 1, 2].map((colour) => blockMeans(data, colour, size, block));
  if (channels === 3) return Float64Array.from(colours.flatMap((values) => [...values]));
  return colours[0].map((red, j) => (red + colours[1][j] + colours[2][j]) / 3);
}

// The means of one colour of RGBA bytes over blocks, in units of full brightness.
function blockMeans(data, colour, size, block) {
  const means = new Float64Array(size * size);
  const fine = size * block;
  for (let row = 0; row < fine; row++) {
    for (let column = 0; column < fine; column++) {
      const cell = Math.floor(row / block) * size + Math.floor(column / block);
      means[cell] += data[4 * (row * fine + column) + colour];
    }
  }
  return means.map((total) => total / (255 * block * block));
}
