// To add a setting:
// 1. Add one row below: its rule (rules.ts), its default, and its line of docs/settings.md.
// 2. A `cli` word and a `help` line in that row make it an option of `npm start` and `npm run job`.
// 3. Add its field to Job or CompressionSettings in src/core/job.ts: core imports no zod, the compiler compares both.
// 4. Write the code that obeys it.
// 5. Run `npm run docs`, which writes the table of docs/settings.md.

import { z } from 'zod';
import {
  CHROMAS,
  CONTENT_ADDRESSED,
  EFFORTS,
  KEEP_OR_DROP,
  LAYOUTS,
  METADATA_LEFT,
  METADATA_POLICIES,
  MODES,
  TARGET_FORMATS,
} from '../core/job.ts';
import { CANNED_ACLS } from '../core/object-store.ts';
import * as rule from './rules.ts';

interface Row {
  /** What docs/settings.md says of it. */
  readonly docs: string;
  /** Where the docs name the default in other words than its value. */
  readonly defaultText?: string;
  /** Its option on the command line with the value that it takes: `--effort EFFORT`. */
  readonly cli?: string;
  /** Its line of --help, where `docs` is too long for it. The first of several settings with one option has it. */
  readonly help?: string;
  /** The setting without which this one has no effect; `idle` values ask for nothing and are never refused. */
  readonly works?: {
    readonly where: string;
    readonly is?: readonly string[];
    readonly isNot?: string;
    readonly idle?: readonly unknown[];
  };
}

export interface Setting extends Row {
  /** `encoding.mode` */
  readonly path: string;
  readonly rule: z.ZodType;
  /** Undefined for one that must be given. */
  readonly fallback?: unknown;
}

/** What stands where in a schema: the rows of settings, and the settings of groups. */
const ROWS = new Map<z.core.$ZodType, Omit<Setting, 'path'>>();
const GROUPS = new Map<z.core.$ZodType, z.ZodObject>();

const IN_PLACE = { where: 'output', is: ['in-place'] } as const;
/** Of Mindkosh's cameras, whose layout `by-suffix` comes from. */
const CAMERA_SUFFIXES: readonly string[] = ['left', 'right', 'front'];

