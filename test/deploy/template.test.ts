import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type PackagedService, packageService } from '../support/package-service.ts';
import {
  compiledDefinition,
  dependenciesOf,
  permissionsByRole,
  type Resource,
  resourcesOfType,
  type Statement,
  type Template,
} from '../support/template.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const DEFINITION = parse(readFileSync(path.join(ROOT, 'statemachines/compress-images.asl.yml'), 'utf8'));

let service: PackagedService;
let template: Template;

beforeAll(async () => {
  service = await packageService({
    taskImage: '123456789012.dkr.ecr.us-east-1.amazonaws.com/image-press:1',
    kmsKeyArns: 'arn:aws:kms:us-east-1:123456789012:key/1',
    sourceBuckets: 'archive',
    outputBuckets: 'published',
    jobAcls: 'yes',
    maxConcurrency: '250',
    alarmTopicArn: 'arn:aws:sns:us-east-1:123456789012:operators',
  });
  template = service.template;
});
afterAll(() => service?.remove());

const resource = (name: string): Resource => template.Resources[name]!;
const ofType = (type: string) => resourcesOfType(template, type);

describe('the state machine in the template', () => {
  it('is the definition that runs locally, except for the number that the parameters set', () => {
    const expected = structuredClone(DEFINITION);
    expected.States.CompressBatches.MaxConcurrency = 250;
    expect(compiledDefinition(template)).toEqual(expected);
  });

  it('has a name of its own, which its role and start-job rely on, and a role of its own', () => {
    const { StateMachineName, RoleArn } = resource('CompressImagesStateMachine').Properties;
    expect(StateMachineName).toBe('image-press-dev-compress-images');
    expect(RoleArn).toEqual({ 'Fn::GetAtt': ['StateMachineRole', 'Arn'] });
    const [startJobs] = permissionsByRole(template).get('StartJobRole')!;
    expect(JSON.stringify(startJobs!.Resource)).toContain(`stateMachine:${StateMachineName}"`);
  });
});

describe('the template', () => {
  it('can be created: no resource depends on itself', () => {
    const checked = new Set<string>();
    const waiting: string[] = [];
    const walk = (name: string) => {
      if (checked.has(name)) return;
      if (waiting.includes(name)) throw new Error(`circle: ${[...waiting, name].join(' → ')}`);
      waiting.push(name);
      for (const needed of dependenciesOf(resource(name), template)) walk(needed);
      waiting.pop();
      checked.add(name);
    };
    Object.keys(template.Resources).forEach(walk);
    expect(checked.has('InputBucket') && checked.has('CompressImagesStateMachine')).toBe(true);
  });

  it('has outputs for the names that users need', () => {
    expect(template.Outputs).toMatchObject({
      InputBucketName: { Value: { Ref: 'InputBucket' } },
      OutputBucketName: { Value: { Ref: 'OutputBucket' } },
      UploadBucketName: { Value: { Ref: 'UploadBucket' } },
      StateMachineArn: { Value: { Ref: 'CompressImagesStateMachine' } },
    });
  });

  it('lets sls invoke stepf find the machine: it looks for an output named after the machine’s id', () => {
    expect(template.Outputs).toMatchObject({
      CompressImagesStateMachineArn: { Value: { Ref: 'CompressImagesStateMachine' } },
    });
  });

  it('gives every name service and stage, so that two stages can exist at the same time', () => {
    const names = Object.values(template.Resources).flatMap(({ Type, Properties = {} }) =>
      Object.entries(Properties)
        .filter(([field]) => NAME_FIELDS.includes(field) && !REFERRING.includes(Type))
        .map(([, value]) => JSON.stringify(value)),
    );
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) expect(name).toMatch(/image-press[-/]dev/);
  });

  it('leaves out all of Fargate when the condition is false', () => {
    const optional = Object.values(template.Resources).filter(({ Condition }) => Condition);
    for (const type of ['AWS::ECS::Cluster', 'AWS::ECS::TaskDefinition', 'AWS::EC2::VPC', 'AWS::EC2::Subnet']) {
      expect(ofType(type).length).toBeGreaterThan(0);
      for (const [, fargate] of ofType(type)) expect(optional).toContain(fargate);
    }
    for (const [name, always] of Object.entries(template.Resources)) {
      if (always.Condition || name === 'CompressImagesStateMachine') continue;
      for (const needed of dependenciesOf(always, template)) {
        expect(resource(needed).Condition, `${name} needs ${needed}`).toBeUndefined();
      }
    }
    const [, substitutes] = resource('CompressImagesStateMachine').Properties.DefinitionString['Fn::Sub'];
    for (const reference of Object.values<object>(substitutes)) {
      if ('Ref' in reference || 'Fn::GetAtt' in reference) {
        const [needed] = dependenciesOf({ Type: '', Properties: { reference } }, template);
        expect(resource(needed!).Condition).toBeUndefined();
      }
    }
  });
});

