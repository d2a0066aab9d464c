import type { ImageFormat, KeptReason } from './image-result.ts';
import type { CompressionSettings } from './job.ts';

/** What a header tells of an image, read before any pixel is decoded. */
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
  readonly apart?: boolean;
  /** libjpeg quality estimated from the quantisation tables, JPEG only. */
  readonly sourceQuality?: number;
  readonly chromaSubsampling?: string;
  readonly lossless?: boolean;
  readonly gainMap: boolean;
  readonly multiPicture: boolean;
  /** What lies behind a JPEG, if all of it is known: previews of it, the notes of a phone, the film of a moving photo. */
  readonly behind?: PartsBehind;
  readonly contentCredentials: boolean;
  /** A WebP whose header denies the transparency of its pictures. */
  readonly alphaDenied?: boolean;
  /** An AVIF that shows a part of its pixels only. */
  readonly cropped?: boolean;
  /** Arithmetic instead of Huffman codes, JPEG only. */
  readonly arithmetic?: boolean;
  /** Bytes after the end of the image that are no known structure. */
  readonly trailingBytes: number;
  /** Its colours are not sRGB's, and no ICC profile says so: gAMA, cHRM or cICP of a PNG, nclx of an AVIF. */
  readonly ownColours?: boolean;
}

export interface PartsBehind {
  /** Other parts of the file seem to hold its place, as maker notes do. */
  readonly isPointedAt: boolean;
  /** Nothing in it is content of its own, as a film is. */
  readonly isMetadata: boolean;
}

export type OutputFormat = 'jpeg' | 'png' | 'webp' | 'avif';

/** What to do with one image, decided from facts and settings before any pixel is touched. */
export type Recipe = KeepRecipe | EncodeRecipe;

export interface KeepRecipe {
  readonly action: 'keep';
  readonly reason: KeptReason;
  readonly detail?: string;
}

export interface EncodeRecipe {
  readonly action: 'encode';
  readonly format: OutputFormat;
  /** Decoded pixels stay as they are. (With `reshape` a PNG is new pixels, stored without loss.) */
  readonly lossless: boolean;
  /** libjpeg's scale; where the recipe is lossy. */
  readonly quality?: number;
  /** Search the lowest quality that cannot be told apart, with `quality` as its fallback. */
  readonly search?: boolean;
  /** A smaller or upright grid of pixels is wanted. */
  readonly reshape?: { readonly width: number; readonly height: number; readonly upright: boolean };
  /** `#rrggbb` behind what is transparent. */
  readonly flattenOn?: string;
  /** Colours are stored as finely as brightness: JPEG 4:4:4, WebP with its careful halving. */
  readonly fullChroma?: boolean;
  /** PNG: try a palette, and use it only where a score says that it cannot be seen. */
  readonly tryPalette?: boolean;
}

/** What becomes of an image: the first gate that has an answer decides. */
export function chooseRecipe(facts: ImageFacts, settings: CompressionSettings): Recipe {
  const fragile = fragileContent(facts, settings);
  if (fragile) return fragile;
  if (settings.mode === 'lossless') return losslessRecipe(facts, settings);
  const own = OWN_FORMAT[facts.format]?.(facts, settings);
  if (!own) return unsupported(facts);
  const target = settings.format;
  if (target === 'keep' || target === facts.format) return own;
  const refusal = whyNotInto(target, facts, settings);
  if (!refusal) return converted(target, facts, settings);
  return own.action === 'keep' ? keep(refusal) : own;
}

/** libvips' own default: 16,383 squared. What is larger is a bomb or wants a tool of its own. */
export const MAX_PIXELS = 268_402_689;

/** The fixed quality of `auto` where no search is possible: SSIMULACRA2 80 on average (docs/encoding.md). */
export const AUTO_FALLBACK_QUALITY = 86;

/** Where `auto` looks for a quality. */
export const SEARCH_RANGE = { lowest: 60, highest: 90 } as const;

