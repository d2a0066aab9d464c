import { parseUploadSettings, type UploadSettings } from '../src/uploads/upload-settings.ts';
import { bucketArn, objectsArn, substitute, writeActions } from './arns.ts';
import { bucketOrNone, list, type Parameter, ParameterError } from './parameters.ts';

/**
 * What in the template depends on which uploads are compressed: filters, permissions and the function's settings.
 * @param ownBucket the stack's own upload bucket
 */
export function uploadSettings(param: (name: string) => Parameter, ruleName: string, ownBucket: string) {
  const settings = param('uploadSettings').text;
  const { backup, acl } = checkedSettings(settings);
  const otherBucket = bucketOrNone(param('uploadBucket'));
  const buckets = [ownBucket, otherBucket].filter(Boolean);
  const prefix = param('uploadPrefix').text;
  const named = list(param('uploadSuffixes'));
  const suffixes = named.length > 0 ? named : [''];
  return {
    settings,
    ruleName,
    ruleArn: substitute(`arn:\${AWS::Partition}:events:\${AWS::Region}:\${AWS::AccountId}:rule/${ruleName}`),
    buckets: buckets.map(bucketArn),
    objects: buckets.map(objectsArn),
    // A backup is written wherever the settings say; without one no permission is added.
    backups: backup ? [bucketArn(`${backup.replace('s3://', '')}*`)] : buckets.map(objectsArn),
    writing: writeActions(acl !== undefined),
    notifications: suffixes.map((suffix) => notification(prefix, suffix)),
    otherBucket: otherBucket || 'none',
    isOtherBucketUsed: otherBucket ? 'yes' : 'no',
    keys: suffixes.map((suffix) => ({ wildcard: `${escaped(prefix)}*${escaped(suffix)}` })),
  };
}

/** Checked as the function checks them, so that a wrong setting stops the packaging and not the function. */
function checkedSettings(text: string): UploadSettings {
  try {
    return parseUploadSettings(text);
  } catch (error) {
    const { message } = error as Error;
    throw new ParameterError(`Expected other settings for the param uploadSettings: ${message}`);
  }
}

function notification(prefix: string, suffix: string) {
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

/** Only `*` and `\` have a meaning in an EventBridge wildcard. */
function escaped(text: string): string {
  return text.replace(/[*\\]/g, '\\$&');
}
