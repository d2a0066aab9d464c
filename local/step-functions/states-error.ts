/** A failure that the state language knows by name: `name` is what ErrorEquals of Retry and Catch compare. */
export class StatesError extends Error {
  constructor(name: string, cause: string) {
    super(cause);
    this.name = name;
  }
}

/** What Step Functions lets through as input or output of a task, a state or an execution. */
export const MAX_PAYLOAD_BYTES = 262_144;

/** Size as Step Functions counts it: UTF-8 bytes of the JSON text. */
export function payloadBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? '');
}

/** @throws StatesError `States.DataLimitExceeded`, which States.ALL does not catch. */
export function limitPayload<T>(value: T, what: string): T {
  const bytes = payloadBytes(value);
  if (bytes <= MAX_PAYLOAD_BYTES) return value;
  throw new StatesError(
    'States.DataLimitExceeded',
    `The ${what} has ${bytes} bytes: Step Functions passes at most ${MAX_PAYLOAD_BYTES}.`,
  );
}