// What the encoders write at the highest of them reads as at most this, so that no output is searched again.
const AUTO_SPENT_QUALITY = 88;

// What a re-encode would silently throw away: mozjpeg and libvips keep none of it.
function fragileContent(facts: ImageFacts, settings: CompressionSettings): Recipe | undefined {
  if (facts.contentCredentials) return keep('content-credentials');
  if (facts.trailingBytes > 0) {
    return keep('trailing-data', `${facts.trailingBytes} bytes after the end of the image`);
  }
  if (facts.gainMap)
    return canCarryGainMap(facts, settings) ? losslessJpeg(facts, settings) : keep('hdr-gain-map');
  if (facts.behind) return recipeBeside(facts.behind, facts, settings);
  if (facts.multiPicture) return keep('multi-picture');
  if (facts.alphaDenied) return keep('alpha', 'its header denies the transparency that its pictures have');
  return undefined;
}

/** It goes along with a JPEG; what is metadata goes where all metadata goes. */
function recipeBeside(
  behind: PartsBehind,
  facts: ImageFacts,
  settings: CompressionSettings,
): Recipe | undefined {
  const reason = facts.multiPicture ? 'multi-picture' : 'trailing-data';
  if (settings.metadata !== 'keep') return behind.isMetadata ? undefined : keep(reason, CONTENT_BEHIND);
  const becomesJpeg =
    settings.mode === 'lossless' || settings.format === 'keep' || settings.format === 'jpeg';
  // Notes have no place in another format, as comments have none.
  if (!becomesJpeg && behind.isMetadata && !facts.multiPicture) return undefined;
  if (behind.isPointedAt) return keep(reason, POINTED_AT);
  // A preview is a copy of a picture of this size.
  const outgrows = facts.multiPicture && reshapeOf(facts, settings) !== undefined;
  return becomesJpeg && !outgrows ? undefined : losslessJpeg(facts, settings);
}

const POINTED_AT =
  'its maker notes seem to tell where the parts behind it lie; metadata copyright or strip leaves out both';

const CONTENT_BEHIND = 'a film, sound or picture behind it goes along with all metadata only';

/** The coefficients of a JPEG can be packed tighter with the map carried behind them byte for byte. */
function canCarryGainMap(facts: ImageFacts, settings: CompressionSettings): boolean {
  return facts.format === 'jpeg' && facts.bitsPerChannel === 8 && settings.metadata === 'keep';
}

function losslessRecipe(facts: ImageFacts, settings: CompressionSettings): Recipe {
  const still8bit = facts.pages === 1 && facts.bitsPerChannel <= 8;
  if (facts.format === 'jpeg') return losslessJpeg(facts, settings);
  if (facts.format === 'png') {
    const toWebp = settings.format === 'webp' && still8bit && !facts.ownColours && fitsInto('webp', facts);
    return lossless(toWebp ? 'webp' : 'png');
  }
  if (facts.format === 'webp' && facts.lossless) return lossless('webp');
  return keep('unsupported-format', `no lossless encoder for ${nameOf(facts)} here`);
}

function converted(target: OutputFormat, facts: ImageFacts, settings: CompressionSettings): Recipe {
  const flattens = facts.alpha && target === 'jpeg';
  return { ...lossy(target, facts, settings), ...(flattens && { flattenOn: settings.background! }) };
}

/** Why `target` cannot hold what the source is; then the source's own format stays. */
function whyNotInto(
  target: OutputFormat,
  facts: ImageFacts,
  settings: CompressionSettings,
): KeptReason | undefined {
  if (facts.pages > 1 && !(target === 'webp' && facts.format === 'gif')) return 'animation';
  if (facts.alpha && target === 'jpeg' && settings.background === null) return 'alpha';
  if (facts.bitsPerChannel > 8) return 'deep-colour';
  if (facts.colour === 'cmyk') return 'cmyk';
  if (facts.colour === 'lab' || facts.colour === 'other') return 'colour-space';
  if (facts.ownColours) return 'colour-space';
  // A profile for grey does not fit the RGB that these two make of it.
  if (facts.icc && facts.colour === 'grey' && target !== 'jpeg') return 'colour-space';
  if (facts.format === 'avif' && (facts.orientation !== 1 || facts.cropped)) return 'unsupported-format';
  if (!fitsInto(target, reshapeOf(facts, settings) ?? facts)) return 'unsupported-format';
  return undefined;
}

