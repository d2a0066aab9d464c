import { newFinalResults } from '../../src/core/final-results.ts';
import { type Encoding, type ImageResult, SKIPPED_REASONS } from '../../src/core/image-result.ts';
import { jobKeys } from '../../src/core/job-keys.ts';
import { countOf, readableBytes, readableCount, readablePercent, readableSeconds } from '../../src/core/readable.ts';
import {
  addressOf,
  hiddenDataNote,
  imagesToCheck,
  inFolders,
  irreversibleNote,
  type JobReport,
  metadataLeftNote,
  nameInFolder,
  percentSaved,
  type ReportedFailure,
  wasStopped,
} from '../../src/core/report.ts';
import { failureGroups, keptMeaning, reasonGroups } from '../../src/core/report-groups.ts';
import {
  cutEnd,
  cutStart,
  padEnd,
  padStart,
  printable,
  shapeOf,
  type TerminalShape,
  type Tone,
  toned,
  widthOf,
  wrapped,
} from './terminal-text.ts';

/**
 * The report for a terminal: one line per image if they fit on a screen or two, else the biggest savings and the
 * reasons of what was not compressed; every failure by name; the totals; where the report is. No line is wider than
 * the terminal, except addresses.
 */
export async function printReport(
  report: JobReport,
  rows: AsyncIterable<ImageResult> | readonly ImageResult[],
  terminal = shapeOf(process.stdout, process.env),
): Promise<string> {
  const { results, failures } = await gather(report, rows);
  const few = report.planned <= MAX_IMAGE_LINES;
  const blocks = [
    few ? imageTable(results, report, terminal) : savingsTable(report, terminal),
    few ? [] : reasonLines(report, terminal),
    failureLines(failures, report, terminal),
    totalLines(report, terminal),
    addressLines(report, terminal),
  ];
  const shown = blocks.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'));
  return `${shown.join('\n\n')}\n`;
}

/** More images than this are summarised. */
const MAX_IMAGE_LINES = 40;
/** More failures than this are listed in failed.jsonl only. */
const MAX_FAILURES = 1000;

/** @returns `results`: one per image, in the order of the list; empty when there are too many to show */
async function gather(report: JobReport, rows: AsyncIterable<ImageResult> | readonly ImageResult[]) {
  const results: ImageResult[] = [];
  const failed: ReportedFailure[] = [];
  const final = newFinalResults(report.planned);
  for await (const row of rows) {
    if (report.planned <= MAX_IMAGE_LINES) results.push(row);
    else if (row.status === 'failed' && failed.length < MAX_FAILURES) failed.push(row);
    final.offer(row);
  }
  const once = results.filter((row) => final.take(row)).sort((a, b) => a.index - b.index);
  const lost = report.failures.filter(({ code }) => code === 'Lost');
  return { results: once, failures: [...once.filter((row) => row.status === 'failed'), ...failed, ...lost] };
}

interface Line {
  readonly name: string;
  readonly figures: readonly [string, string, string];
  readonly note: string;
  readonly tone?: Tone;
}

const HEADER: Line = { name: 'image', figures: ['before', 'after', 'saved'], note: '', tone: 'soft' };
const GAP = 2;

function imageTable(results: readonly ImageResult[], report: JobReport, terminal: TerminalShape): string[] {
  if (results.length === 0) return [];
  const nameOf = shortNames(results, report);
  const lines = results.map((result) => ({ name: nameOf(result), ...outcomeOf(result, report) }));
  return table([HEADER, ...lines], terminal);
}

function savingsTable(report: JobReport, terminal: TerminalShape): string[] {
  if (report.topSavings.length === 0) return [];
  const nameOf = shortNames(report.topSavings, report);
  const lines = report.topSavings.map((image) => ({ name: nameOf(image), figures: figuresOf(image), note: '' }));
  return [toned('Biggest savings', 'bold', terminal), ...table([HEADER, ...lines], terminal)];
}

