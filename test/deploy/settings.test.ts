import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type DeploymentSettings, deploymentSettings } from '../../deploy/settings.ts';

const SERVERLESS = readFileSync(path.join(import.meta.dirname, '../../serverless.yml'), 'utf8');
const DEFAULTS: Record<string, unknown> = parse(SERVERLESS, { logLevel: 'silent' }).params.default;

/** The settings of a deployment with these `--param`s. */
async function settingsWith(params: Record<string, string> = {}, stage = 'dev'): Promise<DeploymentSettings> {
  const known: Record<string, unknown> = { 'self:service': 'image-press', 'sls:stage': stage };
  for (const [name, value] of Object.entries({ ...DEFAULTS, taskImage: 'none', ...params })) {
    known[`param:${name}`] = value;
  }
  return deploymentSettings({
    options: { param: Object.entries(params).map(([name, value]) => `${name}=${value}`) },
    resolveVariable: async (variable) => known[variable],
    resolveConfigurationProperty: async () => DEFAULTS,
  });
}

const objects = (list: readonly { readonly 'Fn::Sub': string }[]) =>
  list.map((arn) => arn['Fn::Sub'].replace(`arn:\${AWS::Partition}:s3:::`, ''));
const OWN_INPUT = `image-press-dev-input-\${AWS::AccountId}-\${AWS::Region}/*`;

