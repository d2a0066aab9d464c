import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Run, start as runStart } from '../../support/run-command.ts';

let home: string;

const start = (cwd: string, ...args: string[]) => runStart(cwd, args);

async function folderWith(files: Record<string, Uint8Array | string>): Promise<string> {
  const folder = await mkdtemp(path.join(home, 'case-'));
  for (const [name, body] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), body);
  }
  return folder;
}

async function contents(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder, { recursive: true })).sort();
  const entries = await Promise.all(
    names.map(async (name) => {
      const file = path.join(folder, name);
      const { mtimeMs, size } = await stat(file);
      return [name, `${size} ${mtimeMs}`] as const;
    }),
  );
  return Object.fromEntries(entries);
}

const noise = (width: number, height: number) =>
  sharp({
    create: {
      width,
      height,
      channels: 3,
      background: '#888',
      noise: { type: 'gaussian', mean: 128, sigma: 30 },
    },
  });
let photo: Buffer;
let screenshot: Buffer;

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'image-press-start-'));
  photo = await noise(320, 240).jpeg({ quality: 95 }).toBuffer();
  screenshot = await sharp({ create: { width: 400, height: 300, channels: 3, background: '#f4f6f8' } })
    .png({ compressionLevel: 0 })
    .toBuffer();
});
afterAll(() => rm(home, { recursive: true, force: true }));

const noStackTrace = (run: Run) => expect(run.stdout + run.stderr).not.toMatch(/\n\s+at .*:\d+/);

describe('npm start on a folder', () => {
  it('compresses what is good, names what is not, keeps the rest, and never touches the folder', async () => {
    const cwd = await folderWith({
      'in/a/photo 1+ä.jpg': photo,
      'in/b/shot.PNG': screenshot,
      'in/b/cut.jpg': photo.subarray(0, photo.length / 2),
      'in/c/animated.gif': await noise(20, 20).gif().toBuffer(),
      'in/c/page.png': '<!doctype html>',
      'in/c/empty.jpg': '',
    });
    const before = await contents(path.join(cwd, 'in'));
    const run = await start(cwd, 'in', '--json');
    expect(run.code).toBe(1);
    noStackTrace(run);
    const report = JSON.parse(run.stdout);
    expect(report).toMatchObject({
      planned: 6,
      accounted: 6,
      lost: 0,
      compressed: 2,
      kept: 1,
      skipped: 2,
      failed: 1,
    });
    expect(report.failures).toMatchObject([{ source: expect.stringContaining('b/cut.jpg'), code: 'CorruptImage' }]);
    expect(await contents(path.join(cwd, 'in'))).toEqual(before);
    expect(Object.keys(await contents(path.join(cwd, 'compressed')))).toEqual([
      'a',
      'a/photo 1+ä.jpg',
      'b',
      'b/shot.PNG',
      'c',
      'c/animated.gif',
    ]);
    const jobFiles = path.join(report.jobFiles, 'jobs', report.jobId);
    expect(await readdir(jobFiles)).toEqual(
      expect.arrayContaining([
        'job.json',
        'images.jsonl',
        'batches.jsonl',
        'results',
        'map-run',
        'report.json',
        'report.html',
        'failed.jsonl',
      ]),
    );
    expect(run.stdout).toBe(await readFile(path.join(jobFiles, 'report.json'), 'utf8'));
  });

  it('does nothing twice: the second run finds everything up to date', async () => {
    const cwd = await folderWith({ 'in/a.jpg': photo, 'in/jobs/b.jpg': photo });
    const first = await start(cwd, 'in', '--json');
    expect(JSON.parse(first.stdout)).toMatchObject({ compressed: 2 });
    const outputs = await contents(path.join(cwd, 'compressed'));
    expect(Object.keys(outputs)).toEqual(['a.jpg', 'jobs', 'jobs/b.jpg']);
    const second = await start(cwd, 'in', '--json');
    expect(JSON.parse(second.stdout)).toMatchObject({
      compressed: 0,
      skipped: 2,
      skippedReasons: { 'up-to-date': 2 },
    });
    expect(await contents(path.join(cwd, 'compressed'))).toEqual(outputs);
  });

  it('says which links it does not follow, and takes no image from its own folder', async () => {
    const cwd = await folderWith({
      'in/a.jpg': photo,
      'in/.image-press/samples/b.jpg': photo,
      'outside.jpg': photo,
    });
    await symlink('../outside.jpg', path.join(cwd, 'in/linked.jpg'));
    const run = await start(cwd, 'in', '--json');
    expect(run.code).toBe(0);
    expect(run.stderr).toContain('skipped 1 link (linked.jpg -> ../outside.jpg)');
    expect(JSON.parse(run.stdout)).toMatchObject({ planned: 1, compressed: 1 });
  });

  it('says in plain words what came of it, and where the report is', async () => {
    const cwd = await folderWith({ 'in/a.jpg': photo });
    const run = await start(cwd, 'in', '--out', 'small');
    expect(run.code).toBe(0);
    expect(run.stdout).toContain('a.jpg');
    expect(run.stdout).toMatch(/report\.json/);
    expect(run.stdout).toMatch(/report\.html/);
    expect(run.stdout).toContain(`output ${path.join(await realpath(cwd), 'small')}/\n`);
    const report = JSON.parse(await readFile(/^data +(.*)$/m.exec(run.stdout)![1]!, 'utf8'));
    expect(report.folders).toMatchObject({
      'local-source': path.join(await realpath(cwd), 'in'),
      'local-output': path.join(await realpath(cwd), 'small'),
    });
  });
});

