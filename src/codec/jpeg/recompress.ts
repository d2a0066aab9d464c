import { compressJpeg } from '@napi-rs/image';
import { EngineError, fromEngine } from '../engines.ts';
import type { ImageFile } from '../image-file.ts';
import type { MetadataPolicy } from '../metadata/model.ts';
import { carryTrailingParts } from './carry-trailing-parts.ts';
import { segmentsOfCopy } from './metadata.ts';
import { isMovable, readMultiPicture } from './multi-picture.ts';
import { codingStart, hasDistinctIds, isFrame, type Jpeg, readJpeg, SOS, writeJpeg } from './segments.ts';

/**
 * The same coefficients with better Huffman codes and scans: pixels are identical. The engine drops every marker and
 * accepts damaged files, so markers are put back here, and the caller decodes the source strictly before. Trailing
 * parts are carried along whole (under `keep`), left out (if they are metadata, where that has to go), or the source is
 * returned as it is. Rejects with CorruptImageError for an unreadable header, else with the engine's error.
 */
export async function recompressJpeg(file: ImageFile, policy: MetadataPolicy): Promise<Uint8Array> {
  const source = file.read(readJpeg);
  const pictures = readMultiPicture(source);
  const { count, gainMap, trailingParts, unknownTrailingBytes } = pictures;
  const isAlone = count === 1 && !gainMap && !trailingParts && unknownTrailingBytes === 0;
  const standsAlone = isAlone || (policy !== 'keep' && trailingParts?.isMetadata === true);
  if (!standsAlone && !(policy === 'keep' && isMovable(pictures))) return file.bytes;
  const numbered = withDistinctIds(source);
  const bare = readJpeg(await fromEngine(compressJpeg(numbered, { quality: 100 })));
  assertSameFrame(readJpeg(numbered), bare);
  const coded = bare.bytes.subarray(codingStart(bare), bare.end);
  const result = writeJpeg(segmentsOfCopy(file, policy), [coded]);
  return standsAlone ? result : (carryTrailingParts(file, result) ?? file.bytes);
}

/** The engine mixes up components of the same number; in the order of the frame they are what decoders take them for. */
function withDistinctIds({ bytes, end, frame, segments }: Jpeg): Uint8Array {
  const picture = bytes.subarray(0, end);
  if (hasDistinctIds(frame)) return picture;
  const copy = picture.slice();
  for (const { marker, at } of segments) {
    const first = at + (isFrame(marker) ? 10 : 5);
    const step = isFrame(marker) ? 3 : 2;
    if (isFrame(marker) || marker === SOS)
      for (let id = 1; id <= frame.components.length; id++) copy[first + (id - 1) * step] = id;
  }
  return copy;
}

/** Without an Adobe marker decoders derive the colour space from component ids; the engine's own markers are dropped. */
function assertSameFrame(source: Jpeg, result: Jpeg): void {
  const describe = ({ frame: { width, height, bits, components } }: Jpeg) => {
    const samplings = components.map(({ id, horizontal, vertical }) => [id, horizontal, vertical]);
    return JSON.stringify([width, height, bits, samplings]);
  };
  if (describe(source) !== describe(result) || !result.hasEnd)
    throw new EngineError(`Expected a JPEG of ${describe(source)} but the engine made ${describe(result)}`);
}
