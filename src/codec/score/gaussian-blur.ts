import { type Plane, valueAt } from './xyb-scales.ts';

const REACH = 4;

/**
 * The recursive Gaussian of sigma 1.5 that the metric was tuned with (Charalampidis 2016: a truncated sum of three
 * cosines over the radius 5), as the nine taps that it amounts to: the middle one and those on either side.
 */
const TAPS = [
  0.2646211054881986, 0.21292859201042227, 0.10933537277746035, 0.03601111465836439, 0.00941436780965374,
] as const;

/** Outside the plane is zero. */
export function blur(plane: Plane, width: number, height: number): Plane {
  const [k0, k1, k2, k3, k4] = TAPS;
  const across = new Float32Array(width * (height + 2 * REACH));
  const line = new Float32Array(width + 2 * REACH);
  for (let y = 0; y < height; y++) {
    line.set(plane.subarray(y * width, (y + 1) * width), REACH);
    const to = (y + REACH) * width;
    for (let x = 0; x < width; x++) {
      across[to + x] =
        k0 * valueAt(line, x + 4) +
        k1 * (valueAt(line, x + 3) + valueAt(line, x + 5)) +
        k2 * (valueAt(line, x + 2) + valueAt(line, x + 6)) +
        k3 * (valueAt(line, x + 1) + valueAt(line, x + 7)) +
        k4 * (valueAt(line, x) + valueAt(line, x + 8));
    }
  }
  const result = new Float32Array(width * height);
  for (let at = 0, count = width * height; at < count; at++) {
    result[at] =
      k0 * valueAt(across, at + 4 * width) +
      k1 * (valueAt(across, at + 3 * width) + valueAt(across, at + 5 * width)) +
      k2 * (valueAt(across, at + 2 * width) + valueAt(across, at + 6 * width)) +
      k3 * (valueAt(across, at + width) + valueAt(across, at + 7 * width)) +
      k4 * (valueAt(across, at) + valueAt(across, at + 8 * width));
  }
  return result;
}
