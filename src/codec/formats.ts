import type { ImageFormat, OutputFormat } from '../core/image-result.ts';
import { keep } from '../core/recipe.ts';
import { startsWith } from './bytes.ts';
import type { Format, WritableFormat } from './format.ts';
import { dropGifParts } from './gif/drop-parts.ts';
import { inspectGif } from './gif/inspect.ts';
import { judgeGif } from './gif/judge.ts';
import { gifPartsLeft, readGifMetadata } from './gif/metadata.ts';
import { HEADER_ONLY_FORMATS } from './header-only-formats.ts';
import { readBrands } from './isobmff/boxes.ts';
import { encodeAvif } from './isobmff/encode.ts';
import { inspectIso } from './isobmff/inspect.ts';
import { judgeAvif, judgeHeif } from './isobmff/judge.ts';
import { readIsoMetadata, writeAvifMetadata } from './isobmff/metadata.ts';
import { AVIF_RECIPES } from './isobmff/recipe.ts';
import { isoPartsLeft } from './isobmff/unread-metadata.ts';
import { carryTrailingParts } from './jpeg/carry-trailing-parts.ts';
import { dropJpegParts } from './jpeg/drop-parts.ts';
import { encodeJpeg } from './jpeg/encode.ts';
import { inspectJpeg } from './jpeg/inspect.ts';
import { judgeJpeg } from './jpeg/judge.ts';
import { readJpegMetadata, writeJpegMetadata } from './jpeg/metadata.ts';
import { isTailFree } from './jpeg/multi-picture.ts';
import { JPEG_RECIPES } from './jpeg/recipe.ts';
import { recompressJpeg } from './jpeg/recompress.ts';
import { readJpeg } from './jpeg/segments.ts';
import { jpegStripper } from './jpeg/strip.ts';
import { dropPngParts } from './png/drop-parts.ts';
import { encodePng } from './png/encode.ts';
import { inspectPng } from './png/inspect.ts';
import { judgePng } from './png/judge.ts';
import { readPngMetadata, writePngMetadata } from './png/metadata.ts';
import { PNG_RECIPES } from './png/recipe.ts';
import { recompressPng } from './png/recompress.ts';
import { pngStripper } from './png/strip.ts';
import { inspectTiff } from './tiff/inspect.ts';
import { judgeTiff } from './tiff/judge.ts';
import { readTiffMetadata } from './tiff/metadata.ts';
import { tiffTagsLeft } from './tiff/unread-metadata.ts';
import { dropWebPParts } from './webp/drop-parts.ts';
import { encodeWebP } from './webp/encode.ts';
import { inspectWebP } from './webp/inspect.ts';
import { judgeWebP } from './webp/judge.ts';
import { readWebPMetadata, writeWebPMetadata } from './webp/metadata.ts';
import { WEBP_RECIPES } from './webp/recipe.ts';
import { webpStripper } from './webp/strip.ts';

/**
 * The one table of image formats: whatever depends on a format asks it. To add a format:
 *
 * 1. Add its name and extensions to EXTENSIONS (src/core/image-result.ts), which plans use without loading an encoder.
 * 2. Make its folder: inspect.ts first, then judge.ts, metadata.ts, strip.ts, recompress.ts as far as they apply.
 * 3. Write its row here; Format (format.ts) says what each field means. The first row whose `sniff` agrees wins.
 * 4. To write it as well: CONVERSION_TARGETS (beside EXTENSIONS), encode.ts with its quality curve, recipe.ts, `memory`.
 * 5. Add a fixture to test/support/fixtures/, and its rows to the tests of inspection, recipes and metadata.
 */
