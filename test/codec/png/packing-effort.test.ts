import { expect, test } from 'vitest';
import { choosePackingEffort } from '../../../src/codec/png/packing-effort.ts';

const picture = (width: number, bitDepth = 8) => ({
  width,
  height: 10_000,
  bitDepth,
  colourType: 2,
  interlaced: false,
  colours: Number.POSITIVE_INFINITY,
});

test('the larger a PNG is, the fewer filters are tried, until it takes too long', () => {
  const limit = 300_000;
  expect(choosePackingEffort([picture(5_000)], limit)).toEqual({});
  expect(choosePackingEffort([picture(15_000)], limit)).toEqual({ filter: [4] });
  // The time goes with the bytes, of all frames.
  expect(choosePackingEffort([picture(8_000, 16)], limit)).toEqual({ filter: [4] });
  expect(choosePackingEffort([picture(8_000), picture(8_000)], limit)).toEqual({ filter: [4] });
  expect(() => choosePackingEffort([picture(26_000)], limit)).toThrow(
    'packing 780 MB of pixels would take about 434 s and the limit is 300 s',
  );
  expect(choosePackingEffort([picture(26_000)], 900_000)).toEqual({});
});
