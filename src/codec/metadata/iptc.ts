import {
  byteAt,
  joinAll,
  joinBytes,
  latin1,
  startsWith,
  textAt,
  uint16,
  uint16At,
  uint32,
  uint32At,
} from '../bytes.ts';
import type { Credits } from './xmp.ts';

/** What an APP13 segment of a JPEG begins with. */
export const PHOTOSHOP_PREFIX = 'Photoshop 3.0\0';

/** IPTC (IIM) in Photoshop's image resources. */

const IPTC_RESOURCE = 0x0404;

/** Programs other than Photoshop mark their resources in its list with signatures of their own. */
const SIGNATURES: ReadonlySet<string> = new Set(['8BIM', 'MeSa', 'AgHg', 'PHUT', 'DCSR']);

/** By-line, by-line title, credit, source, copyright; with the character set they are written in. */
const CREDIT_IDS: ReadonlySet<string> = new Set(['1:90', '2:80', '2:85', '2:110', '2:115', '2:116']);

/** The IIM block inside Photoshop's resources (an APP13 payload); undefined when there is none. */
export function readIptc(photoshop: Uint8Array): Uint8Array | undefined {
  return readIptcBlocks(photoshop).next().value;
}

/** Some programs leave the block of an earlier one behind their own. */
function* readIptcBlocks(photoshop: Uint8Array): Generator<Uint8Array, undefined> {
  let at = startsWith(photoshop, PHOTOSHOP_PREFIX) ? PHOTOSHOP_PREFIX.length : 0;
  while (at + 12 <= photoshop.length && SIGNATURES.has(textAt(photoshop, at, 4))) {
    const nameLength = byteAt(photoshop, at + 6) + 1;
    const lengthAt = at + 6 + nameLength + (nameLength % 2);
    if (lengthAt + 4 > photoshop.length) return undefined;
    const length = uint32At(photoshop, lengthAt);
    if (lengthAt + 4 + length > photoshop.length) return undefined;
    if (startsWith(photoshop, '8BIM', at) && uint16At(photoshop, at + 4) === IPTC_RESOURCE)
      yield photoshop.subarray(lengthAt + 4, lengthAt + 4 + length);
    at = lengthAt + 4 + length + (length % 2);
  }
  return undefined;
}

/** An APP13 payload with only the credits in it; undefined when there are none. */
export function creditsOnly(photoshop: Uint8Array): Uint8Array | undefined {
  const credits = readDatasets(photoshop).filter(({ record, id }) => CREDIT_IDS.has(`${record}:${id}`));
  if (!credits.some(({ record }) => record === 2)) return undefined;
  const rows = credits.map(({ record, id, value }) => [[0x1c, record, id], uint16(value.length), value]);
  return asPhotoshop(joinAll(rows.flat()));
}

/** An APP13 payload with this IIM block in it. */
export function asPhotoshop(iptc: Uint8Array): Uint8Array {
  const head = joinBytes(latin1(`${PHOTOSHOP_PREFIX}8BIM`), uint16(IPTC_RESOURCE), [0, 0]);
  return joinBytes(head, uint32(iptc.length), iptc, new Uint8Array(iptc.length % 2));
}

export function readIptcCredits(photoshop: Uint8Array): Credits {
  const datasets = readDatasets(photoshop);
  const isUtf8 = datasets.some(({ record, id, value }) => record === 1 && id === 90 && startsWith(value, '\x1b%G'));
  const texts = (wanted: number) =>
    datasets
      .filter(({ record, id }) => record === 2 && id === wanted)
      .map(({ value }) => Buffer.from(value).toString(isUtf8 ? 'utf8' : 'latin1'));
  return {
    creators: texts(80),
    rights: texts(116)[0],
    creditLine: texts(110)[0],
    caption: texts(120)[0],
    keywords: texts(25),
  };
}

type Dataset = { record: number; id: number; value: Uint8Array };

function readDatasets(photoshop: Uint8Array): Dataset[] {
  return [...readIptcBlocks(photoshop)].flatMap(datasetsOf);
}

function datasetsOf(iptc: Uint8Array): Dataset[] {
  const datasets: Dataset[] = [];
  for (let at = 0; at + 5 <= iptc.length && iptc[at] === 0x1c; ) {
    const length = uint16At(iptc, at + 3);
    // The top bit marks an extended length, which no credit needs.
    if (length >= 0x8000 || at + 5 + length > iptc.length) break;
    const value = iptc.subarray(at + 5, at + 5 + length);
    datasets.push({ record: byteAt(iptc, at + 1), id: byteAt(iptc, at + 2), value });
    at += 5 + length;
  }
  return datasets;
}