function outcomeOf(result: ImageResult, report: JobReport): Omit<Line, 'name'> {
  const before = result.bytesIn === undefined ? '' : readableBytes(result.bytesIn);
  switch (result.status) {
    case 'compressed':
      return { figures: figuresOf(result), ...withLeft(join(encodingNote(result.encoding), result.detail), result) };
    case 'kept':
      return {
        figures: [before, before, 'kept'],
        tone: 'soft',
        // What is doubtful differs from image to image.
        ...withLeft((result.reason === 'unproven' && result.detail) || keptMeaning(result.reason, report), result),
      };
    case 'skipped':
      return { figures: [before, '', 'skipped'], note: SKIPPED_REASONS[result.reason], tone: 'soft' };
    case 'failed':
      return { figures: [before, '', 'failed'], note: result.code, tone: 'bad' };
  }
}

function join(note: string, detail: string | undefined): string {
  return detail ? `${note}; ${detail}` : note;
}

function withLeft(note: string, { metadataLeft }: { metadataLeft?: string }): Pick<Line, 'note' | 'tone'> {
  return metadataLeft ? { note: `metadata left: ${metadataLeft}; ${note}`, tone: 'bad' } : { note };
}

function figuresOf({ bytesIn, bytesOut }: { bytesIn: number; bytesOut: number }): Line['figures'] {
  return [readableBytes(bytesIn), readableBytes(bytesOut), readablePercent(percentSaved(bytesIn, bytesOut))];
}

/** The quality is the encoder's own number, not the setting on libjpeg's scale. */
function encodingNote({ format, lossless, quality, score }: Encoding): string {
  if (lossless) return `${format}, lossless`;
  const parts = [
    format,
    format === 'png' && score !== undefined && 'palette',
    quality !== undefined && `encoder quality ${quality}`,
    score !== undefined && `score ${score}`,
  ];
  return parts.filter(Boolean).join(', ');
}

function table(lines: readonly Line[], terminal: TerminalShape): string[] {
  const widths = HEADER.figures.map((_, column) =>
    Math.max(...lines.map(({ figures }) => widthOf(figures[column] ?? ''))),
  );
  const free = widths.reduce((columns, width) => columns - width - GAP, terminal.columns);
  const noteWidth = Math.max(0, ...lines.map(({ note }) => widthOf(note)));
  const longestName = Math.max(...lines.map(({ name }) => widthOf(name)));
  const nameWidth = Math.max(8, Math.min(longestName, noteWidth === 0 ? free : Math.ceil(free * 0.55)));
  return lines.map((line) => {
    const figures = line.figures.map((text, column) => padStart(text, widths[column] ?? 0));
    const shown = [padEnd(cutStart(line.name, nameWidth), nameWidth), ...figures].join(' '.repeat(GAP));
    const noteColumns = free - nameWidth - GAP;
    const note = line.note && noteColumns >= 8 ? ' '.repeat(GAP) + cutEnd(line.note, noteColumns) : '';
    return toned((shown + note).trimEnd(), line.tone, terminal);
  });
}

function reasonLines(report: JobReport, terminal: TerminalShape): string[] {
  const { columns } = terminal;
  const groups = reasonGroups(report);
  if (groups.length === 0) return [];
  const width = Math.max(...groups.map(({ count }) => readableCount(count).length));
  return [
    toned('Not compressed', 'bold', terminal),
    ...groups.map(({ count, meaning }) => cutEnd(`${padStart(readableCount(count), width)}  ${meaning}`, columns)),
  ];
}

