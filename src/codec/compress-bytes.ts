import type { Encoding, FailureCode, ImageFormat, KeptReason, SkippedReason } from '../core/image-result.ts';

/** What compressing the bytes of one image came to. Nothing is written, nothing is thrown. */
export type BytesOutcome =
  | {
      readonly status: 'compressed';
      readonly bytes: Uint8Array;
      readonly contentType: string;
      readonly encoding: Encoding;
    }
  | {
      readonly status: 'kept';
      readonly reason: KeptReason;
      readonly detail?: string;
      readonly format: ImageFormat;
      readonly contentType: string;
    }
  | { readonly status: 'skipped'; readonly reason: SkippedReason; readonly detail?: string }
  | { readonly status: 'failed'; readonly code: FailureCode; readonly message: string };
