import { KEPT_REASONS, SKIPPED_REASONS } from '../core/image-result.ts';
import { jobKeys } from '../core/job-keys.ts';
import { countOf, readableBytes, readableCount, readableSeconds } from '../core/readable.ts';
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
  wasStopped,
} from '../core/report.ts';
import { settingsOf } from '../settings/job-input.ts';
import { html, type Markup } from './html.ts';
import { REPORT_STYLE } from './report-style.ts';

/** The report as one page that needs nothing else: no script, no font, no network. Escapes everything it shows. */
export function reportHtml(report: JobReport): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${titleOf(report)}</title>
<style>${{ markup: REPORT_STYLE }}</style>
</head>
<body>
<main>
${heading(report)}
${hero(report)}
${whatWentWrong(report)}
${counts(report)}
${whyNotSmaller(report)}
<div class="two">
${howMuchSmaller(report)}
${formats(report)}
</div>
${biggestSavings(report)}
${deadBatches(report)}
${particulars(report)}
</main>
</body>
</html>
`;
  return page.markup;
}

function titleOf(report: JobReport): string {
  const { status, savedPercent, jobId } = report;
  return status === 'FAILED' ? `${endOf(report)}: ${jobId}` : `${percent(savedPercent)} % saved: ${jobId}`;
}

function endOf(report: JobReport): string {
  if (report.status === 'SUCCEEDED') return 'Succeeded';
  return wasStopped(report) ? 'Stopped' : 'Failed';
}

function heading(report: JobReport): Markup {
  const { jobId, status, startedAt, durationSeconds, settings } = report;
  const failed = status === 'FAILED';
  return html`<header>
<h1>${jobId}</h1>
<span class="status ${failed ? 'bad' : 'good'}">${endOf(report)}</span>
${settings?.dryRun && html`<span class="status good">Dry run: no image was written</span>`}
<span class="soft">${startedAt.slice(0, 16).replace('T', ' ')} UTC, ${readableSeconds(durationSeconds)}</span>
</header>`;
}

function hero(report: JobReport): Markup {
  const { savedPercent, bytesIn, bytesOut, compressed, kept } = report;
  if (bytesIn === 0)
    return html`<section class="hero"><div><div class="saved">0<small>%</small></div>
<p class="soft">saved</p></div><p>No image was compressed.</p></section>`;
  return html`<section class="hero">
<div><div class="saved">${percent(savedPercent)}<small>%</small></div>
<p class="soft">smaller, ${readableBytes(Math.max(0, bytesIn - bytesOut))} saved</p></div>
<div>${beforeAndAfter(bytesIn, bytesOut)}
<p class="soft">${countOf(compressed + kept, 'image')} in the output, ${readableCount(compressed)} of them compressed</p></div>
</section>`;
}

function beforeAndAfter(bytesIn: number, bytesOut: number): Markup {
  const after = Math.min(100, (bytesOut / bytesIn) * 100);
  return html`<svg role="img" height="88" aria-label="${readableBytes(bytesIn)} before, ${readableBytes(bytesOut)} after">
<text x="0" y="12">before <tspan font-weight="600">${readableBytes(bytesIn)}</tspan></text>
<rect x="0" y="19" width="100%" height="16" rx="4" fill="var(--before)"/>
<text x="0" y="58">after <tspan font-weight="600">${readableBytes(bytesOut)}</tspan></text>
<rect x="0" y="65" width="${after.toFixed(2)}%" height="16" rx="4" fill="var(--good)"/>
</svg>`;
}

const STATUSES = [
  ['compressed', 'compressed', 'var(--good)'],
  ['kept', 'kept as they were', 'var(--kept)'],
  ['skipped', 'skipped', 'var(--skipped)'],
  ['failed', 'failed', 'var(--bad)'],
  ['lost', 'lost', 'var(--lost)'],
] as const;

function counts(report: JobReport): Markup {
  const shown = STATUSES.filter(([status]) => report[status] > 0 || status === 'compressed');
  return html`<section>
