import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { HELP } from '../../local/cli/command-line.ts';
import { SETTINGS_HELP, SETTINGS_OPTIONS } from '../../local/cli/settings-options.ts';
import type { CompressionSettings, Job } from '../../src/core/job.ts';
import { defaultOf, withTables } from '../../src/settings/docs-table.ts';
import { JOB_SETTINGS, settingsIn, UPLOAD_SETTINGS } from '../../src/settings/schema.ts';

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
const SETTINGS = settingsIn(JOB_SETTINGS);

test('the types of a job in core are those of the schema', () => {
  type Plain<T> = T extends object ? { -readonly [Key in keyof T]-?: Plain<Exclude<T[Key], undefined>> } : T;
  type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
  type OfSchema = z.output<typeof JOB_SETTINGS>;
  type OfMetadata = 'metadata' | 'metadataLeft' | 'trailingData' | 'contentCredentials';
  type InCompression = 'encoding' | 'autoOrient' | 'resize' | 'minSavings' | OfMetadata;
  const jobIsSame: Same<
    Plain<Omit<OfSchema, InCompression | 'output'>>,
    Plain<Omit<Job, 'jobId' | 'startedAt' | 'compression' | 'output'>>
  > = true;
  const compressionIsSame: Same<
    // No side at all is no resize.
    Plain<
      OfSchema['encoding'] &
        Pick<OfSchema, 'autoOrient' | 'minSavings' | OfMetadata> & { resize: OfSchema['resize'] | null }
    >,
    Plain<CompressionSettings>
  > = true;
  expect([jobIsSame, compressionIsSame]).toEqual([true, true]);
});

test('docs/settings.md has a row for each setting, as the schema has it', () => {
  const page = read('docs/settings.md');
  expect(withTables(page), 'docs/settings.md is out of date: run `npm run docs`').toBe(page);
  for (const { path } of [...SETTINGS, ...settingsIn(UPLOAD_SETTINGS)]) expect(page).toContain(`\n| \`${path}\` |`);
});

test('the settings in the README exist and have the defaults that it names', () => {
  const rows = [...read('README.md').matchAll(/^\| `([\w.]+)` \| (.*?)\s*\| .* \|$/gm)];
  expect(rows.length).toBeGreaterThan(5);
  const found = rows.map(([, path, fallback]) => [path, fallback?.trim()]);
  const named = SETTINGS.filter(({ path }) => found.some(([name]) => name === path));
  expect(found).toEqual(found.map(([name]) => [name, named.filter(({ path }) => path === name).map(defaultOf)[0]]));
});

test('docs/uploads.md and the page of settings name every setting of uploads', () => {
  const names = Object.keys(UPLOAD_SETTINGS.shape).map((name) => `\`${name}\``);
  for (const page of ['docs/uploads.md', 'docs/settings.md'])
    expect(names.filter((name) => !read(page).includes(name))).toEqual([]);
});

test('--help lists every option of a setting with its allowed words', () => {
  expect(HELP).toContain(SETTINGS_HELP);
  for (const option of Object.keys(SETTINGS_OPTIONS))
    expect(SETTINGS_HELP).toMatch(new RegExp(`^  --${option}\\b`, 'm'));
  for (const { cli, rule } of SETTINGS) {
    const line = SETTINGS_HELP.split('\n').find((text) => cli && text.startsWith(`  ${cli} `)) ?? '';
    if (rule instanceof z.ZodEnum && cli) for (const word of rule.options) expect(line).toContain(String(word));
  }
  expect(SETTINGS_HELP).toMatch(/--effort EFFORT .* \(best\)$/m);
  for (const line of SETTINGS_HELP.split('\n')) expect(line.length).toBeLessThan(100);
});

test('the example of a group is a valid value of it', () => {
  const groups = Object.entries(JOB_SETTINGS.shape).filter(([name]) =>
    SETTINGS.some(({ path }) => path.startsWith(`${name}.`)),
  );
  expect(groups).toHaveLength(6);
  for (const [name, group] of groups) {
    const [, example = ''] = /as in (.*)$/.exec(group.safeParse(5).error?.issues[0]?.message ?? '') ?? [];
    expect(group.safeParse(JSON.parse(example)).success, name).toBe(true);
  }
});

test('a condition names settings and words that exist', () => {
  for (const { path, works } of SETTINGS) {
    if (!works) continue;
    const other = SETTINGS.find((setting) => setting.path === works.where);
    for (const word of works.is ?? [works.isNot])
      expect(other?.rule.safeParse(word).success, `${path} where ${works.where} is ${word}`).toBe(true);
  }
});
