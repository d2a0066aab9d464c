/** A text that CloudFormation completes with values such as `${AWS::Partition}`. */
export function substitute(text: string) {
  return { 'Fn::Sub': text };
}

export function bucketArn(bucket: string) {
  return substitute(`arn:\${AWS::Partition}:s3:::${bucket}`);
}

export function objectsArn(bucket: string) {
  return bucketArn(`${bucket}/*`);
}

/** What a role may do to write objects. Setting an ACL is a permission of its own, given only where it is asked for. */
export function writeActions(withAcl: boolean): string[] {
  return ['s3:PutObject', 's3:PutObjectTagging', ...(withAcl ? ['s3:PutObjectAcl'] : [])];
}
