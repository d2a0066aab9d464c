/** The result for one image, a line of `results/<batchId>/…jsonl`. A report is made only from these. */
export type ImageResult = Outcome & {
  /** Ordinal of the image in its job's images.jsonl, from 0. */
  readonly index: number;
  readonly batchId: string;
  /** `s3://bucket/key` */
  readonly source: string;
};

export type Outcome = Compressed | Kept | Skipped | Failed;

export interface Compressed {
  readonly status: 'compressed';
  /** `s3://bucket/key`; in place it equals the source. */
  readonly output: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly encoding: Encoding;
  readonly detail?: string;
  /** What the policy of `metadata` should have removed and is still in it, with the setting metadataLeft: keep. */
  readonly metadataLeft?: string;
  /** Unknown bytes after the end of the image, which are still there: they may be something hidden. */
  readonly hiddenBytes?: number;
}

/** How an output was made. */
export interface Encoding {
  readonly format: ImageFormat;
  readonly lossless: boolean;
  /** The encoder's own quality, after the equal-appearance mapping. */
  readonly quality?: number;
  readonly effort?: 'best' | 'fast';
  readonly progressive?: boolean;
  /** SSIMULACRA2 against the source, where it was measured. */
  readonly score?: number;
  readonly probes?: number;
  /** What was considered beside it, and why it was not taken. */
  readonly candidates?: readonly CandidateReceipt[];
}

/** Another way to make an output, which was not taken. */
export interface CandidateReceipt {
  readonly format: ImageFormat;
  readonly lossless: boolean;
  /** Of the output, or what it would have needed at least. */
  readonly bytes?: number;
  /** SSIMULACRA2 against the source, where it was measured. */
  readonly score?: number;
  /** `larger`, `larger by estimate`, or the reason for which an image is kept. */
  readonly why: string;
}

export interface Kept {
  readonly status: 'kept';
  /** `s3://bucket/key` of the copy; absent in place or with `copyKept: false`. */
  readonly output?: string;
  readonly reason: KeptReason;
  readonly detail?: string;
  /** As of a compressed image. */
  readonly metadataLeft?: string;
  readonly hiddenBytes?: number;
  readonly bytesIn: number;
}

export interface Skipped {
  readonly status: 'skipped';
  readonly reason: SkippedReason;
  readonly detail?: string;
  readonly bytesIn?: number;
}

export interface Failed {
  readonly status: 'failed';
  readonly code: FailureCode;
  readonly message: string;
  readonly bytesIn?: number;
  /** TooLarge for this host's memory: a larger one may do it. */
  readonly hostTooSmall?: true;
  /** In memory only: an `Unexpected` error itself, or what an engine said. The log gets it; no result is written with it. */
  readonly cause?: unknown;
}

/** The image is good and stays as it is; elsewhere it is copied, so that the outputs are complete. */
export const KEPT_REASONS = {
  'no-gain': 'saves less than minSavings (3 % by default)',
  'below-floor': 'no encoding reached the wanted appearance',
  'over-max-bytes': 'does not fit into maxBytes at an acceptable appearance',
  'already-compressed': 'the source has this quality or less; compressing it again would only harm it',
  'unsupported-format': 'no encoder here for this format in this mode',
  'hdr-gain-map': 'has an HDR gain map that would be lost',
  'multi-picture': 'contains several pictures (MPO), or previews that maker notes refer to',
  'content-credentials': 'has C2PA content credentials that a change would invalidate',
  'trailing-data': 'data after the end of the image would be lost',
  animation: 'these settings cannot keep the animation',
  'equal-frames': 'the encoder would merge equal frames of the animation',
  alpha: 'has transparency, which the target format does not support',
  'deep-colour': 'has more than 8 bits per channel, which the target format does not support',
  cmyk: 'CMYK, which the target format does not support',
  'colour-space': 'a colour space that cannot be kept exactly',
  unproven: 'whether it is whole cannot be proven here',
  'not-identical': 'the lossless result was not identical, so it was discarded',
  'too-slow': 'compressing it would take longer than the time limit',
  'metadata-limit': 'the mark does not fit into the user metadata (2 KB in all)',
  'object-lock': 'under Object Lock',
  replica: 'a replica of an object in another bucket, from which it would then differ',
  'content-addressed': 'its key or metadata holds the hash of its bytes, so others rely on these bytes',
} as const;
export type KeptReason = keyof typeof KEPT_REASONS;

/** There was nothing to compress, or nothing that may be replaced. */
export const SKIPPED_REASONS = {
  'up-to-date': 'compressed before with these settings',
  'own-output': 'the source is an output of image-press',
  restored: 'restored, not compressed again',
  'changed-meanwhile': 'replaced or deleted while it was being compressed; the newer object is kept',
  gone: 'deleted since it was listed',
  archived: 'in an archive storage class; restore it first',
  empty: 'zero bytes or a folder marker',
  'not-an-image': 'not an image',
  duplicate: 'listed before in the same file list',
  'write-limit': 'compressed more often within an hour than is allowed; left as it is',
} as const;
export type SkippedReason = keyof typeof SKIPPED_REASONS;