/** The execution input. */
export const JOB_SETTINGS = strict({
  fileList: required(rule.fileList, {
    docs: '`s3://bucket/key` of a [file list](file-lists.md), or `s3://bucket/prefix/` for every image below it',
  }),
  output: setting(rule.output, null, {
    docs: '`s3://bucket/prefix/`, or `in-place` to replace the sources',
    defaultText: "the stack's output bucket",
  }),
  layout: setting(rule.oneOf(LAYOUTS), 'mirror', {
    docs: '`mirror` keeps the whole key · `flat` keeps its last part · `by-suffix` sorts into folders by the end of the name',
    cli: '--layout LAYOUT',
    help: LAYOUTS.join(' | '),
  }),
  suffixes: setting(rule.names, CAMERA_SUFFIXES, {
    docs: '`cam_left.jpg` goes to `left/`, a name that matches none to `others/`',
    works: { where: 'layout', is: ['by-suffix'], idle: [[]] },
  }),
  relativeTo: setting(rule.prefix, null, {
    docs: '`s3://bucket/prefix/` in front of list entries that are not URIs; only where `fileList` is a list',
  }),
  encoding: group('{"mode":"lossless"}', {
    mode: setting(rule.oneOf(MODES), 'quality', {
      docs: '`quality` · `lossless` (identical pixels) · `auto` (the lowest quality that shows no difference from the source)',
      cli: '--mode MODE',
      help: "quality=N (1-100, libjpeg's scale; 75) | lossless | auto",
    }),
    quality: setting(rule.integer(1, 100), 75, {
      docs: '1 to 100 on libjpeg\'s scale: "looks like libjpeg at 75", whichever encoder is used',
      cli: '--mode quality=N',
      works: { where: 'encoding.mode', is: ['quality'] },
    }),
    effort: setting(rule.oneOf(EFFORTS), 'best', {
      docs: '`best` (mozjpeg) · `fast` (about eight times less CPU, 10 to 15 % more bytes, flat memory)',
      cli: '--effort EFFORT',
      help: 'best (mozjpeg) | fast (about 8 times less CPU)',
    }),
    format: setting(rule.oneOf(TARGET_FORMATS), 'keep', {
      docs: '`keep` · `jpeg` · `webp` · `avif` · `smallest` (of these at equal appearance, for each image)',
      cli: '--format FORMAT',
      help: TARGET_FORMATS.join(' | '),
    }),
    chroma: setting(rule.oneOf(CHROMAS), undefined, {
      docs: 'resolution of the colours: `auto` (full where the source has it and edges of colour need it, half else) · `420` (half) · `444` (full; WebP has smart subsampling instead)',
      defaultText: '`auto`',
      cli: '--chroma CHROMA',
      help: 'auto | 420 | 444',
      works: { where: 'encoding.mode', is: ['quality', 'auto'], idle: ['auto'] },
    }),
    maxBytes: setting(rule.integer(1), undefined, {
      docs: 'the most bytes of one output: the quality is lowered until it fits, but not below SSIMULACRA2 50 (in `auto` its own floor); an image that does not fit is `kept: over-max-bytes`',
      defaultText: 'none',
      cli: '--max-bytes N',
      help: 'the most bytes of one output',
      works: { where: 'encoding.mode', is: ['quality', 'auto'] },
    }),
    progressive: setting(rule.flagOrAuto, 'auto', {
      docs: '`auto` · `true` · `false`, for JPEG; `auto` is progressive for `best`, baseline for `fast`',
      // With WebP and AVIF `false` still matters for the JPEGs that cannot be converted.
      works: { where: 'encoding.format', is: ['keep', 'jpeg', 'smallest'], idle: ['auto', false] },
    }),
    background: setting(rule.colour, null, {
      docs: '`#rrggbb` to flatten transparency on; without it an image with transparency keeps its format',
      works: { where: 'encoding.format', is: ['jpeg', 'smallest'] },
    }),
  }),
  metadata: setting(rule.oneOf(METADATA_POLICIES), 'keep', {
    docs: '`keep` · `copyright` (with ICC and orientation; no GPS) · `strip` (ICC and orientation only); also removed from images that are [kept](encoding.md#metadata)',
    cli: '--metadata POLICY',
    help: METADATA_POLICIES.join(' | '),
  }),
  metadataLeft: setting(rule.oneOf(METADATA_LEFT), 'fail', {
    docs: 'an image whose metadata cannot be removed: `fail` (`failed: MetadataLeft`) · `keep` (kept, and counted as `metadataLeft`)',
    works: { where: 'metadata', is: ['copyright', 'strip'], idle: ['fail'] },
  }),
  trailingData: setting(rule.oneOf(KEEP_OR_DROP), 'keep', {
    docs: 'unknown data after the end of an image: `keep` · `drop`; `strip` drops it always',
    works: { where: 'metadata', isNot: 'strip', idle: ['drop'] },
  }),
  contentCredentials: setting(rule.oneOf(KEEP_OR_DROP), 'keep', {
    docs: 'C2PA content credentials, which any change makes invalid: `keep` (the image stays as it is) · `drop`; `strip` drops them always',
    works: { where: 'metadata', isNot: 'strip', idle: ['drop'] },
  }),
  autoOrient: setting(rule.flag, false, {
    docs: 'turn the pixels upright; off because labels depend on the stored width × height',
  }),
  resize: group('{"maxWidth":1920}', {
    maxWidth: setting(rule.side, undefined, {
      docs: 'pixels; a larger image is made smaller, never the other way round',
      cli: '--max-size N',
      help: 'shrink to at most N pixels a side, never enlarge',
    }),
    maxHeight: setting(rule.side, undefined, { docs: 'the same for the height', cli: '--max-size N' }),
  }),
  minSavings: group('{"percent":10}', {
    percent: setting(rule.percentage, 3, {
      docs: 'an image that would save less stays as it is, unless metadata has to be removed',
    }),
    bytes: setting(rule.integer(0), 512, { docs: 'the same in bytes; both must be reached' }),
  }),
  images: group('{"perBatch":100}', {
    perBatch: setting(rule.integer(1), 200, {
      docs: "images in one batch; a batch map's own batches stay as they are",
      cli: '--per-batch N',
      help: 'images in one batch',
    }),
    perBatchBytes: setting(rule.integer(1), null, { docs: 'bytes in one batch, where the list has sizes' }),
    fargateAbove: setting(rule.integer(0), 2000, { docs: 'a batch of more images runs on Fargate' }),
    fargateAboveBytes: setting(rule.integer(0), 5e9, { docs: 'a batch of more bytes runs on Fargate' }),
  }),
  limits: group('{"maxObjects":1000}', {
    maxObjects: setting(rule.integer(1), null, { docs: 'a longer list is refused before compression' }),
    maxBytes: setting(rule.integer(1), null, { docs: 'the same for the sum of the sizes' }),
    maxPixels: setting(rule.integer(1), null, {
      docs: 'pixels of one image, all its pages together; above it the image is `failed: TooLarge`',
      defaultText: '268 million',
    }),
  }),
  select: group('{"suffixes":[".jpg"]}', {
    suffixes: setting(rule.nameEndings, null, {
      docs: 'for a prefix or an inventory: only keys with one of these endings, such as `[".jpg"]`',
    }),
    minBytes: setting(rule.integer(0), null, { docs: 'only objects of this size or more' }),
    maxBytes: setting(rule.integer(0), null, { docs: 'only objects of this size or less' }),
    modifiedAfter: setting(rule.time, null, { docs: 'only objects modified after this time, in ISO 8601' }),
  }),
  copyKept: setting(rule.flag, true, {
    docs: 'copy images that are kept to the output, so that the set is complete',
    works: { where: 'output', isNot: 'in-place', idle: [true] },
  }),
  toleratedFailurePercentage: setting(rule.percentage, 10, {
    docs: 'above it the job ends FAILED, after everything was tried and reported',
  }),
  dryRun: setting(rule.flag, false, { docs: 'plan and measure; write no image', cli: '--dry-run' }),
  resume: setting(rule.jobId, null, {
    docs: 'name of an earlier job over the same list with the same settings: images it completed are left out',
  }),
  backup: setting(rule.prefix, null, {
    docs: '`s3://bucket/prefix/` for the originals, for [undo](object-attributes.md)',
    works: IN_PLACE,
  }),
  irreversible: setting(rule.flag, undefined, {
    docs: 'replace images lossily although their originals are gone then: without `backup`, in a bucket without versions',
    defaultText: '`false`',
    works: { ...IN_PLACE, idle: [false] },
  }),
  contentAddressed: setting(rule.oneOf(CONTENT_ADDRESSED), undefined, {
    docs: 'objects named by the hash of their bytes (Git LFS, DVC, `<sha256>.jpg`), which are never replaced: `refuse` a job over them · `keep` them and compress the others',
    defaultText: '`refuse`',
    works: { ...IN_PLACE, idle: ['refuse'] },
  }),
  correctContentType: setting(rule.flag, undefined, {
    docs: 'correct a Content-Type that contradicts the bytes; otherwise it is only reported',
    defaultText: '`false`',
    works: { ...IN_PLACE, idle: [false] },
  }),
  acl: setting(rule.oneOf(CANNED_ACLS), undefined, {
    docs: 'canned ACL for everything that is written, in a stack deployed with `jobAcls=yes`; without it no ACL is sent',
  }),
  force: setting(rule.flag, false, {
    docs: 'compress images again that are up to date; with `resume`, those that the earlier job did not complete',
    cli: '--force',
    help: 'compress images again that are up to date',
  }),
});