<h2>${countOf(report.planned, 'image')}, each in exactly one place</h2>
${countsBar(report)}
<ul class="counts">${shown.map(
    ([status, label, colour]) =>
      html`<li><b>${readableCount(report[status])}</b><span class="dot" style="background:${colour}"></span>${labelIn(report, label)}</li>`,
  )}</ul>
</section>`;
}

function labelIn(report: JobReport, label: string): string {
  return label === 'lost' && wasStopped(report) ? 'not started' : label;
}

/** A single failure among a million images would be too thin to see: nothing is drawn narrower than this share. */
const NARROWEST = 0.006;

function countsBar(report: JobReport): Markup | undefined {
  const all = report.accounted + report.lost;
  if (all === 0) return undefined;
  const present = STATUSES.filter(([status]) => report[status] > 0);
  const widths = present.map(([status]) => Math.max(NARROWEST, report[status] / all));
  const percentPerWidth = 100 / widths.reduce((sum, width) => sum + width, 0);
  let x = 0;
  const parts = present.map(([status, label, colour], index) => {
    const width = widths[index]! * percentPerWidth;
    const part = html`<rect x="${x.toFixed(3)}%" width="${width.toFixed(3)}%" height="14" fill="${colour}"><title>${readableCount(report[status])} ${labelIn(report, label)}</title></rect>`;
    x += width;
    return part;
  });
  return html`<svg height="14" aria-hidden="true" style="margin-top:.9rem;border-radius:7px;overflow:hidden">${parts}</svg>`;
}

function whatWentWrong(report: JobReport): Markup | undefined {
  const { cause, failure } = report;
  const images = needingALook(report);
  if (images === 0 && !cause) return undefined;
  return html`<section class="alarm long">
<h2>${headingOf(report, images)}</h2>
${failure && html`<p><b>${failure.error}</b> <span class="key">${failure.cause}</span></p>`}
${cause && !failure && html`<p class="key">${cause}</p>`}
${!cause && html`<p>Not more than the settings tolerate: the job succeeded all the same.</p>`}
${failureCodes(report)}
${images > 0 && runAgain(report)}
${failureList(report, images)}
</section>`;
}

function headingOf(report: JobReport, images: number): string {
  if (images > 0) return `${countOf(images, 'image')} need${images === 1 ? 's' : ''} a look`;
  return wasStopped(report) ? 'The job was stopped before its end' : 'The job itself failed';
}

function failureCodes(report: JobReport): Markup | undefined {
  const lost = needingALook(report) - report.failed;
  const codes = byCount({ ...report.failureCodes, ...(lost > 0 && { Lost: lost }) });
  if (codes.length === 0) return undefined;
  return html`<table>
<thead><tr><th>What</th><th class="number">Images</th><th>Meaning</th><th>What to do</th></tr></thead>
<tbody>${codes.map(
    ([code, count]) =>
      html`<tr><td><b>${code}</b></td><td class="number">${readableCount(count)}</td><td>${meaningOfFailure(code)}</td><td>${adviceOn(code, report)}</td></tr>`,
  )}</tbody></table>`;
}

function runAgain({ jobFiles, jobId }: JobReport): Markup {
  const list = addressOf(jobFiles, jobKeys.failed(jobId));
  if (!list.startsWith('s3://'))
    return html`<p style="margin-top:.9rem">All of them are named in <code class="key">${list}</code>.</p>`;
  return html`<p style="margin-top:.9rem">All of them are named in failed.jsonl, which is a file list: once the causes are gone, run just these again.</p>
<pre class="command">npm run job -- ${list}</pre>`;
}

function failureList({ failures, folders }: JobReport, images: number): Markup | undefined {
  if (failures.length === 0) return undefined;
  const more = images - failures.length;
  return html`<details style="margin-top:.9rem"${{ markup: failures.length <= 12 ? ' open' : '' }}>
