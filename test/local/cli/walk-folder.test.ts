import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { SkippedNames, walkFolder } from '../../../local/cli/walk-folder.ts';
import { temporaryFolder } from '../../support/served-bucket.ts';

async function walked(folder: string): Promise<string[]> {
  const seen: string[] = [];
  for await (const { kind, key } of walkFolder(folder)) seen.push(`${kind} ${key}`);
  return seen;
}

async function folderOf(...files: string[]): Promise<string> {
  const folder = await temporaryFolder();
  for (const name of files) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), 'x');
  }
  return folder;
}

it('follows links to files within the folder, and reports the others', async () => {
  const folder = await folderOf('in/a.jpg', 'in/sub/b.jpg', 'outside.jpg');
  const link = (to: string, name: string) => symlink(to, path.join(folder, 'in', name));
  await link('sub/b.jpg', 'inside.jpg');
  await link('../outside.jpg', 'outside.jpg');
  await link('sub', 'way');
  await link('gone', 'nowhere.jpg');
  expect(await walked(path.join(folder, 'in'))).toEqual([
    'file a.jpg',
    'file inside.jpg',
    'link nowhere.jpg',
    'link outside.jpg',
    'file sub/b.jpg',
    'link way',
  ]);
});

it('skips our own folder wherever it is', async () => {
  const folder = await folderOf('a.jpg', '.image-press/samples/b.jpg', 'sub/.image-press/job-files/c.jsonl');
  expect(await walked(folder)).toEqual(['file a.jpg']);
});

it.runIf(process.platform === 'linux')('finds files and folders whose names are no UTF-8', async () => {
  const folder = await folderOf();
  const odd = Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.from([0xe9])]);
  await mkdir(odd);
  await writeFile(Buffer.concat([odd, Buffer.from('/'), Buffer.from([0xe9]), Buffer.from('.jpg')]), 'xyz');
  for await (const found of walkFolder(folder)) {
    expect(found).toMatchObject({ kind: 'file', key: 'caf\uFFFD/\uFFFD.jpg' });
    if (found.kind === 'file') expect(found.stat().size).toBe(3);
  }
});

it.skipIf(process.getuid?.() === 0)('reports folders that may not be read', async () => {
  const folder = await folderOf('a.jpg', 'private/b.jpg');
  await chmod(path.join(folder, 'private'), 0o400);
  expect(await walked(folder)).toEqual(['file a.jpg', 'unreadable folder private/']);
  await chmod(path.join(folder, 'private'), 0o700);
});

it('names the first of what is skipped, and counts the rest', () => {
  const leftOut = new SkippedNames();
  for (const name of 'abcdefg') leftOut.add(name);
  expect(leftOut.names).toBe('a, b, c, d, e and 2 more');
});
