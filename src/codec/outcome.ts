import type { Compressed, Failed, ImageFormat, Kept, KeptReason, Skipped } from '../core/image-result.ts';
import { CorruptImageError } from './corrupt-image-error.ts';
import { FORMATS } from './formats.ts';

/** What compressing the bytes of one image came to. Nothing is written, nothing is thrown. */
export type BytesOutcome = CompressedBytes | KeptBytes | Omit<Skipped, 'bytesIn'> | FailedBytes;

export interface CompressedBytes extends Omit<Compressed, 'output' | 'bytesIn' | 'bytesOut'> {
  readonly bytes: Uint8Array;
  readonly contentType: string;
}

export interface KeptBytes extends Omit<Kept, 'output' | 'bytesIn'> {
  readonly format: ImageFormat;
  readonly contentType: string;
  /** What was encoded and not taken; only until the candidates are compared. */
  readonly made?: Readonly<{ bytes?: number; score?: number }>;
}

type FailedBytes = Omit<Failed, 'bytesIn'>;

/** The encoder threw, hung or wrote something that is not the picture; the source is sound. */
export class EncoderCrashError extends Error {
  override readonly name = 'EncoderCrashError';
}

/** Whether the source is whole cannot be proven: it is kept as it is. */
export class UnprovenError extends Error {
  override readonly name = 'UnprovenError';
}

/** The image is over the limit of pixels. */
export class TooLargeError extends Error {
  override readonly name: string = 'TooLargeError';
}

/** The image is over this host's memory. */
export class HostTooSmallError extends TooLargeError {
  override readonly name = 'HostTooSmallError';
}

export function keptOutcome(format: ImageFormat, reason: KeptReason, detail?: string): KeptBytes {
  const outcome = { status: 'kept', reason, format, contentType: FORMATS[format].contentType } as const;
  return detail === undefined ? outcome : { ...outcome, detail: inOneLine(detail) };
}

/** Names of chunks and boxes come from the file, and may hold anything. */
function inOneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}

/** What was thrown, as an outcome: only the classes named here are anything but Unexpected. */
export function failedOutcome(error: unknown): FailedBytes {
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  if (code === 'Unexpected') return { status: 'failed', code, message, cause: error };
  return {
    status: 'failed',
    code,
    message: inOneLine(message),
    ...(error instanceof HostTooSmallError && { hostTooSmall: true }),
    ...(error instanceof Error && error.cause !== undefined && { cause: error.cause }),
  };
}

function codeOf(error: unknown): Failed['code'] {
  if (error instanceof CorruptImageError) return 'CorruptImage';
  if (error instanceof TooLargeError) return 'TooLarge';
  if (error instanceof EncoderCrashError) return 'EncoderCrash';
  return 'Unexpected';
}
