import { writeFileSync } from 'node:fs';
import path from 'node:path';

// `npm run build:wasm` compiles assembly/ and writes the module into walk-module.ts, as text: that way plain Node, the
// tests and the bundle of the functions load it like any other file.

/** walk-module.ts as the sources in assembly/ have it. @throws what the compiler says of them */
export async function compileWalk(): Promise<string> {
  const files = new Map<string, Uint8Array | string>();
  const { default: asc }: { default: Compiler } = await import(COMPILER);
  const { error, stderr } = await asc.main(['walk.ts', ...OPTIONS], {
    writeFile: (name, contents) => void files.set(name, contents),
  });
  const module = files.get(OUTPUT);
  if (error || module === undefined) throw new Error(`Expected assembly/ to compile: ${stderr}`, { cause: error });
  return `/** Written by \`npm run build:wasm\` from assembly/. */\nexport const WALK_MODULE =\n  '${Buffer.from(module).toString('base64')}';\n`;
}

/** The part of the compiler that is used. It is loaded by name, so that the types of all its parts stay out of ours. */
interface Compiler {
  main(
    args: readonly string[],
    io: { writeFile(name: string, contents: Uint8Array | string): void },
  ): Promise<{ error: Error | null; stderr: { toString(): string } }>;
}

const COMPILER: string = 'assemblyscript/asc';
const OUTPUT = 'walk.wasm';
const OPTIONS = [
  '--baseDir',
  path.join(import.meta.dirname, 'assembly'),
  '--outFile',
  OUTPUT,
  '-O3',
  '--noAssert',
  '--runtime',
  'stub',
];

if (import.meta.main) writeFileSync(path.join(import.meta.dirname, 'walk-module.ts'), await compileWalk());
