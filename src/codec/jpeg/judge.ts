import type { ImageFile } from '../image-file.ts';
import { damaged, odd, unproven, type Verdict, WHOLE } from '../verdict.ts';
import { findScanOrderFault } from './progression.ts';
import { repaired } from './repair.ts';
import { hasDistinctIds, isKnownMarker, type Jpeg, type JpegSegment, readJpeg, SOS } from './segments.ts';
import { findTableFault } from './tables.ts';
import { type ScanFinding, walkScans } from './walk-scans.ts';

/**
 * Whether every block of a JPEG is there. Its own walk over all codes decides, not the warnings of a decoder: libjpeg
 * warns of fields that do not matter, and libvips ignores damage in the last lines.
 * @throws CorruptImageError when no frame header can be reached
 */
export function judgeJpeg(file: ImageFile): Verdict {
  const jpeg = file.read(readJpeg);
  const fault =
    jpeg.fault ??
    findUnknownMarker(jpeg) ??
    findPrecisionFault(jpeg) ??
    findTableFault(jpeg) ??
    findScanOrderFault(jpeg);
  if (fault) return damaged(fault);
  if (!hasDistinctIds(jpeg.frame) && jpeg.segments.some((segment) => isPartialScan(segment, jpeg)))
    return unproven('its components have the same number, and scans of their own');
  const finding = walkScans(jpeg);
  if (finding.fault !== undefined) return finding.isProven ? damaged(finding.fault) : unproven(finding.fault);
  const present = `all ${finding.blocks.toLocaleString('en')} blocks present`;
  // Decoders take it for truncated.
  if (!jpeg.hasEnd) return unproven(`${present}, but the file has no end-of-image marker`);
  if (jpeg.segments.some(({ kind, payload }) => kind === 'adobe' && payload.length < ADOBE_LENGTH))
    return unproven(`${present}, but its Adobe segment, which defines its colours, is cut off`);
  const oddities = findOddities(jpeg, finding);
  return oddities.length === 0 ? WHOLE : odd(`header repaired (${oddities.join(', ')}), ${present}`);
}

const ADOBE_LENGTH = 12;

function isPartialScan({ marker, payload }: JpegSegment, { frame }: Jpeg): boolean {
  return marker === SOS && payload[0] !== frame.components.length;
}

/** Of a lossless JPEG 2 to 16. @see ITU-T T.81, B.2.2 */
function findPrecisionFault({ frame: { marker, bits } }: Jpeg): string | undefined {
  const isLossless = (marker & 3) === 3;
  const known = isLossless ? bits >= 2 && bits <= 16 : bits === 8 || (bits === 12 && marker !== SOF0);
  return known ? undefined : `Expected 8 or 12 bits per sample but the frame header has ${bits}`;
}

const SOF0 = 0xc0;

function findUnknownMarker({ segments }: Jpeg): string | undefined {
  const unknown = segments.find(({ marker }) => !isKnownMarker(marker));
  return unknown && `Expected a known marker at byte ${unknown.at} but found 0x${unknown.marker.toString(16)}`;
}

/** What decoders warn of, or do not agree on, although the picture is there. */
function findOddities({ segments, frame }: Jpeg, { oddities }: ScanFinding): string[] {
  const found: readonly (readonly [boolean, string])[] = [
    [segments.some((segment) => repaired(segment, frame) !== segment), 'unknown JFIF revision or Adobe transform'],
    [!hasDistinctIds(frame), 'components of the same number'],
  ];
  return [...found.filter(([applies]) => applies).map(([, name]) => name), ...oddities];
}
