import type { CompressionSettings } from '../core/job.ts';
import type { CannedAcl } from '../core/object-store.ts';
import { JobInputError, parseJobInput } from '../settings/job-input.ts';

/** How uploads are compressed in place. */
export interface UploadSettings {
  readonly compression: CompressionSettings;
  /** `s3://bucket/prefix/` where originals are copied before they are replaced. */
  readonly backup: string | null;
  readonly correctContentType?: boolean;
  readonly acl?: CannedAcl;
  /** Writes to one key within an hour; above it the uploads are left as they are. */
  readonly maxWritesPerHour: number;
}

const OF_JOBS = [
  'encoding',
  'metadata',
  'minSavings',
  'resize',
  'autoOrient',
  'backup',
  'correctContentType',
  'acl',
];
const DEFAULT_MAX_WRITES_PER_HOUR = 60;

/**
 * Reads UPLOAD_SETTINGS: JSON with the settings of an execution input that concern one image, lossless by default.
 * @throws JobInputError naming each setting at fault
 */
export function parseUploadSettings(text: string | undefined): UploadSettings {
  const { maxWritesPerHour = DEFAULT_MAX_WRITES_PER_HOUR, ...settings } = parseJson(text);
  const foreign = Object.keys(settings).filter((key) => !OF_JOBS.includes(key));
  const problems = foreign.map((key) => `'${key}' must be left out: it is no setting of uploads`);
  if (!Number.isInteger(maxWritesPerHour) || (maxWritesPerHour as number) < 1)
    problems.push(
      `'maxWritesPerHour' must be a whole number, 1 or more, '${JSON.stringify(maxWritesPerHour)}' given`,
    );
  if (problems.length > 0) throw new JobInputError(problems);
  const encoding = { mode: 'lossless', ...(settings.encoding as object | undefined) };
  const job = parseJobInput(
    { ...settings, encoding, fileList: 's3://uploads/', output: 'in-place' },
    { jobId: 'upload', startedAt: '', defaultOutput: 'in-place' },
  );
  const { compression, backup, correctContentType, acl } = job;
  return { compression, backup, correctContentType, acl, maxWritesPerHour: maxWritesPerHour as number };
}

function parseJson(text: string | undefined): Record<string, unknown> {
  if (text === undefined || text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === 'object' && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // said below, together with what came
  }
  throw new JobInputError([`'UPLOAD_SETTINGS' must be a JSON object, '${text}' given`]);
}
