import type { ImageFormat, KeptReason, OutputFormat } from './image-result.ts';
import type { CompressionSettings } from './job.ts';
import { countOf } from './readable.ts';

/** What the header of an image says, read before any pixel is decoded. */
export interface ImageFacts {
  readonly format: ImageFormat;
  readonly width: number;
  readonly height: number;
  /** Frames of an animation or pages; 1 for a still image. */
  readonly pages: number;
  readonly channels: number;
  readonly bitsPerChannel: number;
  readonly colour: 'grey' | 'rgb' | 'palette' | 'cmyk' | 'lab' | 'other';
  readonly alpha: boolean;
  readonly icc: boolean;
  /** EXIF orientation 1 to 8; 1 when there is none or it is invalid. */
  readonly orientation: number;
  readonly progressive: boolean;
  /** Its colours come in scans of their own: a decoder has to hold all of it, as of a progressive one. */
  readonly separateScans?: boolean;
  /** libjpeg quality estimated from the quantisation tables, JPEG only. */
  readonly sourceQuality?: number;
  readonly chromaSubsampling?: string;
  readonly lossless?: boolean;
  readonly gainMap: boolean;
  readonly multiPicture: boolean;
  /** What follows the end of a JPEG, if all of it is known: previews, Samsung's SEF block, the video of a motion photo. */
  readonly trailingParts?: TrailingParts;
  readonly contentCredentials: boolean;
  /** A WebP whose pictures are transparent although its header says that they are not. */
  readonly undeclaredAlpha?: boolean;
  /** An AVIF that shows a part of its pixels only. */
  readonly cropped?: boolean;
  /** Its height stands after its first scan, where no decoder here looks for it, JPEG only. */
  readonly lateHeight?: boolean;
  /** Arithmetic instead of Huffman codes, JPEG only. */
  readonly arithmetic?: boolean;
  /** Bytes after the end of the image that are no known structure. */
  readonly trailingBytes: number;
  /** Its colours are not sRGB's, and no ICC profile says so: gAMA, cHRM or cICP of a PNG, nclx of an AVIF. */
  readonly ownColours?: boolean;
}

export interface TrailingParts {
  /** Other parts of the file, such as maker notes, seem to hold their offsets. */
  readonly isPointedAt: boolean;
  /** Nothing in them is content of its own, as a video is. */
  readonly isMetadata: boolean;
}

/** What to do with one image, decided from facts and settings before any pixel is touched. */
export type Recipe = KeepRecipe | EncodeRecipe;

export type KeepRecipe = Readonly<{ action: 'keep'; reason: KeptReason; detail?: string }>;

export interface EncodeRecipe {
  readonly action: 'encode';
  readonly format: OutputFormat;
  /** Decoded pixels stay as they are. (With `reshape` a PNG is new pixels, stored without loss.) */
  readonly lossless: boolean;
  /** libjpeg's scale; where the recipe is lossy. */
  readonly quality?: number;
  /** Search for the lowest quality that looks the same; where nothing does, there is no output. */
  readonly search?: boolean;
  /** A smaller or upright grid of pixels is wanted. */
  readonly reshape?: { readonly width: number; readonly height: number; readonly upright: boolean };
  /** `#rrggbb`: the background under what is transparent. */
  readonly flattenOn?: string;
  /** Colours are stored at full resolution in JPEG (4:4:4), and halved with care in WebP (smart subsampling). */
  readonly fullChroma?: boolean;
  /** Full chroma only where the pixels have edges of colour that need it. */
  readonly measureChroma?: boolean;
  /** PNG: try a palette, and use it only where its score says that the difference is not visible. */
  readonly tryPalette?: boolean;
}

/** What has to be known of a format to choose a recipe and to estimate its memory. */
export interface FormatTraits {
  /** As messages name it. */
  readonly name: string;
  /** The longest side in pixels that its encoder here writes; absent where there is no encoder. */
  readonly maxSide?: number;
  readonly recipes?: FormatRecipes;
  readonly memory?: FormatMemory;
}

/** How images of a format are compressed; what is absent keeps the image. */
export interface FormatRecipes {
  /** Modes quality and auto, where the format stays as it is. */
  readonly own: FormatRecipe;
  /** Mode lossless; where it has no answer either, there is no lossless encoder. */
  readonly lossless?: FormatRecipe;
  /** Of an image with a gain map, or with known parts after its end; without an answer the other rules apply. */
  readonly withGainMap?: FormatRecipe;
  readonly withTrailingParts?: FormatRecipe;
}