/** UPLOAD_SETTINGS: those settings of a job that concern one image. The mode is lossless by default. */
export const UPLOAD_SETTINGS = JOB_SETTINGS.pick({
  encoding: true,
  metadata: true,
  metadataLeft: true,
  trailingData: true,
  contentCredentials: true,
  autoOrient: true,
  resize: true,
  minSavings: true,
  backup: true,
  correctContentType: true,
  acl: true,
}).extend({
  maxWritesPerHour: setting(rule.integer(1), 60, {
    docs: 'writes to one key within an hour; further uploads of it stay as they are',
  }),
});

/** Every setting of a schema, in its order. */
export function settingsIn(schema: z.ZodObject, within = ''): readonly Setting[] {
  return Object.entries(schema.shape).flatMap(([name, part]) => {
    const path = within + name;
    const row = ROWS.get(part);
    if (row) return [{ path, ...row }];
    const members = GROUPS.get(part);
    return members ? settingsIn(members, `${path}.`) : [];
  });
}

function required<Rule extends z.ZodType>(of: Rule, row: Row): Rule {
  ROWS.set(of, { defaultText: '', ...row, rule: of });
  return of;
}

/** `null` means the same as leaving a setting out. */
function setting<Rule extends z.ZodType, Fallback extends z.output<Rule> | null | undefined>(
  of: Rule,
  fallback: Fallback,
  row: Row,
) {
  const schema = of.nullish().transform((value) => value ?? fallback);
  ROWS.set(schema, { ...row, rule: of, fallback });
  return schema;
}

/** @param example a value of it, in JSON, for its message */
function group<Shape extends z.ZodRawShape>(example: string, shape: Shape) {
  const members = strict(shape, `must be an object as in ${example}`);
  const schema = members.nullish().transform((value) => value ?? members.parse({}));
  GROUPS.set(schema, members);
  return schema;
}

function strict<Shape extends z.ZodRawShape>(shape: Shape, error = 'must be an object') {
  return z.strictObject(shape, { error: ({ code }) => (code === 'invalid_type' ? error : undefined) });
}
