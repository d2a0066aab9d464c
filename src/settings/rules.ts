import { z } from 'zod';
import { parseS3Prefix, parseS3Uri } from '../core/s3-uri.ts';

// The kinds of values that settings have, each with the sentence that names what is allowed.

export const oneOf = <const Words extends readonly [string, ...string[]]>(words: Words) =>
  z.enum(words, { error: `must be ${words.join(', ').replace(/, ([^,]*)$/, ' or $1')}` });

export const integer = (min: number, max = Number.MAX_SAFE_INTEGER) => {
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
  const outside = { error: `must be ${range}` };
  return z.int(`must be a whole number, ${range}`).min(min, outside).max(max, outside);
};

const textThat = (holds: (text: string) => boolean, error: string) => z.string({ error }).refine(holds, { error });

/** Pixels: more than any encoder here can write. */
export const side = integer(1, 65_535);

const PERCENTAGE = { error: 'must be 0 to 100' };
export const percentage = z.number(PERCENTAGE).min(0, PERCENTAGE).max(100, PERCENTAGE);

export const flag = z.boolean({ error: 'must be true or false' });

export const flagOrAuto = z.union([z.literal('auto'), flag], { error: 'must be auto, true or false' });

const isPrefix = (text: string) => parseS3Prefix(text) !== undefined;
const PREFIX_RULE = 'must be s3://bucket/prefix/ (with a slash at its end)';
export const prefix = textThat(isPrefix, PREFIX_RULE);
export const output = textThat((text) => text === 'in-place' || isPrefix(text), `${PREFIX_RULE} or in-place`);

export const fileList = textThat(
  (text) => parseS3Uri(text) !== undefined || isPrefix(text),
  'must be s3://bucket/key of a file list or s3://bucket/prefix/',
);

export const jobId = textThat(
  (text) => /^(?!\.{1,2}$)[^/\s]{1,80}$/.test(text),
  'must be the name of an earlier execution',
);

export const colour = textThat((text) => /^#[0-9a-f]{6}$/i.test(text), 'must be a colour as in #ffffff').toLowerCase();

export const time = z.union([z.iso.datetime({ offset: true }), z.iso.date()], {
  error: 'must be a time as in 2026-01-31T00:00:00Z',
});

/** Names of folders: they become parts of keys. */
const name = textThat((text) => /^[^/]+$/.test(text), 'must be a name without slashes');
const NAMES = { error: 'must be a list of names without slashes, each once' };
export const names = z
  .array(name, NAMES)
  .refine((all) => new Set(all).size === all.length, NAMES)
  .readonly();

const ending = textThat((text) => text !== '', 'must be an ending such as ".jpg"');
const ENDINGS = { error: 'must be a list of endings such as ".jpg"' };
export const nameEndings = z.array(ending, ENDINGS).min(1, ENDINGS).readonly();