type FormatRecipe = (facts: ImageFacts, settings: CompressionSettings, formats: FormatTable) => Recipe | undefined;

/** Bytes per pixel (docs/encoding.md); where one is absent, the default of src/core/admission.ts. */
export interface FormatMemory {
  /** Of a source that is decoded line by line while it is encoded. */
  readonly streamed?: number;
  /** Of a source that libvips holds decoded while it is encoded. */
  readonly decoded?: number;
  /** Of a source that is decoded whole so that its pixels can be compared. */
  readonly compared?: number;
  /** Of decoding a still output by a second decoder, without and with transparency. */
  readonly verified?: readonly [opaque: number, transparent: number];
  /** Of encoding it at all, and of encoding it without loss. */
  readonly encoding?: number;
  readonly losslessEncoding?: number;
  /** Its encoder can write line by line. */
  readonly writesLines?: true;
}

export type FormatTable = Readonly<Record<ImageFormat, FormatTraits>>;

/** What becomes of an image: the first gate that has an answer decides. */
export function chooseRecipe(facts: ImageFacts, settings: CompressionSettings, formats: FormatTable): Recipe {
  const { name, recipes } = formats[facts.format];
  const fragile = fragileContent(facts, settings, formats);
  if (fragile) return fragile;
  if (settings.mode === 'lossless')
    return (
      recipes?.lossless?.(facts, settings, formats) ??
      keep('unsupported-format', `${name} cannot be recompressed losslessly here`)
    );
  const own = recipes?.own(facts, settings, formats);
  if (!own) return keep('unsupported-format', `${name} cannot be decoded here`);
  // Of all formats the one that is smallest for most pictures comes first; the others are its candidates.
  const targets = settings.format === 'smallest' ? (['avif', 'webp', 'jpeg'] as const) : [settings.format];
  const isPossible = (format: (typeof targets)[number]) =>
    format === 'keep' || format === facts.format || !reasonAgainst(format, facts, settings, formats);
  const target = targets.find(isPossible) ?? targets[0] ?? 'keep';
  if (target === 'keep' || target === facts.format) return own;
  const reason = reasonAgainst(target, facts, settings, formats);
  if (!reason) return converted(target, facts, settings);
  return own.action === 'keep' ? keep(reason) : own;
}

/** libvips' own default: 16,383 squared. What is larger is a bomb or wants a tool of its own. */
export const MAX_PIXELS = 268_402_689;

/** The fixed quality of `auto` where no search is possible: SSIMULACRA2 80 on average (docs/encoding.md). */
const AUTO_FALLBACK_QUALITY = 86;

/** Where `auto` looks for a quality. */
export const SEARCH_RANGE = { lowest: 60, highest: 90 } as const;

// What a re-encode would silently throw away: mozjpeg and libvips keep none of it.
function fragileContent(facts: ImageFacts, settings: CompressionSettings, formats: FormatTable): Recipe | undefined {
  const { recipes } = formats[facts.format];
  if (facts.lateHeight) return keep('unsupported-format', 'a JPEG whose height stands after its first scan (DNL)');
  if (facts.contentCredentials) return keep('content-credentials');
  if (facts.trailingBytes > 0) {
    return keep('trailing-data', `${countOf(facts.trailingBytes, 'byte')} after the end of the image`);
  }
  if (facts.gainMap) return recipes?.withGainMap?.(facts, settings, formats) ?? keep('hdr-gain-map');
  if (facts.trailingParts) return recipes?.withTrailingParts?.(facts, settings, formats);
  if (facts.multiPicture) return keep('multi-picture');
  if (facts.undeclaredAlpha) return keep('alpha', 'its pictures are transparent but its header denies it');
  return undefined;
}

function converted(target: OutputFormat, facts: ImageFacts, settings: CompressionSettings): Recipe {
  const recipe = lossy(target, facts, settings);
  const flattens = facts.alpha && target === 'jpeg' && settings.background !== null;
  return flattens ? { ...recipe, flattenOn: settings.background } : recipe;
}

