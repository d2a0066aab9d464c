/** The terminal that a text is printed on. */
export type TerminalShape = Readonly<{ columns: number; colour: boolean }>;

const COLUMNS_OF_A_PIPE = 100;
const MIN_COLUMNS = 40;

/** Colours are for terminals only, unless NO_COLOR (https://no-color.org) is set. */
export function shapeOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  environment: Readonly<Record<string, string | undefined>>,
): TerminalShape {
  const columns = Math.max(MIN_COLUMNS, stream.columns || COLUMNS_OF_A_PIPE);
  return { columns, colour: Boolean(stream.isTTY) && !environment.NO_COLOR && environment.TERM !== 'dumb' };
}

const CODES = { good: '32', bad: '31', soft: '2', bold: '1' };
export type Tone = keyof typeof CODES;

export function toned(text: string, tone: Tone | undefined, { colour }: TerminalShape): string {
  return colour && tone && text !== '' ? `\u001b[${CODES[tone]}m${text}\u001b[0m` : text;
}

/** Object keys may contain anything: control characters and changes of direction would take over the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, '\ufffd');
}

/** How many columns a printable text takes: wide letters and emoji two, combining marks none. */
export function widthOf(text: string): number {
  return graphemes(text).reduce((width, grapheme) => width + widthOfGrapheme(grapheme), 0);
}

const SEGMENTER = new Intl.Segmenter('en', { granularity: 'grapheme' });
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;
const WITHOUT_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

function widthOfGrapheme(grapheme: string): number {
  if (WITHOUT_WIDTH.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - widthOf(text))) + text;
}

/** The beginning of a text that is too wide. */
export function cutEnd(text: string, width: number): string {
  return widthOf(text) <= width ? text : `${takeColumns(graphemes(text), width - 1).join('')}…`;
}

/** The end of a key that is too wide: its last part says more than its first. */
export function cutStart(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const end = takeColumns(graphemes(text).reverse(), width - 1).reverse();
  return `…${end.join('')}`;
}

/** Lines of at most `width`, broken between words, or within one that is longer than a line. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').flatMap((long) => pieces(long, width))) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && widthOf(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

function pieces(word: string, width: number): string[] {
  const cut: string[] = [];
  let rest = graphemes(word);
  while (widthOf(rest.join('')) > width) {
    const piece = takeColumns(rest, width);
    cut.push(piece.join(''));
    rest = rest.slice(Math.max(1, piece.length));
  }
  return [...cut, rest.join('')];
}

function graphemes(text: string): string[] {
  return Array.from(SEGMENTER.segment(text), ({ segment }) => segment);
}

function takeColumns(all: readonly string[], width: number): string[] {
  let columns = width;
  const cut = all.findIndex((letter) => {
    columns -= widthOfGrapheme(letter);
    return columns < 0;
  });
  return all.slice(0, cut < 0 ? all.length : cut);
}
