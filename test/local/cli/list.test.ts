import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const COMMAND = path.resolve(import.meta.dirname, '../../../local/cli/list.ts');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'image-press-list-'));
  mkdirSync(path.join(folder, 'photos/sub'), { recursive: true });
  for (const name of ['b.PNG', 'a b.jpg', 'notes.txt', 'sub/ö.webp'])
    writeFileSync(path.join(folder, 'photos', name), 'x'.repeat(name.length));
  const line = (_: unknown, i: number) => `2024-01-01 10:00:00 ${i + 1} s3://photos/img ${i + 1}.jpg\n`;
  writeFileSync(path.join(folder, 'ten.txt'), Array.from({ length: 10 }, line).join(''));
  writeFileSync(
    path.join(folder, 'ls.txt'),
    [
      '2026-11-25 22:17:22          0 photos/',
      '2026-11-25 22:17:22     280497 photos/x.png',
      '2026-11-25 22:17:22       1234 photos/my  holiday.jpg',
      '2026-11-25 22:17:22    1.2 KiB z.jpg',
      '',
      'Total Objects: 4',
      '   Total Size: 275.9 KiB',
      '',
    ].join('\n'),
  );
  writeFileSync(path.join(folder, 'folders.txt'), '                           PRE photos/\n');
  writeFileSync(path.join(folder, 'bad.txt'), 's3://photos/a.jpg\n../up.jpg\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function list(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

const written = (name: string) => JSON.parse(readFileSync(path.join(folder, name), 'utf8'));

test('cuts a text file into even batches', () => {
  expect(list('ten.txt', '--batches', '4', '--out', 'lists/ten.json')).toEqual({
    status: 0,
    stdout: '',
    stderr: '10 images in 4 batches (3, 3, 2, 2) -> lists/ten.json\n',
  });
  expect(written('lists/ten.json').batch_4).toEqual(['s3://photos/img 9.jpg', 's3://photos/img 10.jpg']);
  expect(readdirSync(path.join(folder, 'lists'))).toEqual(['ten.json']);
});

test("puts the bucket into lines of 'aws s3 ls --recursive'", () => {
  const cut = ['--bucket', 'my-bucket', '--batches', '2', '--out', '-'];
  const { status, stdout, stderr } = list('ls.txt', ...cut);
  expect(stderr).toBe('Skipped 1 file without an image extension\n3 images in 2 batches (2, 1)\n');
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    batch_1: ['s3://my-bucket/photos/x.png', 's3://my-bucket/photos/my  holiday.jpg'],
    batch_2: ['s3://my-bucket/z.jpg'],
  });
  expect(list('ls.txt', ...cut, '--bytes').stderr).toMatch(/size of s3:\/\/my-bucket\/z\.jpg is unknown/);
});

test('cuts by bytes, and to standard output', () => {
  const { status, stdout } = list('ten.txt', '--batches', '2', '--bytes', '--out', '-');
  expect(status).toBe(0);
  expect(Object.values(JSON.parse(stdout)).map((batch) => (batch as string[]).length)).toEqual([7, 3]);
});

test('lists the images of a folder as paths from the place of the list', () => {
  const { status, stderr } = list('photos', '--batches', '2', '--out', 'folder.json');
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: 'Skipped 1 file without an image extension\n3 images in 2 batches (2, 1) -> folder.json\n',
  });
  expect(written('folder.json')).toEqual({
    batch_1: ['photos/a b.jpg', 'photos/b.PNG'],
    batch_2: ['photos/sub/ö.webp'],
  });
});

test('follows links to files in the folder, names those it does not follow, and skips our own folder', () => {
  const place = path.join(folder, 'linked');
  mkdirSync(path.join(place, '.image-press'), { recursive: true });
  for (const name of ['a.jpg', '.image-press/b.jpg']) writeFileSync(path.join(place, name), 'x');
  symlinkSync('a.jpg', path.join(place, 'inside.jpg'));
  symlinkSync('../photos/b.PNG', path.join(place, 'outside.png'));
  const { stdout, stderr } = list('linked', '--batches', '1', '--out', '-');
  expect(JSON.parse(stdout)).toEqual({ batch_1: ['linked/a.jpg', 'linked/inside.jpg'] });
  expect(stderr).toContain('skipped 1 link (outside.png -> ../photos/b.PNG)');
});