describe('the settings of a deployment', () => {
  it.each([
    ['architecture', 'arm', 'Expected arm64 or x86_64 for the param architecture but received "arm"'],
    [
      'taskImage',
      'docker',
      'Expected auto, build, none or an image URI (registry/repository:tag) for the param taskImage but received "docker"',
    ],
    [
      'sourceBuckets',
      's3://pictures',
      'Expected bucket names with commas between them, or * for the param sourceBuckets but received "s3://pictures"',
    ],
    ['outputBuckets', 'Pictures', 'for the param outputBuckets but received "Pictures"'],
    ['maxConcurrency', '0', 'Expected an integer from 1 to 10000 for the param maxConcurrency but received "0"'],
    ['maxConcurrency', 'many', 'for the param maxConcurrency but received "many"'],
    ['uploadConcurrency', '1', 'Expected an integer from 2 to 1000 for the param uploadConcurrency'],
    ['archtecture', 'x86_64', /^Expected one of the params architecture, taskImage, .* but received "archtecture"$/],
    ['uploadSettings', '{quality', /for the param uploadSettings: .* must be a JSON object, '{quality' given/],
    ['uploadSettings', '{"backup":"originals"}', /'backup' must be s3:\/\/bucket\/prefix\/.*'originals' given/],
    ['uploadSettings', '{"foo":1}', /unknown setting 'foo'; known here: encoding, .*'1' given/],
    ['uploadSettings', '{"encoding":{"quality":700}}', /'encoding.quality' must be 1 to 100, '700' given/],
    ['uploadBucket', '*', 'Expected the name of one bucket for the param uploadBucket but received "*"'],
    ['uploadBucket', 'a-b-c,d-e-f', 'for the param uploadBucket but received "a-b-c,d-e-f"'],
    [
      'uploadReservedConcurrency',
      '19',
      'Expected an integer from 20 to 1000 for the param uploadReservedConcurrency but received "19"',
    ],
    [
      'alarmTopicArn',
      'operators',
      'Expected the ARN of an SNS topic for the param alarmTopicArn but received "operators"',
    ],
    ['subnetIds', 'subnet-1', 'Expected the params subnetIds and securityGroupIds together or neither'],
  ])('refuse %s=%s and say what was expected', async (name, value, message) => {
    await expect(settingsWith({ [name]: value })).rejects.toThrow(message);
  });

  it('refuse a stage whose buckets would have too long a name', async () => {
    await expect(settingsWith({}, 'a-stage-with-a-long-name')).rejects.toThrow('at most 16');
  });

  it('let jobs read the input bucket and the named ones, and write the input bucket and the named ones', async () => {
    const { sourceObjects, outputObjects } = await settingsWith({
      sourceBuckets: 'archive, photos.example.com',
      outputBuckets: 'published',
    });
    expect(objects(sourceObjects)).toEqual([OWN_INPUT, 'archive/*', 'photos.example.com/*']);
    expect(objects(outputObjects)).toEqual([OWN_INPUT, 'published/*']);
  });

  it('let jobs list every bucket that they read or write', async () => {
    const { jobBuckets } = await settingsWith({
      sourceBuckets: 'archive',
      outputBuckets: 'archive,published',
    });
    expect(objects(jobBuckets)).toEqual([OWN_INPUT.replace('/*', ''), 'archive', 'published']);
  });

  it('let jobs set an ACL only on request', async () => {
    expect((await settingsWith()).jobWriting).not.toContain('s3:PutObjectAcl');
    expect((await settingsWith({ jobAcls: 'yes' })).jobWriting).toContain('s3:PutObjectAcl');
    await expect(settingsWith({ jobAcls: 'true' })).rejects.toThrow(
      'Expected yes or no for the param jobAcls but received "true"',
    );
  });

  it('open all buckets only on request', async () => {
    expect(objects((await settingsWith()).sourceObjects)).toEqual([OWN_INPUT]);
    expect(objects((await settingsWith({ sourceBuckets: '*' })).sourceObjects)).toEqual([OWN_INPUT, '*/*']);
  });

  it('convert maxConcurrency, which --param passes as text, to a number', async () => {
    const { definition } = await settingsWith({ maxConcurrency: '250' });
    expect(definition.States.CompressBatches.MaxConcurrency).toBe(250);
  });

  it('name the repository of an image in ECR, and need no permission for one elsewhere', async () => {
    const ecr = await settingsWith({
      taskImage: '123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/press:3',
    });
    expect(ecr.taskImage.repository['Fn::Sub']).toBe(
      `arn:\${AWS::Partition}:ecr:eu-west-1:123456789012:repository/team/press`,
    );
    const elsewhere = await settingsWith({ taskImage: 'ghcr.io/team/press:3' });
    expect(elsewhere.taskImage).toMatchObject({ mode: 'ready', inEcr: false });
  });

  it('put given subnets into the definition instead of a network of the stack’s own', async () => {
    const { definition, ownsNetwork } = await settingsWith({
      taskImage: 'ghcr.io/team/press:3',
      subnetIds: 'subnet-1,subnet-2',
      securityGroupIds: 'sg-1',
    });
    const { Parameters } = definition.States.CompressBatches.ItemProcessor.States.CompressBatchOnFargate;
    expect(ownsNetwork).toBe('no');
    expect(Parameters.NetworkConfiguration.AwsvpcConfiguration).toEqual({
      Subnets: ['subnet-1', 'subnet-2'],
      SecurityGroups: ['sg-1'],
      AssignPublicIp: 'ENABLED',
    });
  });

  it('filter uploads by prefix and each suffix, in S3 for the own bucket and in EventBridge for an existing one', async () => {
    const { uploads } = await settingsWith({
      uploadPrefix: 'in/',
      uploadSuffixes: '.jpg, .png',
      uploadBucket: 'theirs',
    });
    const prefix = { Name: 'prefix', Value: 'in/' };
    expect(uploads.notifications.map(({ Filter }) => Filter?.S3Key.Rules)).toEqual([
      [prefix, { Name: 'suffix', Value: '.jpg' }],
      [prefix, { Name: 'suffix', Value: '.png' }],
    ]);
    expect(uploads.keys).toEqual([{ wildcard: 'in/*.jpg' }, { wildcard: 'in/*.png' }]);
    expect(uploads).toMatchObject({ otherBucket: 'theirs', isOtherBucketUsed: 'yes' });
    expect(objects(uploads.objects)).toContain('theirs/*');
  });

  it('accept all uploads by default', async () => {
    const { uploads } = await settingsWith();
    expect(uploads.notifications).toHaveLength(1);
    expect(uploads.notifications[0]!.Filter).toBeUndefined();
    expect(uploads.keys).toEqual([{ wildcard: '*' }]);
  });

  it('allow backups and ACLs of uploads only if the settings ask for them', async () => {
    const uploadSettings = JSON.stringify({
      backup: 's3://originals/2026/',
      acl: 'bucket-owner-full-control',
    });
    const { uploads } = await settingsWith({ uploadSettings });
    expect(objects(uploads.backups)).toEqual(['originals/2026/*']);
    expect(uploads.writing).toContain('s3:PutObjectAcl');
    expect((await settingsWith()).uploads.writing).not.toContain('s3:PutObjectAcl');
  });

  it('reserve concurrency for uploads, and send alarms to a topic, only on request', async () => {
    expect(await settingsWith()).toMatchObject({
      uploadReservedConcurrency: { Ref: 'AWS::NoValue' },
      alarmActions: [],
    });
    const alarmTopicArn = 'arn:aws:sns:eu-central-1:123456789012:operators';
    expect(await settingsWith({ uploadReservedConcurrency: '40', alarmTopicArn })).toMatchObject({
      uploadReservedConcurrency: 40,
      alarmActions: [alarmTopicArn],
    });
  });

  it('use KMS only if keys are given', async () => {
    expect(await settingsWith()).toMatchObject({ usesKms: 'no', kmsKeys: [] });
    const arn = 'arn:aws:kms:us-east-1:123456789012:key/1';
    expect(await settingsWith({ kmsKeyArns: arn })).toMatchObject({ usesKms: 'yes', kmsKeys: [arn] });
  });
});

describe('the entry that the framework loads', () => {
  const load = createRequire(import.meta.url)('../../deploy/load-settings.cjs');

  it('names the Node version it needs, instead of failing on the first TypeScript file', async () => {
    const versions = Object.getOwnPropertyDescriptor(process, 'versions') as PropertyDescriptor;
    Object.defineProperty(process, 'versions', {
      ...versions,
      value: { ...process.versions, node: '20.20.2' },
    });
    try {
      await expect(load({})).rejects.toThrow(/^Expected Node 24, which "npx sls" brings, but received v/);
    } finally {
      Object.defineProperty(process, 'versions', versions);
    }
  });
});
