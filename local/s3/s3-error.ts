/** An error answer in S3's words. SDKs act on `code` and `status`. */
export class S3Error extends Error {
  readonly code: string;
  readonly status: number;
  /** Further elements of the error document, e.g. `Key` or `Condition`. */
  readonly details: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, details: Record<string, string> = {}) {
    super(message);
    this.name = 'S3Error';
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

export function noSuchKey(key: string): S3Error {
  return new S3Error(404, 'NoSuchKey', 'The specified key does not exist.', { Key: key });
}

export function preconditionFailed(condition: string): S3Error {
  const message = 'At least one of the pre-conditions you specified did not hold';
  return new S3Error(412, 'PreconditionFailed', message, { Condition: condition });
}

/** What is not implemented exactly is refused: half-implemented calls lose objects. */
export function notImplemented(what: string): S3Error {
  return new S3Error(501, 'NotImplemented', `The local S3 server does not implement ${what}.`);
}

export function invalidArgument(message: string): S3Error {
  return new S3Error(400, 'InvalidArgument', message);
}

/** Any thrown value as the S3 error to answer with. */
export function asS3Error(error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  if (error instanceof URIError) return new S3Error(400, 'InvalidURI', "Couldn't parse the specified URI.");
  const { code, message, path } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return noSpaceLeft();
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') {
    const refusal = `The file system refuses access to ${path ?? 'the file'} (${code}).`;
    return new S3Error(403, 'AccessDenied', refusal);
  }
  return new S3Error(500, 'InternalError', String(message ?? error));
}

// A 400, because SDKs retry a 500, and the disk stays full.
function noSpaceLeft(): S3Error {
  const message =
    'No space left on the disk of this bucket. The object was not written; an older one is unchanged. ' +
    'Free some space, then try again.';
  return new S3Error(400, 'NoSpaceLeft', message);
}