type OwnFormat = (facts: ImageFacts, settings: CompressionSettings) => Recipe;

/** Quality and auto mode, where the format stays as it is. */
const OWN_FORMAT: Partial<Record<ImageFormat, OwnFormat>> = {
  jpeg: (facts, settings) => {
    const reshape = reshapeOf(facts, settings);
    if (facts.lossless || facts.bitsPerChannel > 8) return losslessJpeg(facts, settings);
    // No lossy encoder here keeps these as they are; their coefficients can still be packed tighter.
    if (facts.colour === 'cmyk') return reshape ? keep('cmyk') : losslessJpeg(facts, settings);
    if (facts.colour !== 'rgb' && facts.colour !== 'grey') return losslessJpeg(facts, settings);
    if (!reshape && isSpent(facts, settings)) return spentJpeg(facts, settings);
    return lossy('jpeg', facts, settings);
  },
  png: (facts, settings) => {
    const reshape = reshapeOf(facts, settings);
    if (reshape && facts.pages > 1) return keep('animation');
    if (reshape && facts.colour === 'palette') return keep('colour-space', 'a resized palette is none');
    const isTrueColour = facts.pages === 1 && facts.bitsPerChannel === 8 && facts.colour === 'rgb';
    const tryPalette = !reshape && isTrueColour && settings.effort === 'best';
    return { ...lossless('png'), ...(reshape && { reshape }), ...(tryPalette && { tryPalette }) };
  },
  webp: (facts, settings) => {
    const reshape = reshapeOf(facts, settings);
    if (reshape?.upright && facts.pages > 1) return keep('animation', 'its frames cannot be turned here');
    if (facts.lossless) return { ...lossless('webp'), ...(reshape && { reshape }) };
    return lossy('webp', facts, settings);
  },
  avif: (facts, settings) => {
    if (facts.pages > 1) return keep('animation');
    if (facts.bitsPerChannel > 8) return keep('deep-colour', `${facts.bitsPerChannel} bits per channel`);
    if (facts.orientation !== 1) return keep('unsupported-format', TURNED_AVIF);
    if (facts.cropped) return keep('unsupported-format', 'an AVIF that shows a part of its pixels only');
    if (facts.ownColours) return keep('colour-space', 'its encoder here would call them sRGB');
    if (!fitsInto('avif', reshapeOf(facts, settings) ?? facts))
      return keep('unsupported-format', `an AVIF with a side over ${MAX_SIDE.avif} pixels`);
    return lossy('avif', facts, settings);
  },
  gif: (facts) =>
    facts.pages > 1
      ? keep('animation', 'a GIF re-encoded here is never identical')
      : keep('unsupported-format', 'a GIF re-encoded here is never smaller and identical'),
  tiff: () => keep('unsupported-format', 'a TIFF re-encoded here would lose tags and pages'),
};

// One lossy generation at most: what is of the wanted quality or below it would lose without gaining.
function isSpent(facts: ImageFacts, settings: CompressionSettings): boolean {
  const enough = settings.mode === 'auto' ? AUTO_SPENT_QUALITY : settings.quality;
  return facts.sourceQuality !== undefined && facts.sourceQuality <= enough;
}

function spentJpeg(facts: ImageFacts, settings: CompressionSettings): Recipe {
  if (settings.effort === 'best') return losslessJpeg(facts, settings);
  return keep('already-compressed', `about libjpeg quality ${facts.sourceQuality}`);
}

