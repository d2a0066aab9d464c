import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { homeOf, prepareOutput } from '../../../local/cli/output-folder.ts';
import { temporaryFolder } from '../../support/served-bucket.ts';

const mayWriteEverywhere = process.getuid?.() === 0;

describe('prepareOutput', () => {
  it('makes the folder and the one next to it, and leaves nothing in them', async () => {
    const out = path.join(await temporaryFolder(), 'new/compressed');
    await prepareOutput(out);
    expect(await readdir(out)).toEqual([]);
    expect(homeOf(out)).toBe(path.join(path.dirname(out), '.image-press'));
    expect(await readdir(homeOf(out))).toEqual([]);
  });

  it.each([
    ['is a file', 'file'],
    ['is below a file', 'file/a/b'],
  ])('refuses an --out that %s', async (_case, name) => {
    const root = await temporaryFolder();
    await writeFile(path.join(root, 'file'), '');
    await expect(prepareOutput(path.join(root, name))).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringMatching(/Expected --out to be a writable folder .* is a file\. Choose another/),
    });
  });

  it.runIf(process.platform === 'linux')('refuses an --out where no folder can be made', async () => {
    await expect(prepareOutput('/proc/none/compressed')).rejects.toThrow(
      /Expected --out to be a writable folder but received \/proc\/none\/compressed: ENOENT/,
    );
  });

  it.skipIf(mayWriteEverywhere)('refuses a read-only --out', async () => {
    const out = await temporaryFolder();
    await chmod(out, 0o555);
    await expect(prepareOutput(out)).rejects.toThrow(/Expected --out .* EACCES/);
  });

  it.skipIf(mayWriteEverywhere)('refuses an --out whose parent folder is read-only', async () => {
    const root = await temporaryFolder();
    const out = path.join(root, 'out');
    await mkdir(out);
    await chmod(root, 0o555);
    await expect(prepareOutput(out)).rejects.toThrow(`e.g. --out ${path.join(out, 'compressed')}`);
    await chmod(root, 0o755);
  });
});
