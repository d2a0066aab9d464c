import { CONVERSION_TARGETS } from './image-result.ts';
import type { CannedAcl } from './object-store.ts';
import type { S3Location } from './s3-uri.ts';

// The words that settings allow, each list once: the types below and the rules in src/settings come from them.
export const MODES = ['quality', 'lossless', 'auto'] as const;
export const EFFORTS = ['best', 'fast'] as const;
export const TARGET_FORMATS = ['keep', ...CONVERSION_TARGETS, 'smallest'] as const;
export const CHROMAS = ['auto', '420', '444'] as const;
export const METADATA_POLICIES = ['keep', 'copyright', 'strip'] as const;
export const KEEP_OR_DROP = ['keep', 'drop'] as const;
export const METADATA_LEFT = ['fail', 'keep'] as const;
export const CONTENT_ADDRESSED = ['refuse', 'keep'] as const;
export const LAYOUTS = ['mirror', 'flat', 'by-suffix'] as const;

/** How every image of a job (or every upload) is treated. Part of the mark: changed settings make new outputs. */
export interface CompressionSettings {
  readonly mode: (typeof MODES)[number];
  /** libjpeg's scale, 1 to 100: "looks like libjpeg at …", whichever encoder is used. */
  readonly quality: number;
  /** best: mozjpeg. fast: about eight times less CPU and flat memory, some 10 % more bytes. */
  readonly effort: (typeof EFFORTS)[number];
  readonly format: (typeof TARGET_FORMATS)[number];
  /** Resolution of the colours; `auto`, also where absent, is full where the source has it and edges of colour need it. */
  readonly chroma?: (typeof CHROMAS)[number];
  /** The most bytes of an output; an image that would need more to look acceptable is kept. */
  readonly maxBytes?: number;
  /** Progressive JPEG or baseline; `auto` is progressive for `best`, baseline for `fast`. */
  readonly progressive: 'auto' | boolean;
  /** `#rrggbb` to flatten transparency on where the format has none. Without it the format is kept. */
  readonly background: string | null;
  /** Turn the pixels upright. Off by default: labels depend on the stored width × height. */
  readonly autoOrient: boolean;
  readonly resize: { readonly maxWidth?: number; readonly maxHeight?: number } | null;
  readonly metadata: (typeof METADATA_POLICIES)[number];
  /** An image whose metadata cannot be removed: a failure, or kept and counted. */
  readonly metadataLeft: (typeof METADATA_LEFT)[number];
  /** Unknown data after the end of an image; `strip` drops it always. */
  readonly trailingData: (typeof KEEP_OR_DROP)[number];
  /** A C2PA manifest, which any change makes invalid; `strip` drops it always. */
  readonly contentCredentials: (typeof KEEP_OR_DROP)[number];
  readonly minSavings: { readonly percent: number; readonly bytes: number };
}

/** The checked input of a job with every default filled in: the content of job.json. */
export interface Job {
  readonly jobId: string;
  /** `s3://bucket/key` of a file list or `s3://bucket/prefix/`. */
  readonly fileList: string;
  /** `s3://bucket/prefix/`, or in-place. */
  readonly output: string;
  /** `s3://bucket/prefix/` in front of entries that are not URIs (plain keys, relative paths). */
  readonly relativeTo: string | null;
  readonly layout: (typeof LAYOUTS)[number];
  readonly suffixes: readonly string[];
  readonly compression: CompressionSettings;
  readonly images: {
    readonly perBatch: number;
    readonly perBatchBytes: number | null;
    readonly fargateAbove: number;
    readonly fargateAboveBytes: number;
  };
  readonly limits: {
    readonly maxObjects: number | null;
    readonly maxBytes: number | null;
    /** Of one image; above it the image is failed: TooLarge. */
    readonly maxPixels?: number | null;
  };
  /** For a prefix or an inventory: which of its objects belong to the job. */
  readonly select: {
    readonly suffixes: readonly string[] | null;
    readonly minBytes: number | null;
    readonly maxBytes: number | null;
    /** ISO 8601 */
    readonly modifiedAfter: string | null;
  };
  readonly copyKept: boolean;
  readonly toleratedFailurePercentage: number;
  readonly dryRun: boolean;
  /** jobId of an earlier job over the same list: the images that it completed are left out. */
  readonly resume: string | null;
  /** In place only: `s3://bucket/prefix/` where originals are copied before they are replaced. */
  readonly backup: string | null;
  /** In place only: replace images lossily where neither a version nor a backup keeps the original. */
  readonly irreversible?: boolean;
  /** In place only: what PlanJob does where keys are hashes of bytes. Such an image is never replaced. */
  readonly contentAddressed?: (typeof CONTENT_ADDRESSED)[number];
  /** In place only: correct a Content-Type that contradicts the bytes, instead of only reporting it. */
  readonly correctContentType?: boolean;
  /** Canned ACL for every object that is written; without it no ACL is sent. */
  readonly acl?: CannedAcl;
  /** Compress images again that are up to date. */
  readonly force: boolean;
  /** ISO 8601, when the execution started. */
  readonly startedAt: string;
}

/** One line of images.jsonl. Short names: there may be ten million of them. */
export interface PlannedImage extends S3Location {
  /** Ordinal in the file list, from 0. */
  readonly n: number;
  readonly size?: number;
  readonly etag?: string;
  /** The ordinal of the first entry with the same object: this one is only counted. */
  readonly duplicateOf?: number;
}

/** One line of batches.jsonl, the input of one child execution. */
export interface BatchRef {
  readonly jobId: string;
  /** The user's name (`batch_1`) or `batch-000001`; safe inside an object key. */
  readonly batchId: string;
  readonly bucket: string;
  /** Its images are the bytes `start` to `end` (both inclusive) of jobs/<jobId>/images.jsonl in `bucket`. */
  readonly start: number;
  readonly end: number;
  readonly count: number;
  /** Sum of the sizes in the list. */
  readonly bytes: number;
  readonly host: 'lambda' | 'fargate';
}

/** What a host returns to the state machine: small on purpose, the results are stored in S3. */
export interface BatchSummary {
  readonly batchId: string;
  readonly compressed: number;
  readonly kept: number;
  readonly skipped: number;
  readonly failed: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Images not compressed yet: above 0 the state machine calls again. */
  readonly remaining: number;
}
