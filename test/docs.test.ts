import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FORMATS } from '../src/codec/formats.ts';
import { FAILURE_CODES, KEPT_REASONS, type KeptReason, SKIPPED_REASONS } from '../src/core/image-result.ts';
import { keptMeaning } from '../src/core/report-groups.ts';
import { parseJobInput } from '../src/settings/job-input.ts';
import { codeFiles } from './support/import-graph.ts';

const ROOT = path.join(import.meta.dirname, '..');
const FOLDERS = 'src|functions|fargate|local|layers|deploy|bench|test|docs|statemachines|permission_templates'.split(
  '|',
);
const CODE = ['src', 'functions', 'fargate', 'local', 'layers', 'deploy', 'bench', 'test'];
const PAGES = [
  ...markdownIn('.'),
  ...markdownIn('docs'),
  ...markdownIn('docs/decisions'),
  ...['local/s3', 'local/step-functions'].flatMap(markdownIn),
];

const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const exists = (file: string) => existsSync(path.join(ROOT, file));

function markdownIn(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.posix.join(folder, name));
}

describe.each(PAGES)('%s', (page) => {
  it('links to files and headings that exist', () => {
    const links = [...read(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)];
    const broken = links.filter(([, target, heading]) => {
      const file = target ? path.posix.join(path.posix.dirname(page), target) : page;
      return !exists(file) || (heading && !headingsOf(file).includes(heading));
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });

  it('names files and folders of the repository that exist', () => {
    const named = [...read(page).matchAll(/`([a-z_]+)\/([\w./-]*)`/g)].filter(([, folder]) =>
      FOLDERS.includes(folder ?? ''),
    );
    const missing = named.map(([, folder, rest]) => `${folder}/${rest}`).filter((file) => !exists(file));
    expect(missing).toEqual([]);
  });

  it('names npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json'));
    const named = [...read(page).matchAll(/\bnpm run (?:-s )?([a-z:]+)/g)].map(([, script]) => script ?? '');
    expect(named.filter((script) => !(script in scripts))).toEqual([]);
  });
});

describe('README.md', () => {
  it('shows reasons in the sample output as `npm start` prints them', () => {
    const notes = [...read('README.md').matchAll(/ {2}(kept|skipped) {2}(.+)$/gm)];
    const settings = parseJobInput(
      { fileList: 's3://samples/' },
      { jobId: 'a', startedAt: '', defaultOutput: 's3://out/' },
    );
    const kept = Object.keys(KEPT_REASONS).map((reason) => keptMeaning(reason as KeptReason, { settings }));
    const reasons: Record<string, readonly string[]> = { kept, skipped: Object.values(SKIPPED_REASONS) };
    const unknown = notes.filter(([, status = '', note = '']) => !reasons[status]?.includes(note));
    expect(notes.length).toBeGreaterThan(1);
    expect(unknown.map(([line]) => line)).toEqual([]);
  });
});

describe('docs/encoding.md', () => {
  const table = /<!-- verdicts -->\n([\s\S]*?)<!-- end of verdicts -->/.exec(read('docs/encoding.md'))?.[1] ?? '';
  const rows = table
    .split('\n')
    .slice(2, -1)
    .map((row) => row.split('|').map((cell) => cell.trim()));

  it('says for every format that has a judge what its verdicts are', () => {
    const judged = Object.values(FORMATS).filter(({ judge }) => judge);
    // HEIC is the common kind of HEIF.
    const names = judged.map(({ name }) => (name === 'HEIF' ? 'HEIC' : name));
    expect(rows.map(([, name]) => name).sort()).toEqual(names.sort());
  });

  it('says of the formats whose judge knows odd files what is odd, and of no others', () => {
    const folderOf: Readonly<Record<string, string>> = { AVIF: 'isobmff', HEIC: 'isobmff' };
    for (const [, name = '', , oddity] of rows) {
      const judge = read(`src/codec/${folderOf[name] ?? name.toLowerCase()}/judge.ts`);
      expect([name, oddity !== '–']).toEqual([name, /\bodd\(/.test(judge)]);
    }
  });
});

describe('docs/operations.md', () => {
  it('says for every failure code what to check first', () => {
    const rows = [...read('docs/operations.md').matchAll(/^\| `([A-Z]\w+)` \|/gm)].map(([, code]) => code);
    expect(rows.sort()).toEqual(Object.keys(FAILURE_CODES).sort());
  });
});

describe('comments and messages in the code', () => {
  it('name pages that exist', () => {
    const missing = codeFiles(ROOT, CODE).flatMap((file) =>
      [...read(file).matchAll(/\bdocs\/[\w./-]+\.md\b/g)]
        .filter(([page]) => !exists(page))
        .map(([page]) => `${file}: ${page}`),
    );
    expect(missing).toEqual([]);
  });
});

describe('.ci/run', () => {
  it('runs the commands that the README and CONTRIBUTING.md name', () => {
    const commands = [...read('.ci/run').matchAll(/^npm (?:ci|test|run [a-z:]+)/gm)].map(([command]) => command);
    expect(commands).toEqual(['npm ci', 'npm run check', 'npm test']);
    for (const page of ['README.md', 'CONTRIBUTING.md']) {
      const text = read(page);
      expect([page, ...commands.filter((command) => !text.includes(command))]).toEqual([page]);
    }
  });
});

/** As GitHub makes anchors of headings. */
function headingsOf(file: string): string[] {
  return [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
