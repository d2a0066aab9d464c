// What of the template depends on which uploads are compressed: filters, rights and the settings of the function.
'use strict';

/**
 * @param {{ ruleName: string, ownBucket: string, bucket: string, prefix: string, suffixes: string[], settings: string }} wanted
 *   `bucket` is an existing bucket besides the stack's own, or empty; `settings` is JSON, or empty.
 */
function uploadsFrom({ ruleName, ownBucket, bucket, prefix, suffixes, settings }) {
  const { backup, acl } = parseSettings(settings);
  const buckets = bucket ? [ownBucket, bucket] : [ownBucket];
  return {
    settings,
    ruleName,
    ruleArn: {
      'Fn::Sub': `arn:\${AWS::Partition}:events:\${AWS::Region}:\${AWS::AccountId}:rule/${ruleName}`,
    },
    buckets: buckets.map(bucketArn),
    objects: buckets.map(objectsArn),
    // A backup is written wherever the settings say; without one the rights do not grow.
    backups: backup ? [backupArn(backup)] : buckets.map(objectsArn),
    writing: writing(acl !== undefined),
    notifications: (suffixes.length > 0 ? suffixes : ['']).map((suffix) => notification(prefix, suffix)),
    otherBucket: bucket || 'none',
    isOtherBucketUsed: bucket ? 'yes' : 'no',
    keys: (suffixes.length > 0 ? suffixes : ['']).map((suffix) => ({
      wildcard: `${literally(prefix)}*${literally(suffix)}`,
    })),
  };
}

/** Setting an ACL is a right of its own, given only where it is asked for. */
const writing = (withAcl) => ['s3:PutObject', 's3:PutObjectTagging', ...(withAcl ? ['s3:PutObjectAcl'] : [])];

function parseSettings(text) {
  if (text === '') return {};
  try {
    const value = JSON.parse(text);
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value;
  } catch {
    // said below, together with what came
  }
  throw new Error(`Expected a JSON object for the param uploadSettings but received "${text}"`);
}

function notification(prefix, suffix) {
  const rules = [
    ...(prefix ? [{ Name: 'prefix', Value: prefix }] : []),
    ...(suffix ? [{ Name: 'suffix', Value: suffix }] : []),
  ];
  return {
    Event: 's3:ObjectCreated:*',
    Queue: { 'Fn::GetAtt': ['Uploads', 'Arn'] },
    ...(rules.length > 0 && { Filter: { S3Key: { Rules: rules } } }),
  };
}

/** In a wildcard of EventBridge only `*` and `\` mean something. */
const literally = (text) => text.replace(/[*\\]/g, '\\$&');

function backupArn(uri) {
  const place = /^s3:\/\/([a-z0-9][a-z0-9.-]+)\/((?:.*\/)?)$/.exec(uri);
  if (place) return { 'Fn::Sub': `arn:\${AWS::Partition}:s3:::${place[1]}/${place[2]}*` };
  throw new Error(
    `Expected s3://bucket/prefix/ for backup in the param uploadSettings but received "${uri}"`,
  );
}

const bucketArn = (bucket) => ({ 'Fn::Sub': `arn:\${AWS::Partition}:s3:::${bucket}` });
const objectsArn = (bucket) => ({ 'Fn::Sub': `arn:\${AWS::Partition}:s3:::${bucket}/*` });

module.exports = { uploadsFrom, writing, bucketArn, objectsArn };