/** What becomes of an image that failed, and what a person can do. */
interface FailureRule {
  readonly meaning: string;
  /** What to do next, as the report says it. */
  readonly advice: string;
  /** Of a local command, where nothing worse happened. */
  readonly exitCode: 1;
  readonly retry: Retry;
}

/**
 * How often an upload is tried in all. After five attempts its message goes to the dead-letter queue, which raises an
 * alarm, so what a file alone can cause must stay below that: anybody who may upload could raise it.
 */
export const UPLOAD_ATTEMPTS = { never: 1, once: 2, twice: 3, always: Number.POSITIVE_INFINITY } as const;
export type Retry = keyof typeof UPLOAD_ATTEMPTS;

/** A person has to look at it. */
export const FAILURE_CODES = {
  NotFound: {
    meaning: 'no such object',
    advice:
      'Compare the key in the list with the object, character by character: keys are not decoded, + and %20 stand for themselves.',
    exitCode: 1,
    // An event can arrive before its object is visible; after this the object counts as deleted.
    retry: 'twice',
  },
  AccessDenied: {
    meaning: 'reading or writing it was denied',
    advice:
      'Deploy with --param sourceBuckets=… for buckets that are read, outputBuckets=… for buckets that are written and kmsKeyArns=… for their keys. In another account, the policies of the bucket and of the key must allow access too.',
    exitCode: 1,
    retry: 'always',
  },
  CorruptImage: {
    meaning: 'cannot be decoded without errors',
    advice: 'Restore the original from a backup: the file is damaged. It was not changed.',
    exitCode: 1,
    retry: 'never',
  },
  TooLarge: {
    meaning: 'over the pixel or memory limit',
    advice: 'Give the host more memory, or raise limits.maxPixels.',
    exitCode: 1,
    retry: 'never',
  },
  MetadataLeft: {
    meaning: 'metadata that had to be removed cannot be removed from it',
    advice:
      "Remove the metadata with another program or convert the image. With metadataLeft 'keep' such images are kept and counted.",
    exitCode: 1,
    retry: 'never',
  },
  EncoderCrash: {
    meaning: 'the encoder threw, crashed its process or returned an unusable image',
    advice: 'Keep the file as it is, or convert it by hand. The other images of its batch are finished.',
    exitCode: 1,
    // A host may have been short of memory; the same file fails again elsewhere where it was the cause.
    retry: 'once',
  },
  OutputExists: {
    meaning: 'the output key already has an object that is not an output of image-press',
    advice: 'Choose another output prefix, or move the object that is there.',
    exitCode: 1,
    retry: 'never',
  },
  UnsafeEndpoint: {
    meaning: 'the S3 endpoint lacks what replacing in place relies on, such as If-Match',
    advice: 'Write outputs elsewhere: this S3 endpoint cannot replace images safely.',
    exitCode: 1,
    // Nothing a file alone can cause: the operator has to choose another endpoint.
    retry: 'always',
  },
  Throttled: {
    meaning: 'S3 asked to slow down, also after retries',
    advice: 'Run failed.jsonl again later, or with a lower concurrency.',
    exitCode: 1,
    retry: 'always',
  },
  Unexpected: {
    meaning: 'an unexpected error; the log has its stack',
    advice: 'Read the message. Running failed.jsonl again helps only if the cause was temporary.',
    exitCode: 1,
    retry: 'always',
  },
} as const satisfies Readonly<Record<string, FailureRule>>;
export type FailureCode = keyof typeof FAILURE_CODES;

/** A failure in one line. The message of an unexpected error begins with `Unexpected error: ` itself. */
export function failureText(code: string, message: string): string {
  return code === 'Unexpected' ? message : `${code}: ${message}`;
}

/** Every known format, and how the names of its files end. Each has its row in src/codec/formats.ts. */
export const EXTENSIONS = {
  jpeg: ['jpg', 'jpeg', 'jpe', 'jfif', 'mpo'],
  png: ['png', 'apng'],
  webp: ['webp'],
  avif: ['avif'],
  gif: ['gif'],
  tiff: ['tif', 'tiff'],
  heif: ['heic', 'heif'],
  jxl: ['jxl'],
  jp2: ['jp2', 'j2k'],
  bmp: ['bmp'],
  psd: ['psd'],
  svg: ['svg'],
  ico: ['ico'],
  pnm: ['pnm', 'pbm', 'pgm', 'ppm'],
  qoi: ['qoi'],
} as const;
export type ImageFormat = keyof typeof EXTENSIONS;

/** What other formats can be converted to. */
export const CONVERSION_TARGETS = ['jpeg', 'webp', 'avif'] as const satisfies readonly ImageFormat[];

/** What is written here: a PNG is compressed as well, but nothing becomes one. */
export type OutputFormat = 'png' | (typeof CONVERSION_TARGETS)[number];
