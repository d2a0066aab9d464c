import { readFileSync, writeFileSync } from 'node:fs';
import { JOB_SETTINGS, type Setting, settingsIn, UPLOAD_SETTINGS } from './schema.ts';

// `npm run docs` writes the tables of docs/settings.md. The prose around them is written by hand.

/** The page with its tables as the schema has them. */
export function withTables(page: string): string {
  const ofUploads = settingsIn(UPLOAD_SETTINGS).filter(({ path }) => !JOB.some((other) => other.path === path));
  return withTable(withTable(page, 'settings of a job', JOB), 'settings of uploads', ofUploads);
}

/** A setting's default as the docs write it. */
export function defaultOf({ fallback, defaultText }: Pick<Setting, 'fallback' | 'defaultText'>): string {
  if (defaultText !== undefined) return defaultText;
  if (fallback === undefined || fallback === null) return 'none';
  if (typeof fallback === 'number') return fallback.toLocaleString('en-US');
  return `\`${typeof fallback === 'string' ? fallback : JSON.stringify(fallback)}\``;
}

const JOB = settingsIn(JOB_SETTINGS);

function withTable(page: string, name: string, settings: readonly Setting[]): string {
  const table = new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- end of ${name} -->)`);
  return page.replace(table, (_, start, end) => `${start}${tableOf(settings)}\n${end}`);
}

function tableOf(settings: readonly Setting[]): string {
  const rows = settings.map((setting) => {
    return `| \`${setting.path}\` | ${defaultOf(setting)} | ${setting.docs}${conditionOf(setting)} |`;
  });
  return ['| setting | default | meaning |', '|---|---|---|', ...rows].join('\n');
}

function conditionOf({ works }: Setting): string {
  if (!works) return '';
  const words = (works.is ?? [works.isNot]).map((word) => `\`${word}\``).join(' or ');
  return `; only where \`${works.where}\` is ${works.is ? '' : 'not '}${words}`;
}

if (import.meta.main) {
  const page = new URL('../../docs/settings.md', import.meta.url);
  writeFileSync(page, withTables(readFileSync(page, 'utf8')));
}
