/** A text that CloudFormation completes with values such as `${AWS::Partition}`. */
export interface Substitution {
  readonly 'Fn::Sub': string;
}

export function substitute(text: string): Substitution {
  return { 'Fn::Sub': text };
}

export function bucketArn(bucket: string): Substitution {
  return substitute(`arn:\${AWS::Partition}:s3:::${bucket}`);
}

export function objectsArn(bucket: string): Substitution {
  return bucketArn(`${bucket}/*`);
}

/** What a role may do to write objects. Setting an ACL is a permission of its own, given only where it is asked for. */
export function writeActions(withAcl: boolean): string[] {
  return ['s3:PutObject', 's3:PutObjectTagging', ...(withAcl ? ['s3:PutObjectAcl'] : [])];
}
