import { describe, expect, it } from 'vitest';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { inspectImage } from '../../../src/codec/inspect-image.ts';
import { readIsoImage } from '../../../src/codec/isobmff/image.ts';
import { withinCpuSecond } from '../../support/cpu-limit.ts';
import { ascii, concat, uint16, uint32 } from '../../support/fixtures/bytes.ts';

describe('a hostile AVIF', () => {
  it('reads an extent that takes no bytes once, however often it is counted', () => {
    const rows = Array.from({ length: 20 }, (_, index) => isoExtents(index + 2, 65_535));
    const { locations } = readIsoImage(makeIso({ iloc: [[0, 0], uint16(rows.length), ...rows, [0]] }));
    expect(locations.map(({ extents }) => extents.length)).toEqual(rows.map(() => 1));
  });

  it('is corrupt where it has more extents than any picture', () => {
    const rows = [2, 3].map((id) => concat(isoExtents(id, 65_535), new Uint8Array(65_535)));
    const bytes = makeIso({ iloc: [[0x01, 0], uint16(rows.length), ...rows] });
    expect(() => readIsoImage(bytes)).toThrow(/more than 65536 extents/);
  });

  it('collects the properties of one item without copying them repeatedly', () => {
    const row = concat(uint16(1), [255], new Uint8Array(255).fill(1));
    const bytes = makeIso({ ipma: [uint32(3000), ...Array.from({ length: 3000 }, () => row)] });
    expect(withinCpuSecond(() => readIsoImage(bytes)).primary.properties.length).toBeLessThan(66_000);
  });

  it('checks each auxiliary item once', () => {
    const ids = Array.from({ length: 30_000 }, (_, index) => index + 1);
    const bytes = makeIso({
      items: ids.map(isoItem),
      iref: ids.map((id) => isoBox('auxl', uint16(id), uint16(1), uint16(1))),
    });
    expect(withinCpuSecond(() => inspectImage(new ImageFile(bytes)))).toMatchObject({ alpha: false, width: 64 });
  });
});

interface IsoParts {
  readonly items?: readonly Uint8Array[];
  readonly iref?: readonly Uint8Array[];
  /** After version and flags. */
  readonly ipma?: readonly (Uint8Array | readonly number[])[];
  /** After version and flags. */
  readonly iloc?: readonly (Uint8Array | readonly number[])[];
}

/** An AVIF header of 64 × 64 without any picture in it. */
function makeIso({ items = [isoItem(1)], iref = [], ipma = ONE_PROPERTY, iloc = [] }: IsoParts): Uint8Array {
  const size = isoBox('ispe', uint32(0), uint32(64), uint32(64));
  return concat(
    isoBox('ftyp', ascii('avif'), uint32(0), ascii('avif')),
    isoBox(
      'meta',
      uint32(0),
      isoBox('pitm', uint32(0), uint16(1)),
      isoBox('iinf', uint32(0), uint16(items.length), ...items),
      isoBox('iprp', isoBox('ipco', size), isoBox('ipma', uint32(0), ...ipma)),
      isoBox('iref', uint32(0), ...iref),
      isoBox('iloc', uint32(0), ...iloc),
    ),
  );
}

/** Of item 1: its size. */
const ONE_PROPERTY = [uint32(1), uint16(1), [1, 0x81]];

function isoItem(id: number): Uint8Array {
  return isoBox('infe', [2, 0, 0, 0], uint16(id), uint16(0), ascii('av01'), [0]);
}

/** The head of a row in `iloc`: item, data reference, number of extents. */
function isoExtents(id: number, count: number): Uint8Array {
  return concat(uint16(id), uint16(0), uint16(count));
}

function isoBox(type: string, ...content: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const whole = concat(...content);
  return concat(uint32(whole.length + 8), ascii(type), whole);
}
