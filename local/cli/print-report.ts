import { newFinalResults } from '../../src/core/final-results.ts';
import {
  type Encoding,
  type ImageResult,
  KEPT_REASONS,
  type KeptReason,
  SKIPPED_REASONS,
  type SkippedReason,
} from '../../src/core/image-result.ts';
import { jobKeys } from '../../src/core/job-keys.ts';
import { countOf, readableBytes, readableCount, readableSeconds } from '../../src/core/readable.ts';
import {
  addressOf,
  adviceOn,
  inFolders,
  irreversibleNote,
  type JobReport,
  meaningOfFailure,
  nameInFolder,
  needingALook,
  percentSaved,
  type ReportedFailure,
  wasStopped,
} from '../../src/core/report.ts';
import {
  cutEnd,
  cutStart,
  padEnd,
  padStart,
  printable,
  type TerminalShape,
  type Tone,
  toned,
  widthOf,
  wrapped,
} from './terminal-text.ts';

/**
 * The report for a terminal: a line an image as long as they fit on a screen or two, else the biggest savings and
 * what was left alone; every failure by name; the sums; where the report lies. No line is wider than the terminal.
 */
export async function printReport(
  report: JobReport,
  rows: AsyncIterable<ImageResult> | readonly ImageResult[],
  terminal: TerminalShape,
): Promise<string> {
  const { results, failures } = await gather(report, rows);
  const few = report.planned <= MOST_LINES;
  const names = shortNames(few ? results.map(({ source }) => source) : [], report);
  const blocks = [
    few ? imageTable(results, names, terminal) : savingsTable(report, terminal),
    few ? [] : reasonLines(report, terminal),
    failureLines(failures, report, terminal),
    sumLines(report, terminal),
    addressLines(report, terminal),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** More images than this are summed up rather than listed. */
const MOST_LINES = 40;
/** Failures are all listed; beyond this the list is in failed.jsonl alone. */
const MOST_FAILURES = 1000;

interface Gathered {
  /** One for each image, in the order of the list; empty when there are too many to show. */
  readonly results: readonly ImageResult[];
  readonly failures: readonly ReportedFailure[];
}

async function gather(
  report: JobReport,
  rows: AsyncIterable<ImageResult> | readonly ImageResult[],
): Promise<Gathered> {
  const results: ImageResult[] = [];
  const failed: ReportedFailure[] = [];
  const final = newFinalResults(report.planned);
  for await (const row of rows) {
    if (report.planned <= MOST_LINES) results.push(row);
    else if (row.status === 'failed' && failed.length < MOST_FAILURES) failed.push(row);
    final.offer(row);
  }
  const once = results.filter((row) => final.take(row)).sort((a, b) => a.index - b.index);
  const lost = report.failures.filter(({ code }) => code === 'Lost');
  return {
    results: once,
    failures: [...once.filter((row) => row.status === 'failed'), ...failed, ...lost],
  };
}

interface Line {
  readonly name: string;
  readonly figures: readonly [string, string, string];
  readonly note: string;
  readonly tone?: Tone;
}

const HEADER: Line = { name: 'image', figures: ['before', 'after', 'saved'], note: '', tone: 'soft' };
const GAP = 2;

function imageTable(results: readonly ImageResult[], names: Names, terminal: TerminalShape): string[] {
  if (results.length === 0) return [];
  return table([HEADER, ...results.map((result) => lineOf(result, names))], terminal);
}

function savingsTable(report: JobReport, terminal: TerminalShape): string[] {
  const { topSavings, compressed } = report;
  if (topSavings.length === 0) return [];
  const names = shortNames(
    topSavings.map(({ source }) => source),
    report,
  );
  const lines = topSavings.map(({ source, bytesIn, bytesOut }) => ({
    name: names(source),
    figures: figuresOf(bytesIn, bytesOut),
    note: '',
  }));
  const title = toned(
    `The ${countOf(topSavings.length, 'biggest saving')} of ${readableCount(compressed)}`,
    'bold',
    terminal,
  );
  return [title, ...table([HEADER, ...lines], terminal)];
}

function lineOf(result: ImageResult, names: Names): Line {
  const name = names(result.source);
  const before = result.bytesIn === undefined ? '' : readableBytes(result.bytesIn);
  switch (result.status) {
    case 'compressed':
      return {
        name,
        figures: figuresOf(result.bytesIn, result.bytesOut),
        note: encodingNote(result.encoding),
      };
    case 'kept':
      return { name, figures: [before, before, 'kept'], note: KEPT_REASONS[result.reason], tone: 'soft' };
    case 'skipped':
      return { name, figures: [before, '', 'skipped'], note: SKIPPED_REASONS[result.reason], tone: 'soft' };
    case 'failed':
      return { name, figures: [before, '', 'failed'], note: result.code, tone: 'bad' };
  }
}

function figuresOf(bytesIn: number, bytesOut: number): Line['figures'] {
  return [readableBytes(bytesIn), readableBytes(bytesOut), `${percentSaved(bytesIn, bytesOut).toFixed(1)} %`];
}

/** The quality is the encoder's own number, which is not the one that was asked for on libjpeg's scale. */
function encodingNote({ format, lossless, quality, score }: Encoding): string {
  if (lossless) return `${format}, lossless`;
  return [
    format,
    format === 'png' && score !== undefined && 'palette',
    quality !== undefined && `encoder quality ${quality}`,
    score !== undefined && `score ${score}`,
  ]
    .filter(Boolean)
    .join(', ');
}

function table(lines: readonly Line[], terminal: TerminalShape): string[] {
  const figureWidths = [0, 1, 2].map((at) => Math.max(...lines.map(({ figures }) => widthOf(figures[at]!))));
  const taken = figureWidths.reduce((sum, width) => sum + width + GAP, 0);
  const room = terminal.columns - taken;
  const noteWidth = Math.max(0, ...lines.map(({ note }) => widthOf(note)));
  const longest = Math.max(...lines.map(({ name }) => widthOf(name)));
  const nameWidth = Math.max(8, Math.min(longest, noteWidth === 0 ? room : Math.ceil(room * 0.55)));
  return lines.map((line) => {
    const figures = line.figures.map((text, at) => padStart(text, figureWidths[at]!));
    const shown = [padEnd(cutStart(line.name, nameWidth), nameWidth), ...figures].join(' '.repeat(GAP));
    const noteRoom = room - nameWidth - GAP;
    const note = line.note && noteRoom >= 8 ? ' '.repeat(GAP) + cutEnd(line.note, noteRoom) : '';
    return toned((shown + note).trimEnd(), line.tone, terminal);
  });
}

/** What was left alone and why, most first. */
function reasonLines(report: JobReport, terminal: TerminalShape): string[] {
  const reasons = [
    ...entriesOf<KeptReason>(report.keptReasons).map(
      ([reason, count]) => [count, KEPT_REASONS[reason]] as const,
    ),
    ...entriesOf<SkippedReason>(report.skippedReasons).map(
      ([reason, count]) => [count, SKIPPED_REASONS[reason]] as const,
    ),
  ].sort(([a], [b]) => b - a);
  if (reasons.length === 0) return [];
  const width = Math.max(...reasons.map(([count]) => readableCount(count).length));
  return [
    toned('Left as they are', 'bold', terminal),
    ...reasons.map(([count, meaning]) =>
      cutEnd(`${padStart(readableCount(count), width)}  ${meaning}`, terminal.columns),
    ),
  ];
}

function failureLines(
  failures: readonly ReportedFailure[],
  report: JobReport,
  terminal: TerminalShape,
): string[] {
  const all = needingALook(report);
  if (all === 0) return [];
  const names = shortNames(
    failures.map(({ source }) => source),
    report,
  );
  const codes = [...new Set(failures.map(({ code }) => code))];
  const lines = codes.flatMap((code) => [
    ...indented(`${code}: ${meaningOfFailure(code)}. ${adviceOn(code, report)}`, 0, terminal),
    ...failures
      .filter((failure) => failure.code === code)
      .flatMap(({ source, message }) => [
        `  ${toned(cutStart(names(source), terminal.columns - 2), 'bad', terminal)}`,
        ...indented(inFolders(message, report.folders), 4, terminal).map((line) =>
          toned(line, 'soft', terminal),
        ),
      ]),
  ]);
  const more = all - failures.length;
  return [
    toned(all > report.failed ? 'Failed or lost' : 'Failed', 'bold', terminal),
    ...lines,
    ...(more > 0 ? [cutEnd(`and ${readableCount(more)} more in failed.jsonl`, terminal.columns)] : []),
  ];
}

function indented(text: string, indent: number, terminal: TerminalShape): string[] {
  return wrapped(printable(text), terminal.columns - indent).map((line) => ' '.repeat(indent) + line);
}

function sumLines(report: JobReport, terminal: TerminalShape): string[] {
  const { planned, bytesIn, bytesOut, savedPercent, durationSeconds, status, cause, settings } = report;
  const parts = (['compressed', 'kept', 'skipped', 'failed', 'lost'] as const)
    .filter((part) => report[part] > 0)
    .map(
      (part) =>
        `${readableCount(report[part])} ${part === 'lost' && wasStopped(report) ? 'not started' : part}`,
    );
  const counts = `${countOf(planned, 'image')}: ${parts.join(', ') || 'nothing to do'} (${readableSeconds(durationSeconds)})`;
  const bytes = `${readableBytes(bytesIn)} → ${readableBytes(bytesOut)}, ${savedPercent.toFixed(1)} % smaller`;
  return [
    ...(settings?.dryRun ? [toned('Dry run: no image was written', 'bold', terminal)] : []),
    ...indented(counts, 0, terminal),
    ...(bytesIn > 0 ? [toned(bytes, 'good', terminal)] : []),
    ...indented(irreversibleNote(report) ?? '', 0, terminal).filter(Boolean),
    ...(status === 'FAILED' && cause
      ? indented(verdictOf(report, cause), 0, terminal).map((line) => toned(line, 'bad', terminal))
      : []),
  ];
}

/** A job that did its work, and only found too many bad images, says so: its exit code is that of failed images. */
function verdictOf(report: JobReport, cause: string): string {
  if (wasStopped(report)) return cause;
  const itself = report.failure || report.lost > 0;
  return `${itself ? 'The job failed.' : 'More images failed than are tolerated.'} ${cause}`;
}

/** Addresses are not cut: they are there to be copied. */
function addressLines(report: JobReport, terminal: TerminalShape): string[] {
  const { jobFiles, jobId, output, folders, settings } = report;
  const line = (name: string, address: string) =>
    `${toned(padEnd(name, 7), 'soft', terminal)}${printable(address)}`;
  const hasOutputs = output.startsWith('s3://') && !settings?.dryRun;
  return [
    ...(hasOutputs ? [line('output', inFolders(output, folders))] : []),
    line('report', addressOf(jobFiles, jobKeys.reportHtml(jobId))),
    ...(needingALook(report) > 0 ? [line('failed', addressOf(jobFiles, jobKeys.failed(jobId)))] : []),
  ];
}

type Names = (source: string) => string;

/** Sources as short as they stay clear: without s3://bucket/ when all lie in one, or in a folder. */
function shortNames(sources: readonly string[], { folders }: JobReport): Names {
  const buckets = new Set(sources.map((source) => source.slice(0, source.indexOf('/', 5) + 1)));
  const [only] = buckets;
  const start = buckets.size === 1 && only !== undefined ? only.length : 0;
  return (source) => printable(start > 0 ? source.slice(start) : nameInFolder(source, folders));
}

function entriesOf<Key extends string>(counts: Partial<Record<Key, number>>): [Key, number][] {
  return Object.entries(counts) as [Key, number][];
}
