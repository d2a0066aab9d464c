import { compressJpeg } from '@napi-rs/image';
import { joinAll } from './bytes.ts';
import { carryBehind } from './carry-behind.ts';
import type { MetadataPolicy } from './image-metadata.ts';
import { type Jpeg, readJpeg, segmentBytes } from './jpeg-markers.ts';
import { type NewSegment, segmentsOfCopy } from './jpeg-metadata.ts';
import { readMultiPicture } from './jpeg-pictures.ts';

/**
 * The same coefficients with better Huffman codes and scans: pixels are identical. The engine drops every marker
 * and accepts damaged files, so markers are put back here, and the caller decodes the source strictly before.
 * What lies behind the picture is carried whole (under `keep`), left out (previews and notes, where metadata has to go),
 * or the source is returned as it is.
 * Rejects with CorruptImageError for an unreadable header, else with the engine's error.
 */
export async function recompressJpeg(bytes: Uint8Array, policy: MetadataPolicy): Promise<Uint8Array> {
  const source = readJpeg(bytes);
  const { count, gainMap, behind, unknownTrailingBytes } = readMultiPicture(source);
  const isAlone = count === 1 && !gainMap && !behind && unknownTrailingBytes === 0;
  const standsAlone = isAlone || (policy !== 'keep' && behind?.isMetadata === true);
  if (!standsAlone && policy !== 'keep') return bytes;
  const bare = readJpeg(await compressJpeg(bytes.subarray(0, source.end), { quality: 100 }));
  assertSameFrame(source, bare);
  const result = assemble(segmentsOfCopy(source, policy), bare);
  return standsAlone ? result : (carryBehind(source, result) ?? bytes);
}

/** Component ids tell a decoder the colour space where no marker does; the engine's own markers are dropped. */
function assertSameFrame(source: Jpeg, result: Jpeg): void {
  const describe = ({ frame }: Jpeg) =>
    JSON.stringify([
      frame.width,
      frame.height,
      frame.bits,
      frame.components.map(({ id, horizontal, vertical }) => [id, horizontal, vertical]),
    ]);
  if (describe(source) !== describe(result) || !result.hasEnd) {
    throw new Error(`Expected a JPEG of ${describe(source)} but the engine made ${describe(result)}`);
  }
}

/** These segments and the engine's part from its first table to EOI. */
function assemble(segments: readonly NewSegment[], { bytes, segments: coded, end }: Jpeg): Uint8Array {
  const first = coded.find(({ kind }) => kind === 'coding')!;
  return joinAll([
    [0xff, 0xd8],
    ...segments.map(({ marker, payload }) => segmentBytes(marker, payload)),
    bytes.subarray(first.at, end),
  ]);
}
