/**
 * What an engine's refusal means, in one line and without the words of its library, which name neither what was
 * expected nor what came. The engine's own error goes along as the cause, for the log.
 */
export function engineMessage(raw: string): string {
  return MEANINGS.find(([words]) => words.test(raw))?.[1] ?? UNKNOWN;
}

/** The first that fits. */
const MEANINGS: readonly (readonly [words: RegExp, meaning: string])[] = [
  [/out of memory|alloc/i, 'Expected enough memory for the image but there was too little'],
  [
    /pixel limit|too large|too many pixels|dimension/i,
    'Expected an image of a size that can be processed but it is larger',
  ],
  [
    /not configured|not supported|not support|unsupported (?!image format)|not implemented|no known route/i,
    'Expected a kind of image that can be decoded here but found another',
  ],
  [
    /corrupt header|unsupported image format|unable to parse|bad signature/i,
    'Expected a readable header but found none',
  ],
  [
    /premature end|truncated|unexpected ?end|end of (file|stream|input)|eof|bad seek|not enough|read error at scanline/i,
    'Expected all of the image data but they end too early',
  ],
  [
    /failOn|corrupt|invalid|decod|damaged|libspng|libpng|2vips|VipsJpeg|heif|libwebp/i,
    'Expected image data that decode without an error but they are damaged',
  ],
];

const UNKNOWN = 'Expected the image to be decoded and encoded without an error but there was one, which is in the log';
