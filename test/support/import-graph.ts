import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const CODE = /\.(ts|cts|mjs|cjs)$/;

/** What a file loads: `import`, `import type`, `export … from`, `import()` and `require()`. */
const IMPORT = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*['"]([^'"\n]+)['"]/g;
/** A program that is started by its path loads code too; a name that is computed counts as its folder. */
const PROGRAM = /new URL\(\s*['"`]([^'"`\n]+\.ts)['"`],\s*import\.meta\.url/g;

export interface Import {
  /** Paths from the root of the repository, with `/`. */
  readonly file: string;
  /** The file that is imported, or the name of a package as it is written. */
  readonly to: string;
}

/** Every import of every file below `folders`, which are paths from `root`. */
export function readImports(root: string, folders: readonly string[]): Import[] {
  return codeFiles(root, folders).flatMap((file) => {
    const text = readFileSync(path.join(root, file), 'utf8');
    return [...text.matchAll(IMPORT), ...text.matchAll(PROGRAM)].map(([, written]) => ({
      file,
      to: target(file, written!),
    }));
  });
}

export function codeFiles(root: string, folders: readonly string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => path.posix.join(folder, name.replaceAll(path.sep, '/')))
      .filter((file) => CODE.test(file) && !file.includes('/node_modules/')),
  );
}

function target(file: string, written: string): string {
  return written.startsWith('.') ? path.posix.join(path.posix.dirname(file), written) : written;
}

/** The groups of files that import each other in a circle, each group sorted (Tarjan's components). */
export function findCircles(imports: readonly Import[]): string[][] {
  const edges = Map.groupBy(imports, ({ file }) => file);
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const circles: string[][] = [];

  function visit(file: string): void {
    order.set(file, order.size);
    lowest.set(file, order.size - 1);
    open.push(file);
    for (const { to } of edges.get(file) ?? []) {
      if (!order.has(to)) visit(to);
      if (open.includes(to)) lowest.set(file, Math.min(lowest.get(file)!, lowest.get(to)!));
    }
    if (lowest.get(file) !== order.get(file)) return;
    const group = open.splice(open.indexOf(file));
    if (group.length > 1) circles.push(group.sort());
  }

  for (const file of edges.keys()) if (!order.has(file)) visit(file);
  return circles;
}