function failureLines(failures: readonly ReportedFailure[], report: JobReport, terminal: TerminalShape): string[] {
  const all = imagesToCheck(report);
  if (all === 0) return [];
  const nameOf = shortNames(failures, report);
  const lines = failureGroups(report).flatMap(({ code, meaning, advice }) => [
    ...indented(`${code}: ${meaning}. ${advice}`, 0, terminal),
    ...failures
      .filter((failure) => failure.code === code)
      .flatMap((failure) => [
        `  ${toned(cutStart(nameOf(failure), terminal.columns - 2), 'bad', terminal)}`,
        ...indented(inFolders(failure.message, report.folders), 4, terminal, 'soft'),
      ]),
  ]);
  const more = all - failures.length;
  return [
    toned(all > report.failed ? 'Failed or lost' : 'Failed', 'bold', terminal),
    ...lines,
    ...(more > 0 ? [cutEnd(`and ${readableCount(more)} more in failed.jsonl`, terminal.columns)] : []),
  ];
}

function indented(text: string, indent: number, terminal: TerminalShape, tone?: Tone): string[] {
  // Messages of libvips have several lines.
  const lines = wrapped(printable(text.replaceAll('\n', ' ')), terminal.columns - indent);
  return lines.map((line) => toned(' '.repeat(indent) + line, tone, terminal));
}

function totalLines(report: JobReport, terminal: TerminalShape): string[] {
  const { planned, bytesIn, bytesOut, savedPercent, durationSeconds, status, cause, settings } = report;
  const nameOf = (part: string) => (part === 'lost' && wasStopped(report) ? 'not started' : part);
  const parts = (['compressed', 'kept', 'skipped', 'failed', 'lost'] as const)
    .filter((part) => report[part] > 0)
    .map((part) => `${readableCount(report[part])} ${nameOf(part)}`);
  const counts = `${countOf(planned, 'image')}: ${parts.join(', ') || 'nothing to do'} (${readableSeconds(durationSeconds)})`;
  const bytes = `${readableBytes(bytesIn)} → ${readableBytes(bytesOut)}, ${readablePercent(savedPercent)} smaller`;
  return [
    ...(settings?.dryRun ? [toned('Dry run: no image was written', 'bold', terminal)] : []),
    ...indented(counts, 0, terminal),
    ...(bytesIn > 0 ? [toned(bytes, 'good', terminal)] : []),
    ...indented(irreversibleNote(report) ?? '', 0, terminal).filter(Boolean),
    ...indented(hiddenDataNote(report) ?? '', 0, terminal).filter(Boolean),
    ...indented(metadataLeftNote(report) ?? '', 0, terminal, 'bad').filter(Boolean),
    ...(status === 'FAILED' && cause ? indented(verdictOf(report, cause), 0, terminal, 'bad') : []),
  ];
}

/** Too many bad images are not a failure of the job itself: its exit code is that of failed images. */
function verdictOf(report: JobReport, cause: string): string {
  if (wasStopped(report)) return cause;
  return report.failure || report.lost > 0 ? `The job failed. ${cause}` : cause;
}

/** Addresses are not cut, because people copy them. */
function addressLines(report: JobReport, terminal: TerminalShape): string[] {
  const { jobFiles, jobId, output, folders, settings } = report;
  const line = (name: string, address: string) => `${toned(padEnd(name, 7), 'soft', terminal)}${printable(address)}`;
  const hasOutputs = output.startsWith('s3://') && !settings?.dryRun;
  return [
    ...(hasOutputs ? [line('output', inFolders(output, folders))] : []),
    line('report', addressOf(jobFiles, jobKeys.reportHtml(jobId))),
    ...(imagesToCheck(report) > 0 ? [line('failed', addressOf(jobFiles, jobKeys.failed(jobId)))] : []),
  ];
}

/** Sources as short as they are unambiguous: without s3://bucket/ when all are in one bucket, or in a folder. */
function shortNames(images: readonly { readonly source: string }[], { folders }: JobReport) {
  const buckets = new Set(images.map(({ source }) => source.slice(0, source.indexOf('/', 5) + 1)));
  const [only = ''] = buckets;
  const start = buckets.size === 1 ? only.length : 0;
  return ({ source }: { readonly source: string }): string =>
    printable(start > 0 ? source.slice(start) : nameInFolder(source, folders));
}
