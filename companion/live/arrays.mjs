// Arrays as they travel: {type, shape, data}, the data in base64. Each has the smallest type that holds its
// numbers exactly, so that nothing is lost on the way from PyTorch.

export function decode({ type, data }) {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  switch (type) {
    case "uint8":
      return Float64Array.from(bytes);
    case "float16":
      return Float64Array.from(new Uint16Array(bytes.buffer), fromHalf);
    case "float32":
      return Float64Array.from(new Float32Array(bytes.buffer));
    case "float64":
      return new Float64Array(bytes.buffer);
    default:
      throw new Error(`no such type of array: ${type}`);
  }
}

export function encode(values) {
  const bytes = new Uint8Array(Float64Array.from(values).buffer);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return { type: "float64", shape: [values.length], data: btoa(text) };
}

// IEEE half precision: a sign, five bits of exponent, ten of fraction.
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
}

// A drawing of sixteen shades as text, four bits a pixel: short enough for a link.
export function drawingToText(values) {
  const shades = Array.from(values, (value) => Math.round(15 * Math.min(1, Math.max(0, value))));
  let text = "";
  for (let j = 0; j < shades.length; j += 2) {
    text += String.fromCharCode(16 * shades[j] + (shades[j + 1] ?? 0));
  }
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function textToDrawing(text, length) {
  const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const values = new Float64Array(length);
  for (let j = 0; j < length; j++) {
    const byte = bytes.charCodeAt(j >> 1) || 0;
    values[j] = (j % 2 ? byte & 15 : byte >> 4) / 15;
  }
  return values;
}
