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

const KINDS: ReadonlyMap<string, ChunkKind> = new Map([
  ...kinds('IHDR PLTE tRNS IDAT IEND acTL fcTL fdAT', { pixels: true }),
  // mDCv and cLLi are the names of mDCV and cLLI in drafts of the third edition of PNG.
  ...kinds('cHRM gAMA iCCP sRGB cICP mDCV cLLI mDCv cLLi', { appearance: true, colour: true, beforePalette: true }),
  ...kinds('sBIT', { appearance: true, beforePalette: true, inColourType: true }),
  ...kinds('bKGD', { appearance: true, inColourType: true }),
  ...kinds('hIST', { inColourType: true }),
  ...kinds('pHYs sTER', { appearance: true }),
  ...kinds('pCAL sCAL tIME caBX orNT', {}),
  // Apple's table of offsets into the compressed data.
  ...kinds('iDOT', { stale: true }),
]);

function kinds(types: string, kind: ChunkKind): [type: string, kind: ChunkKind][] {
  return types.split(' ').map((type) => [type, kind]);
}
