import { parseJson } from '../../src/core/parse-json.ts';
import { parseJobInput } from '../../src/settings/job-input.ts';
import { isObject, mergeSettings, type Settings } from '../../src/settings/merge-settings.ts';
import { given, JobInputError, parseSettings, problemWith, valueAt } from '../../src/settings/problems.ts';
import { JOB_SETTINGS, type Setting, settingsIn } from '../../src/settings/schema.ts';
import { UsageError } from './run-command.ts';

const SETTINGS = settingsIn(JOB_SETTINGS);
/** By option; `--max-size` sets two settings. */
const BY_OPTION = Map.groupBy(
  SETTINGS.filter(({ cli }) => cli),
  ({ cli = '' }) => cli.replace(/^--| .*$/g, ''),
);

/** The options for settings of the execution input, of `npm start` and `npm run job` alike. */
export const SETTINGS_OPTIONS: Readonly<Record<string, { readonly type: 'string' | 'boolean' }>> = {
  ...Object.fromEntries([...BY_OPTION].map(([option, [first]]) => [option, { type: typeOf(first) }])),
  settings: { type: 'string' },
};

export const SETTINGS_HELP = [
  ...[...BY_OPTION.values()].flatMap(([first]) => (first ? helpLine(first) : [])),
  `  --settings JSON       any setting of docs/settings.md, e.g. '{"minSavings":{"percent":10}}'`,
].join('\n');

/**
 * The settings in the options, as in the execution input; an option overrides the same setting in --settings.
 * @param refused settings that --settings must not contain, because the command line says the same in another way: the
 * reasons by the name of the setting
 * @throws UsageError naming the option or the setting, the rule and the value
 */
export function readSettings(values: Settings, refused: Readonly<Record<string, string>>): Settings {
  const json = values.settings === undefined ? {} : jsonObject(String(values.settings));
  for (const [name, reason] of Object.entries(refused)) {
    const value = json[name];
    if (value !== undefined && value !== null)
      throw new UsageError(`'--settings' must leave out '${name}' (${reason}), ${given(value)}`);
  }
  return [json, ...settingsByOption(values).values()].reduce(mergeSettings);
}

/**
 * Refuses early what PlanJob would refuse. Contradictions in a retry are left to PlanJob: only it knows the settings
 * of the earlier job.
 * @param values the options, which messages name in place of the settings that they set
 * @throws UsageError
 */
export function checkSettings(input: Settings & { readonly fileList: string }, values: Settings): void {
  try {
    if (input.fileList.endsWith('failed.jsonl')) parseSettings(JOB_SETTINGS, input);
    else parseJobInput(input, { jobId: 'cli', startedAt: '', defaultOutput: 's3://output/' });
  } catch (error) {
    if (!(error instanceof JobInputError)) throw error;
    throw new UsageError(withOptions(error.message, values), { cause: error });
  }
}

/** How to write a setting that the user took for an option: `--quality`. */
export function adviceOnOption(option: string): string | undefined {
  const name = option.toLowerCase().replaceAll('-', '');
  const setting = SETTINGS.find(({ path }) => path.toLowerCase().split('.').at(-1) === name);
  if (!setting) return undefined;
  const json = JSON.stringify(nested(setting.path, '…')).replace('"…"', '…');
  return `use ${setting.cli ?? `--settings '${json}'`}`;
}

/** What each option that was given sets. */
function settingsByOption(values: Settings): ReadonlyMap<string, Settings> {
  const entries = [...BY_OPTION].flatMap(([option, settings]): [string, Settings][] => {
    const value = values[option];
    if (value === undefined || value === false) return [];
    if (option === 'mode') return [[option, { encoding: readMode(String(value)) }]];
    const read = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
    const set = settings.map(({ path }) => nested(path, checked(path, read, `--${option}`)));
    return [[option, set.reduce(mergeSettings)]];
  });
  return new Map(entries);
}

/** The message with the options that were given in place of the settings, and of whole groups, that they set. */
function withOptions(message: string, values: Settings): string {
  let text = message;
  for (const [option, set] of settingsByOption(values)) {
    for (const { path } of SETTINGS)
      if (valueAt(set, path) !== undefined) text = text.replaceAll(`'${path}'`, `'--${option}'`);
    for (const [group, members] of Object.entries(set)) {
      const all = SETTINGS.filter(({ path }) => path.startsWith(`${group}.`));
      if (!isObject(members) || Object.keys(members).length < all.length) continue;
      text = text.replaceAll(`'${group}'`, `'--${option}'`).replace(given(members), given(values[option]));
    }
  }
  return text;
}

function typeOf(setting: Setting | undefined): 'string' | 'boolean' {
  return setting?.cli?.includes(' ') ? 'string' : 'boolean';
}

function helpLine({ cli = '', docs, help, fallback }: Setting): string {
  const line = `  ${cli.padEnd(21)} ${help ?? docs.replaceAll('`', '').replaceAll('·', '|')}`;
  return typeof fallback === 'string' ? `${line.padEnd(82)}(${fallback})` : line;
}

function readMode(text: string): Settings {
  const [, quality] = /^quality=(.*)$/s.exec(text) ?? [];
  if (quality !== undefined) {
    const read = /^\d+$/.test(quality) ? Number(quality) : quality;
    return { mode: 'quality', quality: checked('encoding.quality', read, '--mode quality=N') };
  }
  if (/^\d+$/.test(text))
    throw new UsageError(
      `'--mode' must be quality=N, lossless or auto, '${text}' given; did you mean 'quality=${text}'?`,
    );
  return { mode: checked('encoding.mode', text, '--mode') };
}

function checked(path: string, value: unknown, name: string): unknown {
  const rule = SETTINGS.find((setting) => setting.path === path)?.rule;
  const problem = rule && problemWith(rule, value, name);
  if (problem) throw new UsageError(problem);
  return value;
}

/** `encoding.mode` and `auto` as `{ encoding: { mode: 'auto' } }` */
function nested(path: string, value: unknown): Settings {
  return path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as Settings;
}

function jsonObject(text: string): Settings {
  const value = parseJson(text);
  if (isObject(value)) return value;
  throw new UsageError(`'--settings' must be a JSON object, '${text}' given`);
}
