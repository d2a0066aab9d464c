import {
  KEPT_REASONS,
  type KeptReason,
  SKIPPED_REASONS,
  type SkippedReason,
} from '../../src/core/image-result.ts';
import { readableBytes } from '../../src/core/readable.ts';
import { percentSaved } from '../../src/core/report.ts';
import { printable } from './terminal-text.ts';

/** A log line of recompress-upload that tells what became of an object. */
type LoggedUpload = { readonly source: string } & (
  | { readonly status: 'compressed'; readonly bytesIn: number; readonly bytesOut: number }
  | { readonly status: 'kept'; readonly reason: KeptReason }
  | { readonly status: 'skipped'; readonly reason: SkippedReason }
  | { readonly status: 'failed'; readonly code: string; readonly reason: string }
);

/**
 * Turns the log of the functions into a line for people each time an upload was dealt with; undefined for all else.
 * Our own write is an upload, too: that it is passed over is no news.
 */
export function createUploadOutcomes(): (logLine: string) => string | undefined {
  const justWritten = new Set<string>();
  return (logLine) => {
    const upload = readUpload(logLine);
    if (!upload) return undefined;
    const isOwnWrite = justWritten.delete(upload.source) && upload.status === 'skipped';
    if (upload.status === 'compressed') justWritten.add(upload.source);
    return isOwnWrite ? undefined : printable(`${upload.source.slice('s3://'.length)} ${outcomeOf(upload)}`);
  };
}

function readUpload(logLine: string): LoggedUpload | undefined {
  if (!logLine.includes('"message":"upload ')) return undefined;
  try {
    return JSON.parse(logLine) as LoggedUpload;
  } catch {
    return undefined;
  }
}

function outcomeOf(upload: LoggedUpload): string {
  switch (upload.status) {
    case 'compressed': {
      const { bytesIn, bytesOut } = upload;
      const saved = percentSaved(bytesIn, bytesOut).toFixed(1);
      return `compressed: ${readableBytes(bytesIn)} → ${readableBytes(bytesOut)}, ${saved} % smaller`;
    }
    case 'kept':
      return `kept: ${KEPT_REASONS[upload.reason]}`;
    case 'skipped':
      return `skipped: ${SKIPPED_REASONS[upload.reason]}`;
    case 'failed':
      return `failed: ${upload.code}: ${upload.reason}`;
  }
}
