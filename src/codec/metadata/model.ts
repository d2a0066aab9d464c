import type { ImageFormat } from '../../core/image-result.ts';
import type { CompressionSettings } from '../../core/job.ts';
import type { ImageFile } from '../image-file.ts';

export type MetadataPolicy = CompressionSettings['metadata'];

/** Metadata that more than one format can store. */
export interface ImageMetadata {
  /** Without `Exif\0\0`. */
  readonly exif?: Uint8Array;
  readonly xmp?: Uint8Array;
  readonly icc?: Uint8Array;
  /** Photoshop's resources, IPTC among them, as an APP13 payload; only JPEG can store them. */
  readonly photoshop?: Uint8Array;
}

export type MetadataSource = Readonly<{ format: ImageFormat; file: ImageFile }>;

/** How an encoder's output gets the metadata of its source. */
export interface MetadataTransfer {
  readonly source: MetadataSource;
  readonly policy: MetadataPolicy;
  /** EXIF orientation of the output's pixels: 1 when they were rotated upright. */
  readonly orientation: number;
  /** The picture has another size or rotation: a thumbnail of the old one is left out. */
  readonly isReshaped?: boolean;
  /** The encoder wrote its own profile. */
  readonly ownsIcc: boolean;
}

/** A file whose metadata is to be taken out while its coded pixels stay as they are, byte for byte. */
export interface StripSource extends MetadataSource {
  /** What the picture is shown with, before and after. */
  readonly orientation: number;
}

/** Whatever holds metadata in a file. */
export type MetadataPart = Readonly<{ type: string; payload: Uint8Array }>;

/** How the metadata of one format is taken out. */
export interface MetadataStripper {
  /** What the file holds in addition to its pixels. */
  parts(image: StripSource): MetadataPart[];
  /** What of it the policy leaves, in this form or another. */
  partsLeft(image: StripSource, policy: MetadataPolicy): MetadataPart[];
  /** The file under the policy; undefined where it is not known how to do that safely. */
  strip(image: StripSource, policy: MetadataPolicy): Uint8Array | undefined;
}
