import { type ParsedTokenInfo, Tokenizer, TokenType } from '@streamparser/json';

/** Called for each part of streamed JSON, in the order of the text; `offset` is its first byte, from 0. */
export interface JsonVisitor {
  begin(container: 'object' | 'array', place: JsonPlace, offset: number): void;
  /** The container that began last and has not ended ends. */
  end(): void;
  /** A string, number, true, false or null. */
  value(value: ParsedTokenInfo['value'], place: JsonPlace, offset: number): void;
}

/** Changes while the text is read. */
export interface JsonPlace {
  /** Set inside an object. */
  readonly key: string | undefined;
  /** Inside an array, from 0. */
  readonly index: number;
}

/** A text that is not JSON, and where. */
export class JsonSyntaxError extends Error {
  override name = 'JsonSyntaxError';
  readonly offset: number;
  readonly expected: string;
  readonly received: string;

  constructor(offset: number, expected: string, received: string) {
    super(`Expected ${expected} at byte ${offset} but received ${received}`);
    this.offset = offset;
    this.expected = expected;
    this.received = received;
  }
}

/**
 * Checks the grammar of JSON bytes as they arrive and calls a visitor for each part; several values may follow each
 * other. Memory holds the open containers and one string: a string over 64 KiB is an error.
 */
export class JsonScanner {
  readonly #visitor: JsonVisitor;
  readonly #tokenizer = new Tokenizer({ stringBufferSize: STRING_BUFFER_BYTES });
  #within: Frame = { container: 'text', depth: 0, key: undefined, index: 0 };
  #expecting: Expectation = 'value';
  #position = 0;
  #lastToken = 0;

  constructor(visitor: JsonVisitor) {
    this.#visitor = visitor;
    this.#tokenizer.onToken = (token) => this.#take(token);
    this.#tokenizer.onError = (error) => {
      throw withOffset(error);
    };
  }

  /** @throws JsonSyntaxError */
  write(bytes: Uint8Array): void {
    try {
      this.#tokenizer.write(bytes);
    } catch (error) {
      if (!isEncodingError(error)) throw error;
      const received = 'a string in another encoding: save the list as UTF-8';
      throw new JsonSyntaxError(this.#lastToken + 1, 'UTF-8', received);
    }
    this.#position += bytes.byteLength;
    if (this.#position - this.#lastToken > MAX_TOKEN_BYTES + bytes.byteLength)
      throw new JsonSyntaxError(this.#lastToken, `values of at most ${MAX_TOKEN_BYTES} bytes`, 'a longer one');
  }

  /** @throws JsonSyntaxError when the text stops in the middle of a value */
  end(): void {
    let isUnfinished = false;
    try {
      // A number at the very end is complete only here.
      this.#tokenizer.end();
    } catch {
      isUnfinished = true;
    }
    if (isUnfinished || this.#within.outer || this.#expecting !== 'value')
      throw new JsonSyntaxError(this.#position, this.#expected(), 'the end of the text');
  }

  #take({ token, value, offset }: ParsedTokenInfo): void {
    this.#lastToken = offset;
    const [within, expecting] = [this.#within, this.#expecting];
    if (expecting.startsWith('value') && !PUNCTUATION.includes(token)) this.#takeValue(token, value, offset);
    else if (token === CLOSING[within.container] && expecting.endsWith('or end')) this.#endContainer();
    else if (token === TokenType.STRING && expecting.startsWith('key')) {
      within.key = value as string;
      this.#expecting = 'colon';
    } else if (token === TokenType.COLON && expecting === 'colon') {
      this.#expecting = 'value';
    } else if (token === TokenType.COMMA && expecting === 'comma or end') {
      within.index += 1;
      this.#expecting = within.container === 'object' ? 'key' : 'value';
    } else throw new JsonSyntaxError(offset, this.#expected(), JSON.stringify(value));
  }

  #takeValue(token: TokenType, value: ParsedTokenInfo['value'], offset: number): void {
    if (token === TokenType.LEFT_BRACE) this.#beginContainer('object', offset);
    else if (token === TokenType.LEFT_BRACKET) this.#beginContainer('array', offset);
    else {
      this.#visitor.value(value, this.#within, offset);
      this.#expecting = this.#within.outer ? 'comma or end' : 'value';
    }
  }

  #beginContainer(container: 'object' | 'array', offset: number): void {
    const outer = this.#within;
    if (outer.depth >= MAX_DEPTH) throw new JsonSyntaxError(offset, `at most ${MAX_DEPTH} levels`, 'more');
    this.#visitor.begin(container, outer, offset);
    this.#within = { container, outer, depth: outer.depth + 1, key: undefined, index: 0 };
    this.#expecting = container === 'object' ? 'key or end' : 'value or end';
  }

  #endContainer(): void {
    if (this.#within.outer) this.#within = this.#within.outer;
    this.#expecting = this.#within.outer ? 'comma or end' : 'value';
    this.#visitor.end();
  }

  #expected(): string {
    const closing = this.#within.container === 'object' ? '"}"' : '"]"';
    return EXPECTED[this.#expecting].replace('end', closing);
  }
}

/** A container that has begun and not ended; outermost the text itself. */
interface Frame extends JsonPlace {
  readonly container: 'object' | 'array' | 'text';
  readonly outer?: Frame;
  readonly depth: number;
  key: string | undefined;
  index: number;
}

/** As error messages say it; `end` stands for the closing bracket. */
const EXPECTED = {
  value: 'a JSON value',
  'value or end': 'a JSON value or end',
  key: 'a name in quotes',
  'key or end': 'a name in quotes or end',
  colon: '":"',
  'comma or end': '"," or end',
};
type Expectation = keyof typeof EXPECTED;

const MAX_DEPTH = 64;
const MAX_TOKEN_BYTES = 64 * 1024;
/** Strings are collected in a buffer of this size, which takes half the time of the tokenizer's default. */
const STRING_BUFFER_BYTES = 16 * 1024;

const PUNCTUATION = [TokenType.RIGHT_BRACE, TokenType.RIGHT_BRACKET, TokenType.COLON, TokenType.COMMA];
const CLOSING = { object: TokenType.RIGHT_BRACE, array: TokenType.RIGHT_BRACKET, text: undefined };

/** The tokenizer decodes strings strictly, and passes on what the decoder throws. */
function isEncodingError(error: unknown): boolean {
  return error instanceof TypeError && 'code' in error && error.code === 'ERR_ENCODING_INVALID_ENCODED_DATA';
}

/** The tokenizer names the position only in its message. */
function withOffset(error: Error): Error {
  const [, character, offset] = /^Unexpected "(.*)" at .*absolute position "(\d+)"/s.exec(error.message) ?? [];
  return offset === undefined ? error : new JsonSyntaxError(Number(offset), 'JSON', JSON.stringify(character));
}
