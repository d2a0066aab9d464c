import {
  failureText,
  KEPT_REASONS,
  type KeptReason,
  SKIPPED_REASONS,
  type SkippedReason,
} from '../../src/core/image-result.ts';
import { parseJson } from '../../src/core/parse-json.ts';
import { readableBytes, readablePercent } from '../../src/core/readable.ts';
import { percentSaved } from '../../src/core/report.ts';
import { readUploadEvent } from '../../src/core/upload-event.ts';
import { PROBE_KEY } from '../../src/store/endpoint-check.ts';
import { printable } from './terminal-text.ts';

/** A log line of recompress-upload with the outcome of an upload. */
type LoggedUpload = { readonly source: string } & (
  | { readonly status: 'compressed'; readonly bytesIn: number; readonly bytesOut: number }
  | { readonly status: 'kept'; readonly reason: KeptReason }
  | { readonly status: 'skipped'; readonly reason: SkippedReason }
  | { readonly status: 'failed'; readonly code: string; readonly reason: string }
);

/**
 * Turns log lines of the functions into one line for people for each upload; undefined for all other log lines.
 * Our own writes, of outputs and of the check of this server, raise events too: that those are skipped is not worth a line.
 */
export function createUploadOutcomes(): (logLine: string) => string | undefined {
  const justWritten = new Set<string>();
  return (logLine) => {
    if (!logLine.includes('"message":"upload ')) return undefined;
    const upload = parseJson(logLine) as LoggedUpload | undefined;
    if (!upload || upload.source.endsWith(`/${PROBE_KEY}`)) return undefined;
    const isOwnWrite = justWritten.delete(upload.source) && upload.status === 'skipped';
    if (upload.status === 'compressed') justWritten.add(upload.source);
    return isOwnWrite ? undefined : printable(`${upload.source.slice('s3://'.length)} ${outcomeOf(upload)}`);
  };
}

/** The line for an event that was delivered to recompress-upload in vain. @throws UploadEventError for another body */
export function deadLetterLine(body: string, log: string): string {
  const uploads = readUploadEvent(body).map(({ bucket, key }) => `${bucket}/${key}`);
  return printable(`${uploads.join(', ')}: failed 5 times, see ${log}`);
}

function outcomeOf(upload: LoggedUpload): string {
  switch (upload.status) {
    case 'compressed': {
      const { bytesIn, bytesOut } = upload;
      const saved = readablePercent(percentSaved(bytesIn, bytesOut));
      return `compressed: ${readableBytes(bytesIn)} → ${readableBytes(bytesOut)}, ${saved} smaller`;
    }
    case 'kept':
      return `kept: ${KEPT_REASONS[upload.reason]}`;
    case 'skipped':
      return `skipped: ${SKIPPED_REASONS[upload.reason]}`;
    case 'failed':
      return `failed: ${failureText(upload.code, upload.reason)}`;
  }
}
