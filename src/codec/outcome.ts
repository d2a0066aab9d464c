import type { Encoding, FailureCode, ImageFormat, KeptReason, SkippedReason } from '../core/image-result.ts';

/** What compressing the bytes of one image came to. Nothing is written, nothing is thrown. */
export type BytesOutcome = CompressedBytes | KeptBytes | SkippedBytes | FailedBytes;

export interface CompressedBytes {
  readonly status: 'compressed';
  readonly bytes: Uint8Array;
  readonly contentType: string;
  readonly encoding: Encoding;
  readonly detail?: string;
}

export interface KeptBytes {
  readonly status: 'kept';
  readonly reason: KeptReason;
  readonly detail?: string;
  readonly format: ImageFormat;
  readonly contentType: string;
}

export interface SkippedBytes {
  readonly status: 'skipped';
  readonly reason: SkippedReason;
  readonly detail?: string;
}

export interface FailedBytes {
  readonly status: 'failed';
  readonly code: FailureCode;
  readonly message: string;
  /** TooLarge for this host's memory: a larger one may do it. */
  readonly hostTooSmall?: true;
  /** Only of `Unexpected`: what was thrown, to be logged with its stack. It does not belong into a result file. */
  readonly cause?: unknown;
}

/** The encoder threw, hung or wrote something that is not the picture; the source is sound. */
export class EncoderCrashError extends Error {
  override readonly name = 'EncoderCrashError';
}

/** The image is over the limit of pixels. */
export class TooLargeError extends Error {
  override readonly name: string = 'TooLargeError';
}

/** The image is over this host's memory. */
export class HostTooSmallError extends TooLargeError {
  override readonly name = 'HostTooSmallError';
}
