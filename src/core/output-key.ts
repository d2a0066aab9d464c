import { CONVERSION_TARGETS, EXTENSIONS, type ImageFormat } from './image-result.ts';
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
  const rules = [...targetFormats(job).map((format) => outputRule(job, format)), outputRule(job)];
  return (source: S3Location): readonly S3Location[] => {
    const places = new Map(rules.map((rule) => rule(source)).map((place) => [place.key, place]));
    return [...places.values()];
  };
}

export type OutputSettings = Pick<Job, 'output' | 'layout' | 'suffixes'>;

/** The formats that an image of a job may be converted to; none where each keeps its own. */
export function targetFormats({ compression: { format } }: Pick<Job, 'compression'>): readonly ImageFormat[] {
  if (format === 'smallest') return CONVERSION_TARGETS;
  return format === 'keep' ? [] : [format];
}

/**
 * The format whose names show which outputs may collide: of several any, because they all replace the same extensions,
 * so that `photo.jpg` and `photo.png` share an output in each of them or in none.
 */
export function targetFormat(job: Pick<Job, 'compression'>): ImageFormat | undefined {
  return targetFormats(job).at(-1);
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
