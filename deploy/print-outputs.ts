interface StackOutput {
  readonly OutputKey: string;
  readonly OutputValue: string;
}

/** What this plugin uses of the framework. */
interface Serverless {
  readonly pluginManager: {
    readonly plugins: readonly { readonly gatheredData?: { readonly outputs?: readonly StackOutput[] } }[];
  };
  addServiceOutputSection(name: string, lines: readonly string[]): void;
}

const SHOWN = ['InputBucketName', 'OutputBucketName', 'UploadBucketName', 'StateMachineArn'];

/** Prints the names that users need after a deployment; the framework prints outputs only with --verbose. */
export default class PrintOutputs {
  readonly hooks: Record<string, () => void>;

  constructor(serverless: Serverless, options: { readonly verbose?: boolean }) {
    this.hooks = {
      'after:aws:info:displayStackOutputs': () => {
        if (options.verbose) return;
        const info = serverless.pluginManager.plugins.find(({ gatheredData }) => gatheredData?.outputs);
        const outputs = info?.gatheredData?.outputs ?? [];
        const lines = SHOWN.flatMap((name) => {
          const output = outputs.find(({ OutputKey }) => OutputKey === name);
          return output ? [`${name}: ${output.OutputValue}`] : [];
        });
        if (lines.length > 0) serverless.addServiceOutputSection('stack', lines);
      },
    };
  }
}
