import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

/** What the user typed cannot be carried out: exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** The options that stand for settings of the execution input, for `npm start` and `npm run job` alike. */
export const SETTINGS_OPTIONS = {
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
} as const satisfies ParseArgsOptionsConfig;

export const SETTINGS_HELP = `  --mode MODE           quality=N (1-100, libjpeg's scale) | lossless | auto      (quality=75)
  --effort EFFORT       best (mozjpeg) | fast (about 8 times less CPU)            (best)
  --format FORMAT       keep | jpeg | webp | avif                                 (keep)
  --layout LAYOUT       mirror | flat | by-suffix                                 (mirror)
  --metadata POLICY     keep | copyright | strip                                  (keep)
  --max-size N          shrink to at most N pixels a side, never enlarge
  --per-batch N         images in one batch
  --settings JSON       any setting of docs/settings.md, e.g. '{"minSavings":{"percent":10}}'
  --dry-run             plan and measure, write no image
  --force               compress again what is up to date`;

interface SettingsValues {
  readonly [option: string]: string | boolean | undefined;
}
type Settings = Readonly<Record<string, unknown>>;

/** node's parseArgs, with its complaints as UsageErrors that name the way to the help. */
export function parseOptions<T extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: T,
  help: string,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. To specify')[0]}. See ${help}`);
  }
}

/**
 * The part of the execution input that the options ask for; an option wins over the same setting in --settings.
 * @throws UsageError naming the option, the rule and the value
 */
export function readSettings(values: SettingsValues): Settings {
  const given = values.settings === undefined ? {} : jsonObject('--settings', String(values.settings));
  const options = Object.entries(values).map(([option, value]) => settingOf(option, value));
  return [given, ...options].reduce(merge, {});
}

/**
 * Refuses settings that --settings must not hold, because the command line says the same in another way.
 * @param reasons by the name of the setting
 * @throws UsageError naming the setting, the reason and the value
 */
export function refuseSettings(settings: Settings, reasons: Readonly<Record<string, string>>): void {
  for (const [name, reason] of Object.entries(reasons)) {
    const value = settings[name];
    if (value === undefined || value === null) continue;
    const given = typeof value === 'string' ? value : JSON.stringify(value);
    throw new UsageError(`'--settings' must leave out '${name}' (${reason}), '${given}' given`);
  }
}

function settingOf(option: string, value: string | boolean | undefined): Settings {
  if (value === undefined) return {};
  const text = String(value);
  switch (option as keyof typeof SETTINGS_OPTIONS) {
    case 'mode':
      return { encoding: modeOf(text) };
    case 'effort':
      return { encoding: { effort: oneOf('--effort', text, ['best', 'fast']) } };
    case 'format':
      return { encoding: { format: oneOf('--format', text, ['keep', 'jpeg', 'webp', 'avif']) } };
    case 'layout':
      return { layout: oneOf('--layout', text, ['mirror', 'flat', 'by-suffix']) };
    case 'metadata':
      return { metadata: oneOf('--metadata', text, ['keep', 'copyright', 'strip']) };
    case 'max-size': {
      const side = wholeNumber('--max-size', text, 1, 65_535);
      return { resize: { maxWidth: side, maxHeight: side } };
    }
    case 'per-batch':
      return { images: { perBatch: wholeNumber('--per-batch', text, 1, 1_000_000) } };
    case 'dry-run':
      return value ? { dryRun: true } : {};
    case 'force':
      return value ? { force: true } : {};
    default:
      return {};
  }
}

/** The second over the first, one level deep: `encoding` and `images` are made of several options. */
function merge(first: Settings, second: Settings): Settings {
  const merged: Record<string, unknown> = { ...first };
  for (const [name, value] of Object.entries(second)) {
    merged[name] = isObject(value) && isObject(merged[name]) ? { ...merged[name], ...value } : value;
  }
  return merged;
}

function modeOf(text: string): Settings {
  const quality = /^quality=(.*)$/.exec(text);
  if (quality) return { mode: 'quality', quality: wholeNumber('--mode quality=N', quality[1]!, 1, 100) };
  if (['quality', 'lossless', 'auto'].includes(text)) return { mode: text };
  const meant = /^\d+$/.test(text) ? `: did you mean --mode quality=${text}?` : '';
  throw new UsageError(`'--mode' must be quality=N | lossless | auto, '${text}' given${meant}`);
}

function oneOf(option: string, text: string, allowed: readonly string[]): string {
  if (allowed.includes(text)) return text;
  throw new UsageError(`'${option}' must be ${allowed.join(' | ')}, '${text}' given`);
}

export function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`'${option}' must be a whole number from ${least} to ${most}, '${text}' given`);
}

function jsonObject(option: string, text: string): Settings {
  const value = parseJson(text);
  if (isObject(value)) return value;
  throw new UsageError(`'${option}' must be a JSON object, '${text}' given`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
