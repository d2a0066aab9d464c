/** The messages between the Lambda host and its processes. Everything is JSON, as payloads are on Lambda. */
export type ToProcess =
  | {
      readonly type: 'invoke';
      readonly requestId: string;
      readonly functionName: string;
      readonly payload: unknown;
      readonly timeoutMs: number;
      readonly memoryMegabytes: number;
    }
  /** The running invocation should end soon: the process emits SIGTERM to itself. */
  | { readonly type: 'close' };

export type FromProcess =
  /** The module is loaded: the function's timeout starts now. */
  | { readonly type: 'began'; readonly requestId: string }
  | { readonly type: 'result'; readonly requestId: string; readonly payload: unknown }
  /** `fatal`: the process is about to end. */
  | {
      readonly type: 'error';
      readonly requestId: string;
      readonly error: FunctionError;
      readonly fatal: boolean;
    };

/** The error of an invocation as Lambda answers it, and as the Cause in a state machine has it. */
export interface FunctionError {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace: readonly string[];
}
