/** A parameter of the deployment as it was given (`--param name=text`) or as serverless.yml sets it. */
export interface Parameter {
  readonly name: string;
  readonly text: string;
}

/** What the framework passes to a function that resolves `${file(…)}`. */
export interface Framework {
  /** What was given on the command line: `name=value` for each `--param`. */
  readonly options: { readonly param?: readonly string[] };
  resolveVariable(variable: string): Promise<unknown>;
  resolveConfigurationProperty(path: readonly string[]): Promise<unknown>;
}

/** A parameter of the deployment is wrong. The framework prints the stack of what is thrown here, so it is the message. */
export class ParameterError extends Error {
  override name = 'ParameterError';

  constructor(message: string) {
    super(message);
    this.stack = message;
  }
}

/**
 * The parameters of serverless.yml by name.
 * @throws ParameterError for `--param archtecture=x86_64`, which would deploy the default without a word
 */
export async function readParameters(framework: Framework): Promise<(name: string) => Parameter> {
  const defaults = (await framework.resolveConfigurationProperty(['params', 'default'])) as object;
  const known = Object.keys(defaults);
  const given = framework.options?.param?.map((assignment) => assignment.split('=')[0] ?? '') ?? [];
  const unknown = given.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new ParameterError(`Expected one of the params ${known.join(', ')} but received "${unknown}"`);
  const parameters = new Map<string, Parameter>();
  for (const name of known) {
    const text = String((await framework.resolveVariable(`param:${name}`)) ?? '').trim();
    parameters.set(name, { name, text });
  }
  return (name) => {
    const parameter = parameters.get(name);
    if (parameter === undefined) throw new Error(`Expected the param ${name} in serverless.yml`);
    return parameter;
  };
}

export function list({ text }: Parameter): string[] {
  return text.split(/\s*,\s*/).filter(Boolean);
}

export function bucketOrNone(parameter: Parameter): string {
  if (parameter.text === '' || isBucketName(parameter.text)) return parameter.text;
  throw refused(parameter, 'the name of one bucket');
}

export function buckets(parameter: Parameter): string[] {
  const named = list(parameter);
  const wrong = named.find((bucket) => bucket !== '*' && !isBucketName(bucket));
  if (wrong === undefined) return named;
  throw refused({ ...parameter, text: wrong }, 'bucket names with commas between them, or *');
}

export function topics(parameter: Parameter): string[] {
  if (parameter.text === '') return [];
  if (/^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+$/.test(parameter.text)) return [parameter.text];
  throw refused(parameter, 'the ARN of an SNS topic');
}

export function isYes(parameter: Parameter): boolean {
  if (parameter.text === 'yes' || parameter.text === 'no') return parameter.text === 'yes';
  throw refused(parameter, 'yes or no');
}

export function integer(parameter: Parameter, min: number, max: number): number {
  const number = Number(parameter.text);
  if (parameter.text !== '' && Number.isInteger(number) && number >= min && number <= max) return number;
  throw refused(parameter, `an integer from ${min} to ${max}`);
}

export function refused({ name, text }: Parameter, expected: string): ParameterError {
  return new ParameterError(`Expected ${expected} for the param ${name} but received "${text}"`);
}

function isBucketName(text: string): boolean {
  return /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(text);
}
