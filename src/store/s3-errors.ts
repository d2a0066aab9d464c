import { ObjectStoreError, type StoreErrorCode } from '../core/object-store.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';

type Call =
  | 'HeadObject'
  | 'GetObject'
  | 'PutObject'
  | 'UploadPart'
  | 'ListObjectsV2'
  | 'GetObjectTagging'
  | 'GetBucketVersioning';

/** The permissions that each call needs; those of KMS only where the object or bucket is encrypted with a KMS key. */
const PERMISSIONS: Record<Call, string> = {
  HeadObject:
    's3:GetObject, s3:ListBucket on the bucket (without it S3 answers 403 for an absent object, too), and kms:Decrypt where it is encrypted with a KMS key',
  GetObject: 's3:GetObject (of a version s3:GetObjectVersion), and kms:Decrypt where it is encrypted with a KMS key',
  PutObject:
    's3:PutObject (with tags s3:PutObjectTagging, with an ACL s3:PutObjectAcl, with If-Match s3:GetObject), and kms:GenerateDataKey with kms:Decrypt where it is encrypted with a KMS key',
  UploadPart: 's3:PutObject, and kms:GenerateDataKey with kms:Decrypt where it is encrypted with a KMS key',
  ListObjectsV2: 's3:ListBucket',
  GetObjectTagging: 's3:GetObjectTagging',
  GetBucketVersioning: 's3:GetBucketVersioning',
};

interface AnsweredError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number };
}

/** An error of one call as a message that names the object and what to do. */
export function storeError(error: unknown, call: Call, location: S3Location, preconditionFailed = false) {
  if (error instanceof ObjectStoreError) return error;
  const answered = error as AnsweredError;
  const code = preconditionFailed ? 'PreconditionFailed' : codeOf(answered);
  const message = `${call} ${formatS3Uri(location)}: ${sentence(code, answered, call)}`;
  return new ObjectStoreError(code, message, { cause: error });
}

/** 404 also means "no such bucket": that is not an absent object but a wrong address. */
export function isAbsent(error: unknown): boolean {
  return statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket';
}

/** Of a call that failed as `NotFound`: it is the bucket that does not exist. */
export function isBucketMissing({ cause }: ObjectStoreError): boolean {
  return (cause as Error | undefined)?.name === 'NoSuchBucket';
}

/** 412: it is not what was expected. 409: it changed while we wrote. 404: it is gone, and If-Match was sent. */
export function isUnfulfilled(error: unknown): boolean {
  const status = statusOf(error);
  return status === 412 || status === 409 || isAbsent(error);
}

function codeOf(error: AnsweredError): StoreErrorCode {
  if (error.name === 'InvalidObjectState') return 'Archived';
  if (/^(SlowDown|Throttl|TooManyRequests|RequestLimitExceeded|KMS\.Throttling)/.test(error.name)) return 'Throttled';
  // A disabled or deleted key is answered with 400 and a name like KMS.DisabledException.
  if (statusOf(error) === 403 || error.name.startsWith('KMS.')) return 'AccessDenied';
  if (statusOf(error) === 404) return 'NotFound';
  if (statusOf(error) === 503 || statusOf(error) === 429) return 'Throttled';
  return 'Unexpected';
}

function sentence(code: StoreErrorCode, error: AnsweredError, call: Call): string {
  switch (code) {
    case 'AccessDenied':
      return `access denied; ${deniedPermission(error) ?? statedReason(error) ?? `the role needs ${PERMISSIONS[call]}`}`;
    case 'NotFound':
      return error.name === 'NoSuchBucket' ? 'no such bucket' : 'no such object';
    case 'Archived':
      return 'in an archive storage class; restore it first';
    case 'PreconditionFailed':
      return 'the object is not, or no longer, the one expected';
    case 'Throttled':
      return `S3 still asked to slow down after ${error.$metadata?.attempts ?? 1} attempts`;
    default:
      return `${error.name}: ${error.message}`;
  }
}

/** S3 and KMS name the missing permission when the caller may know it; HEAD answers have no text. */
function deniedPermission(error: AnsweredError): string | undefined {
  if (error.name.startsWith('KMS.')) return `its KMS key cannot be used: ${error.name} ${error.message}`;
  const named = /not authorized to perform: ([a-z0-9-]+:\w+)/i.exec(error.message)?.[1];
  return named && `the role needs ${named} (${error.message})`;
}

/** The reason where S3 states one: an unknown key, a wrong clock, a file that may not be read. */
function statedReason({ name, message }: AnsweredError): string | undefined {
  if (/^(access denied\.?|forbidden|unknownerror|)$/i.test(message)) return undefined;
  return name === 'AccessDenied' ? message : `${name}: ${message}`;
}

/** False for an error of ours that passed through the SDK: a list that could not be read while it was uploaded. */
export function isOfSdk(error: unknown): error is AnsweredError {
  if (!(error instanceof Error)) return false;
  const isOfNetwork = 'code' in error && /^(E[A-Z]+|ERR_STREAM.*)$/.test(String(error.code));
  return '$metadata' in error || '$fault' in error || isOfNetwork;
}

/** The HTTP status that S3 answered with; undefined when it did not answer. */
export function statusOf(error: unknown): number | undefined {
  return (error as Partial<AnsweredError> | undefined)?.$metadata?.httpStatusCode;
}
