import { countOf, readableBytes, readableCount, readablePercent, readableSeconds } from '../core/readable.ts';
import { addressOf, hiddenDataNote, inFolders, type JobReport, metadataLeftNote, wasStopped } from '../core/report.ts';
import { settingsOf } from '../settings/job-input.ts';
import { html, type Markup } from './html.ts';
import { failedBatchesSection, irreversibleSection, problemsSection } from './problems-html.ts';
import { REPORT_STYLE } from './report-style.ts';
import { formatsSection, histogramSection, reasonsSection, topSavingsSection } from './savings-html.ts';

/** The report as one page that needs nothing else: no script, no font, no network. Escapes everything it shows. */
export function reportHtml(report: JobReport): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${report.status === 'FAILED' ? endOf(report) : `${readablePercent(report.savedPercent)} saved`}: ${report.jobId}</title>
<style>${{ markup: REPORT_STYLE }}</style>
</head>
<body>
<main>
${heading(report)}
${hero(report)}
${irreversibleSection(report)}
${problemsSection(report)}
${counts(report)}
${reasonsSection(report)}
<div class="two">
${histogramSection(report)}
${formatsSection(report)}
</div>
${topSavingsSection(report)}
${failedBatchesSection(report)}
${jobSection(report)}
</main>
</body>
</html>
`;
  return page.markup;
}

function endOf(report: JobReport): string {
  if (report.status === 'SUCCEEDED') return 'Succeeded';
  return wasStopped(report) ? 'Stopped' : 'Failed';
}

function heading(report: JobReport): Markup {
  const { jobId, status, startedAt, durationSeconds, settings } = report;
  return html`<header>
<h1>${jobId}</h1>
<span class="status ${status === 'FAILED' ? 'bad' : 'good'}">${endOf(report)}</span>
${settings?.dryRun && html`<span class="status good">Dry run: no image was written</span>`}
<span class="soft">${startedAt.slice(0, 16).replace('T', ' ')} UTC, ${readableSeconds(durationSeconds)}</span>
</header>`;
}

function hero(report: JobReport): Markup {
  const { savedPercent, bytesIn, bytesOut } = report;
  if (bytesIn === 0)
    return html`<section class="hero"><div><div class="saved">0 %</div>
<p class="soft">saved</p></div><p>No image was compressed.</p></section>`;
  return html`<section class="hero">
<div><div class="saved">${readablePercent(savedPercent)}</div>
<p class="soft">smaller, ${readableBytes(Math.max(0, bytesIn - bytesOut))} saved</p></div>
<div>${beforeAndAfter(bytesIn, bytesOut)}
<p class="soft">${shareCompressed(report)}</p></div>
</section>`;
}

function shareCompressed({ settings, planned, compressed, kept }: JobReport): string {
  const count = readableCount(compressed);
  return settings?.dryRun
    ? `${count} of ${countOf(planned, 'image')} would be compressed`
    : `${countOf(compressed + kept, 'image')} in the output, ${count} of them compressed`;
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
  ['kept', 'kept unchanged', 'var(--kept)'],
  ['skipped', 'skipped', 'var(--skipped)'],
  ['failed', 'failed', 'var(--bad)'],
  ['lost', 'lost', 'var(--lost)'],
] as const;

function counts(report: JobReport): Markup {
  const shown = STATUSES.filter(([status]) => report[status] > 0 || status === 'compressed');
  return html`<section>
<h2>${countOf(report.planned, 'image')}${report.lost === 0 && ', all accounted for'}</h2>
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

/** A single failure among a million images would be too thin to see: no part is drawn narrower than this share. */
const MIN_SHARE = 0.006;

function countsBar(report: JobReport): Markup | undefined {
  const all = report.accounted + report.lost;
  if (all === 0) return undefined;
  const present = STATUSES.filter(([status]) => report[status] > 0);
  const shareOf = (status: (typeof STATUSES)[number][0]) => Math.max(MIN_SHARE, report[status] / all);
  const shares = present.reduce((sum, [status]) => sum + shareOf(status), 0);
  let x = 0;
  const parts = present.map(([status, label, colour]) => {
    const width = (shareOf(status) / shares) * 100;
    const part = html`<rect x="${x.toFixed(3)}%" width="${width.toFixed(3)}%" height="14" fill="${colour}"><title>${readableCount(report[status])} ${labelIn(report, label)}</title></rect>`;
    x += width;
    return part;
  });
  return html`<svg height="14" aria-hidden="true" style="margin-top:.9rem;border-radius:7px;overflow:hidden">${parts}</svg>`;
}

function jobSection(report: JobReport): Markup {
  const { fileList, output, jobFiles, folders, jobId, estimatedCost, settings } = report;
  const rows = [
    ['File list', inFolders(fileList, folders)],
    ['Output', inFolders(output, folders)],
    ['Metadata left', metadataLeftNote(report)],
    ['Hidden data', hiddenDataNote(report)],
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
  return `$${money(s3Requests)} for S3 requests and $${money(stateTransitions)} for Step Functions, at us-east-1 list prices. Lambda or Fargate compute is extra, and usually the largest part of the bill.`;
}

function money(dollars: number): string {
  return dollars >= 1 ? dollars.toFixed(2) : dollars.toFixed(4);
}