describe('npm start on one image', () => {
  it('compresses it alone, also by a link, and leaves its neighbours', async () => {
    const cwd = await folderWith({ 'photos/a b+ä.jpg': photo, 'photos/other.jpg': photo });
    await symlink('photos/a b+ä.jpg', path.join(cwd, 'link'));
    for (const name of ['photos/a b+ä.jpg', 'link']) {
      const run = await start(cwd, name, '--json', '--force');
      expect(run.stderr).not.toContain('Expected');
      expect(run.code).toBe(0);
      expect(JSON.parse(run.stdout)).toMatchObject({ planned: 1, compressed: 1 });
      expect(await readdir(path.join(cwd, 'compressed'))).toEqual(['a b+ä.jpg']);
    }
  });

  it('names one that is broken', async () => {
    const cwd = await folderWith({ 'cut.jpg': photo.subarray(0, photo.length / 2) });
    const run = await start(cwd, 'cut.jpg');
    expect(run.code).toBe(1);
    expect(run.stdout).toMatch(/^ {2}cut\.jpg$/m);
  });
});

describe('npm start on a file list', () => {
  it('reads it through a link', async () => {
    const cwd = await folderWith({ 'in/a.jpg': photo, 'lists/one.txt': 'a.jpg\n' });
    await symlink('../lists/one.txt', path.join(cwd, 'in/linked.txt'));
    const run = await start(cwd, 'in/linked.txt', '--json');
    expect(JSON.parse(run.stdout)).toMatchObject({ planned: 1, compressed: 1 });
  });

  it.each([
    ['MK batch map', (keys: string[]) => JSON.stringify({ batch_1: keys.slice(0, 1), batch_2: keys.slice(1) })],
    ['JSON array', (keys: string[]) => JSON.stringify(keys)],
    ['JSON Lines', (keys: string[]) => keys.map((key) => JSON.stringify(key)).join('\n')],
    ['text', (keys: string[]) => `${keys.join('\n')}\n`],
  ])('reads relative paths from a %s', async (_format, write) => {
    const keys = ['one.jpg', 'deep/two + three.jpg'];
    const cwd = await folderWith({
      'in/one.jpg': photo,
      'in/deep/two + three.jpg': photo,
      'in/list.txt': write(keys),
    });
    const run = await start(cwd, 'in/list.txt', '--json');
    expect(run.stderr).not.toMatch(/Expected/);
    expect(run.code).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({ planned: 2, compressed: 2 });
    expect(Object.keys(await contents(path.join(cwd, 'compressed')))).toEqual([
      'deep',
      'deep/two + three.jpg',
      'one.jpg',
    ]);
  });

  it('writes outputs next to the list by default, and takes a failed.jsonl as a list again', async () => {
    const cwd = await folderWith({ 'a.jpg': photo, 'list.txt': 'a.jpg\nlate.jpg\n' });
    const first = await start(cwd, 'list.txt', '--json');
    expect(first.code).toBe(1);
    expect(await readdir(path.join(cwd, 'compressed'))).toEqual(['a.jpg']);
    const { jobFiles, jobId } = JSON.parse(first.stdout);
    await writeFile(path.join(cwd, 'late.jpg'), photo);
    const elsewhere = path.join(cwd, 'elsewhere');
    const second = await start(cwd, path.join(jobFiles, 'jobs', jobId, 'failed.jsonl'), '--json', '--out', elsewhere);
    expect(second.code).toBe(0);
    expect(JSON.parse(second.stdout)).toMatchObject({ planned: 1, compressed: 1 });
    expect(await readdir(elsewhere)).toEqual(['late.jpg']);
  });

  it('runs a failed.jsonl with the settings and into the folder of its job', async () => {
    const cwd = await folderWith({ 'in/a.jpg': photo, 'in/list.txt': 'a.jpg\nlate.jpg\n' });
    const first = await start(cwd, 'in/list.txt', '--out', 'smaller', '--mode', 'quality=60', '--json');
    expect(first.code).toBe(1);
    const { jobFiles, jobId } = JSON.parse(first.stdout);
    await writeFile(path.join(cwd, 'in/late.jpg'), photo);
    const elsewhere = await folderWith({});
    const second = await start(elsewhere, path.join(jobFiles, 'jobs', jobId, 'failed.jsonl'), '--json');
    expect(second.code).toBe(0);
    expect(JSON.parse(second.stdout)).toMatchObject({
      compressed: 1,
      settings: { compression: { quality: 60 } },
    });
    expect(await readdir(path.join(cwd, 'smaller'))).toEqual(['a.jpg', 'late.jpg']);
    expect(await readdir(elsewhere)).toEqual([]);
  });

  it('reports a key that does not exist', async () => {
    const cwd = await folderWith({ 'in/a.jpg': photo, 'in/list.json': '["a.jpg","gone.jpg"]' });
    const run = await start(cwd, 'in/list.json', '--json');
    expect(run.code).toBe(1);
    expect(JSON.parse(run.stdout)).toMatchObject({ compressed: 1, failed: 1, failureCodes: { NotFound: 1 } });
  });

  it.each([
    ['no entries', '[]', /at least one image in \/.*\/in\/list\.json but received an empty list/],
    ['no JSON', '{"batch_1": ["s3://b/k",\n  oops]}', /line 2.*column \d+/i],
    ['an entry of another protocol', '{"batch_1": ["a.jpg", "http://x/y.jpg"]}', /batch_1\[1\].*http:\/\/x/],
    ['two sources for one output', '["a/x.jpg", "b/x.jpg"]', /x\.jpg/],
  ])('refuses a list with %s, in words, and writes nothing', async (_case, list, message) => {
    const cwd = await folderWith({
      'in/a/x.jpg': photo,
      'in/b/x.jpg': photo,
      'in/a.jpg': photo,
      'in/list.json': list,
    });
    const run = await start(cwd, 'in/list.json', '--layout', 'flat');
    expect(run.stderr).toMatch(message);
    expect(run.code).toBe(2);
    noStackTrace(run);
    expect(await readdir(path.join(cwd, 'compressed')).catch(() => [])).toEqual([]);
  });
});