<summary>${more > 0 ? `The first ${readableCount(failures.length)} by name` : 'By name'}</summary>
<table><tbody>${failures.map(
    ({ source, code, message }) =>
      html`<tr><td class="key">${nameInFolder(source, folders)}</td><td><b>${code}</b><br><span class="soft key">${inFolders(message, folders)}</span></td></tr>`,
  )}</tbody></table>
${more > 0 && html`<p class="soft">and ${readableCount(more)} more in failed.jsonl</p>`}
</details>`;
}

function whyNotSmaller(report: JobReport): Markup | undefined {
  const reasons = [
    ...byCount(report.keptReasons).map(([reason, count]) => ({
      reason,
      count,
      meaning: KEPT_REASONS[reason],
      colour: 'var(--kept)',
    })),
    ...byCount(report.skippedReasons).map(([reason, count]) => ({
      reason,
      count,
      meaning: SKIPPED_REASONS[reason],
      colour: 'var(--skipped)',
    })),
  ];
  if (reasons.length === 0) return undefined;
  const most = Math.max(...reasons.map(({ count }) => count));
  return html`<section>
<h2>Why not smaller?</h2>
<p class="soft">Images that were left as they are, by reason. Good images are never made worse.</p>
<table class="reasons"><tbody>${reasons.map(
    ({ reason, count, meaning, colour }) => html`<tr>
<td><b>${reason}</b><br><span class="soft">${meaning ?? ''}</span></td>
<td><svg height="16" aria-hidden="true"><rect y="4" width="${((count / most) * 100).toFixed(2)}%" height="12" rx="3" fill="${colour}"/></svg></td>
<td class="number">${readableCount(count)}</td></tr>`,
  )}</tbody></table>
</section>`;
}

function howMuchSmaller({ savingsHistogram, compressed }: JobReport): Markup | undefined {
  if (compressed === 0) return undefined;
  const most = Math.max(...savingsHistogram, 1);
  return html`<section>
<h2>How much smaller</h2>
<p class="soft">Compressed images by percent saved</p>
<svg role="img" height="150" aria-label="Histogram of savings" style="margin-top:1rem">${savingsHistogram.map(
    (count, tenth) => savingsColumn(tenth, count, most),
  )}
<line x1="0" x2="100%" y1="128.5" y2="128.5" stroke="var(--line)"/></svg>
</section>`;
}

function savingsColumn(tenth: number, count: number, most: number): Markup {
  const height = count === 0 ? 0 : Math.max(2, (count / most) * 108);
  return html`<g><title>${tenth * 10} to ${tenth * 10 + 10} %: ${countOf(count, 'image')}</title>
<rect x="${tenth * 10 + 1}%" y="${(128 - height).toFixed(1)}" width="8%" height="${height.toFixed(1)}" rx="2" fill="var(--good)"/>
${count > 0 && html`<text x="${tenth * 10 + 5}%" y="${(123 - height).toFixed(1)}" text-anchor="middle" style="font-size:11px">${shortCount(count)}</text>`}
<text x="${tenth * 10 + 5}%" y="146" text-anchor="middle" style="font-size:11px;fill:var(--soft)">${tenth * 10}</text></g>`;
}

/** Ten columns stand close: `12k` has room where `12,345` has not. */
function shortCount(count: number): string {
  if (count < 10_000) return readableCount(count);
  return count < 10_000_000 ? `${Math.round(count / 1000)}k` : `${Math.round(count / 1_000_000)}M`;
}

function formats({ byFormat }: JobReport): Markup | undefined {
  const rows = Object.entries(byFormat).sort(([, a], [, b]) => b.bytesIn - a.bytesIn);
  if (rows.length === 0) return undefined;
  return html`<section>