const NAME_FIELDS = [
  'BucketName',
  'FunctionName',
  'LayerName',
  'StateMachineName',
  'LogGroupName',
  'ClusterName',
  'Family',
  'QueueName',
  'AlarmName',
];
/** In these a name is a reference to something else. */
const REFERRING = [
  'AWS::Lambda::Permission',
  'AWS::Lambda::EventInvokeConfig',
  'AWS::S3::BucketPolicy',
  'AWS::Lambda::EventSourceMapping',
];

describe('buckets', () => {
  const own = () => ofType('AWS::S3::Bucket').filter(([name]) => name !== 'ServerlessDeploymentBucket');

  it('are encrypted, private, owned by their account, and survive the stack', () => {
    expect(
      own()
        .map(([name]) => name)
        .sort(),
    ).toEqual(['InputBucket', 'OutputBucket', 'UploadBucket']);
    for (const [, { DeletionPolicy, Properties }] of own()) {
      expect(DeletionPolicy).toBe('Retain');
      expect(Properties.BucketEncryption).toBeDefined();
      expect(Object.values(Properties.PublicAccessBlockConfiguration)).toEqual([true, true, true, true]);
      expect(Properties.OwnershipControls.Rules).toEqual([{ ObjectOwnership: 'BucketOwnerEnforced' }]);
      expect(JSON.stringify(Properties.LifecycleConfiguration)).toContain('AbortIncompleteMultipartUpload');
    }
  });

  it('keep replaced pictures for a month, in the buckets where pictures are replaced', () => {
    for (const name of ['InputBucket', 'UploadBucket']) {
      const { VersioningConfiguration, LifecycleConfiguration } = resource(name).Properties;
      expect(VersioningConfiguration).toEqual({ Status: 'Enabled' });
      expect(JSON.stringify(LifecycleConfiguration)).toContain('"NoncurrentDays":30');
    }
  });
});

describe('a file list put into the input bucket', () => {
  it('reaches start-job, only from the input bucket and only from lists/', () => {
    const [notification] = resource('InputBucket').Properties.NotificationConfiguration.LambdaConfigurations;
    expect(notification).toMatchObject({
      Event: 's3:ObjectCreated:*',
      Function: { 'Fn::GetAtt': ['StartDashjobLambdaFunction', 'Arn'] },
      Filter: { S3Key: { Rules: [{ Name: 'prefix', Value: 'lists/' }] } },
    });
    const permission = resource('InputBucketMayStartJobs').Properties;
    expect(permission.SourceArn['Fn::Sub']).toBe(
      `arn:\${AWS::Partition}:s3:::${resource('InputBucket').Properties.BucketName['Fn::Sub']}`,
    );
    expect(permission.SourceAccount).toEqual({ Ref: 'AWS::AccountId' });
  });

  it('is not lost when start-job fails: it is retried, then put into a queue', () => {
    const [[, config]] = ofType('AWS::Lambda::EventInvokeConfig') as [[string, Resource]];
    expect(config.Properties).toMatchObject({
      FunctionName: { Ref: 'StartDashjobLambdaFunction' },
      MaximumRetryAttempts: 2,
      DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': ['UnstartedJobs', 'Arn'] } } },
    });
  });
});

