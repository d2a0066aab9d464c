import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');

async function importsOf(folder: string): Promise<{ file: string; from: string }[]> {
  const names = (await readdir(path.join(root, folder), { recursive: true })).filter((name) =>
    name.endsWith('.ts'),
  );
  const found = await Promise.all(
    names.map(async (name) => {
      const file = path.join(folder, name);
      const text = await readFile(path.join(root, file), 'utf8');
      const froms = [...text.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map((match) => match[1]!);
      return froms.map((from) => ({
        file,
        from: from.startsWith('.') ? path.join(path.dirname(file), from) : from,
      }));
    }),
  );
  return found.flat();
}

describe('the layers of the house', () => {
  it('keeps core/ pure: it imports only core/', async () => {
    const strangers = (await importsOf('src/core')).filter(
      ({ from }) => !from.startsWith(`src${path.sep}core${path.sep}`),
    );
    expect(strangers).toEqual([]);
  });

  it('keeps clock, chance and environment out of core/', async () => {
    const names = (await readdir(path.join(root, 'src/core'))).filter((name) => name.endsWith('.ts'));
    for (const name of names) {
      const text = await readFile(path.join(root, 'src/core', name), 'utf8');
      expect(text, name).not.toMatch(/\bDate\.now|new Date\(\)|Math\.random|process\.|performance\./);
    }
  });

  it('keeps the codec free of S3 and of the hosts', async () => {
    const strangers = (await importsOf('src/codec')).filter(({ from }) =>
      /@aws|^src\/aws|^functions|^local|^fargate/.test(from),
    );
    expect(strangers).toEqual([]);
  });

  it('lets no source depend on a host', async () => {
    const strangers = (await importsOf('src')).filter(({ from }) =>
      /^(functions|local|fargate|test|bench)\//.test(from),
    );
    expect(strangers).toEqual([]);
  });
});
