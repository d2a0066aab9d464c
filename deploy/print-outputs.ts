/** What this plugin uses of the framework. */
interface Serverless {
  pluginManager: {
    plugins: { gatheredData?: { outputs?: { OutputKey: string; OutputValue: string }[] } }[];
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
        const { plugins } = serverless.pluginManager;
        const outputs = plugins.flatMap(({ gatheredData }) => gatheredData?.outputs ?? []);
        const shown = SHOWN.flatMap((name) => outputs.filter(({ OutputKey }) => OutputKey === name));
        const lines = shown.map(({ OutputKey, OutputValue }) => `${OutputKey}: ${OutputValue}`);
        if (lines.length > 0) serverless.addServiceOutputSection('stack', lines);
      },
    };
  }
}
