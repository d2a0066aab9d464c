import { type EndpointCheck, type ObjectAttributes, type ObjectStore, ObjectStoreError } from '../core/object-store.ts';
import type { S3Location } from '../core/s3-uri.ts';
import { sha256Of } from './sha256-of.ts';

/** The object that shows how an endpoint behaves. It stays where it is, so that later checks write nothing. */
export const PROBE_KEY = '.image-press/endpoint-probe';

/**
 * Checks, once per bucket and process, what replacing an object relies on: a wrong If-Match is refused with 412, and
 * metadata and tags come back. An endpoint that ignores If-Match would let an old image overwrite a
 * newer upload. S3 of AWS is not asked.
 * @param isAws Default: whether the environment names no other endpoint
 */
export function createEndpointCheck(store: ObjectStore, isAws = usesAws()): EndpointCheck {
  const known = new Map<string, Promise<string | undefined>>();
  return (bucket) => {
    if (isAws) return Promise.resolve(undefined);
    const answer = known.get(bucket) ?? problemOf({ bucket, key: PROBE_KEY }, store);
    known.set(bucket, answer);
    answer.catch(() => known.delete(bucket));
    return answer;
  };
}

function usesAws(): boolean {
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = process.env;
  return (AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL) === undefined;
}

const BODY = Buffer.from('image-press wrote this object to check what this S3 endpoint supports.\n');
const METADATA = { 'image-press-probe': '1' };
const TAGS = { 'image-press': 'probe' };
const ATTRIBUTES = { contentType: 'text/plain', metadata: METADATA, checksumSha256: sha256Of(BODY) };
/** Of no object. */
const WRONG_ETAG = '0'.repeat(32);

async function problemOf(probe: S3Location, store: ObjectStore): Promise<string | undefined> {
  const found = (await store.head(probe)) ?? (await writeProbe(probe, store));
  if (!found) return 'does not return an object that was just written';
  if (found.metadata['image-press-probe'] !== METADATA['image-press-probe']) return 'does not return user metadata';
  // Without one, the bytes are read and hashed wherever it is needed.
  const { checksumSha256 = ATTRIBUTES.checksumSha256 } = found;
  if (checksumSha256 !== ATTRIBUTES.checksumSha256) return 'returns a wrong SHA-256 checksum of an object';
  return (await tagsProblem(probe, store)) ?? conditionProblem(probe, store);
}

async function writeProbe(probe: S3Location, store: ObjectStore): Promise<ObjectAttributes | undefined> {
  await store.put(probe, BODY, { attributes: ATTRIBUTES, tags: TAGS });
  return store.head(probe);
}

async function tagsProblem(probe: S3Location, store: ObjectStore): Promise<string | undefined> {
  try {
    const tags = await store.tags(probe);
    return tags['image-press'] === TAGS['image-press'] ? undefined : 'does not return the tags of an object';
  } catch (error) {
    return refusalOf(error, 'GetObjectTagging');
  }
}

/** The same bytes: nothing is lost where the condition is ignored. */
async function conditionProblem(probe: S3Location, store: ObjectStore): Promise<string | undefined> {
  try {
    await store.put(probe, BODY, { attributes: ATTRIBUTES, tags: TAGS, condition: { etag: WRONG_ETAG } });
    return 'ignores If-Match, so that a newer upload could be overwritten';
  } catch (error) {
    const isMet = error instanceof ObjectStoreError && error.code === 'PreconditionFailed';
    return isMet ? undefined : refusalOf(error, 'If-Match');
  }
}

/** An answer that will not change; a denial or an overload may. */
function refusalOf(error: unknown, what: string): string {
  if (error instanceof ObjectStoreError && error.code === 'Unexpected') return `refuses ${what} (${error.message})`;
  throw error;
}
