import { type Plane, type Scale, toScales, valueAt } from './xyb-scales.ts';

/** Pixels as red, green, blue bytes without gaps. */
export type RgbPixels = Readonly<{ pixels: Uint8Array; width: number; height: number }>;

/**
 * SSIMULACRA2 in plain TypeScript: some five times faster than the WebAssembly port of the Rust one in a search,
 * and without a file that a bundle would have to find at run time. The tests compare it with that port.
 * 100 is identical, 90 is visually lossless, 70 is high and 50 medium quality, below 30 low. What depends on the
 * reference alone is computed once. @throws RangeError when a side is below 8 pixels
 */
export function perceptualReference({ pixels, width, height }: RgbPixels) {
  if (width < 8 || height < 8) throw new RangeError(`Expected at least 8 x 8 pixels but received ${width} x ${height}`);
  const channels = channelsOf(toScales(pixels, width, height)).map(withBlurs);
  return {
    score(candidate: Uint8Array): number {
      if (candidate.length !== pixels.length)
        throw new RangeError(`Expected ${pixels.length} bytes of pixels but received ${candidate.length}`);
      return toScore(channels, channelsOf(toScales(candidate, width, height)));
    },
  };
}

/** One colour plane of one scale. */
type Channel = Readonly<{ plane: Plane; width: number; height: number; weights: ChannelWeights }>;
type BlurredChannel = Channel & Readonly<{ mean: Plane; square: Plane }>;

// The original shifts all later weights to other scales where a picture under 256 pixels has fewer than six:
// its scores of small pictures are some twenty points off. Here each scale keeps its own.
function channelsOf(scales: readonly Scale[]): Channel[] {
  return (['x', 'y', 'b'] as const).flatMap((colour) =>
    WEIGHTS[colour].flatMap((weights, index) => {
      const scale = scales[index];
      return scale ? [{ weights, plane: scale[colour], width: scale.width, height: scale.height }] : [];
    }),
  );
}

function withBlurs(channel: Channel): BlurredChannel {
  const { plane, width, height } = channel;
  return { ...channel, mean: blur(plane, width, height), square: blur(product(plane, plane), width, height) };
}

const REACH = 4;

/**
 * The recursive Gaussian of sigma 1.5 that the metric was tuned with (Charalampidis 2016: a truncated sum of three
 * cosines over the radius 5), as the nine taps that it amounts to: the middle one and those on either side.
 */
const TAPS = [
  0.2646211054881986, 0.21292859201042227, 0.10933537277746035, 0.03601111465836439, 0.00941436780965374,
] as const;

/** Outside the plane is zero. */
function blur(plane: Plane, width: number, height: number): Plane {
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

function product(one: Plane, other: Plane): Plane {
  const result = new Float32Array(one.length);
  for (let at = 0; at < one.length; at++) result[at] = valueAt(one, at) * valueAt(other, at);
  return result;
}

function toScore(references: readonly BlurredChannel[], others: readonly Channel[]): number {
  let sum = 0;
  for (const [index, { plane }] of others.entries()) {
    const reference = references[index];
    if (!reference) continue;
    const { means, norms } = compareChannel(reference, plane);
    sum = sum + means + norms;
  }
  const difference = sum * 0.9562382616834844;
  const bent =
    2.326765642916932 * difference - 0.020884521182843837 * difference ** 2 + 6.248496625763138e-5 * difference ** 3;
  return bent > 0 ? 100 - 10 * bent ** 0.6276336467831387 : 100;
}

const STRUCTURE_CONSTANT = 0.0009;

/** Difference of structure, artefacts and lost detail: the weighted sums of their means and of their fourth norms. */
function compareChannel(reference: BlurredChannel, plane: Plane): { means: number; norms: number } {
  const { width, height, weights, plane: source, mean: mean1, square: square1 } = reference;
  const mean2 = blur(plane, width, height);
  const square2 = blur(product(plane, plane), width, height);
  const both = blur(product(source, plane), width, height);
  let [structure, structure4, artefact, artefact4, lost, lost4] = [0, 0, 0, 0, 0, 0];
  for (let at = 0; at < plane.length; at++) {
    const mu1 = valueAt(mean1, at);
    const mu2 = valueAt(mean2, at);
    const shared = 1 - (mu1 - mu2) * (mu1 - mu2);
    const covariance = 2 * (valueAt(both, at) - mu1 * mu2) + STRUCTURE_CONSTANT;
    const variances = valueAt(square1, at) - mu1 * mu1 + (valueAt(square2, at) - mu2 * mu2) + STRUCTURE_CONSTANT;
    const dissimilarity = Math.max(1 - (shared * covariance) / variances, 0);
    const dissimilarity2 = dissimilarity * dissimilarity;
    structure += dissimilarity;
    structure4 += dissimilarity2 * dissimilarity2;
    const edge = (1 + Math.abs(valueAt(plane, at) - mu2)) / (1 + Math.abs(valueAt(source, at) - mu1)) - 1;
    const edge4 = edge * edge * (edge * edge);
    if (edge > 0) {
      artefact += edge;
      artefact4 += edge4;
    } else {
      lost -= edge;
      lost4 += edge4;
    }
  }
  const mean = (sum: number) => sum / plane.length;
  const norm = (sum: number) => (sum / plane.length) ** 0.25;
  return {
    means: weights[0] * mean(structure) + weights[1] * mean(artefact) + weights[2] * mean(lost),
    norms: weights[3] * norm(structure4) + weights[4] * norm(artefact4) + weights[5] * norm(lost4),
  };
}

/** Of structure, artefacts and lost detail: first for their means, then for their fourth norms. */
type ChannelWeights = readonly [number, number, number, number, number, number];

/** Version 2.1 of the metric, as tuned by its authors (Cloudinary): a row for each scale. */
// biome-ignore format: a table
const WEIGHTS: Readonly<Record<'x' | 'y' | 'b', readonly ChannelWeights[]>> = {
  x: [
    [0, 0.0007376606707406586, 0, 0, 0.0007793481682867309, 0],
    [0, 0.0004371155730107379, 0, 1.1041726426657346, 0.00066284834129271, 0.00015231632783718752],
    [0, 0.0016406437456599754, 0, 1.8422455520539298, 11.441172603757666, 0],
    [0.0007989109436015163, 0.000176816438078653, 0, 1.8787594979546387, 10.94906990605142, 0],
    [0.0007289346991508072, 0.9677937080626833, 0, 0.00014003424285435884, 0.9981766977854967, 0.00031949755934435053],
    [0.0004550992113792063, 0, 0, 0.0013648766163243398, 0, 0],
  ],
  y: [
    [0, 0, 0, 7.466890328078848, 0, 17.445833984131262],
    [0.0006235601634041466, 0, 0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264],
    [225.20515300849274, 0, 0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985],
    [176.39317598450694, 0, 0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408],
    [0, 0, 0, 34.77906344483772, 44.835625328877896, 0],
    [0, 0, 0, 0, 0, 0],
  ],
  b: [
    [0, 0.0008680556573291698, 0, 0, 0, 0],
    [0, 0.0005313191874358747, 0, 0.00016533814161379112, 0, 0],
    [0, 0, 0, 0.0004179171803251336, 0.0017290828234722833, 0],
    [0.0020827005846636437, 0, 0, 8.826982764996862, 23.19243343998926, 0],
    [95.1080498811086, 0.9863978034400682, 0.9834382792465353, 0.0012286405048278493, 171.2667255897307, 0.9807858872435379],
    [0, 0, 0, 0.0005130064588990679, 0, 0.00010854057858411537],
  ],
};