describe('an uploaded image', () => {
  it('reaches the queue, only from the upload bucket, and from there recompress-upload', () => {
    const { QueueConfigurations } = resource('UploadBucket').Properties.NotificationConfiguration;
    const queue = { 'Fn::GetAtt': ['Uploads', 'Arn'] };
    expect(QueueConfigurations).toEqual([{ Event: 's3:ObjectCreated:*', Queue: queue }]);
    const [[, mapping]] = ofType('AWS::Lambda::EventSourceMapping') as [[string, Resource]];
    expect(mapping.Properties).toMatchObject({
      EventSourceArn: queue,
      FunctionName: { 'Fn::GetAtt': ['RecompressDashuploadLambdaFunction', 'Arn'] },
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 20 },
    });
    const [fromBucket] = resource('UploadsPolicy').Properties.PolicyDocument.Statement;
    expect(fromBucket.Condition.ArnEquals['aws:SourceArn']['Fn::Sub']).toBe(
      `arn:\${AWS::Partition}:s3:::${resource('UploadBucket').Properties.BucketName['Fn::Sub']}`,
    );
  });

  it('is tried five times, never by two functions at the same time, and then kept for two weeks', () => {
    const queue = resource('Uploads').Properties;
    const { Timeout } = resource('RecompressDashuploadLambdaFunction').Properties;
    expect(queue.VisibilityTimeout).toBeGreaterThanOrEqual(6 * Timeout);
    expect(queue.RedrivePolicy).toEqual({
      deadLetterTargetArn: { 'Fn::GetAtt': ['UnfinishedUploads', 'Arn'] },
      maxReceiveCount: 5,
    });
    expect(resource('UnfinishedUploads').Properties.MessageRetentionPeriod).toBe(14 * 24 * 3600);
    for (const [, { Properties }] of ofType('AWS::SQS::Queue')) expect(Properties.SqsManagedSseEnabled).toBe(true);
  });
});

describe('alarms', () => {
  const watched = () =>
    ofType('AWS::CloudWatch::Alarm').map(([, { Properties }]) => [
      Properties.AlarmName,
      Properties.Namespace,
      Properties.MetricName,
      Properties.Dimensions[0].Value,
    ]);

  it('are raised for failed jobs, unstarted jobs, dead letters and loops', () => {
    expect(watched().sort()).toEqual([
      ['image-press-dev-failed-jobs', 'AWS/States', 'ExecutionsFailed', { Ref: 'CompressImagesStateMachine' }],
      [
        'image-press-dev-unfinished-uploads',
        'AWS/SQS',
        'ApproximateNumberOfMessagesVisible',
        { 'Fn::GetAtt': ['UnfinishedUploads', 'QueueName'] },
      ],
      [
        'image-press-dev-unstarted-jobs',
        'AWS/SQS',
        'ApproximateNumberOfMessagesVisible',
        { 'Fn::GetAtt': ['UnstartedJobs', 'QueueName'] },
      ],
      [
        'image-press-dev-write-limit',
        'image-press',
        'WriteLimitReached',
        { Ref: 'RecompressDashuploadLambdaFunction' },
      ],
    ]);
  });

  it('are raised at the first event, not without data, and are sent to the given topic', () => {
    for (const [, { Properties }] of ofType('AWS::CloudWatch::Alarm')) {
      expect(Properties).toMatchObject({
        ComparisonOperator: 'GreaterThanThreshold',
        Threshold: 0,
        EvaluationPeriods: 1,
        TreatMissingData: 'notBreaching',
        AlarmActions: ['arn:aws:sns:us-east-1:123456789012:operators'],
      });
    }
  });
});

/** CloudFormation leaves such a property out. */
const NOTHING = { Ref: 'AWS::NoValue' };