export const FORMATS: {
  readonly [Name in ImageFormat]: Name extends OutputFormat ? WritableFormat : Format;
} = {
  jpeg: {
    name: 'JPEG',
    contentType: 'image/jpeg',
    maxSide: 65_500,
    memory: { streamed: 1, compared: 5, writesLines: true },
    recipes: JPEG_RECIPES,
    sniff: (bytes) => startsWith(bytes, '\xff\xd8\xff'),
    inspect: inspectJpeg,
    judge: judgeJpeg,
    keptCheck: 'decode',
    canDecode: ({ lossless, bitsPerChannel }) => !lossless && bitsPerChannel <= 8,
    readMetadata: readJpegMetadata,
    writeMetadata: writeJpegMetadata,
    holdsPhotoshop: true,
    stripper: jpegStripper,
    repack: recompressJpeg,
    dropParts: dropJpegParts,
    canCarryTail: (file) => isTailFree(file.read(readJpeg)),
    carryTrailingParts,
    encode: encodeJpeg,
  },
  png: {
    name: 'PNG',
    contentType: 'image/png',
    maxSide: 2 ** 31 - 1,
    memory: { streamed: 4, compared: 9 },
    recipes: PNG_RECIPES,
    sniff: (bytes) => startsWith(bytes, '\x89PNG\r\n\x1a\n'),
    inspect: inspectPng,
    judge: judgePng,
    readMetadata: readPngMetadata,
    writeMetadata: writePngMetadata,
    stripper: pngStripper,
    repack: recompressPng,
    dropParts: dropPngParts,
    canCarryTail: () => true,
    encode: encodePng,
  },
  gif: {
    name: 'GIF',
    contentType: 'image/gif',
    recipes: {
      own: () => keep('unsupported-format', 'a GIF re-encoded here is never smaller and identical'),
    },
    sniff: (bytes) => startsWith(bytes, 'GIF87a') || startsWith(bytes, 'GIF89a'),
    inspect: inspectGif,
    judge: judgeGif,
    readMetadata: readGifMetadata,
    unreadMetadata: gifPartsLeft,
    dropParts: dropGifParts,
  },
  tiff: {
    name: 'TIFF',
    contentType: 'image/tiff',
    recipes: { own: () => keep('unsupported-format', 'a TIFF re-encoded here would lose tags and pages') },
    sniff: (bytes) => ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].some((magic) => startsWith(bytes, magic)),
    inspect: inspectTiff,
    judge: judgeTiff,
    needsSecondWitness: true,
    readMetadata: readTiffMetadata,
    unreadMetadata: tiffTagsLeft,
    readsTags: true,
  },
  webp: {
    name: 'WebP',
    contentType: 'image/webp',
    maxSide: 16_383,
    memory: { decoded: 14, compared: 17, losslessEncoding: 62, verified: [10, 16] },
    recipes: WEBP_RECIPES,
    sniff: (bytes) => startsWith(bytes, 'RIFF') && startsWith(bytes, 'WEBP', 8),
    inspect: inspectWebP,
    judge: judgeWebP,
    hidesQuality: true,
    needsSecondWitness: true,
    readMetadata: readWebPMetadata,
    writeMetadata: writeWebPMetadata,
    stripper: webpStripper,
    dropParts: dropWebPParts,
    encode: encodeWebP,
  },
  avif: {
    name: 'AVIF',
    contentType: 'image/avif',
    maxSide: 16_384,
    memory: { decoded: 36, compared: 36, encoding: 40, verified: [40, 50] },
    recipes: AVIF_RECIPES,
    sniff: hasBrand('avif', 'avis'),
    inspect: inspectIso,
    judge: judgeAvif,
    hidesQuality: true,
    needsSecondWitness: true,
    readMetadata: readIsoMetadata,
    unreadMetadata: isoPartsLeft,
    writeMetadata: writeAvifMetadata,
    turnsByProperty: true,
    encode: encodeAvif,
  },
  heif: {
    name: 'HEIC',
    contentType: 'image/heic',
    sniff: hasBrand('heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'mif1', 'mif2', 'msf1'),
    inspect: inspectIso,
    judge: judgeHeif,
    readMetadata: readIsoMetadata,
    unreadMetadata: isoPartsLeft,
    turnsByProperty: true,
  },
  ...HEADER_ONLY_FORMATS,
};

function hasBrand(...wanted: string[]): Format['sniff'] {
  return (bytes) => readBrands(bytes).some((brand) => wanted.includes(brand));
}
