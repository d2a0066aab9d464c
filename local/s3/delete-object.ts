import { type Call, sendEmpty, sendXml } from './call.ts';
import { checkMatch } from './conditions.ts';
import { readDocument } from './receive-body.ts';
import { notImplemented, S3Error } from './s3-error.ts';
import { element, elementsOf, textOf } from './xml.ts';

/** DELETE of an object, which succeeds even where there is none, or of one version for good. */
export function deleteObject(call: Call): void {
  const match = call.request.headers['if-match'];
  if (match !== undefined) checkMatch(match, call.key, call.bucket.find(call.key)?.record);
  const versionId = call.query.get('versionId');
  if (versionId === null) deleteCurrent(call);
  else deleteVersion(call, versionId);
}

function deleteCurrent(call: Call): void {
  const deleteMarker = removeAndNotify(call, call.key);
  const marked = deleteMarker ? { 'x-amz-version-id': deleteMarker, 'x-amz-delete-marker': 'true' } : {};
  sendEmpty(call.response, 204, marked);
}

/** @returns the version id of the delete marker */
function removeAndNotify(call: Call, key: string): string | undefined {
  const { removed, deleteMarker } = call.bucket.remove(key);
  if (deleteMarker) call.notify({ name: 'ObjectRemoved:DeleteMarkerCreated', key, versionId: deleteMarker });
  else if (removed) call.notify({ name: 'ObjectRemoved:Delete', key });
  return deleteMarker;
}

function deleteVersion(call: Call, versionId: string): void {
  const version = call.bucket.findVersion(call.key, versionId);
  if (version) {
    call.bucket.removeVersion(call.key, versionId);
    call.notify({ name: 'ObjectRemoved:Delete', key: call.key, versionId });
  }
  const wasMarker = version === 'delete-marker' ? { 'x-amz-delete-marker': 'true' } : {};
  sendEmpty(call.response, 204, { 'x-amz-version-id': versionId, ...wasMarker });
}

/** POST ?delete: up to 1,000 keys. */
export async function deleteObjects(call: Call): Promise<void> {
  const xml = await readDocument(call, 'Delete');
  const objects = elementsOf(xml, 'Object');
  if (objects.length === 0 || objects.length > 1000) {
    const message = `Expected 1 to 1,000 objects to delete, received ${objects.length}.`;
    throw new S3Error(400, 'MalformedXML', message);
  }
  if (objects.some((one) => /<(ETag|VersionId|LastModifiedTime|Size)>/.test(one))) {
    throw notImplemented('conditions and versions in DeleteObjects');
  }
  const keys = objects.map((one) => textOf(one, 'Key') ?? '');
  const deleted = keys.map((key) => {
    const deleteMarker = removeAndNotify(call, key);
    const marked = deleteMarker ? element('DeleteMarker', true) + element('DeleteMarkerVersionId', deleteMarker) : '';
    return `<Deleted>${element('Key', key)}${marked}</Deleted>`;
  });
  const isQuiet = textOf(xml, 'Quiet') === 'true';
  sendXml(call.response, 'DeleteResult', isQuiet ? '' : deleted.join(''));
}