describe('functions', () => {
  it('run on Node 24 and arm64, each with a role of its own', () => {
    const functions = ofType('AWS::Lambda::Function');
    const roles = functions.map(([, { Properties }]) => Properties.Role['Fn::GetAtt'][0]);
    expect(new Set(roles).size).toBe(functions.length);
    for (const [, { Properties }] of functions) {
      expect(Properties).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'] });
    }
  });

  it('find the codecs in the layer, and only where pictures are compressed', () => {
    const compress = resource('CompressDashbatchLambdaFunction').Properties;
    expect(compress.Layers).toEqual([{ Ref: 'SharpLambdaLayer' }]);
    expect(resource('RecompressDashuploadLambdaFunction').Properties.Layers).toEqual(compress.Layers);
    expect(resource('PlanDashjobLambdaFunction').Properties.Layers).toBeUndefined();
    expect(resource('SharpLambdaLayer').Properties.CompatibleArchitectures).toEqual(['arm64']);
  });

  it('reserve none of the account’s concurrency by default', () => {
    for (const [, { Properties }] of ofType('AWS::Lambda::Function')) {
      expect(Properties.ReservedConcurrentExecutions ?? NOTHING).toEqual(NOTHING);
    }
  });

  it('write logs that expire', () => {
    for (const [name, { Properties }] of ofType('AWS::Logs::LogGroup')) {
      expect([name, Properties.RetentionInDays]).toEqual([name, 30]);
    }
  });
});

describe('the Fargate task', () => {
  it('runs the given image on the stack’s architecture, Spot first', () => {
    const { ContainerDefinitions, RuntimePlatform } = resource('CompressBatchTask').Properties;
    expect(ContainerDefinitions[0].Image).toBe('123456789012.dkr.ecr.us-east-1.amazonaws.com/image-press:1');
    expect(RuntimePlatform.CpuArchitecture).toBe('ARM64');
    expect(resource('TaskCluster').Properties.CapacityProviders).toEqual(['FARGATE_SPOT', 'FARGATE']);
  });

  it('has the longest time that Fargate allows to finish the images in flight', () => {
    const { ContainerDefinitions } = resource('CompressBatchTask').Properties;
    expect(ContainerDefinitions[0].StopTimeout).toBe(120);
  });

  it('accepts no connection', () => {
    expect(resource('TaskSecurityGroup').Properties.SecurityGroupIngress).toBeUndefined();
  });
});

