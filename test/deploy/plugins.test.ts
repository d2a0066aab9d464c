import { describe, expect, it } from 'vitest';
import BuildTaskImage from '../../deploy/build-task-image.ts';
import PrintOutputs from '../../deploy/print-outputs.ts';

type Service = ConstructorParameters<typeof BuildTaskImage>[0];

/** The image of the task definition after the hook ran, what was built, and the notices to the user. */
async function imageFor(taskImage: object) {
  const container = { Image: 'none' };
  const built: object[] = [];
  const notices: string[] = [];
  const serverless = {
    service: {
      custom: { settings: { taskImage, architecture: { docker: 'linux/arm64' } } },
      resources: {
        Resources: { CompressBatchTask: { Properties: { ContainerDefinitions: [container] } } },
      },
    },
    getProvider: () => ({
      resolveImageUriAndShaFromPath: async (build: object) => {
        built.push(build);
        return { functionImageUri: 'registry/image@sha256:1' };
      },
    }),
  } as unknown as Service;
  const log = { notice: (text: string) => notices.push(text) };
  await new BuildTaskImage(serverless, {}, { log }).hooks['before:package:createDeploymentArtifacts']?.();
  return { image: container.Image, built, notices };
}

describe('the image of the Fargate task', () => {
  it('is the given one, without a build', async () => {
    const { image, built } = await imageFor({ mode: 'ready', uri: 'registry/mine:3' });
    expect([image, built]).toEqual(['registry/mine:3', []]);
  });

  it('is built for the architecture of the stack', async () => {
    const { image, built } = await imageFor({ mode: 'build' });
    expect(image).toBe('registry/image@sha256:1');
    expect(built).toMatchObject([{ imageFilename: 'fargate/Dockerfile', platform: 'linux/arm64' }]);
  });

  it('is missing without Docker, and the deployment says so', async () => {
    const { image, built, notices } = await imageFor({ mode: 'none', isDockerMissing: true });
    expect([image, built]).toEqual(['none', []]);
    expect(notices.join()).toContain('Docker does not respond');
    expect((await imageFor({ mode: 'none' })).notices).toEqual([]);
  });
});

describe('the outputs of the stack', () => {
  const gatheredData = {
    outputs: [
      { OutputKey: 'StateMachineArn', OutputValue: 'arn:machine' },
      { OutputKey: 'ServerlessDeploymentBucketName', OutputValue: 'deployment' },
      { OutputKey: 'InputBucketName', OutputValue: 'input' },
    ],
  };

  function printed(options: { verbose?: boolean }, plugins: { gatheredData?: typeof gatheredData }[]) {
    const sections: unknown[] = [];
    const serverless = {
      pluginManager: { plugins },
      addServiceOutputSection: (name: string, lines: readonly string[]) => sections.push([name, lines]),
    };
    new PrintOutputs(serverless, options).hooks['after:aws:info:displayStackOutputs']?.();
    return sections;
  }

  it('that users need are printed', () => {
    const lines = ['InputBucketName: input', 'StateMachineArn: arn:machine'];
    expect(printed({}, [{}, { gatheredData }])).toEqual([['stack', lines]]);
  });

  it('are left to the framework with --verbose, and without any there is no section', () => {
    expect(printed({ verbose: true }, [{ gatheredData }])).toEqual([]);
    expect(printed({}, [{}])).toEqual([]);
  });
});