describe('wrong usage', () => {
  it.each([
    ['outputs next to one image', ['in/a.jpg', '--out', 'in'], /does not contain the folder of the image, /],
    ['no such place', ['nowhere'], 'there is no'],
    ['an empty folder', ['empty'], /^Expected images below \/.*\/empty\/ but found none: it contains no file\n/],
    ['what is no file', ['/dev/null'], 'Expected a folder, an image or a file list but /dev/null is neither'],
    ['outputs below a file', ['in', '--out', 'in/a.jpg/x'], /Expected --out outside the input folder/],
    ['outputs where a file is', ['in', '--out', 'in.zip'], /in\.zip is a file/],
    ['outputs among the inputs', ['in', '--out', 'in/small'], 'outside the input folder'],
    ['outputs around the inputs', ['in', '--out', '.'], /that does not contain the input folder \/.*\/in\b/],
    ['outputs around a list', ['in/list.txt', '--out', '.'], /that does not contain the folder of the list/],
    ['outputs around the inputs by default', ['compressed/in'], /that does not contain the input folder/],
    ['an unknown option', ['in', '--fast'], '--help'],
    ['a setting out of range', ['in', '--mode', 'quality=101'], '1 to 100'],
    ['an unknown setting', ['in', '--settings', '{"qualty":1}'], 'qualty'],
  ])('answers %s with exit code 2 and a sentence', async (_case, args, message) => {
    const cwd = await folderWith({
      'in/a.jpg': photo,
      'in/in/a.jpg': photo,
      'in/list.txt': 'in/a.jpg',
      'in.zip': 'x',
      'compressed/in/compressed/in/a.jpg': photo,
    });
    await mkdir(path.join(cwd, 'empty'));
    const before = await contents(path.join(cwd, 'in'));
    const run = await start(cwd, ...args);
    expect(run.stderr).toMatch(message);
    expect(run.code).toBe(2);
    noStackTrace(run);
    expect(await contents(path.join(cwd, 'in'))).toEqual(before);
  });
});
