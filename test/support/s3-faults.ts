import type { ServerResponse } from 'node:http';
import { S3Error } from '../../local/s3/s3-error.ts';

export interface FaultyRequest {
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  /** How often this method was called on this key, this time included. */
  readonly count: number;
}

/** `cut-body`: half of a GET's bytes, then the connection ends. `lose-answer`: the work is done, nobody hears of it. */
export type Fault =
  | { readonly status: number; readonly code: string; readonly message?: string }
  | 'cut-body'
  | 'lose-answer';

/** Chooses what goes wrong with a request, for tests of robustness. */
export type FaultPlan = (request: FaultyRequest) => Fault | undefined;

/** Counts requests and lets fail those that the plan names. */
export class FaultInjector {
  readonly #plan: FaultPlan;
  readonly #counts = new Map<string, number>();

  constructor(plan: FaultPlan) {
    this.#plan = plan;
  }

  /** @throws S3Error when the request is to be refused */
  inject(method: string, bucket: string, key: string, response: ServerResponse): void {
    const name = `${method} ${bucket}/${key}`;
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    const fault = this.#plan({ method, bucket, key, count });
    if (fault === 'cut-body') cutBody(response);
    else if (fault === 'lose-answer') loseAnswer(response);
    else if (fault)
      throw new S3Error(fault.status, fault.code, fault.message ?? ORDINARY_WORDS[fault.code] ?? ASKED_FOR);
  }
}

const ASKED_FOR = 'Please try again: this fault was asked for.';
/** What S3 itself says, and no more. */
const ORDINARY_WORDS: Readonly<Record<string, string>> = { AccessDenied: 'Access Denied' };

function loseAnswer(response: ServerResponse): void {
  response.write = () => true;
  response.end = () => response.destroy();
}

function cutBody(response: ServerResponse): void {
  const write = response.write.bind(response) as (chunk: Buffer, done?: () => void) => boolean;
  const end = response.end.bind(response);
  let sent = 0;
  const writeUpToHalf = (chunk: Buffer): boolean => {
    const half = Math.floor(Number(response.getHeader('content-length')) / 2);
    const part = chunk.subarray(0, half - sent);
    sent += part.length;
    return sent < half ? write(part) : write(part, () => response.destroy());
  };
  response.write = ((chunk: Buffer) => writeUpToHalf(chunk)) as typeof response.write;
  response.end = ((chunk?: Buffer) => {
    if (!chunk) return end();
    writeUpToHalf(chunk);
    return response;
  }) as typeof response.end;
}
