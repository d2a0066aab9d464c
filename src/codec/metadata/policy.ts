import { buildExif, readCredits, readOrientation, withOrientation, withoutExifPrefix } from './exif.ts';
import { creditsOnly, readIptcCredits } from './iptc.ts';
import type { ImageMetadata, MetadataPart, MetadataPolicy } from './model.ts';
import { buildXmp, NO_CREDITS, readXmpCredits, readXmpOrientation, withCredits, withXmpOrientation } from './xmp.ts';

/** The part of it that the output gets, whose pixels are to be shown with this orientation. */
export function underPolicy(metadata: ImageMetadata, policy: MetadataPolicy, orientation: number) {
  return POLICIES[policy](metadata, orientation);
}

const POLICIES: Readonly<Record<MetadataPolicy, (metadata: ImageMetadata, orientation: number) => ImageMetadata>> = {
  // Where the orientation stays, every byte does, even if XMP and EXIF disagree on it.
  keep: (metadata, orientation) =>
    orientation === readOrientation(metadata.exif)
      ? metadata
      : {
          ...metadata,
          exif: withOrientation(metadata.exif ?? new Uint8Array(), orientation),
          xmp: metadata.xmp && withXmpOrientation(metadata.xmp, orientation),
        },
  copyright: ({ exif, xmp, icc, photoshop }, orientation) => ({
    exif: creditsExif(exif, orientation),
    xmp: xmp && buildXmp(readXmpCredits(xmp), orientationOnlyInXmp({ exif, xmp }, orientation)),
    icc,
    photoshop: photoshop && creditsOnly(photoshop),
  }),
  strip: ({ exif, xmp, icc }, orientation) => ({
    exif: orientationExif(exif, orientation),
    xmp: xmp && buildXmp(NO_CREDITS, orientationOnlyInXmp({ exif, xmp }, orientation)),
    icc,
  }),
};

/**
 * An orientation that is in XMP alone, as Apple writes it into PNGs. It stays there: moved to EXIF it would rotate the
 * picture in viewers that ignore XMP.
 */
function orientationOnlyInXmp({ exif, xmp }: ImageMetadata, orientation: number): number | undefined {
  const isInExif = orientation !== 1 || readOrientation(exif) !== 1;
  const inXmp = !isInExif && xmp ? readXmpOrientation(xmp) : undefined;
  return inXmp === 1 ? undefined : inXmp;
}

/** A new EXIF of credits and orientation: what is not written into it cannot leak. */
function creditsExif(exif: Uint8Array | undefined, orientation: number): Uint8Array | undefined {
  const credits = exif ? readCredits(exif) : {};
  const hasCredits = credits.artist || credits.copyright || credits.xpAuthor;
  if (!hasCredits) return orientationExif(exif, orientation);
  return buildExif({ ...credits, orientation: orientation === 1 ? undefined : orientation });
}

// In the byte order of the source: an EXIF that holds nothing else then stays the same.
function orientationExif(exif: Uint8Array | undefined, orientation: number): Uint8Array | undefined {
  if (orientation === 1) return undefined;
  return buildExif({ orientation, littleEndian: exif && readCredits(exif).littleEndian });
}

/** The credits of Photoshop's resources moved to the XMP, for formats that cannot store those. */
export function withIptcAsXmp({ photoshop, ...metadata }: ImageMetadata): ImageMetadata {
  return photoshop ? { ...metadata, xmp: withCredits(metadata.xmp, readIptcCredits(photoshop)) } : metadata;
}

/** With the EXIF as formats other than JPEG hold it: without its prefix. */
export function withPlainExif(metadata: ImageMetadata): ImageMetadata {
  return metadata.exif ? { ...metadata, exif: withoutExifPrefix(metadata.exif) } : metadata;
}

/** A prefix that only JPEG needs is not metadata to take out. */
export function partWithPlainExif({ type, payload }: MetadataPart): MetadataPart {
  const isExif = type === 'eXIf' || type === 'EXIF';
  return { type, payload: isExif ? withoutExifPrefix(payload) : payload };
}
