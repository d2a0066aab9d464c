import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { codeFiles, findCircles, type Import, readImports } from './support/import-graph.ts';

const ROOT = path.join(import.meta.dirname, '..');
const TOP = ['src', 'functions', 'fargate', 'local', 'layers', 'deploy', 'bench'];

const arrow = ({ file, to }: Import) => `${file} → ${to}`;
const imports = readImports(ROOT, TOP);
/** The table of docs/architecture.md: folder → the folders that it may import, from the bottom up. */
const table = readTable();

describe('the folders', () => {
  it('stand in the table of docs/architecture.md, which allows imports from rows above only', () => {
    const rows = [...table.keys()];
    for (const [folder, allowed] of table) {
      for (const one of allowed) expect(rows.indexOf(one), `${folder} → ${one}`).toBeLessThan(rows.indexOf(folder));
    }
    expect(codeFiles(ROOT, TOP).filter((file) => rowOf(file) === undefined)).toEqual([]);
    expect(rows.filter((folder) => codeFiles(ROOT, [folder]).length === 0)).toEqual([]);
  });

  it('import only what the table allows', () => {
    const forbidden = imports.filter(({ file, to }) => {
      const [from, into] = [rowOf(file), rowOf(to)];
      return into !== undefined && into !== from && !table.get(from ?? '')?.has(into);
    });
    expect(forbidden.map(arrow)).toEqual([]);
  });

  it('use every import that the table allows', () => {
    const used = new Set(imports.map(({ file, to }) => `${rowOf(file)} → ${rowOf(to)}`));
    const allowed = [...table].flatMap(([folder, others]) => [...others].map((other) => `${folder} → ${other}`));
    expect(allowed.filter((one) => !one.startsWith('bench ') && !used.has(one))).toEqual([]);
  });

  it('have no circle of files anywhere', () => {
    expect(findCircles(imports)).toEqual([]);
  });

  it('of the product import neither tests nor benchmarks', () => {
    const wrong = imports.filter(({ file, to }) => !file.startsWith('bench/') && /^(test|bench)\//.test(to));
    expect(wrong.map(arrow)).toEqual([]);
  });

  it('leave no file in the root of src/', () => {
    const files = readdirSync(path.join(ROOT, 'src'), { withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.map(({ name }) => name)).toEqual([]);
  });
});

describe('a file of the product', () => {
  const files = codeFiles(ROOT, TOP).filter((file) => !file.startsWith('bench/'));

  it('has at most 320 lines', () => {
    expect(files.filter((file) => read(file).split('\n').length > 321)).toEqual([]);
  });

  it('is named after its subject', () => {
    const vague = /^(utils?|helpers?|types|common|misc|index|data|manager)\./;
    expect(files.filter((file) => vague.test(path.basename(file)))).toEqual([]);
  });
});

describe('src/core', () => {
  it('imports only src/core, not even a package', () => {
    const others = importsOf('src/core').filter(({ to }) => !to.startsWith('src/core/'));
    expect(others.map(arrow)).toEqual([]);
  });

  it('uses no clock, no randomness and no process', () => {
    for (const file of codeFiles(ROOT, ['src/core'])) {
      const text = read(file);
      expect(text, file).not.toMatch(/\bDate\.now|new Date\(\)|Math\.random|process\.|performance\./);
    }
  });
});

describe('src/codec', () => {
  it('uses neither AWS nor a host', () => {
    const wrong = importsOf('src/codec').filter(({ to }) => /^@?aws|^@middy|^(functions|local|fargate)\//.test(to));
    expect(wrong.map(arrow)).toEqual([]);
  });
});

describe('src', () => {
  it('depends on no host', () => {
    const wrong = importsOf('src').filter(({ to }) => /^(functions|local|fargate|test|bench)\//.test(to));
    expect(wrong.map(arrow)).toEqual([]);
  });
});

describe('functions/', () => {
  it('has one file per function of serverless.yml, and every function that the state machine calls', () => {
    const { functions } = parse(read('serverless.yml'), { logLevel: 'silent' });
    const files = readdirSync(path.join(ROOT, 'functions')).map((name) => path.basename(name, '.ts'));
    expect(files.sort()).toEqual(Object.keys(functions).sort());
    for (const [name, { handler }] of Object.entries<{ handler: string }>(functions)) {
      expect(handler).toBe(`functions/${name}.handler`);
    }
    const called = [...read('statemachines/compress-images.asl.yml').matchAll(/FunctionName: .*\[(\S+), Arn\]/g)];
    expect(called.map(([, name]) => name).filter((name) => !files.includes(name ?? ''))).toEqual([]);
    expect(called.length).toBeGreaterThan(2);
  });
});

describe.each(['local/s3', 'local/step-functions'])('%s, a library of its own', (folder) => {
  it('imports nothing from outside but packages', () => {
    const outside = importsOf(folder).filter(({ to }) => isOurs(to) && !to.startsWith(`${folder}/`));
    expect(outside.map(arrow)).toEqual([]);
  });
});

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

function importsOf(folder: string): Import[] {
  return imports.filter(({ file }) => file.startsWith(`${folder}/`));
}

function isOurs(to: string): boolean {
  return [...TOP, 'test'].includes(to.split('/')[0]!);
}

/** The row of a file: the longest folder of the table that holds it. */
function rowOf(file: string): string | undefined {
  return [...table.keys()].filter((folder) => file.startsWith(`${folder}/`)).sort((a, b) => b.length - a.length)[0];
}

/** Rows are `| folder | what it owns | what it may import |`; of the third column the names of folders count. */
function readTable(): Map<string, Set<string>> {
  const rows = read('docs/architecture.md')
    .split('\n')
    .flatMap((line) => {
      const [, folder, , allowed] = line.split('|').map((cell) => cell.trim());
      const name = /^`([a-z0-9/-]+)\/`$/.exec(folder ?? '')?.[1];
      return name === undefined ? [] : [{ name, allowed: allowed ?? '' }];
    });
  const names = rows.map(({ name }) => name);
  return new Map(
    rows.map(({ name, allowed }) => {
      const named = [...allowed.matchAll(/`([a-z0-9/-]+)\/`/g)].map(([, folder]) => folder!);
      const above = names.slice(0, names.indexOf(name));
      return [name, new Set(/\beverything above\b/.test(allowed) ? above : named)];
    }),
  );
}
