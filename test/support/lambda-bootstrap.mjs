// Stands in for the managed Node.js runtime: loads the handler from LAMBDA_TASK_ROOT and serves invocations one by
// one. Modules that the function's zip lacks are looked for along NODE_PATH, where layers are, as on Lambda.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const { LAMBDA_TASK_ROOT, _HANDLER, AWS_LAMBDA_RUNTIME_API } = process.env;
const runtime = `http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;
const post = (to, body) => fetch(`${runtime}/${to}`, { method: 'POST', body: JSON.stringify(body) });
const described = (error) => ({
  errorType: error?.name ?? 'Error',
  errorMessage: error?.message ?? String(error),
  trace: String(error?.stack ?? '').split('\n'),
});

function loadHandler() {
  const dot = _HANDLER.lastIndexOf('.');
  const file = path.join(LAMBDA_TASK_ROOT, `${_HANDLER.slice(0, dot)}.js`);
  if (!existsSync(file)) throw runtimeError('ImportModuleError', `Cannot find module '${file}'`);
  try {
    const handler = createRequire(file)(file)[_HANDLER.slice(dot + 1)];
    if (typeof handler === 'function') return handler;
  } catch (error) {
    const missing = ['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND', 'ERR_DLOPEN_FAILED'].includes(error.code);
    // sharp words the lack of its binaries itself, without a code.
    if (missing || /Could not load the "sharp" module/.test(error.message)) {
      throw runtimeError('ImportModuleError', error.message);
    }
    throw error;
  }
  throw runtimeError('HandlerNotFound', `${_HANDLER} is undefined or not exported`);
}

function runtimeError(name, message) {
  return Object.assign(new Error(message), { name: `Runtime.${name}` });
}

function contextFor(headers) {
  const deadline = Number(headers.get('lambda-runtime-deadline-ms'));
  return {
    awsRequestId: headers.get('lambda-runtime-aws-request-id'),
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: '$LATEST',
    invokedFunctionArn: headers.get('lambda-runtime-invoked-function-arn'),
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

async function serve(handler) {
  for (;;) {
    const next = await fetch(`${runtime}/invocation/next`);
    const id = next.headers.get('lambda-runtime-aws-request-id');
    try {
      const response = await handler(await next.json(), contextFor(next.headers));
      await post(`invocation/${id}/response`, response ?? null);
    } catch (error) {
      await post(`invocation/${id}/error`, described(error));
    }
  }
}

try {
  await serve(loadHandler());
} catch (error) {
  await post('init/error', described(error));
  process.exit(1);
}
