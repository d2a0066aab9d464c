import { parseArgs } from 'node:util';

export interface CommandLine {
  readonly command: 'samples' | 'run' | 'serve';
  /** Folder, file list or s3:// URI; undefined for the samples. */
  readonly input: string | undefined;
  readonly out: string;
  readonly json: boolean;
  readonly port: number | undefined;
  /** The job settings that the options ask for, in the form of the execution input. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What the user typed cannot be carried out: exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

export const HELP = `image-press: compress images through the whole state machine, on this machine

  npm start                                     compress sample pictures and show what comes out
  npm start -- <folder | file list | s3://…>    compress your own; what you hand in is never written to
  npm start -- serve                            keep a local S3 up: drop a file list or an image, watch it work

  --out DIR             where outputs go, mirroring the keys            (./compressed)
  --mode MODE           quality=N (1-100, libjpeg's scale) | lossless | auto      (quality=75)
  --effort EFFORT       best (mozjpeg) | fast (about 8 times less CPU)            (best)
  --format FORMAT       keep | jpeg | webp | avif                                 (keep)
  --layout LAYOUT       mirror | flat | by-suffix                                 (mirror)
  --metadata POLICY     keep | copyright | strip                                  (keep)
  --max-size N          shrink to at most N pixels a side, never enlarge
  --per-batch N         images in one batch                                       (50)
  --settings JSON       any setting of docs/settings.md, e.g. '{"minSavings":{"percent":10}}'
  --dry-run             plan and measure, write no image
  --force               compress again what is up to date
  --json                report.json on stdout, progress on stderr (use with npm run -s start)
  --port N              for serve: the port of the local S3                       (9090)
  --help                this text

Exit code: 0 every image accounted for and none failed · 1 some failed, they are listed · 2 wrong usage · 3 the job failed`;

const OPTIONS = {
  out: { type: 'string' },
  mode: { type: 'string' },
  effort: { type: 'string' },
  format: { type: 'string' },
  layout: { type: 'string' },
  metadata: { type: 'string' },
  'max-size': { type: 'string' },
  'per-batch': { type: 'string' },
  settings: { type: 'string' },
  'dry-run': { type: 'boolean' },
  force: { type: 'boolean' },
  json: { type: 'boolean' },
  port: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Reads the command line. @throws UsageError with what was expected; @returns 'help' when that was asked for. */
export function readCommandLine(args: readonly string[]): CommandLine | 'help' {
  const { values, positionals } = parse(args);
  if (values.help) return 'help';
  if (positionals.length > 1) {
    throw new UsageError(
      `Expected one folder, file list or s3:// URI but received ${positionals.length}: ${positionals.join(' ')}`,
    );
  }
  const [input] = positionals;
  return {
    command: input === undefined ? 'samples' : input === 'serve' ? 'serve' : 'run',
    input: input === 'serve' ? undefined : input,
    out: values.out ?? 'compressed',
    json: values.json ?? false,
    port: values.port === undefined ? undefined : wholeNumber('--port', values.port, 0, 65_535),
    settings: settingsOf(values),
  };
}

type Values = ReturnType<typeof parse>['values'];

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}. See npm start -- --help`);
  }
}

function settingsOf(values: Values): Record<string, unknown> {
  const given = values.settings === undefined ? {} : jsonObject('--settings', values.settings);
  const encoding = {
    ...(values.mode === undefined ? {} : modeOf(values.mode)),
    ...(values.effort === undefined ? {} : { effort: oneOf('--effort', values.effort, ['best', 'fast']) }),
    ...(values.format === undefined
      ? {}
      : { format: oneOf('--format', values.format, ['keep', 'jpeg', 'webp', 'avif']) }),
    ...(given.encoding as object | undefined),
  };
  const side =
    values['max-size'] === undefined ? undefined : wholeNumber('--max-size', values['max-size'], 1, 65_535);
  return {
    ...(Object.keys(encoding).length === 0 ? {} : { encoding }),
    ...(values.layout === undefined
      ? {}
      : { layout: oneOf('--layout', values.layout, ['mirror', 'flat', 'by-suffix']) }),
    ...(values.metadata === undefined
      ? {}
      : { metadata: oneOf('--metadata', values.metadata, ['keep', 'copyright', 'strip']) }),
    ...(side === undefined ? {} : { resize: { maxWidth: side, maxHeight: side } }),
    ...(values['dry-run'] ? { dryRun: true } : {}),
    ...(values.force ? { force: true } : {}),
    ...without(given, 'encoding'),
    images: {
      perBatch:
        values['per-batch'] === undefined
          ? 50
          : wholeNumber('--per-batch', values['per-batch'], 1, 1_000_000),
      ...(given.images as object | undefined),
    },
  };
}

function modeOf(text: string): { mode: string; quality?: number } {
  const quality = /^quality=(.*)$/.exec(text);
  if (quality) return { mode: 'quality', quality: wholeNumber('--mode quality=N', quality[1]!, 1, 100) };
  return { mode: oneOf('--mode', text, ['quality', 'lossless', 'auto']) };
}

function oneOf(option: string, text: string, allowed: readonly string[]): string {
  if (!allowed.includes(text))
    throw new UsageError(`'${option}' must be ${allowed.join(' | ')}, '${text}' given`);
  return text;
}

function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw new UsageError(`'${option}' must be a whole number from ${least} to ${most}, '${text}' given`);
  }
  return value;
}

function jsonObject(option: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // falls through to the one message for all that is no object
  }
  throw new UsageError(`'${option}' must be a JSON object, '${text}' given`);
}

function without(object: Record<string, unknown>, key: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
}
