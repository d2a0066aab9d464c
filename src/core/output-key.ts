import { EXTENSIONS, type ImageFormat } from './image-result.ts';
import type { Job } from './job.ts';
import { parseS3Prefix, type S3Location } from './s3-uri.ts';

/**
 * Where the compressed copy of `source` goes; in place it is the source itself. The extension changes only when the
 * format does: `format` is that of the output, given only for an image that was (or may be) converted.
 */
export function outputFor(source: S3Location, job: OutputSettings, format?: ImageFormat): S3Location {
  return outputRule(job, format)(source);
}

/** `outputFor` with everything prepared that is the same for all images of a job. */
export function outputRule(job: OutputSettings, format?: ImageFormat): (source: S3Location) => S3Location {
  if (job.output === 'in-place') return (source) => source;
  const target = parseS3Prefix(job.output);
  if (!target) throw new TypeError(`Expected s3://bucket/prefix/ or in-place but received "${job.output}"`);
  const { bucket, prefix } = target;
  return ({ key }) => ({ bucket, key: prefix + arrange(key, job, format) });
}

/**
 * The places where the output of an image may go: under its converted name first, and under its own. Where the format
 * may change, which of them it is shows only afterwards, because a kept copy keeps its name.
 */
export function possibleOutputs(job: OutputSettings & Pick<Job, 'compression'>) {
  const [converted, unconverted] = [outputRule(job, targetFormat(job)), outputRule(job)];
  return (source: S3Location): readonly S3Location[] => {
    const [first, second] = [converted(source), unconverted(source)];
    return first.key === second.key ? [second] : [first, second];
  };
}

export type OutputSettings = Pick<Job, 'output' | 'layout' | 'suffixes'>;

/** The format that every image of a job may be converted to; undefined where each keeps its own. */
export function targetFormat({ compression }: Pick<Job, 'compression'>): ImageFormat | undefined {
  return compression.format === 'keep' ? undefined : compression.format;
}

/** The format that a name's extension stands for; undefined for none or an unknown one. */
export function formatByName(key: string): ImageFormat | undefined {
  return FORMATS.get(extensionOf(key).slice(1).toLowerCase());
}

const FORMATS = new Map<string, ImageFormat>(
  (Object.keys(EXTENSIONS) as ImageFormat[]).flatMap((format) =>
    EXTENSIONS[format].map((extension) => [extension, format] as const),
  ),
);

function arrange(key: string, { layout, suffixes }: OutputSettings, format: ImageFormat | undefined): string {
  const renamed = format ? withExtension(key, format) : key;
  if (layout === 'mirror') return renamed;
  if (layout === 'flat') return basename(renamed);
  return `${suffixOf(key, suffixes) ?? 'others'}/${basename(renamed)}`;
}

/** Only the end of a name is an extension: `a.png.backup.png` loses only its last `.png`. */
function withExtension(key: string, format: ImageFormat): string {
  const present = formatByName(key);
  // A name without a format, or with this one, is not wrong: `photo` and `photo.jpg` stay as they are.
  if (present === undefined || present === format) return key;
  return `${key.slice(0, key.length - extensionOf(key).length)}.${format}`;
}

/** The longest suffix that the name ends in before its extension: `0001_left.jpg` and `left.jpg` have `left`. */
function suffixOf(key: string, suffixes: readonly string[]): string | undefined {
  const name = basename(key);
  const stem = name.slice(0, name.length - extensionOf(name).length);
  return suffixes
    .filter((suffix) => stem === suffix || stem.endsWith(`_${suffix}`))
    .sort((a, b) => b.length - a.length)[0];
}

/** `.jpg` of `a/b.jpg`; empty for `a.b/c` and for a name that only begins with a dot. */
function extensionOf(key: string): string {
  const name = basename(key);
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(dot) : '';
}

function basename(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}
