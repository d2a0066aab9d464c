import type { ServerResponse } from 'node:http';
import { S3Error } from '../../local/s3/s3-error.ts';
import type { BucketRequest, S3ServerOptions } from '../../local/s3/s3-server.ts';

export interface FaultyRequest extends BucketRequest {
  /** How often this method was called on this key, including this call. */
  readonly count: number;
}

/** `cut-body`: half of a GET's bytes, then the connection ends. `lose-answer`: the request is carried out, the answer is lost. */
export type Fault =
  | { readonly status: number; readonly code: string; readonly message?: string }
  | 'cut-body'
  | 'lose-answer';

/** Chooses what goes wrong with a request. */
export type FaultPlan = (request: FaultyRequest) => Fault | undefined;

/** A `beforeRequest` for the S3 server that counts requests and injects the faults that the plan chooses. */
export function injectFaults(plan: FaultPlan): NonNullable<S3ServerOptions['beforeRequest']> {
  const counts = new Map<string, number>();
  return (request, response) => {
    const name = `${request.method} ${request.bucket}/${request.key}`;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    const fault = plan({ ...request, count });
    if (fault === 'cut-body') cutBody(response);
    else if (fault === 'lose-answer') loseAnswer(response);
    else if (fault) throw new S3Error(fault.status, fault.code, fault.message ?? S3_MESSAGES[fault.code] ?? INJECTED);
  };
}

const INJECTED = 'Please try again: this fault was injected by a test.';
/** S3's own messages, word for word. */
const S3_MESSAGES: Readonly<Record<string, string>> = { AccessDenied: 'Access Denied' };

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
