import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import type { FuzzCase, FuzzResult } from '../../test/support/fuzz/run-fuzz.ts';
import { findImages, makeSeedFiles, type SeedFile } from '../../test/support/fuzz/seed-files.ts';

/** What a run is made of; each worker makes the same files of it. */
export interface FuzzPlan {
  readonly seed: number;
  readonly corpus: string | undefined;
  /** A folder of images that are taken as they are. */
  readonly undamaged: string | undefined;
  readonly python: string;
}

const MAX_CORPUS_BYTES = 200_000;

/** Files that are too large to be damaged often are left out of a corpus. */
export async function filesOf({ corpus, undamaged }: FuzzPlan): Promise<SeedFile[]> {
  if (undamaged) return findImages(undamaged);
  return [...(await makeSeedFiles()), ...(corpus ? findImages(corpus, MAX_CORPUS_BYTES) : [])];
}

/** What the worker sends: the case that it begins, what came of it, or that it has no more. */
export type FuzzMessage =
  | { readonly kind: 'begin'; readonly one: FuzzCase }
  | { readonly kind: 'result'; readonly result: FuzzResult }
  | { readonly kind: 'idle' };

/** A process that compresses and judges damaged files; it is started again where one of them ends it. */
export class FuzzWorker {
  readonly #plan: FuzzPlan;
  #child: ChildProcess | undefined;

  constructor(plan: FuzzPlan) {
    this.#plan = plan;
  }

  async run(cases: readonly FuzzCase[]): Promise<FuzzResult[]> {
    const results: FuzzResult[] = [];
    while (results.length < cases.length) {
      const crashed = await this.#runUntilCrash(cases.slice(results.length), results);
      if (crashed) results.push(crashed);
    }
    return results;
  }

  stop(): void {
    this.#child?.disconnect();
  }

  #start(): ChildProcess {
    return fork(path.join(import.meta.dirname, 'work.ts'), [JSON.stringify(this.#plan)]);
  }

  /** Adds to `results`; the case that ended the process, where one did. */
  #runUntilCrash(cases: readonly FuzzCase[], results: FuzzResult[]): Promise<FuzzResult | undefined> {
    this.#child ??= this.#start();
    const child = this.#child;
    let begun = cases[0];
    let timer = setTimeout(() => undefined, 0);
    return new Promise((resolve) => {
      const watch = () => {
        clearTimeout(timer);
        timer = setTimeout(() => child.kill('SIGKILL'), TIME_LIMIT_MS);
      };
      const finish = (crashed?: FuzzResult) => {
        clearTimeout(timer);
        child.removeAllListeners();
        if (crashed) this.#child = undefined;
        resolve(crashed);
      };
      child.on('message', (message: FuzzMessage) => {
        watch();
        if (message.kind === 'begin') begun = message.one;
        if (message.kind === 'result') results.push(message.result);
        if (message.kind === 'idle') finish();
      });
      child.on('exit', (code, signal) => finish(begun && crashOf(begun, signal ?? `exit code ${code}`)));
      child.send(cases);
    });
  }
}

// Of one file; the largest photographs take minutes on a busy machine.
const TIME_LIMIT_MS = 600_000;

function crashOf(one: FuzzCase, how: string): FuzzResult {
  const offence = { kind: 'crashed', cause: 'the process ended', detail: how } as const;
  return { ...one, outcome: 'process ended', offence, seedFile: '?', mutations: [], settings: '?' };
}
