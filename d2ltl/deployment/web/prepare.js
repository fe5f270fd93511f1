// Prepares a photograph for the network as d2ltl does in Python (read_image and test_augs): the canvas of the browser
// resizes in another way, and a network is sensitive to that.

const LEAST = 256; // pixels; a large photograph is reduced to 1/2, 1/4, … of its size, with both sides at least this
const STRIP = 256; // rows that are read at once, a power of 2: a canvas of the whole photograph may be too large
const ONE = 2048; // OpenCV's fixed-point weights, in which MXNet resizes

/**
 * Return the pixels that the network sees, RGB, `size` × `size` × 3.
 * The photograph is resized to `side` × `side`, and the centre is cut out.
 */
export async function prepare(file, side, size) {
  return resizedCentre(await read(file, side), side, size);
}

/**
 * Return the photograph in a file, upright, as {pixels (RGB), width, height}; a large one reduced, but with at least
 * `side` pixels on each side. It throws if the file is no image.
 */
export async function read(file, side) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  const factor = reduction(bitmap, side);
  const [width, height] = [bitmap.width, bitmap.height].map((pixels) => Math.ceil(pixels / factor));
  const pixels = new Uint8Array(width * height * 3);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [bitmap.width, STRIP];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white"; // behind transparent pixels
  for (let top = 0; top < bitmap.height; top += STRIP) {
    const rows = Math.min(STRIP, bitmap.height - top);
    context.fillRect(0, 0, bitmap.width, STRIP);
    context.drawImage(bitmap, 0, -top);
    const strip = context.getImageData(0, 0, bitmap.width, rows).data;
    pixels.set(reduced(strip, bitmap.width, rows, factor), (top / factor) * width * 3);
  }
  bitmap.close();
  return { pixels, width, height };
}

function reduction({ width, height }, side) {
  return 2 ** Math.floor(Math.log2(Math.max(1, Math.min(width, height) / Math.max(side, LEAST))));
}

/** Return the means of squares of `factor` × `factor` pixels, as RGB; the input is RGBA. */
function reduced(rgba, width, height, factor) {
  const [columns, rows] = [Math.ceil(width / factor), Math.ceil(height / factor)];
  const result = new Uint8Array(columns * rows * 3);
  for (let row = 0; row < rows; row++) {
    const bottom = Math.min((row + 1) * factor, height);
    for (let column = 0; column < columns; column++) {
      const right = Math.min((column + 1) * factor, width);
      const sums = [0, 0, 0];
      let number = 0;
      for (let y = row * factor; y < bottom; y++) {
        for (let x = column * factor; x < right; x++, number++) {
          for (let colour = 0; colour < 3; colour++) sums[colour] += rgba[(y * width + x) * 4 + colour];
        }
      }
      for (let colour = 0; colour < 3; colour++) {
        result[(row * columns + column) * 3 + colour] = Math.round(sums[colour] / number);
      }
    }
  }
  return result;
}

/** Resize to `side` × `side` as OpenCV does (bilinear, INTER_LINEAR), and return the central `size` × `size`. */
export function resizedCentre({ pixels, width, height }, side, size) {
  const edge = Math.floor((side - size) / 2);
  const across = neighbours(width, side).slice(edge, edge + size);
  const down = neighbours(height, side).slice(edge, edge + size);
  const result = new Uint8Array(size * size * 3);
  let place = 0;
  for (const [top, bottom, topWeight, bottomWeight] of down) {
    for (const [left, right, leftWeight, rightWeight] of across) {
      for (let colour = 0; colour < 3; colour++) {
        const mixed = (row) =>
          pixels[(row * width + left) * 3 + colour] * leftWeight + pixels[(row * width + right) * 3 + colour] * rightWeight;
        const above = (topWeight * (mixed(top) >> 4)) >> 16;
        const below = (bottomWeight * (mixed(bottom) >> 4)) >> 16;
        result[place++] = (above + below + 2) >> 2;
      }
    }
  }
  return result;
}

/** Return for each of `to` pixels the two nearest of `from` pixels, and their weights, which add up to ONE. */
function neighbours(from, to) {
  const scale = 1 / (to / from);
  return Array.from({ length: to }, (_, i) => {
    const place = Math.fround((i + 0.5) * scale - 0.5);
    const first = Math.floor(place);
    const share = Math.fround(place - first);
    const inside = (pixel) => Math.min(Math.max(pixel, 0), from - 1);
    return [inside(first), inside(first + 1), roundedToEven((1 - share) * ONE), roundedToEven(share * ONE)];
  });
}

/** Return the nearest whole number, and of two the even one, as OpenCV does. */
function roundedToEven(number) {
  const rounded = Math.round(number); // of two, the larger one
  return rounded - number === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}
