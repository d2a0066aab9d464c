import { type ChildProcessByStdio, spawn } from 'node:child_process';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Judge, Reading } from './judge.ts';

const SCRIPT = path.join(import.meta.dirname, 'system_judges.py');

/** Every judge that the script may have. */
const KINDS: readonly Omit<Judge, 'read'>[] = [
  { name: 'pillow', formats: ['jpeg', 'png', 'gif', 'tiff'], strict: false },
  // It hands the whole file to libwebp, which reports what it cannot decode.
  { name: 'pillow', formats: ['webp'], strict: true },
  { name: 'djpeg', formats: ['jpeg'], strict: true, slow: true },
  { name: 'pngcheck', formats: ['png'], strict: true, slow: true },
  { name: 'webpinfo', formats: ['webp'], strict: false, slow: true },
  { name: 'dwebp', formats: ['webp'], strict: true, slow: true },
  { name: 'avifdec', formats: ['avif'], strict: true, slow: true },
  { name: 'heif-convert', formats: ['avif'], strict: false, slow: true },
  { name: 'tiffinfo', formats: ['tiff'], strict: true, slow: true },
  { name: 'giflib', formats: ['gif'], strict: true, slow: true },
];

export interface SystemJudges {
  readonly judges: readonly Judge[];
  close(): void;
}

/** The decoders that are installed beside `python`; none where that cannot be started or has no Pillow. */
export async function startSystemJudges(python = 'python3'): Promise<SystemJudges> {
  const script = new JudgeScript(python);
  const names = await script.start();
  const present = KINDS.filter(({ name }) => names.includes(name));
  const judges = present.map((kind) => ({ ...kind, read: (file: Uint8Array) => script.read(kind.name, file) }));
  return { judges, close: () => script.stop() };
}

/** One request at a time; a decoder that crashes takes the script with it, which is started again. */
class JudgeScript {
  readonly #python: string;
  #child: ChildProcessByStdio<Writable, Readable, null> | undefined;
  #answers: AnswerReader | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(python: string) {
    this.#python = python;
  }

  async start(): Promise<string[]> {
    const child = spawn(this.#python, [SCRIPT], { stdio: ['pipe', 'pipe', 'ignore'] });
    this.#child = child;
    this.#answers = new AnswerReader(child.stdout);
    child.on('error', () => this.#answers?.end());
    child.stdin.on('error', () => undefined);
    child.unref();
    const hello = await this.#answers.next();
    return hello ? (JSON.parse(hello.line) as { judges: string[] }).judges : [];
  }

  read(judge: string, file: Uint8Array): Promise<Reading> {
    const reading = this.#last.then(() => this.#ask(judge, file));
    this.#last = reading.catch(() => undefined);
    return reading;
  }

  stop(): void {
    this.#child?.stdin.end();
  }

  async #ask(judge: string, file: Uint8Array): Promise<Reading> {
    this.#child?.stdin.write(`${JSON.stringify({ judge, length: file.length })}\n`);
    this.#child?.stdin.write(file);
    const answer = await this.#answers?.next();
    if (answer)
      return { ...(JSON.parse(answer.line) as Reading), ...(answer.pixels.length ? { pixels: answer.pixels } : {}) };
    await this.start();
    return { verdict: 'refused', message: `${judge} crashed` };
  }
}

/** Lines of JSON, each followed by as many bytes as its `length` says. */
class AnswerReader {
  #buffered: Buffer = Buffer.alloc(0);
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(stream: Readable) {
    stream.on('data', (chunk: Buffer) => {
      this.#buffered = Buffer.concat([this.#buffered, chunk]);
      this.#wake();
    });
    stream.on('close', () => this.end());
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** Undefined where the stream ended before. */
  async next(): Promise<{ line: string; pixels: Uint8Array } | undefined> {
    for (;;) {
      const answer = this.#take();
      if (answer || this.#isOver) return answer;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #take(): { line: string; pixels: Uint8Array } | undefined {
    const end = this.#buffered.indexOf(10);
    if (end < 0) return undefined;
    const line = this.#buffered.toString('utf8', 0, end);
    const length = (JSON.parse(line) as { length?: number }).length ?? 0;
    if (this.#buffered.length < end + 1 + length) return undefined;
    const pixels = new Uint8Array(this.#buffered.subarray(end + 1, end + 1 + length));
    this.#buffered = this.#buffered.subarray(end + 1 + length);
    return { line, pixels };
  }
}
