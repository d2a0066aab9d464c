/** A failure with a name of the state language: ErrorEquals of Retry and Catch compare `name`. */
export class StatesError extends Error {
  constructor(name: string, cause: string) {
    super(cause);
    this.name = name;
  }
}

/** Step Functions limits the input and output of a task, a state and an execution to 256 KiB. */
const MAX_PAYLOAD_BYTES = 262_144;

/**
 * Returns `value` if it is within the limit. Size as Step Functions counts it: UTF-8 bytes of the JSON text.
 * @throws StatesError `States.DataLimitExceeded`, which States.ALL does not catch
 */
export function limitPayload<T>(value: T, what: string): T {
  const bytes = Buffer.byteLength(JSON.stringify(value) ?? '');
  if (bytes <= MAX_PAYLOAD_BYTES) return value;
  const cause = `The ${what} has ${bytes} bytes: Step Functions accepts at most ${MAX_PAYLOAD_BYTES}.`;
  throw new StatesError('States.DataLimitExceeded', cause);
}
