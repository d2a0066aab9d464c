// What of the template depends on which uploads are compressed: filters, rights and the settings of the function.
'use strict';

const { ParameterError } = require('./parameter-error.cjs');

/**
 * @param {{ ruleName: string, ownBucket: string, bucket: string, prefix: string, suffixes: string[], settings: string }} wanted
 *   `bucket` is an existing bucket besides the stack's own, or empty; `settings` is JSON, or empty.
 */
async function uploadsFrom({ ruleName, ownBucket, bucket, prefix, suffixes, settings }) {
  const { backup, acl } = await checkedSettings(settings);
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

/** By the check of the function that will read them, so that a wrong one stops the packaging and not the function. */
async function checkedSettings(text) {
  const { parseUploadSettings } = await import('../src/uploads/upload-settings.ts');
  try {
    return parseUploadSettings(text);
  } catch (error) {
    throw new ParameterError(`Expected other settings for the param uploadSettings: ${error.message}`);
  }
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

const backupArn = (uri) => ({ 'Fn::Sub': `arn:\${AWS::Partition}:s3:::${uri.replace('s3://', '')}*` });

const bucketArn = (bucket) => ({ 'Fn::Sub': `arn:\${AWS::Partition}:s3:::${bucket}` });
const objectsArn = (bucket) => ({ 'Fn::Sub': `arn:\${AWS::Partition}:s3:::${bucket}/*` });

module.exports = { uploadsFrom, writing, bucketArn, objectsArn };