<h2>By format</h2>
<p class="soft">Compressed images, as they were written</p>
<table><thead><tr><th>Format</th><th class="number">Images</th><th class="number">Before</th><th class="number">After</th><th class="number">Saved</th></tr></thead>
<tbody>${rows.map(
    ([format, { images, bytesIn, bytesOut }]) =>
      html`<tr><td>${format}</td><td class="number">${readableCount(images)}</td>${beforeAfterSaved(bytesIn, bytesOut)}</tr>`,
  )}</tbody></table>
</section>`;
}

function biggestSavings({ topSavings, folders }: JobReport): Markup | undefined {
  if (topSavings.length === 0) return undefined;
  return html`<section class="long">
<h2>Biggest savings</h2>
<table><thead><tr><th>Image</th><th class="number">Before</th><th class="number">After</th><th class="number">Saved</th></tr></thead>
<tbody>${topSavings.map(
    ({ source, bytesIn, bytesOut }) =>
      html`<tr><td class="key">${nameInFolder(source, folders)}</td>${beforeAfterSaved(bytesIn, bytesOut)}</tr>`,
  )}</tbody></table>
</section>`;
}

function beforeAfterSaved(bytesIn: number, bytesOut: number): Markup {
  return html`<td class="number">${readableBytes(bytesIn)}</td><td class="number">${readableBytes(bytesOut)}</td><td class="number">${percent(percentSaved(bytesIn, bytesOut))} %</td>`;
}

function deadBatches({ failedBatches, batches }: JobReport): Markup | undefined {
  if (failedBatches.length === 0) return undefined;
  const more = batches.failed - failedBatches.length;
  return html`<section class="long">
<h2>Batches whose host died</h2>
<p class="soft">${readableCount(batches.failed)} of ${countOf(batches.planned, 'batch', 'batches')} ended without an answer for each image${more > 0 && `; the first ${failedBatches.length}`}</p>
<table><tbody>${failedBatches.map(
    ({ batchId, error, cause }) =>
      html`<tr><td class="key">${batchId}</td><td><b>${error}</b><br><span class="soft key">${cause}</span></td></tr>`,
  )}</tbody></table>
</section>`;
}

function particulars(report: JobReport): Markup {
  const { fileList, output, jobFiles, folders, jobId, estimatedCost, settings } = report;
  const rows = [
    ['File list', inFolders(fileList, folders)],
    ['Output', inFolders(output, folders)],
    ['No way back', irreversibleNote(report)],
    ['Job files', addressOf(jobFiles, `jobs/${jobId}/`)],
    ['Estimated cost', estimatedCost && costText(estimatedCost)],
  ].filter((row): row is [string, string] => Boolean(row[1]));
  return html`<section class="long">
<h2>The job</h2>
<table><tbody>${rows.map(([name, value]) => html`<tr><th>${name}</th><td class="key">${value}</td></tr>`)}</tbody></table>
${settings && html`<details style="margin-top:.9rem"><summary>All settings</summary><pre>${JSON.stringify(settingsOf(settings), null, 2)}</pre></details>`}
</section>`;
}

function costText({ s3Requests, stateTransitions }: NonNullable<JobReport['estimatedCost']>): string {
  return `$${money(s3Requests)} for S3 requests and $${money(stateTransitions)} for Step Functions, at list prices of us-east-1; Lambda or Fargate time comes on top and is most of a bill`;
}

function money(dollars: number): string {
  return dollars >= 1 ? dollars.toFixed(2) : dollars.toFixed(4);
}

/** One decimal where it tells something: `43.2`, but `99.97` never reads as 100. */
function percent(value: number): string {
  const text = value.toFixed(1);
  return text === '100.0' && value < 100 ? value.toFixed(2) : text.replace(/\.0$/, '');
}

function byCount<Key extends string>(counts: Partial<Record<Key, number>>): [Key, number][] {
  return (Object.entries(counts) as [Key, number][]).sort(([, a], [, b]) => b - a);
}