/** Why `target` cannot hold what the source is; then the source's own format stays. */
function reasonAgainst(
  target: OutputFormat,
  facts: ImageFacts,
  settings: CompressionSettings,
  formats: FormatTable,
): KeptReason | undefined {
  const { format, colour, pages, alpha, bitsPerChannel, orientation } = facts;
  const reasons: readonly (readonly [reason: KeptReason, applies: boolean | undefined])[] = [
    ['animation', pages > 1 && !(target === 'webp' && format === 'gif')],
    ['alpha', alpha && target === 'jpeg' && settings.background === null],
    ['deep-colour', bitsPerChannel > 8],
    ['cmyk', colour === 'cmyk'],
    ['colour-space', colour === 'lab' || colour === 'other' || facts.ownColours],
    // A profile for grey does not fit the RGB that WebP and AVIF make of it.
    ['colour-space', facts.icc && colour === 'grey' && target !== 'jpeg'],
    ['unsupported-format', format === 'avif' && (orientation !== 1 || facts.cropped)],
    ['unsupported-format', !fitsInto(formats[target], reshapeOf(facts, settings) ?? facts)],
  ];
  return reasons.find(([, applies]) => applies)?.[0];
}

/** The same pixels packed tighter. */
export function lossless(format: OutputFormat): EncodeRecipe {
  return { action: 'encode', format, lossless: true };
}

/** New pixels of the wanted quality. */
export function lossy(format: OutputFormat, facts: ImageFacts, settings: CompressionSettings): EncodeRecipe {
  const reshape = reshapeOf(facts, settings);
  // Bytes spent beyond the source's own quality would only draw its artefacts more exactly.
  const wanted = settings.mode === 'auto' ? AUTO_FALLBACK_QUALITY : settings.quality;
  const quality = Math.min(wanted, facts.sourceQuality ?? 100);
  return {
    action: 'encode',
    format,
    lossless: false,
    quality,
    ...chromaOf(format, quality, facts, settings),
    ...(settings.mode === 'auto' && { search: true }),
    ...(reshape && { reshape }),
  };
}

function chromaOf(format: OutputFormat, quality: number, facts: ImageFacts, settings: CompressionSettings) {
  const { chroma = 'auto', mode, effort } = settings;
  // Smart subsampling mixes colours of transparent pixels, which nobody sees, into the visible ones beside them.
  if (format === 'webp' && facts.alpha) return {};
  if (chroma !== 'auto' || facts.colour === 'grey') return chroma === '444' ? { fullChroma: true } : {};
  const hasFullChroma = (facts.chromaSubsampling ?? '4:4:4') === '4:4:4';
  if (quality >= FULL_CHROMA_QUALITY && mode !== 'auto') return hasFullChroma ? { fullChroma: true } : {};
  // AVIF has full chroma anyway. To measure it costs a decode, a third of the time of `fast`.
  const isMeasured = format !== 'avif' && facts.pages === 1 && (effort === 'best' || mode === 'auto');
  return hasFullChroma && isMeasured ? { measureChroma: true } : {};
}

/**
 * From this quality on a picture should look like its source also where two bright colours meet, such as red letters on
 * blue, which chroma of half the resolution cannot do. Below it the scale means libjpeg's 4:2:0.
 */
const FULL_CHROMA_QUALITY = 85;

/** The stored grid that `resize` and `autoOrient` ask for; undefined where it is the present one. */
export function reshapeOf(facts: ImageFacts, settings: CompressionSettings): EncodeRecipe['reshape'] {
  const upright = settings.autoOrient && facts.orientation !== 1;
  // The limits are for the picture as it is seen; orientations 5 to 8 swap width and height.
  const sideways = facts.orientation >= 5;
  const [across, down] = sideways ? [facts.height, facts.width] : [facts.width, facts.height];
  const { maxWidth = across, maxHeight = down } = settings.resize ?? {};
  const scale = Math.min(1, maxWidth / across, maxHeight / down);
  if (scale === 1 && !upright) return undefined;
  const width = Math.max(1, Math.round(across * scale));
  const height = Math.max(1, Math.round(down * scale));
  const stored = sideways && !upright;
  return { width: stored ? height : width, height: stored ? width : height, upright };
}

export function fitsInto({ maxSide = 0 }: FormatTraits, size: { width: number; height: number }): boolean {
  return Math.max(size.width, size.height) <= maxSide;
}

export function keep(reason: KeptReason, detail?: string): KeepRecipe {
  return detail === undefined ? { action: 'keep', reason } : { action: 'keep', reason, detail };
}