test.runIf(process.platform === 'linux')('lists a file whose name is not UTF-8 as the local S3 shows it', () => {
  mkdirSync(path.join(folder, 'odd'));
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/odd/caf`), Buffer.from([0xe9]), Buffer.from('.jpg')]), 'x');
  const { status, stdout } = list('odd', '--batches', '1', '--out', '-');
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ batch_1: ['odd/caf\uFFFD.jpg'] });
});

test('keeps the paths of a list right where the new one is in another folder', () => {
  writeFileSync(path.join(folder, 'photos/own.txt'), 'b.PNG\ns3://other/c.jpg\n');
  expect(list('photos/own.txt', '--batches', '1', '--out', 'above.json').stderr).not.toContain('relative');
  expect(written('above.json')).toEqual({ batch_1: ['photos/b.PNG', 's3://other/c.jpg'] });
  const beside = list('photos/own.txt', '--batches', '1', '--out', 'lists/beside.json');
  expect(beside.stderr).toContain(
    `The paths are relative to ${path.join(folder, 'photos')}. Put the list into that folder. For a deployed job, set 'relativeTo' to s3://bucket/prefix/\n`,
  );
  expect(written('lists/beside.json')).toEqual({ batch_1: ['b.PNG', 's3://other/c.jpg'] });
});

test('shows its help', () => {
  const { status, stdout } = list('--help');
  expect(status).toBe(0);
  expect(stdout).toContain('npm run list -- <file | folder | s3://bucket/prefix/> --batches N --out list.json');
});

test.each<[string[], RegExp]>([
  [['none', '--batches', '2', '--out', 'x.json'], /there is no .*none/],
  [['ten.txt', '--out', 'x.json'], /Expected --batches N/],
  [['ten.txt', '--batches', 'two', '--out', 'x.json'], /'--batches' must be a whole number .*'two' given/],
  [['ten.txt', '--batches', '2'], /Expected --out/],
  [['ten.txt', '--batches', '2', '--out', 'photos'], /Expected --out to be a file.* but \/.*\/photos is a folder/],
  [
    ['ten.txt', '--batches', '2', '--out', 'ten.txt/x.json'],
    /Expected to write --out \/.*ten\.txt\/x\.json but cannot: E/,
  ],
  [['ten.txt', '--batches', '2', '--out', 's3:oops'], /Expected --out s3:\/\/bucket\/key but received s3:oops/],
  [['ls.txt', '--batches', '2', '--out', 'x.json'], /name no bucket: npm run list .* --bucket NAME/],
  [
    ['folders.txt', '--bucket', 'b-b', '--batches', '2', '--out', 'x.json'],
    /Expected a line of 'aws s3 ls --recursive' \(without --recursive it prints only the last part of each key\) at line 1/,
  ],
  [
    ['photos', '--bucket', 'b-b', '--batches', '2', '--out', 'x.json'],
    /'--bucket' works only with a file of lines that 'aws s3 ls' printed, 'b-b' given/,
  ],
  [
    ['ls.txt', '--bucket', 's3://b', '--batches', '2', '--out', 'x.json'],
    /'--bucket' must be the name of a bucket, 's3:\/\/b' given/,
  ],
  [
    ['bad.txt', '--batches', '2', '--out', 'x.json'],
    /Expected a path below the folder of the list at line 2 but received "..\/up.jpg"/,
  ],
])('refuses %j with exit code 2 and writes nothing', (args, message) => {
  const { status, stderr } = list(...args);
  expect(status).toBe(2);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(readdirSync(folder)).not.toContain('x.json');
});
