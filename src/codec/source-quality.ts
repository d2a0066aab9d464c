/** What quality a JPEG was written at, read from its quantisation tables. */

// Annex K of the JPEG standard, which libjpeg scales by its quality; zigzag order, as in the file.
const LUMA = [
  16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58,
  51, 61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103,
  62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
];

/** On libjpeg's scale, 1 to 100; undefined without a usable table. Tables that are not libjpeg's get the nearest. */
export function estimateSourceQuality(tables: readonly (readonly number[])[]): number | undefined {
  const table = tables[0];
  if (table?.length !== 64 || table.some((step) => step < 1)) return undefined;
  let nearest = 100;
  let distance = Number.POSITIVE_INFINITY;
  for (let quality = 100; quality >= 1; quality--) {
    const candidate = distanceTo(table, quality);
    if (candidate < distance) [nearest, distance] = [quality, candidate];
  }
  return nearest;
}

/** The low frequencies decide how a picture looks, and foreign tables differ most in the high ones. */
function distanceTo(table: readonly number[], quality: number): number {
  const scale = quality < 50 ? 5000 / quality : 200 - quality * 2;
  let distance = 0;
  for (let index = 0; index < 64; index++) {
    const step = Math.min(255, Math.max(1, Math.floor((LUMA[index]! * scale + 50) / 100)));
    distance += Math.abs(Math.log(table[index]! / step)) / (1 + index / 4);
  }
  return distance;
}
