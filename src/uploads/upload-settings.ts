import type { CompressionSettings, Job } from '../core/job.ts';
import { parseJson } from '../core/parse-json.ts';
import { parseJobInput } from '../settings/job-input.ts';
import { JobInputError, parseSettings } from '../settings/problems.ts';
import { UPLOAD_SETTINGS } from '../settings/schema.ts';

/** How uploads are compressed in place. */
export interface UploadSettings extends Pick<Job, 'backup' | 'correctContentType' | 'acl'> {
  readonly compression: CompressionSettings;
  /** Writes to one key within an hour; above it the uploads are left as they are. */
  readonly maxWritesPerHour: number;
}

/**
 * Reads UPLOAD_SETTINGS: JSON with the settings of an execution input that concern one image, lossless by default.
 * @throws JobInputError naming each setting at fault
 */
export function parseUploadSettings(text: string | undefined): UploadSettings {
  const given = parseObject(text);
  const { maxWritesPerHour } = parseSettings(UPLOAD_SETTINGS, given);
  const { maxWritesPerHour: _, encoding, ...settings } = given;
  const { mode, ...others } = Object(encoding);
  const { compression, backup, correctContentType, acl } = parseJobInput(
    {
      ...settings,
      encoding: { ...others, mode: mode ?? 'lossless' },
      // A list, which no backup contains: the user gave no prefix that could contradict the backup.
      fileList: 's3://uploads/list',
      output: 'in-place',
    },
    { jobId: 'upload', startedAt: '', defaultOutput: 'in-place' },
  );
  return { compression, backup, correctContentType, acl, maxWritesPerHour };
}

function parseObject(text = ''): Record<string, unknown> {
  const value = text.trim() === '' ? {} : parseJson(text);
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new JobInputError([`'UPLOAD_SETTINGS' must be a JSON object, '${text}' given`]);
}
