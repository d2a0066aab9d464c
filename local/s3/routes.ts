import type { ServerResponse } from 'node:http';
import { type Call, type Operation, sendEmpty, sendXml } from './call.ts';
import { copyObject } from './copy-object.ts';
import { deleteObject, deleteObjects } from './delete-object.ts';
import { getObject } from './get-object.ts';
import { listObjects } from './list-objects.ts';
import { abortUpload, completeUpload, createUpload, uploadPart } from './multipart.ts';
import { REGION } from './notifications.ts';
import { getObjectTagging, putObjectTagging } from './object-tagging.ts';
import { putObject } from './put-object.ts';
import { notImplemented } from './s3-error.ts';
import { element } from './xml.ts';

/** The supported operations: method, bucket or object, subresources of the query. All others are refused. */
const ROUTES: Readonly<Record<string, Operation>> = {
  'GET bucket?list-type': listObjects,
  'HEAD bucket': ({ response }) => sendEmpty(response, 200, { 'x-amz-bucket-region': REGION }),
  // Empty for us-east-1.
  'GET bucket?location': ({ response }) => sendXml(response, 'LocationConstraint', ''),
  'GET bucket?versioning': ({ response, bucket }) =>
    sendXml(response, 'VersioningConfiguration', bucket.isVersioned ? element('Status', 'Enabled') : ''),
  'POST bucket?delete': deleteObjects,
  'GET object': getObject,
  'HEAD object': getObject,
  'PUT object': (call: Call) => (call.request.headers['x-amz-copy-source'] ? copyObject(call) : putObject(call)),
  'DELETE object': deleteObject,
  'GET object?versionId': getObject,
  'HEAD object?versionId': getObject,
  'DELETE object?versionId': deleteObject,
  'GET object?tagging': getObjectTagging,
  'GET object?tagging?versionId': getObjectTagging,
  'PUT object?tagging': putObjectTagging,
  'POST object?uploads': createUpload,
  'PUT object?uploadId': uploadPart,
  'POST object?uploadId': completeUpload,
  'DELETE object?uploadId': abortUpload,
};

/** The operation of a request. @throws S3Error `NotImplemented` */
export function operationFor(method: string, key: string, query: URLSearchParams): Operation {
  const route = routeOf(method, key, query);
  if (ROUTES[route]) return ROUTES[route];
  throw notImplemented(route);
}

/** `PUT object?tagging`: the method, whether a key is named, and the subresources of the query. */
export function routeOf(method: string, key: string, query: URLSearchParams): string {
  const isParameter = (name: string) => PARAMETERS.has(name) || /^(x-amz-|response-)/i.test(name);
  const subresources = [...query.keys()].filter((name) => !isParameter(name)).sort();
  return [`${method} ${key === '' ? 'bucket' : 'object'}`, ...subresources].join('?');
}

/** Query parameters that only refine an operation, or sign it (presigned requests). */
const PARAMETERS = new Set([
  ...['x-id', 'prefix', 'delimiter', 'max-keys', 'start-after', 'continuation-token'],
  ...['encoding-type', 'fetch-owner', 'partNumber'],
  ...['AWSAccessKeyId', 'Signature', 'Expires'],
]);

/** GET /: the buckets of this server. */
export function listBuckets(method: string, response: ServerResponse, names: Iterable<string>): void {
  if (method !== 'GET') throw notImplemented(`${method} /`);
  const created = element('CreationDate', new Date(0).toISOString());
  const buckets = [...names].map((name) => `<Bucket>${element('Name', name)}${created}</Bucket>`).join('');
  const inner = `<Owner><ID>local</ID></Owner><Buckets>${buckets}</Buckets>`;
  sendXml(response, 'ListAllMyBucketsResult', inner);
}
