import type { FuzzFormat } from '../mutate.ts';

/** What a decoder that is not ours makes of a file. */
export interface Reading {
  /**
   * `warned`: read to the end, and complained of something that is no damage of the picture. `doubtful`: read, but coded
   * data were left over, which is damage unless the pixels are right. `unable`: a kind of file that it does not read.
   */
  readonly verdict: 'read' | 'warned' | 'doubtful' | 'refused' | 'unable';
  readonly message?: string;
  readonly width?: number;
  readonly height?: number;
  readonly frames?: number;
  /** RGBA, 8 bits, of all frames one after the other; absent where the judge only checks. */
  readonly pixels?: Uint8Array;
}

export interface Judge {
  readonly name: string;
  readonly formats: readonly FuzzFormat[];
  /** It reports every defect of the coded pixels that it meets; others fill in what is missing without a word. */
  readonly strict: boolean;
  /** It starts a process for every file. */
  readonly slow?: boolean;
  read(file: Uint8Array): Promise<Reading>;
}

export const MAX_JUDGED_PIXELS = 16_000_000;
