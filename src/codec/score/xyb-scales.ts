import { byteAt } from '../bytes.ts';

/** One value for each pixel, row by row. */
export type Plane = Float32Array;

/** In loops over pixels this costs nothing: the compiler inlines it. 0 beyond the end. */
export function valueAt(plane: Plane, index: number): number {
  return plane[index] ?? 0;
}

/** A picture at one of its sizes, in the opponent colours of JPEG XL. */
export type Scale = Readonly<{ width: number; height: number; x: Plane; y: Plane; b: Plane }>;

/** The picture and its halves down to 8 pixels, six at the most. @param pixels red, green and blue bytes without gaps */
export function toScales(pixels: Uint8Array, width: number, height: number): Scale[] {
  const scales: Scale[] = [];
  let linear = toLinear(pixels, width, height);
  while (scales.length < 6 && linear.width >= 8 && linear.height >= 8) {
    scales.push(toXyb(linear));
    linear = halve(linear);
  }
  return scales;
}

type LinearRgb = Readonly<{ width: number; height: number; red: Plane; green: Plane; blue: Plane }>;

const SRGB_TO_LINEAR = Float32Array.from({ length: 256 }, (_, value) => {
  const share = value / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
});

function toLinear(pixels: Uint8Array, width: number, height: number): LinearRgb {
  const count = pixels.length / 3;
  const [red, green, blue] = [new Float32Array(count), new Float32Array(count), new Float32Array(count)];
  for (let at = 0, from = 0; at < count; at++, from += 3) {
    red[at] = valueAt(SRGB_TO_LINEAR, byteAt(pixels, from));
    green[at] = valueAt(SRGB_TO_LINEAR, byteAt(pixels, from + 1));
    blue[at] = valueAt(SRGB_TO_LINEAR, byteAt(pixels, from + 2));
  }
  return { width, height, red, green, blue };
}

function halve({ width, height, red, green, blue }: LinearRgb): LinearRgb {
  const half = (plane: Plane) => halvePlane(plane, width, height);
  const size = { width: Math.ceil(width / 2), height: Math.ceil(height / 2) };
  return { ...size, red: half(red), green: half(green), blue: half(blue) };
}

/** The mean of four pixels each; the last row and column count twice where their number is odd. */
function halvePlane(source: Plane, width: number, height: number): Plane {
  const [halfWidth, halfHeight] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const target = new Float32Array(halfWidth * halfHeight);
  for (let y = 0, at = 0; y < halfHeight; y++) {
    const upper = 2 * y * width;
    const lower = Math.min(2 * y + 1, height - 1) * width;
    for (let x = 0; x < halfWidth; x++, at++) {
      const left = 2 * x;
      const right = Math.min(left + 1, width - 1);
      const above = valueAt(source, upper + left) + valueAt(source, upper + right);
      target[at] = (above + valueAt(source, lower + left) + valueAt(source, lower + right)) / 4;
    }
  }
  return target;
}

// JPEG XL's opsin absorbance and its bias.
const BIAS = 0.0037930732552754493;
const BIAS_ROOT = Math.cbrt(BIAS);

function toXyb({ width, height, red, green, blue }: LinearRgb): Scale {
  const count = width * height;
  const [x, y, b] = [new Float32Array(count), new Float32Array(count), new Float32Array(count)];
  for (let at = 0; at < count; at++) {
    const r = valueAt(red, at);
    const g = valueAt(green, at);
    const bl = valueAt(blue, at);
    const long = cubeRoot(0.3 * r + 0.622 * g + 0.078 * bl + BIAS) - BIAS_ROOT;
    const medium = cubeRoot(0.23 * r + 0.692 * g + 0.078 * bl + BIAS) - BIAS_ROOT;
    const short =
      cubeRoot(0.24342268924547819 * r + 0.20476744424496821 * g + 0.5518098665095535 * bl + BIAS) - BIAS_ROOT;
    const luma = (long + medium) / 2;
    // Shifted and scaled so that all three are positive and of like weight.
    x[at] = (long - medium) * 7 + 0.42;
    y[at] = luma + 0.01;
    b[at] = short - luma + 0.55;
  }
  return { width, height, x, y, b };
}

const ROOT = new Float32Array(1);
const ROOT_BITS = new Int32Array(ROOT.buffer);

// A third of the exponent as a first guess and two steps of Halley: exact to a float, and faster than Math.cbrt.
function cubeRoot(value: number): number {
  ROOT[0] = value;
  ROOT_BITS[0] = ((ROOT_BITS[0] ?? 0) / 3 + 709_921_077) | 0;
  let root = valueAt(ROOT, 0);
  let cube = root * root * root;
  root *= (cube + 2 * value) / (2 * cube + value);
  cube = root * root * root;
  return (root * (cube + 2 * value)) / (2 * cube + value);
}
