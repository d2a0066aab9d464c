/** What is known of a kind of PNG chunk. */
export interface ChunkKind {
  /** Codes the pixels: an encoder writes it, a copy of metadata never does. */
  readonly pixels?: true;
  /** Defines how the pixels are to look: kept under every policy. */
  readonly appearance?: true;
  /** Defines the colours: replaced by a profile that the encoder wrote. */
  readonly colour?: true;
  /** Must come before PLTE. */
  readonly beforePalette?: true;
  /** Its value depends on the colour type, the bit depth and the palette. */
  readonly inColourType?: true;
  /** Wrong in every copy. */
  readonly stale?: true;
}

/** The kind by its name; undefined for chunks that are not known here. */
export function chunkKind(type: string): ChunkKind | undefined {
  return KINDS.get(type);
}

const COLOUR: ChunkKind = { appearance: true, colour: true, beforePalette: true };

const KINDS: ReadonlyMap<string, ChunkKind> = new Map<string, ChunkKind>([
  ['IHDR', { pixels: true }],
  ['PLTE', { pixels: true }],
  ['tRNS', { pixels: true }],
  ['IDAT', { pixels: true }],
  ['IEND', { pixels: true }],
  ['acTL', { pixels: true }],
  ['fcTL', { pixels: true }],
  ['fdAT', { pixels: true }],
  ['cHRM', COLOUR],
  ['gAMA', COLOUR],
  ['iCCP', COLOUR],
  ['sRGB', COLOUR],
  ['cICP', COLOUR],
  ['mDCV', COLOUR],
  ['cLLI', COLOUR],
  // The names of mDCV and cLLI in drafts of the third edition of PNG.
  ['mDCv', COLOUR],
  ['cLLi', COLOUR],
  ['sBIT', { appearance: true, beforePalette: true, inColourType: true }],
  ['bKGD', { appearance: true, inColourType: true }],
  ['hIST', { inColourType: true }],
  ['pHYs', { appearance: true }],
  ['sTER', { appearance: true }],
  ['pCAL', {}],
  ['sCAL', {}],
  ['tIME', {}],
  ['caBX', {}],
  ['orNT', {}],
  // Apple's table of offsets into the compressed data.
  ['iDOT', { stale: true }],
]);
