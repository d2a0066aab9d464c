/** Pixels as red, green, blue bytes without gaps. */
export interface RgbPixels {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** A picture that others are scored against; what depends on it alone is worked out once. */
export interface PerceptualReference {
  /** SSIMULACRA2: 100 is identical, 90 cannot be told apart, 70 is high and 50 medium quality, below 30 low. */
  score(pixels: Uint8Array): number;
}

/**
 * SSIMULACRA2 in plain TypeScript: some five times faster than the WebAssembly port of the Rust one in a search,
 * and nothing to be found at run time by a bundle. The tests hold it against that port.
 * @throws RangeError when a side is below 8 pixels
 */
export function perceptualReference({ pixels, width, height }: RgbPixels): PerceptualReference {
  if (width < 8 || height < 8)
    throw new RangeError(`Expected at least 8 x 8 pixels but received ${width} x ${height}`);
  const scales = toScales(pixels, width, height).map(withBlurs);
  return {
    score(candidate) {
      if (candidate.length !== pixels.length) {
        throw new RangeError(`Expected ${pixels.length} bytes of pixels but received ${candidate.length}`);
      }
      const others = toScales(candidate, width, height);
      return toScore(scales.map((scale, index) => compareScale(scale, others[index]!)));
    },
  };
}

/** The three planes X, Y, B of one scale, in that order. */
interface Scale {
  readonly width: number;
  readonly height: number;
  readonly planes: readonly Float32Array[];
}

interface BlurredScale extends Scale {
  readonly means: readonly Float32Array[];
  readonly squares: readonly Float32Array[];
}

const SCALES = 6;

function toScales(pixels: Uint8Array, width: number, height: number): Scale[] {
  const scales: Scale[] = [];
  let linear: LinearRgb = { width, height, channels: toLinear(pixels) };
  while (scales.length < SCALES && linear.width >= 8 && linear.height >= 8) {
    if (scales.length > 0) linear = halve(linear);
    if (linear.width < 8 || linear.height < 8) break;
    scales.push(toXyb(linear));
  }
  return scales;
}

interface LinearRgb {
  readonly width: number;
  readonly height: number;
  readonly channels: readonly Float32Array[];
}

const SRGB_TO_LINEAR = Float32Array.from({ length: 256 }, (_, value) => {
  const share = value / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
});

function toLinear(pixels: Uint8Array): Float32Array[] {
  const count = pixels.length / 3;
  const [red, green, blue] = [new Float32Array(count), new Float32Array(count), new Float32Array(count)];
  for (let at = 0, from = 0; at < count; at++) {
    red[at] = SRGB_TO_LINEAR[pixels[from++]!]!;
    green[at] = SRGB_TO_LINEAR[pixels[from++]!]!;
    blue[at] = SRGB_TO_LINEAR[pixels[from++]!]!;
  }
  return [red, green, blue];
}

function halve({ width, height, channels }: LinearRgb): LinearRgb {
  const half = { width: Math.ceil(width / 2), height: Math.ceil(height / 2) };
  return {
    ...half,
    channels: channels.map((source) => {
      const target = new Float32Array(half.width * half.height);
      for (let y = 0, at = 0; y < half.height; y++) {
        const upper = 2 * y * width;
        const lower = Math.min(2 * y + 1, height - 1) * width;
        for (let x = 0; x < half.width; x++, at++) {
          const left = 2 * x;
          const right = Math.min(left + 1, width - 1);
          target[at] =
            (source[upper + left]! +
              source[upper + right]! +
              source[lower + left]! +
              source[lower + right]!) /
            4;
        }
      }
      return target;
    }),
  };
}

// JPEG XL's opsin absorbance and its bias.
const BIAS = 0.0037930732552754493;
const BIAS_ROOT = Math.cbrt(BIAS);

function toXyb({ width, height, channels }: LinearRgb): Scale {
  const [red, green, blue] = channels as [Float32Array, Float32Array, Float32Array];
  const count = width * height;
  const [planeX, planeY, planeB] = [
    new Float32Array(count),
    new Float32Array(count),
    new Float32Array(count),
  ];
  for (let at = 0; at < count; at++) {
    const r = red[at]!;
    const g = green[at]!;
    const b = blue[at]!;
    const long = cubeRoot(0.3 * r + 0.622 * g + 0.078 * b + BIAS) - BIAS_ROOT;
    const medium = cubeRoot(0.23 * r + 0.692 * g + 0.078 * b + BIAS) - BIAS_ROOT;
    const short =
      cubeRoot(0.24342268924547819 * r + 0.20476744424496821 * g + 0.5518098665095535 * b + BIAS) - BIAS_ROOT;
    const y = (long + medium) / 2;
    // Shifted and scaled so that all three are positive and of like weight.
    planeX[at] = (long - medium) * 7 + 0.42;
    planeY[at] = y + 0.01;
    planeB[at] = short - y + 0.55;
  }
  return { width, height, planes: [planeX, planeY, planeB] };
}

const ROOT_FLOAT = new Float32Array(1);
const ROOT_BITS = new Int32Array(ROOT_FLOAT.buffer);

// A third of the exponent as a first guess and two steps of Halley: exact to a float, and faster than Math.cbrt.
function cubeRoot(value: number): number {
  ROOT_FLOAT[0] = value;
  ROOT_BITS[0] = (ROOT_BITS[0]! / 3 + 709_921_077) | 0;
  let root = ROOT_FLOAT[0]!;
  let cube = root * root * root;
  root *= (cube + 2 * value) / (2 * cube + value);
  cube = root * root * root;
  return (root * (cube + 2 * value)) / (2 * cube + value);
}

function withBlurs(scale: Scale): BlurredScale {
  const { width, height, planes } = scale;
  return {
    ...scale,
    means: planes.map((plane) => blur(plane, width, height)),
    squares: planes.map((plane) => blur(product(plane, plane), width, height)),
  };
}

function product(one: Float32Array, other: Float32Array): Float32Array {
  const result = new Float32Array(one.length);
  for (let at = 0; at < one.length; at++) result[at] = one[at]! * other[at]!;
  return result;
}

/** The recursive Gaussian of sigma 1.5 that the metric was tuned with, as the nine taps it amounts to. */
const REACH = 4;
const TAPS = gaussianTaps();

// Charalampidis 2016: a truncated sum of three cosines over the radius 5.
function gaussianTaps(): readonly number[] {
  const sigma = 1.5;
  const radius = Math.round(3.2795 * sigma + 0.2546);
  const omega = [1, 3, 5].map((k) => (k * Math.PI) / (2 * radius)) as [number, number, number];
  const sign = [1, -1, 1];
  const p = omega.map((w, k) => sign[k]! / Math.tan(w / 2)) as [number, number, number];
  const r = omega.map((w, k) => (sign[k]! * p[k]! ** 2) / Math.sin(w)) as [number, number, number];
  const rho = omega.map((w) => Math.exp(-0.5 * sigma ** 2 * w ** 2) / radius) as [number, number, number];
  const d13 = p[0] * r[1] - r[0] * p[1];
  const zeta15 = (p[1] * r[2] - r[1] * p[2]) / d13;
  const zeta35 = (p[2] * r[0] - r[2] * p[0]) / d13;
  const beta = solve3(
    [p, r, [zeta15, zeta35, 1]],
    [1, radius ** 2 - sigma ** 2, zeta15 * rho[0] + zeta35 * rho[1] + rho[2]],
  );
  return Array.from({ length: REACH + 1 }, (_, n) =>
    omega.reduce((sum, w, k) => sum + beta[k]! * Math.cos(w * n), 0),
  );
}

/** Cramer's rule. */
function solve3(rows: readonly (readonly number[])[], values: readonly number[]): number[] {
  const determinant = (m: readonly (readonly number[])[]) =>
    m[0]![0]! * (m[1]![1]! * m[2]![2]! - m[1]![2]! * m[2]![1]!) -
    m[0]![1]! * (m[1]![0]! * m[2]![2]! - m[1]![2]! * m[2]![0]!) +
    m[0]![2]! * (m[1]![0]! * m[2]![1]! - m[1]![1]! * m[2]![0]!);
  const whole = determinant(rows);
  return [0, 1, 2].map((column) => determinant(rows.map((row, y) => row.with(column, values[y]!))) / whole);
}

/** Outside the plane is zero. */
function blur(plane: Float32Array, width: number, height: number): Float32Array {
  const [k0, k1, k2, k3, k4] = TAPS as [number, number, number, number, number];
  const across = new Float32Array(width * (height + 2 * REACH));
  const line = new Float32Array(width + 2 * REACH);
  for (let y = 0; y < height; y++) {
    line.set(plane.subarray(y * width, (y + 1) * width), REACH);
    const to = (y + REACH) * width;
    for (let x = 0; x < width; x++) {
      across[to + x] =
        k0 * line[x + 4]! +
        k1 * (line[x + 3]! + line[x + 5]!) +
        k2 * (line[x + 2]! + line[x + 6]!) +
        k3 * (line[x + 1]! + line[x + 7]!) +
        k4 * (line[x]! + line[x + 8]!);
    }
  }
  const result = new Float32Array(width * height);
  for (let at = 0, count = width * height; at < count; at++) {
    result[at] =
      k0 * across[at + 4 * width]! +
      k1 * (across[at + 3 * width]! + across[at + 5 * width]!) +
      k2 * (across[at + 2 * width]! + across[at + 6 * width]!) +
      k3 * (across[at + width]! + across[at + 7 * width]!) +
      k4 * (across[at]! + across[at + 8 * width]!);
  }
  return result;
}

/** For each channel: structure, artefacts, lost detail; each as mean and as fourth norm. */
type ScaleDifference = readonly (readonly number[])[];

function compareScale(reference: BlurredScale, other: Scale): ScaleDifference {
  return other.planes.map((plane, channel) => compareChannel(reference, channel, plane));
}

const STRUCTURE_CONSTANT = 0.0009;

function compareChannel(reference: BlurredScale, channel: number, plane: Float32Array): number[] {
  const { width, height } = reference;
  const source = reference.planes[channel]!;
  const [mean1, square1] = [reference.means[channel]!, reference.squares[channel]!];
  const mean2 = blur(plane, width, height);
  const square2 = blur(product(plane, plane), width, height);
  const both = blur(product(source, plane), width, height);
  let structure = 0;
  let structure4 = 0;
  let artefact = 0;
  let artefact4 = 0;
  let lost = 0;
  let lost4 = 0;
  for (let at = 0; at < plane.length; at++) {
    const mu1 = mean1[at]!;
    const mu2 = mean2[at]!;
    const shared = 1 - (mu1 - mu2) * (mu1 - mu2);
    const covariance = 2 * (both[at]! - mu1 * mu2) + STRUCTURE_CONSTANT;
    const variances = square1[at]! - mu1 * mu1 + (square2[at]! - mu2 * mu2) + STRUCTURE_CONSTANT;
    const dissimilarity = Math.max(1 - (shared * covariance) / variances, 0);
    const dissimilarity2 = dissimilarity * dissimilarity;
    structure += dissimilarity;
    structure4 += dissimilarity2 * dissimilarity2;
    const edge = (1 + Math.abs(plane[at]! - mu2)) / (1 + Math.abs(source[at]! - mu1)) - 1;
    const edge4 = edge * edge * (edge * edge);
    if (edge > 0) {
      artefact += edge;
      artefact4 += edge4;
    } else {
      lost -= edge;
      lost4 += edge4;
    }
  }
  const count = plane.length;
  return [structure, structure4, artefact, artefact4, lost, lost4].map((sum, index) =>
    index % 2 ? (sum / count) ** 0.25 : sum / count,
  );
}

function toScore(scales: readonly ScaleDifference[]): number {
  let sum = 0;
  for (let channel = 0; channel < 3; channel++) {
    for (const [index, scale] of scales.entries()) {
      // The original slides all later weights to other scales where a picture under 256 pixels has fewer than six:
      // its scores of small pictures are some twenty points off. Here each scale keeps its own.
      const at = (channel * SCALES + index) * 6;
      const [structure, structure4, artefact, artefact4, lost, lost4] = scale[channel]! as ScaleNorms;
      sum += WEIGHTS[at]! * structure + WEIGHTS[at + 1]! * artefact + WEIGHTS[at + 2]! * lost;
      sum += WEIGHTS[at + 3]! * structure4 + WEIGHTS[at + 4]! * artefact4 + WEIGHTS[at + 5]! * lost4;
    }
  }
  const difference = sum * 0.9562382616834844;
  const bent =
    2.326765642916932 * difference -
    0.020884521182843837 * difference ** 2 +
    6.248496625763138e-5 * difference ** 3;
  return bent > 0 ? 100 - 10 * bent ** 0.6276336467831387 : 100;
}

type ScaleNorms = readonly [number, number, number, number, number, number];

/** Version 2.1 of the metric, as tuned by its authors (Cloudinary): 3 channels, 6 scales, 2 norms, 3 kinds. */
// biome-ignore format: a table
const WEIGHTS: readonly number[] = [
  0, 0.0007376606707406586, 0, 0, 0.0007793481682867309, 0,
  0, 0.0004371155730107379, 0, 1.1041726426657346, 0.00066284834129271, 0.00015231632783718752,
  0, 0.0016406437456599754, 0, 1.8422455520539298, 11.441172603757666, 0,
  0.0007989109436015163, 0.000176816438078653, 0, 1.8787594979546387, 10.94906990605142, 0,
  0.0007289346991508072, 0.9677937080626833, 0, 0.00014003424285435884, 0.9981766977854967, 0.00031949755934435053,
  0.0004550992113792063, 0, 0, 0.0013648766163243398, 0, 0,
  0, 0, 0, 7.466890328078848, 0, 17.445833984131262,
  0.0006235601634041466, 0, 0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264,
  225.20515300849274, 0, 0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985,
  176.39317598450694, 0, 0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408,
  0, 0, 0, 34.77906344483772, 44.835625328877896, 0,
  0, 0, 0, 0, 0, 0,
  0, 0.0008680556573291698, 0, 0, 0, 0,
  0, 0.0005313191874358747, 0, 0.00016533814161379112, 0, 0,
  0, 0, 0, 0.0004179171803251336, 0.0017290828234722833, 0,
  0.0020827005846636437, 0, 0, 8.826982764996862, 23.19243343998926, 0,
  95.1080498811086, 0.9863978034400682, 0.9834382792465353, 0.0012286405048278493, 171.2667255897307, 0.9807858872435379,
  0, 0, 0, 0.0005130064588990679, 0, 0.00010854057858411537,
];
