import { show } from '../core/file-list.ts';
import { parseJson } from '../core/parse-json.ts';
import { looksLikeCsv } from './csv.ts';
import { looksLikeManifest } from './inventory.ts';
import type { Reading } from './reading.ts';

export type FileListFormat = 'json document' | 'json lines' | 'inventory' | 'csv' | 'text';

/**
 * Which format a list has, by its first bytes.
 * @param relativeTo where it is set, lines may be plain paths, which may hold commas
 */
export function recogniseFormat(head: Buffer, { name, relativeTo }: Reading): FileListFormat {
  const text = head.toString('utf8').trimStart();
  if (text[0] === '[') return 'json document';
  if (text[0] === '{') return recogniseObject(text);
  if (text[0] === '"' && parseJson(firstLine(text)) !== undefined) return 'json lines';
  const line = firstLine(text);
  if (!looksLikeCsv(line)) return 'text';
  const certain = relativeTo === null || line.startsWith('"') || /\.csv(\.gz)?$/i.test(name);
  return certain ? 'csv' : 'text';
}

/** The message for a list that is named .json and does not begin as JSON; undefined for others. */
export function mistakenForJson(head: Buffer, name: string): string | undefined {
  if (!/\.json(\.gz)?$/i.test(name)) return undefined;
  const line = firstLine(head.toString('utf8').trimStart());
  if (line === '' || line.includes('s3://')) return undefined;
  return `Expected JSON at line 1, column 1 of ${name} but received ${show(line)}`;
}

/** A complete object on the first line is an entry (then every line is one) or a batch map. */
function recogniseObject(text: string): FileListFormat {
  if (looksLikeManifest(text)) return 'inventory';
  const value = parseJson(firstLine(text));
  const isEntry = typeof value === 'object' && value !== null && !Object.values(value).some(Array.isArray);
  return isEntry && Object.keys(value).length > 0 ? 'json lines' : 'json document';
}

function firstLine(text: string): string {
  const end = text.indexOf('\n');
  return (end < 0 ? text : text.slice(0, end)).trimEnd();
}
