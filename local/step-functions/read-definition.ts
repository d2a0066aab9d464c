import { parseDocument, type ScalarTag, type Tags, YAMLSeq } from 'yaml';

/** Something in the file that only a deployment, or the local stand-in for one, can know. */
export type Reference =
  | { readonly kind: 'Ref'; readonly name: string }
  | { readonly kind: 'GetAtt'; readonly name: string; readonly attribute: string }
  /** A condition of the template: whether it holds. */
  | { readonly kind: 'Condition'; readonly name: string }
  /** A variable of the Serverless Framework, without its braces: `param:maxConcurrency`. */
  | { readonly kind: 'variable'; readonly expression: string };

/**
 * Reads a state machine definition (YAML or JSON) as it lies in the project. What CloudFormation and the
 * Serverless Framework would fill in on deployment (!Ref, !GetAtt, !Sub, !If, `${…}`) is asked of `resolve`.
 * @throws Error when the text is no YAML or a tag is not known; whatever `resolve` throws
 */
export function readDefinition(text: string, resolve: (reference: Reference) => unknown): unknown {
  const document = parseDocument(text, { customTags: TAGS, merge: true });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) throw new Error(`Expected a state machine in YAML: ${problem.message}`);
  return resolved(document.toJS(), resolve);
}

/** Short tags become CloudFormation's long form, which JSON files write themselves. */
const TAGS: Tags = [
  longForm('!Ref', (text) => ({ Ref: text })),
  longForm('!GetAtt', (text) => ({ 'Fn::GetAtt': text })),
  longForm('!Sub', (text) => ({ 'Fn::Sub': text })),
  {
    tag: '!If',
    collection: 'seq',
    nodeClass: class If extends YAMLSeq {
      override toJSON(...args: Parameters<YAMLSeq['toJSON']>) {
        return { 'Fn::If': super.toJSON(...args) } as unknown as unknown[];
      }
    },
  },
];

function longForm(tag: string, expand: (text: string) => object): ScalarTag {
  return { tag, resolve: expand };
}

type Resolve = (reference: Reference) => unknown;

function resolved(value: unknown, resolve: Resolve): unknown {
  if (typeof value === 'string') return fillVariables(value, resolve);
  if (Array.isArray(value)) return value.map((part) => resolved(part, resolve));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [name, operand] = entries[0] ?? [];
  if (entries.length === 1 && name! in FUNCTIONS) return FUNCTIONS[name!]!(operand, resolve);
  const filled = entries.map(([key, part]) => [key, resolved(part, resolve)] as const);
  // AWS::NoValue resolves to undefined: the field is not there.
  return Object.fromEntries(filled.filter(([, part]) => part !== undefined));
}

const FUNCTIONS: Readonly<Record<string, (operand: unknown, resolve: Resolve) => unknown>> = {
  Ref: (name, resolve) => resolve({ kind: 'Ref', name: fillText(String(name), resolve) }),
  'Fn::GetAtt': (path, resolve) => getAttribute(Array.isArray(path) ? path.join('.') : String(path), resolve),
  'Fn::If': (operand, resolve) => {
    const [name, yes, no] = operand as [string, unknown, unknown];
    return resolved(resolve({ kind: 'Condition', name }) ? yes : no, resolve);
  },
  'Fn::Sub': (text, resolve) => {
    if (typeof text !== 'string') throw new Error('Expected Fn::Sub of a text without a map of its own.');
    return fillText(text, resolve).replace(/\$\{([^}!]+)\}/g, (_all, name: string) =>
      String(name.includes('.') ? getAttribute(name, resolve) : resolve({ kind: 'Ref', name })),
    );
  },
};

function getAttribute(path: string, resolve: Resolve): unknown {
  const [name, ...attribute] = fillText(path, resolve).split('.');
  return resolve({ kind: 'GetAtt', name: name!, attribute: attribute.join('.') });
}

/** `source:address`, where CloudFormation's pseudo parameters have two colons. */
const VARIABLE = /\$\{(\w+(?:\([^)]*\))?:(?!:)[^{}]*)\}/g;

/** A text that is nothing but one variable takes the variable's type: numbers stay numbers. */
function fillVariables(text: string, resolve: Resolve): unknown {
  const [whole] = text.matchAll(VARIABLE);
  if (whole?.[0] === text) return resolve({ kind: 'variable', expression: whole[1]! });
  return fillText(text, resolve);
}

function fillText(text: string, resolve: Resolve): string {
  return text.replace(VARIABLE, (_all, expression: string) =>
    String(resolve({ kind: 'variable', expression })),
  );
}
