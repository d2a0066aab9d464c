/** Called by the framework, which resolves variables such as `param:architecture`. */
declare function settings(framework: {
  /** What was given on the command line: `name=value` for each `--param`. */
  options: { param?: readonly string[] };
  resolveVariable(variable: string): Promise<unknown>;
  resolveConfigurationProperty(path: readonly string[]): Promise<unknown>;
}): Promise<Record<string, unknown>>;
export = settings;