describe('permissions', () => {
  const all = () => [...permissionsByRole(template).values()].flat();

  it('come from the files in permission_templates only', () => {
    const files = readdirSync(path.join(ROOT, 'permission_templates')).map((file) => path.basename(file, '.yml'));
    const used = [
      ...ofType('AWS::IAM::Role').flatMap(([, { Properties }]) => Properties.Policies),
      ...ofType('AWS::IAM::Policy').map(([, { Properties }]) => Properties),
    ].map((policy) => policy.PolicyName);
    expect([...new Set(used)].sort()).toEqual(files.sort());
    for (const [, { Properties }] of ofType('AWS::IAM::Role')) {
      expect(Properties.ManagedPolicyArns).toBeUndefined();
    }
  });

  it('name every action, and every resource that has a name', () => {
    for (const { Sid, Action, Resource } of all()) {
      for (const action of [Action].flat()) {
        expect(action, Sid).toMatch(/^[a-z0-9-]+:[A-Za-z]+$/);
        const boundless = [Resource].flat().some((one) => one === '*' || one === 'arn:aws:s3:::*');
        // ecr:GetAuthorizationToken has no resource-level permissions.
        expect(boundless, `${Sid} ${action}`).toBe(action === 'ecr:GetAuthorizationToken');
      }
    }
  });

  it('let Step Functions create the rule that it requires, and run any revision of the task but no other task', () => {
    const statements = permissionsByRole(template).get('StateMachineRole')!;
    const [inline] = resource('StateMachineRole').Properties.Policies;
    expect(JSON.stringify(inline)).toContain('rule/StepFunctionsGetEventsForECSTaskRule');
    const run = statements.find(({ Action }) => Action === 'ecs:RunTask')!;
    expect(JSON.stringify(run.Resource)).toMatch(/:task-definition\/image-press-dev-compress-batch:\*"/);
    expect(resource('CompressBatchTask').UpdateReplacePolicy).toBe('Retain');
  });

  it('let nobody delete a picture', () => {
    expect(
      all()
        .flatMap(({ Action }) => [Action].flat())
        .filter((action) => /^s3:.*Delete/.test(action)),
    ).toEqual([]);
  });

  const COMPRESSING = ['CompressBatchRole', 'RecompressUploadRole', 'TaskRole'];

  it('let only the roles that compress write outside the job files', () => {
    for (const [role, statements] of permissionsByRole(template)) {
      const writes = statements.filter(({ Action }) => [Action].flat().includes('s3:PutObject'));
      const outside = writes
        .flatMap(({ Resource }) => [Resource].flat())
        .filter((arn) => !JSON.stringify(arn).includes('/jobs/'));
      expect([role, outside.length > 0]).toEqual([role, COMPRESSING.includes(role)]);
    }
  });

  it('let a job distinguish a missing output from a forbidden one, in every bucket it may write', () => {
    const statements = permissionsByRole(template).get('CompressBatchRole')!;
    const bucketsOf = (action: string) =>
      statements
        .filter(({ Action }) => [Action].flat().includes(action))
        .flatMap(({ Resource }) => [Resource].flat())
        .map((arn) => /OutputBucket|image-press-dev-input|archive|published/.exec(JSON.stringify(arn))?.[0])
        .sort();
    // Without s3:ListBucket S3 responds 403 to a HEAD of a missing object, and every image would fail.
    expect(bucketsOf('s3:ListBucket')).toEqual(['OutputBucket', 'archive', 'image-press-dev-input', 'published']);
    expect(bucketsOf('s3:PutObject')).toEqual(['OutputBucket', 'image-press-dev-input', 'published']);
    expect(bucketsOf('s3:PutObjectAcl')).toEqual(bucketsOf('s3:PutObject'));
  });

  it('let PlanJob see whether a bucket keeps versions, wherever a job may replace images', () => {
    const statements = permissionsByRole(template).get('PlanJobRole')!;
    const buckets = statements
      .filter(({ Action }) => Action === 's3:GetBucketVersioning')
      .flatMap(({ Resource }) => [Resource].flat())
      .map((arn) => JSON.stringify(arn));
    for (const name of ['OutputBucket', 'image-press-dev-input', 'archive', 'published'])
      expect(buckets.some((arn) => arn.includes(name) && !arn.includes('*'))).toBe(true);
  });

  it('are the same for compress-batch on Fargate as on Lambda', () => {
    const withoutLog = (statements: Statement[]) => statements.filter(({ Sid }) => Sid !== 'WriteOwnLog');
    const permissions = permissionsByRole(template);
    expect(permissions.get('TaskRole')).toEqual(withoutLog(permissions.get('CompressBatchRole')!));
  });

  it('include the given KMS keys for every role that reads sources', () => {
    const withKms = [...permissionsByRole(template)].filter(([, statements]) =>
      JSON.stringify(statements).includes('kms:'),
    );
    expect(withKms.map(([role]) => role).sort()).toEqual([...COMPRESSING, 'PlanJobRole'].sort());
  });
});

describe('docs/deploying.md', () => {
  it('lists every parameter of serverless.yml, and no other', () => {
    const text = readFileSync(path.join(ROOT, 'serverless.yml'), 'utf8');
    const table = readFileSync(path.join(ROOT, 'docs/deploying.md'), 'utf8').split('## What is created')[0]!;
    const listed = table
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .flatMap((line) => [...line.split('|')[1]!.matchAll(/`(\w+)`/g)].map(([, name]) => name));
    expect(listed).toEqual(Object.keys(parse(text, { logLevel: 'silent' }).params.default));
  });
});
