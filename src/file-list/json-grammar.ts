import { Tokenizer, TokenType } from '@streamparser/json';

/** Called for each part of streamed JSON, in the order of the text. */
export interface JsonVisitor {
  /** A container begins. `key` is set inside an object, `index` inside an array; depth 0 is the top level. */
  begin(container: 'object' | 'array', place: JsonPlace): void;
  end(container: 'object' | 'array', depth: number): void;
  /** A string, number, true, false or null. */
  value(value: JsonPrimitive, place: JsonPlace): void;
}

export type JsonPrimitive = string | number | boolean | null;

export interface JsonPlace {
  /** How many containers are around it. */
  readonly depth: number;
  readonly key: string | undefined;
  readonly index: number;
  /** Byte in the text, from 0. */
  readonly offset: number;
}

/** A text that is not JSON, and where. */
export class JsonSyntaxError extends Error {
  readonly offset: number;
  readonly expected: string;
  readonly received: string;

  constructor(offset: number, expected: string, received: string) {
    super(`Expected ${expected} at byte ${offset} but received ${received}`);
    this.name = 'JsonSyntaxError';
    this.offset = offset;
    this.expected = expected;
    this.received = received;
  }
}

export interface JsonScanner {
  /** @throws JsonSyntaxError */
  write(bytes: Uint8Array): void;
  /** @throws JsonSyntaxError when the text stops in the middle of a value */
  end(): void;
}

/**
 * Checks the grammar of JSON bytes as they arrive and calls a visitor for each part; several values may follow each
 * other. Memory holds the open containers and one string: a string over 64 KiB is an error.
 */
export function scanJson(visitor: JsonVisitor): JsonScanner {
  const open: Frame[] = [];
  let expecting: Expectation = 'value';
  let position = 0;
  let lastToken = 0;
  const tokenizer = new Tokenizer({ stringBufferSize: STRING_BUFFER_BYTES });

  const afterValue = () => {
    const frame = open.at(-1);
    expecting = frame ? 'comma or end' : 'value';
  };
  const place = (offset: number): JsonPlace => {
    const frame = open.at(-1);
    return { depth: open.length, key: frame?.key, index: frame?.index ?? 0, offset };
  };
  const syntaxError = (offset: number, token: TokenType, value: unknown) =>
    new JsonSyntaxError(
      offset,
      describe(expecting, open.at(-1)),
      JSON.stringify(value ?? TEXTS[token] ?? null),
    );

  const begin = (container: Container, offset: number) => {
    if (open.length >= MAX_DEPTH) throw new JsonSyntaxError(offset, `at most ${MAX_DEPTH} levels`, 'more');
    visitor.begin(container, place(offset));
    open.push({ container, key: undefined, index: 0 });
    expecting = container === 'object' ? 'key or end' : 'value or end';
  };
  const end = ({ container }: Frame) => {
    open.pop();
    afterValue();
    visitor.end(container, open.length);
  };

  const takeValue = (token: TokenType, value: unknown, offset: number) => {
    if (token === TokenType.LEFT_BRACE) return begin('object', offset);
    if (token === TokenType.LEFT_BRACKET) return begin('array', offset);
    visitor.value(value as JsonPrimitive, place(offset));
    afterValue();
  };
  /** Takes a key, a colon or a comma. @returns false where another token is expected */
  const advance = (frame: Frame, token: TokenType, value: unknown): boolean => {
    if (takesKey(expecting) && token === TokenType.STRING) {
      frame.key = value as string;
      expecting = 'colon';
    } else if (expecting === 'colon' && token === TokenType.COLON) {
      expecting = 'value';
    } else if (expecting === 'comma or end' && token === TokenType.COMMA) {
      frame.index += 1;
      expecting = frame.container === 'object' ? 'key' : 'value';
    } else return false;
    return true;
  };

  tokenizer.onToken = ({ token, value, offset }) => {
    lastToken = offset;
    const frame = open.at(-1);
    if (takesValue(expecting) && isValue(token)) takeValue(token, value, offset);
    else if (frame && expecting.endsWith('or end') && token === CLOSING[frame.container]) end(frame);
    else if (!frame || !advance(frame, token, value)) throw syntaxError(offset, token, value);
  };

  return {
    write(bytes) {
      run(() => tokenizer.write(bytes));
      position += bytes.byteLength;
      if (position - lastToken > MAX_TOKEN_BYTES + bytes.byteLength)
        throw new JsonSyntaxError(lastToken, `values of at most ${MAX_TOKEN_BYTES} bytes`, 'a longer one');
    },
    end() {
      // A number at the very end is complete only here; anything else that is unfinished is an error below.
      const unfinished = throws(() => run(() => tokenizer.end()));
      if (unfinished || open.length > 0 || expecting !== 'value')
        throw new JsonSyntaxError(position, describe(expecting, open.at(-1)), 'the end of the text');
    },
  };
}

type Container = 'object' | 'array';
type Expectation = 'value' | 'value or end' | 'key' | 'key or end' | 'colon' | 'comma or end';

interface Frame {
  readonly container: Container;
  key: string | undefined;
  index: number;
}

const MAX_DEPTH = 64;
const MAX_TOKEN_BYTES = 64 * 1024;
/** Strings are collected in a buffer of this size, which takes half the time of the tokenizer's default. */
const STRING_BUFFER_BYTES = 16 * 1024;

const CLOSING: Readonly<Record<Container, TokenType>> = {
  object: TokenType.RIGHT_BRACE,
  array: TokenType.RIGHT_BRACKET,
};

const TEXTS: Readonly<Partial<Record<TokenType, string>>> = {
  [TokenType.LEFT_BRACE]: '{',
  [TokenType.RIGHT_BRACE]: '}',
  [TokenType.LEFT_BRACKET]: '[',
  [TokenType.RIGHT_BRACKET]: ']',
  [TokenType.COLON]: ':',
  [TokenType.COMMA]: ',',
};

function takesValue(expecting: Expectation): boolean {
  return expecting === 'value' || expecting === 'value or end';
}

function takesKey(expecting: Expectation): boolean {
  return expecting === 'key' || expecting === 'key or end';
}

function isValue(token: TokenType): boolean {
  return (
    token !== TokenType.RIGHT_BRACE &&
    token !== TokenType.RIGHT_BRACKET &&
    token !== TokenType.COLON &&
    token !== TokenType.COMMA
  );
}

function describe(expecting: Expectation, frame: Frame | undefined): string {
  const closing = frame?.container === 'object' ? '"}"' : '"]"';
  if (expecting === 'colon') return '":"';
  if (expecting === 'comma or end') return `"," or ${closing}`;
  if (takesKey(expecting)) return expecting === 'key' ? 'a name in quotes' : `a name in quotes or ${closing}`;
  return expecting === 'value' ? 'a JSON value' : `a JSON value or ${closing}`;
}

/** The tokenizer names the position only in its message. */
function run(step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof Error) || error instanceof JsonSyntaxError) throw error;
    const [, character, offset] =
      /^Unexpected "(.*)" at .*absolute position "(\d+)"/s.exec(error.message) ?? [];
    if (offset === undefined) throw error;
    throw new JsonSyntaxError(Number(offset), 'JSON', JSON.stringify(character));
  }
}

function throws(step: () => void): boolean {
  try {
    step();
    return false;
  } catch {
    return true;
  }
}
