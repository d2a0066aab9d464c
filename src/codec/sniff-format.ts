import type { ImageFormat } from '../core/image-result.ts';
import { FORMATS } from './formats.ts';

/** The format by its first bytes, whatever its name says; undefined when these bytes are no image. */
export function sniffFormat(bytes: Uint8Array): ImageFormat | undefined {
  const names = Object.keys(FORMATS) as ImageFormat[];
  return names.find((name) => FORMATS[name].sniff(bytes));
}
