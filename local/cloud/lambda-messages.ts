/** What the Lambda host and its processes tell each other. Everything is JSON, as payloads are on Lambda. */
export type ToProcess =
  | {
      readonly type: 'invoke';
      readonly requestId: string;
      readonly functionName: string;
      readonly payload: unknown;
      readonly timeoutMs: number;
      readonly memoryMegabytes: number;
    }
  /** Whatever is in hand shall come to an end soon: the process emits SIGTERM to itself. */
  | { readonly type: 'close' };

export type FromProcess =
  /** The module is loaded: from here on the function's timeout runs. */
  | { readonly type: 'began'; readonly requestId: string }
  | { readonly type: 'result'; readonly requestId: string; readonly payload: unknown }
  /** `fatal`: the process is about to end. */
  | {
      readonly type: 'error';
      readonly requestId: string;
      readonly error: FunctionError;
      readonly fatal: boolean;
    };

/** The error of an invocation as Lambda answers it, and as it becomes the Cause in a state machine. */
export interface FunctionError {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace: readonly string[];
}
