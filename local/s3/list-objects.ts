import type { Bucket } from './bucket.ts';
import { type Call, sendXml } from './call.ts';
import { keysAfter, nextOf, type Position } from './list-keys.ts';
import { formEncode } from './notifications.ts';
import type { ObjectRecord } from './object-record.ts';
import { invalidArgument, notImplemented } from './s3-error.ts';
import { element } from './xml.ts';

/** GET ?list-type=2 on a bucket. @throws S3Error `NotImplemented` for the first version */
export function listObjects(call: Call): void {
  const question = readQuestion(call.query);
  sendXml(call.response, 'ListBucketResult', answerOf(call.bucket, question, pageOf(call.bucket, question)));
}

interface Page {
  readonly objects: readonly ObjectRecord[];
  readonly prefixes: readonly string[];
  /** Where the next page begins; absent on the last. */
  readonly next?: Position;
}

type Question = ReturnType<typeof readQuestion>;

function readQuestion(query: URLSearchParams) {
  if (query.get('list-type') !== '2') throw notImplemented('list-type other than 2');
  const token = query.get('continuation-token') ?? undefined;
  const startAfter = query.get('start-after') ?? '';
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const wholePrefix = commonPrefixOf(startAfter, prefix, delimiter) === startAfter;
  return {
    prefix,
    delimiter,
    maxKeys: readMaxKeys(query.get('max-keys')),
    startAfter,
    token,
    from: token === undefined ? { key: startAfter, wholePrefix } : positionOfToken(token),
    urlEncoded: query.get('encoding-type') === 'url',
  };
}

function readMaxKeys(text: string | null): number {
  if (text === null || text === '') return 1000;
  if (!/^\d{1,10}$/.test(text)) throw invalidArgument('Provided max-keys not an integer or within integer range');
  return Math.min(Number(text), 1000);
}

function pageOf(bucket: Bucket, { prefix, delimiter, maxKeys, from }: Question): Page {
  const objects: ObjectRecord[] = [];
  const prefixes: string[] = [];
  if (maxKeys === 0) return { objects, prefixes };
  let position = from;
  let keys = keysAfter(bucket, prefix, position);
  for (let key = nextOf(keys); key !== undefined; key = nextOf(keys)) {
    const record = bucket.find(key)?.record;
    if (!record) continue;
    if (objects.length + prefixes.length === maxKeys) return { objects, prefixes, next: position };
    const common = commonPrefixOf(key, prefix, delimiter);
    if (common === undefined) {
      objects.push(record);
      position = { key, wholePrefix: false };
    } else {
      prefixes.push(common);
      position = { key: common, wholePrefix: true };
      keys = keysAfter(bucket, prefix, position);
    }
  }
  return { objects, prefixes };
}

function commonPrefixOf(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === '' || !key.startsWith(prefix)) return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}

function answerOf(bucket: Bucket, question: Question, page: Page): string {
  const encode = (text: string) => (question.urlEncoded ? formEncode(text) : text);
  return [
    element('Name', bucket.name),
    element('Prefix', encode(question.prefix)),
    element('Delimiter', question.delimiter ? encode(question.delimiter) : undefined),
    element('MaxKeys', question.maxKeys),
    element('EncodingType', question.urlEncoded ? 'url' : undefined),
    element('IsTruncated', page.next !== undefined),
    element('KeyCount', page.objects.length + page.prefixes.length),
    element('StartAfter', question.startAfter ? encode(question.startAfter) : undefined),
    element('ContinuationToken', question.token),
    element('NextContinuationToken', page.next && tokenOf(page.next)),
    ...page.objects.map((record) => objectElement(record, encode)),
    ...page.prefixes.map((prefix) => `<CommonPrefixes>${element('Prefix', encode(prefix))}</CommonPrefixes>`),
  ].join('');
}

function objectElement(record: ObjectRecord, encode: (text: string) => string): string {
  const inner =
    element('Key', encode(record.key)) +
    element('LastModified', new Date(record.mtimeMs).toISOString()) +
    element('ETag', `"${record.etag}"`) +
    element('ChecksumAlgorithm', record.checksum?.algorithm) +
    element('ChecksumType', record.checksum?.type) +
    element('Size', record.size) +
    element('StorageClass', record.headers['x-amz-storage-class'] ?? 'STANDARD');
  return `<Contents>${inner}</Contents>`;
}

function tokenOf(position: Position): string {
  return Buffer.from(JSON.stringify([position.key, position.wholePrefix])).toString('base64url');
}

function positionOfToken(token: string): Position {
  try {
    const [key, wholePrefix] = JSON.parse(Buffer.from(token, 'base64url').toString());
    if (typeof key === 'string' && typeof wholePrefix === 'boolean') return { key, wholePrefix };
  } catch {
    // refused below, like any other text that is not a token of this server
  }
  throw invalidArgument('The continuation token provided is incorrect');
}
