import { jobKeys } from '../core/job-keys.ts';
import { countOf, readableCount } from '../core/readable.ts';
import {
  addressOf,
  imagesToCheck,
  inFolders,
  irreversibleNote,
  type JobReport,
  nameInFolder,
  wasStopped,
} from '../core/report.ts';
import { failureGroups } from '../core/report-groups.ts';
import { html, type Markup } from './html.ts';

/** What failed or was lost, what it means and what to do; undefined when nothing did. */
export function problemsSection(report: JobReport): Markup | undefined {
  const { cause, failure } = report;
  const images = imagesToCheck(report);
  if (images === 0 && !cause) return undefined;
  return html`<section class="alarm long">
<h2>${headingOf(report, images)}</h2>
${failure && html`<p><b>${failure.error}</b> <span class="key">${failure.cause}</span></p>`}
${cause && !failure && html`<p class="key">${cause}</p>`}
${!cause && html`<p>Within toleratedFailurePercentage: the job still succeeded.</p>`}
${failureTable(report)}
${images > 0 && runAgain(report)}
${failureList(report, images)}
</section>`;
}

/** Originals that are gone for good, and why that was allowed; undefined when none is. */
export function irreversibleSection(report: JobReport): Markup | undefined {
  const note = irreversibleNote(report);
  if (!note) return undefined;
  return html`<section class="alarm long">
<h2>Not reversible</h2>
<p>${note}</p>
</section>`;
}

function headingOf(report: JobReport, images: number): string {
  if (images > 0) return `${countOf(images, 'image')} need${images === 1 ? 's' : ''} attention`;
  return wasStopped(report) ? 'The job was stopped' : 'The job itself failed';
}

function failureTable(report: JobReport): Markup | undefined {
  const groups = failureGroups(report);
  if (groups.length === 0) return undefined;
  return html`<table>
<thead><tr><th>Code</th><th class="number">Images</th><th>Meaning</th><th>What to do</th></tr></thead>
<tbody>${groups.map(
    ({ code, count, meaning, advice }) =>
      html`<tr><td><b>${code}</b></td><td class="number">${readableCount(count)}</td><td>${meaning}</td><td>${advice}</td></tr>`,
  )}</tbody></table>`;
}

function runAgain({ jobFiles, jobId }: JobReport): Markup {
  const list = addressOf(jobFiles, jobKeys.failed(jobId));
  if (!list.startsWith('s3://'))
    return html`<p style="margin-top:.9rem">All of them are listed in <code class="key">${list}</code>.</p>`;
  return html`<p style="margin-top:.9rem">All of them are listed in failed.jsonl, which is a file list: once the causes are fixed, run only these again.</p>
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

export function failedBatchesSection({ failedBatches, batches }: JobReport): Markup | undefined {
  if (failedBatches.length === 0) return undefined;
  const more = batches.failed - failedBatches.length;
  return html`<section class="long">
<h2>Failed batches</h2>
<p class="soft">${readableCount(batches.failed)} of ${countOf(batches.planned, 'batch', 'batches')} ended without a result for every image${more > 0 && `; the first ${failedBatches.length} are listed`}</p>
<table><tbody>${failedBatches.map(
    ({ batchId, error, cause }) =>
      html`<tr><td class="key">${batchId}</td><td><b>${error}</b><br><span class="soft key">${cause}</span></td></tr>`,
  )}</tbody></table>
</section>`;
}
