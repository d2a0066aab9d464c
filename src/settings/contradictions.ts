import type { Job } from '../core/job.ts';
import type { Settings } from './merge-settings.ts';
import { given, valueAt } from './problems.ts';
import { JOB_SETTINGS, type Setting, settingsIn } from './schema.ts';

/** Settings of a checked input that are each valid, but together ask for something impossible or have no effect. */
export function contradictionsIn(input: unknown, job: Job): string[] {
  const ineffective = SETTINGS.filter((setting) => isIneffective(setting, input));
  return [...ineffective.map((setting) => explain(setting, input)), ...conflictsOf(job, input)];
}

/** The input without the settings that have no effect in it, but with all that are in `own`. */
export function withoutIneffective(input: Settings, own: Settings = {}): Settings {
  const left = structuredClone(input) as Record<string, unknown>;
  for (const setting of SETTINGS) {
    if (!isIneffective(setting, input) || (valueAt(own, setting.path) ?? null) !== null) continue;
    const [name = '', group] = setting.path.split('.').reverse();
    delete (group === undefined ? left : Object(left[group]))[name];
  }
  return left;
}

const SETTINGS = settingsIn(JOB_SETTINGS);

/** Whether a setting is given that has no effect with the others: its user expects something that will not happen. */
function isIneffective({ path, works }: Setting, input: unknown): boolean {
  const value = valueAt(input, path);
  if (!works || value === undefined || value === null) return false;
  if (works.idle?.some((idle) => JSON.stringify(idle) === JSON.stringify(value))) return false;
  const other = valueOrDefault(works.where, input);
  return works.is ? !works.is.includes(other) : works.isNot === other;
}

function explain({ path, works }: Setting, input: unknown): string {
  const { where = '', is, isNot } = works ?? {};
  const other = valueOrDefault(where, input);
  const needed = is ? is.join(' or ') + (other && ` (here it is ${other})`) : `not ${isNot}`;
  return `'${path}' works only where '${where}' is ${needed}, ${given(valueAt(input, path))}`;
}

function valueOrDefault(path: string, input: unknown): string {
  const fallback = SETTINGS.find((setting) => setting.path === path)?.fallback;
  return String(valueAt(input, path) ?? fallback ?? '');
}

function conflictsOf(job: Job, input: unknown): string[] {
  const { compression, output, select, backup, fileList, relativeTo, layout, suffixes, resume } = job;
  const { format, resize, autoOrient } = compression;
  const { minBytes, maxBytes } = select;
  const inPlace = output === 'in-place';
  const lossless = compression.mode === 'lossless';
  const whereLossless = "where 'encoding.mode' is lossless (pixels would change)";
  const rules: Readonly<Record<string, boolean>> = {
    [`'encoding.format' must be keep where 'output' is in-place (the key would name another format), ${given(format)}`]:
      inPlace && format !== 'keep',
    [`'layout' must be mirror where 'output' is in-place, ${given(layout)}`]: inPlace && layout !== 'mirror',
    [`'backup' must not contain 'fileList' ${fileList} (images below a backup are never compressed), ${given(backup)}`]:
      backup !== null && fileList.endsWith('/') && fileList.startsWith(backup),
    [`'relativeTo' works only where 'fileList' is a list (here it is ${fileList}), ${given(relativeTo)}`]:
      relativeTo !== null && fileList.endsWith('/'),
    [`'suffixes' must name at least one suffix where 'layout' is by-suffix, ${given(suffixes)}`]:
      layout === 'by-suffix' && suffixes.length === 0,
    [`'encoding.format' must be keep or webp where 'encoding.mode' is lossless (other formats have no lossless encoder here), ${given(format)}`]:
      lossless && format !== 'keep' && format !== 'webp',
    [`'resize' must be left out ${whereLossless}, ${given(resize)}`]: lossless && resize !== null,
    [`'autoOrient' must be false ${whereLossless}, ${given(autoOrient)}`]: lossless && autoOrient,
    [`'resize' must contain maxWidth or maxHeight, ${given(valueAt(input, 'resize'))}`]:
      resize === null && Boolean(valueAt(input, 'resize')),
    [`'select.minBytes' must be at most 'select.maxBytes' (${maxBytes}), ${given(minBytes)}`]:
      (minBytes ?? 0) > (maxBytes ?? Number.POSITIVE_INFINITY),
    [`'resume' must be the name of an earlier execution, not of this one, ${given(resume)}`]: resume === job.jobId,
  };
  return Object.keys(rules).filter((rule) => rules[rule]);
}
