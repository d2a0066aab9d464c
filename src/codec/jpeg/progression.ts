import { byteAt } from '../bytes.ts';
import { isProgressive, type Jpeg, SOS } from './segments.ts';

/**
 * What is wrong with the order of the scans, judged by their headers alone: a component that no scan brings, which
 * decoders fill with one value; one that comes again; a refinement without what it refines, as where a scan was lost;
 * and, without an end marker, coefficients that later scans would complete. @see libjpeg's jdphuff.c
 */
export function findScanOrderFault(jpeg: Jpeg): string | undefined {
  const progress: Progress = jpeg.frame.components.map(({ id }) => ({ id, bitsLeft: new Int8Array(64).fill(UNSEEN) }));
  for (const { marker, payload } of jpeg.segments) {
    const fault =
      marker === SOS && (isProgressive(jpeg.frame) ? refine(payload, progress) : scanOnce(payload, progress));
    if (fault) return fault;
  }
  const missing = progress.find(({ bitsLeft }) => bitsLeft[0] === UNSEEN);
  if (missing) return `Expected a scan of each of the components but number ${missing.id} has none`;
  if (jpeg.hasEnd || progress.every(({ bitsLeft }) => bitsLeft.every((bits) => bits === 0))) return undefined;
  return 'Expected an end-of-image marker but the file ends before it, and before all coefficients are complete';
}

/** By component, how many of the lowest bits of each coefficient are still to come. */
type Progress = readonly Readonly<{ id: number; bitsLeft: Int8Array }>[];

const UNSEEN = -1;

function componentsIn(payload: Uint8Array, progress: Progress): Progress {
  const ids = payload.subarray(1, 1 + 2 * byteAt(payload, 0)).filter((_, at) => at % 2 === 0);
  return progress.filter(({ id }) => ids.includes(id));
}

function scanOnce(payload: Uint8Array, progress: Progress): string | undefined {
  const components = componentsIn(payload, progress);
  const again = components.find(({ bitsLeft }) => bitsLeft[0] !== UNSEEN);
  for (const { bitsLeft } of components) bitsLeft.fill(0);
  return again && `Expected one scan of each of the components but number ${again.id} comes again`;
}

function refine(payload: Uint8Array, progress: Progress): string | undefined {
  const [from = 0, to = 0, bits = 0] = payload.subarray(1 + 2 * byteAt(payload, 0));
  for (const { id, bitsLeft } of componentsIn(payload, progress)) {
    const refined = bitsLeft.subarray(from, to + 1);
    const isExpected =
      refined.every((left) => bits >> 4 === Math.max(left, 0)) && (from === 0 || bitsLeft[0] !== UNSEEN);
    if (!isExpected)
      return `Expected the scans of component ${id} in order but that of coefficients ${from} to ${to} is not`;
    refined.fill(bits & 15);
  }
  return undefined;
}
