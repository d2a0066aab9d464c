import type { CandidateReceipt, ImageFormat, OutputFormat } from './image-result.ts';
import type { CompressionSettings } from './job.ts';
import {
  chooseRecipe,
  type EncodeRecipe,
  type FormatTable,
  fitsInto,
  type ImageFacts,
  lossless,
  lossy,
} from './recipe.ts';

/** One way to make the output of an image. */
export interface Candidate {
  readonly recipe: EncodeRecipe;
  /** A rival is made where it may be smaller than the best one so far, a fallback only where there is none. */
  readonly rank: 'rival' | 'fallback';
  /** The share of its source's bytes that it needs at least. */
  readonly leastShare?: number;
}

/**
 * The ways to make an output, the most promising first. `first` is what chooseRecipe wants. Where it obviously wins, as
 * from JPEG to JPEG, it has no rivals.
 */
export function candidatesFor(
  first: EncodeRecipe,
  facts: ImageFacts,
  settings: CompressionSettings,
  formats: FormatTable,
): readonly Candidate[] {
  if (settings.format !== 'smallest') return candidatesInOne(first, facts, settings, formats);
  const all = SMALLEST_FIRST.flatMap((format) => {
    const inOne = { ...settings, format };
    const recipe = chooseRecipe(facts, inOne, formats);
    return recipe.action === 'encode' ? candidatesInOne(recipe, facts, inOne, formats) : [];
  });
  // Where a format is a fallback for one target and wanted as another, it is a rival.
  const ordered = [...all.filter(({ rank }) => rank === 'rival'), ...all.filter(({ rank }) => rank === 'fallback')];
  return ordered.filter(({ recipe }, at) => ordered.findIndex((other) => isSame(other.recipe, recipe)) === at);
}

/** By the bytes that photographs need at equal appearance: 0.51 to 0.65 of libjpeg's as AVIF, 0.85 as WebP. */
const SMALLEST_FIRST = ['avif', 'webp', 'jpeg', 'keep'] as const;

function candidatesInOne(
  first: EncodeRecipe,
  facts: ImageFacts,
  settings: CompressionSettings,
  formats: FormatTable,
): readonly Candidate[] {
  const target = losslessIn(first.format, first, facts, formats);
  const own = chooseRecipe(facts, { ...settings, format: 'keep' }, formats);
  const exact = chooseRecipe(facts, { ...settings, mode: 'lossless', format: 'keep' }, formats);
  const rank = isStoredLossless(facts) && !first.lossless ? 'rival' : 'fallback';
  // Packed tighter, a JPEG beside which new pixels save little may be smaller than those.
  const rankOfExact =
    first.format === facts.format ? ({ rank: 'rival', leastShare: 0.85 } as const) : ({ rank: 'fallback' } as const);
  const others: readonly (Omit<Candidate, 'recipe'> & { recipe: EncodeRecipe | undefined })[] = [
    { recipe: target, rank },
    { recipe: own.action === 'encode' ? own : undefined, rank },
    // A JPEG of the wanted quality is packed tighter, unless that does not fit.
    { recipe: needsNewPixels(first, settings) ? lossy(first.format, facts, settings) : undefined, rank: 'fallback' },
    { recipe: exact.action === 'encode' && maySwitchToExact(first, settings) ? exact : undefined, ...rankOfExact },
  ];
  const all: Candidate[] = [{ recipe: first, rank: 'rival' }];
  for (const { recipe, ...rest } of others)
    if (recipe && !all.some((known) => isSame(known.recipe, recipe))) all.push({ recipe, ...rest });
  return all;
}

/**
 * The bytes that a candidate has to stay below to be worth making: `never` for what cannot win any more,
 * undefined where only making it shows.
 */
export function limitFor(
  { rank, recipe, leastShare = 0 }: Candidate,
  tried: readonly Tried<unknown>[],
  { format, bytes }: { readonly format: ImageFormat; readonly bytes: number },
): number | 'never' | undefined {
  const best = smallest(tried);
  if (best) return rank === 'rival' && leastShare * bytes < (best.bytes ?? 0) ? best.bytes : 'never';
  // What is wanted first, and the image in its own format, are worth a try even if they look larger.
  return tried.length > 0 && recipe.format !== format ? bytes : undefined;
}

/** What came of one candidate: an output of so many bytes; or why there is none, and the bytes it would have had. */
export interface Tried<Outcome> {
  readonly recipe: EncodeRecipe;
  readonly outcome?: Outcome;
  readonly bytes?: number;
  readonly score?: number;
  readonly why?: string;
}

/** The smallest output; of two of one size the more promising. */
export function smallest<Outcome>(tried: readonly Tried<Outcome>[]): Tried<Outcome> | undefined {
  const bytesOf = ({ bytes = Number.POSITIVE_INFINITY }: Tried<Outcome>) => bytes;
  return tried.filter(({ why }) => why === undefined).sort((one, other) => bytesOf(one) - bytesOf(other))[0];
}

/** The candidates that were not taken, for the result of the image. */
export function receiptOf(tried: readonly Tried<unknown>[], taken: Tried<unknown>): CandidateReceipt[] {
  return tried
    .filter((one) => one !== taken)
    .map(({ recipe: { format, lossless: isLossless }, bytes, score, why = 'larger' }) => ({
      format,
      lossless: isLossless,
      ...(bytes !== undefined && { bytes }),
      ...(score !== undefined && { score }),
      why,
    }));
}

/** Its pixels are exactly what somebody drew or scanned: nothing is gained by being inexact where that is not smaller. */
function isStoredLossless({ format, lossless: isLossless }: ImageFacts): boolean {
  return isLossless === true || format === 'png' || format === 'gif' || format === 'tiff';
}

function losslessIn(
  format: OutputFormat,
  { reshape, flattenOn }: EncodeRecipe,
  facts: ImageFacts,
  formats: FormatTable,
) {
  if (format !== 'webp' || flattenOn || !fitsInto(formats.webp, reshape ?? facts)) return undefined;
  return { ...lossless('webp'), ...(reshape && { reshape }) };
}

function needsNewPixels(
  { lossless: isLossless, format }: EncodeRecipe,
  { maxBytes, mode }: CompressionSettings,
): boolean {
  return maxBytes !== undefined && isLossless && format === 'jpeg' && mode !== 'lossless';
}

/** New pixels cannot be packed exactly, and `fast` does not pack JPEGs. */
function maySwitchToExact({ reshape }: EncodeRecipe, { effort, mode }: CompressionSettings): boolean {
  return !reshape && (effort === 'best' || mode === 'auto');
}

function isSame(one: EncodeRecipe, other: EncodeRecipe): boolean {
  return one.format === other.format && one.lossless === other.lossless;
}
