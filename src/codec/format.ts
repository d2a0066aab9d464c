import type { Sharp } from 'sharp';
import type { FormatTraits, ImageFacts } from '../core/recipe.ts';
import type { ImageFile } from './image-file.ts';
import type { ImageMetadata, MetadataPolicy, MetadataStripper, MetadataTransfer } from './metadata/model.ts';
import type { Encoded, EncodePlan } from './task.ts';
import type { Verdict } from './verdict.ts';

/** What can be done with images of one format; what is absent is not done here. */
export interface Format extends FormatTraits {
  readonly contentType: string;
  /** By the first 4,096 bytes. */
  sniff(bytes: Uint8Array): boolean;
  /** What the header says beyond the defaults. @throws CorruptImageError where it cannot be read */
  inspect?(file: ImageFile): Partial<ImageFacts>;
  /**
   * Whether all of the picture is there; where it proves that, no decoder is asked. Where it does not fit into memory
   * `fitsDecoded` is false, and it is not decoded. @throws CorruptImageError
   */
  judge?(file: ImageFile, facts: ImageFacts, fitsDecoded?: boolean): Verdict | Promise<Verdict>;
  /** A strict decode by libvips of a source that is kept as it is, where the judge does not prove it. */
  readonly keptCheck?: 'decode';
  /** Of a format of which libvips reads only some kinds. */
  canDecode?(facts: ImageFacts): boolean;
  /** @throws CorruptImageError where the header cannot be read */
  readMetadata?(file: ImageFile): ImageMetadata;
  /** What else it holds that this policy removes, by name; what may be metadata counts. */
  unreadMetadata?(file: ImageFile, policy: MetadataPolicy): readonly string[];
  /** `unreadMetadata` covers what EXIF is made of: its tags are those of the picture itself. */
  readonly readsTags?: true;
  readonly stripper?: MetadataStripper;
  /** Viewers rotate it by properties of the file, not by EXIF, and libvips decodes it upright. */
  readonly turnsByProperty?: true;
  /** Outputs are decoded by another library than the encoder's. */
  readonly needsSecondWitness?: true;
  /** It has a place for Photoshop's resources, IPTC among them. */
  readonly holdsPhotoshop?: true;
  /** The file does not store the quality that it was written at. */
  readonly hidesQuality?: true;
  /** The same pixels packed tighter; the same bytes where that is not possible without loss. @throws TooSlowError */
  repack?(file: ImageFile, policy: MetadataPolicy, timeLimitMs: number): Promise<Uint8Array>;
  /** The image without these parts, its coded pixels byte for byte; undefined where none is there or none can go. */
  dropParts?(file: ImageFile, wanted: WantedParts): DroppedParts | undefined;
  /** Nothing in the file refers to unknown data after its end, so that can be put behind another encoding. */
  canCarryTail?(file: ImageFile): boolean;
  /** The output with what follows the end of its source; undefined where that is not possible. */
  carryTrailingParts?(source: ImageFile, output: Uint8Array): Uint8Array | undefined;
}

/** Which parts the settings drop before anything else is done with an image. */
export interface WantedParts {
  readonly policy: MetadataPolicy;
  readonly credentials: boolean;
  /** Unknown data after its end, and under `strip` also what is known, such as a video. */
  readonly trailing: boolean;
}

export interface DroppedParts {
  readonly bytes: Uint8Array;
  /** Their names. */
  readonly dropped: readonly string[];
  /** All that is left is allowed by the policy. */
  readonly isClean?: boolean;
}

/** A format that is also written. */
export interface WritableFormat extends Format {
  readonly maxSide: number;
  /** The encoder of libvips. @throws EngineError */
  encode(image: Sharp, plan: EncodePlan): Promise<Encoded>;
  /** An encoder's output with this metadata. @throws CorruptImageError */
  writeMetadata(output: ImageFile, metadata: ImageMetadata, transfer: MetadataTransfer): Uint8Array;
}