function losslessJpeg(facts: ImageFacts, { progressive }: CompressionSettings): Recipe {
  if (facts.lossless) return keep('unsupported-format', 'a JPEG of the lossless process (SOF3)');
  if (facts.bitsPerChannel > 8) return keep('deep-colour', `${facts.bitsPerChannel} bits per channel`);
  if (facts.arithmetic) return keep('unsupported-format', 'a JPEG with arithmetic codes');
  if (progressive === false && !facts.progressive)
    return keep('unsupported-format', 'the lossless encoder here writes progressive JPEGs only');
  return lossless('jpeg');
}

function lossless(format: OutputFormat): EncodeRecipe {
  return { action: 'encode', format, lossless: true };
}

function lossy(format: OutputFormat, facts: ImageFacts, settings: CompressionSettings): EncodeRecipe {
  const reshape = reshapeOf(facts, settings);
  // Bytes spent beyond the source's own quality would only draw its artefacts more exactly.
  const quality = Math.min(wantedQuality(settings), facts.sourceQuality ?? 100);
  const fullChroma = hasFullChroma(facts) && quality >= FULL_CHROMA_QUALITY && settings.mode !== 'auto';
  return {
    action: 'encode',
    format,
    lossless: false,
    quality,
    ...(fullChroma && { fullChroma }),
    ...(settings.mode === 'auto' && facts.pages === 1 && { search: true }),
    ...(reshape && { reshape }),
  };
}

/**
 * From here on a picture is meant to look like its source also where one bright colour meets another, which half the
 * colours cannot: red letters on blue, for one. Below it libjpeg's 4:2:0 is what the number stands for.
 */
const FULL_CHROMA_QUALITY = 85;

function hasFullChroma({ colour, chromaSubsampling = '4:4:4' }: ImageFacts): boolean {
  return colour !== 'grey' && chromaSubsampling === '4:4:4';
}

function wantedQuality(settings: CompressionSettings): number {
  return settings.mode === 'auto' ? AUTO_FALLBACK_QUALITY : settings.quality;
}

/** The stored grid that `resize` and `autoOrient` ask for; undefined where it is the present one. */
function reshapeOf(facts: ImageFacts, settings: CompressionSettings): EncodeRecipe['reshape'] {
  const upright = settings.autoOrient && facts.orientation !== 1;
  // The limits are meant for the picture as it is seen, orientations 5 to 8 lie on their side.
  const sideways = facts.orientation >= 5;
  const seen = sideways
    ? { width: facts.height, height: facts.width }
    : { width: facts.width, height: facts.height };
  const scale = Math.min(
    1,
    (settings.resize?.maxWidth ?? seen.width) / seen.width,
    (settings.resize?.maxHeight ?? seen.height) / seen.height,
  );
  if (scale === 1 && !upright) return undefined;
  const width = Math.max(1, Math.round(seen.width * scale));
  const height = Math.max(1, Math.round(seen.height * scale));
  const stored = sideways && !upright;
  return { width: stored ? height : width, height: stored ? width : height, upright };
}

// libheif turns the pixels while it decodes them: an output would have another grid.
const TURNED_AVIF = 'an AVIF with a turn in its properties cannot be decoded as it is stored';

const MAX_SIDE: Record<OutputFormat, number> = { jpeg: 65_500, png: 2 ** 31 - 1, webp: 16_383, avif: 16_384 };

function fitsInto(format: OutputFormat, facts: Pick<ImageFacts, 'width' | 'height'>): boolean {
  return Math.max(facts.width, facts.height) <= MAX_SIDE[format];
}

function unsupported(facts: ImageFacts): KeepRecipe {
  return keep('unsupported-format', `${nameOf(facts)} cannot be decoded here`);
}

function keep(reason: KeptReason, detail?: string): KeepRecipe {
  return detail === undefined ? { action: 'keep', reason } : { action: 'keep', reason, detail };
}

function nameOf(facts: ImageFacts): string {
  return (facts.format === 'heif' ? 'heic' : facts.format).toUpperCase();
}
