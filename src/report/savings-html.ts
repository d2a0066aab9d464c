import { countOf, readableBytes, readableCount, readablePercent } from '../core/readable.ts';
import { type JobReport, nameInFolder, percentSaved } from '../core/report.ts';
import { reasonGroups } from '../core/report-groups.ts';
import { html, type Markup } from './html.ts';

/** Why images were kept or skipped; undefined when none were. */
export function reasonsSection(report: JobReport): Markup | undefined {
  const groups = reasonGroups(report);
  const most = groups[0]?.count;
  if (most === undefined) return undefined;
  return html`<section>
<h2>Not compressed</h2>
<p class="soft">These images stay as they are, for these reasons.</p>
<table class="reasons"><tbody>${groups.map(
    ({ status, reason, count, meaning }) => html`<tr>
<td><b>${reason}</b><br><span class="soft">${meaning}</span></td>
<td><svg height="16" aria-hidden="true"><rect y="4" width="${((count / most) * 100).toFixed(2)}%" height="12" rx="3" fill="var(--${status})"/></svg></td>
<td class="number">${readableCount(count)}</td></tr>`,
  )}</tbody></table>
</section>`;
}

export function histogramSection({ savingsHistogram, compressed }: JobReport): Markup | undefined {
  if (compressed === 0) return undefined;
  const most = Math.max(...savingsHistogram, 1);
  return html`<section>
<h2>Savings</h2>
<p class="soft">Compressed images, by percent saved</p>
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
<text x="${tenth * 10 + 5}%" y="146" text-anchor="middle" style="font-size:11px;fill:var(--soft)">${tenth * 10} %</text></g>`;
}

/** Ten columns are narrow: `12k` fits where `12,345` does not. */
function shortCount(count: number): string {
  if (count < 10_000) return readableCount(count);
  return count < 10_000_000 ? `${Math.round(count / 1000)}k` : `${Math.round(count / 1_000_000)}M`;
}

export function formatsSection({ byFormat }: JobReport): Markup | undefined {
  const rows = Object.entries(byFormat).sort(([, a], [, b]) => b.bytesIn - a.bytesIn);
  if (rows.length === 0) return undefined;
  return html`<section>
<h2>By format</h2>
<p class="soft">Compressed images, as they were written</p>
<table><thead><tr><th>Format</th><th class="number">Images</th><th class="number">Before</th><th class="number">After</th><th class="number">Saved</th></tr></thead>
<tbody>${rows.map(
    ([format, { images, bytesIn, bytesOut }]) =>
      html`<tr><td>${format}</td><td class="number">${readableCount(images)}</td>${byteCells(bytesIn, bytesOut)}${percentCell(bytesIn, bytesOut)}</tr>`,
  )}</tbody></table>
</section>`;
}

export function topSavingsSection({ topSavings, folders }: JobReport): Markup | undefined {
  if (topSavings.length === 0) return undefined;
  return html`<section class="long">
<h2>Biggest savings</h2>
<table><thead><tr><th>Image</th><th class="number">Before</th><th class="number">After</th><th class="number">Saved</th><th class="number">Percent</th></tr></thead>
<tbody>${topSavings.map(
    ({ source, bytesIn, bytesOut }) =>
      html`<tr><td class="key">${nameInFolder(source, folders)}</td>${byteCells(bytesIn, bytesOut, bytesIn - bytesOut)}${percentCell(bytesIn, bytesOut)}</tr>`,
  )}</tbody></table>
</section>`;
}

function byteCells(...sizes: number[]): Markup[] {
  return sizes.map((bytes) => html`<td class="number">${readableBytes(bytes)}</td>`);
}

function percentCell(bytesIn: number, bytesOut: number): Markup {
  return html`<td class="number">${readablePercent(percentSaved(bytesIn, bytesOut))}</td>`;
}
