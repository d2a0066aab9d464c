import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const dockerfile = await readFile(path.join(root, 'fargate/Dockerfile'), 'utf8');
const manifest = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));

/** The sources that fargate/main.ts needs, and the packages that they name. */
async function needs() {
  const { metafile } = await build({
    entryPoints: [path.join(root, 'fargate/main.ts')],
    absWorkingDir: root,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    write: false,
    outdir: '.',
    metafile: true,
  });
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
  const packages = imports.filter(({ external, path: name }) => external && !name.startsWith('node:'));
  const names = packages.map(({ path: name }) =>
    name
      .split('/')
      .slice(0, name.startsWith('@') ? 2 : 1)
      .join('/'),
  );
  return { sources: Object.keys(metafile.inputs), packages: [...new Set(names)] };
}

describe('the task image', () => {
  it('contains every source and every package that the container needs', async () => {
    const { sources, packages } = await needs();
    expect(sources.filter((source) => !/^(src|fargate)\//.test(source))).toEqual([]);
    expect(packages.filter((name) => !(name in manifest.dependencies))).toEqual([]);
    expect(dockerfile).toContain('COPY src ./src');
    expect(dockerfile).toContain('COPY fargate ./fargate');
    expect(dockerfile).toContain('npm ci --omit=dev');
  });

  it('runs as an unprivileged user, receives signals itself, and has an exact version of Lambda’s Node', () => {
    expect(dockerfile).toMatch(/^USER node$/m);
    expect(dockerfile).toMatch(/^STOPSIGNAL SIGTERM$/m);
    expect(dockerfile).toMatch(/^ENTRYPOINT \["node", "\/app\/fargate\/main\.ts"\]$/m);
    expect(dockerfile).toMatch(/^ARG NODE_IMAGE=\S+:24\.\d+\.\d+-bookworm-slim$/m);
  });
});
