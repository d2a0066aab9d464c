import { describe, expect, it } from 'vitest';
import type { ImageResult, Outcome } from '../../src/core/image-result.ts';
import { buildReport, type JobCircumstances } from '../../src/core/report.ts';
import { countResult, newTally } from '../../src/core/tally.ts';
import { reportHtml } from '../../src/report/report-html.ts';
import { compressed, JOB, JOB_ID, resultOf } from '../support/report-files.ts';

function pageOf(results: readonly ImageResult[], circumstances: Partial<JobCircumstances> = {}): string {
  const tally = newTally();
  for (const result of results) countResult(tally, result);
  return reportHtml(
    buildReport(tally, {
      jobId: JOB_ID,
      job: JOB,
      jobFiles: 's3://work/',
      startedAt: '2026-11-21T10:00:00.000Z',
      finishedAt: '2026-11-21T10:03:20.000Z',
      planned: results.length,
      batches: { planned: 1, failed: 0 },
      failures: [],
      failedBatches: [],
      ...circumstances,
    }),
  );
}

const image = (key: string, n = 0) => ({ n, bucket: 'in', key });
const HOSTILE = [
  '<script>alert(1)</script>.jpg',
  '"><img src=x onerror=alert(1)>.jpg',
  "' onmouseover='alert(1)",
  '&lt;b&gt;.jpg',
  '</style></title><h1>.jpg',
];

/** A page on which everything that a user or an error can name has this name. */
function pageFullOf(name: string): string {
  const failure = { source: `s3://in/${name}`, code: 'CorruptImage', message: name } as const;
  return pageOf([resultOf(image(name), compressed(1000, 10, name))], {
    jobId: name,
    job: { ...JOB, jobId: name, fileList: name, output: name },
    jobFiles: name,
    planned: 2,
    failures: [failure],
    failedBatches: [{ batchId: name, error: name, cause: name }],
    failure: { error: name, cause: name },
  });
}

describe('the report page', () => {
  it.each(HOSTILE)('shows %s as text wherever it appears', (name) => {
    const tags = (page: string) => page.match(/<[^>]*>/g);
    const bare = (tag: string) => tag.replace(/"[^"]*"/g, '""');
    expect(tags(pageFullOf(name))?.map(bare)).toEqual(tags(pageFullOf('plain.jpg'))?.map(bare));
  });

  it("names the job's own minSavings among the reasons", () => {
    const kept: Outcome = { status: 'kept', reason: 'no-gain', bytesIn: 1000 };
    const compression = { ...JOB.compression, minSavings: { percent: 7, bytes: 512 } };
    const page = pageOf([resultOf(image('a.jpg'), kept)], { job: { ...JOB, compression } });
    expect(page).toContain('saves less than 7 % (minSavings)');
  });

  it('says within its first lines how much was saved, before and after', () => {
    const page = pageOf([resultOf(image('a.jpg'), compressed(2_000_000, 500_000))]);
    const visible = page
      .slice(page.indexOf('<main>'))
      .replace(/<[^>]+>/g, ' ')
      .replace(/\s+/g, ' ');
    expect(visible.slice(0, 260)).toMatch(/Succeeded .*75\.0 % smaller, 1.50 MB saved before 2.00 MB after 500 kB/);
  });

  it('says what failed, what it means and how to run it again', () => {
    const failed = resultOf(image('cut.jpg'), {
      status: 'failed',
      code: 'CorruptImage',
      message: 'premature end',
    });
    const failure = { source: 's3://in/cut.jpg', code: 'CorruptImage', message: 'premature end' } as const;
    const page = pageOf([failed], { failures: [failure] });
    expect(page).toContain('1 image needs attention');
    expect(page).toContain('cannot be decoded without errors');
    expect(page).toContain('Restore the original');
    expect(page).toContain(`npm run job -- s3://work/jobs/${JOB_ID}/failed.jsonl`);
    expect(page).toContain('s3://in/cut.jpg');
  });

  it('names folders and the images in them by the paths that the user knows', () => {
    const source = { n: 0, bucket: 'local-source', key: 'a b.jpg' };
    const failed = { n: 1, bucket: 'local-source', key: 'c.jpg' };
    const results = [
      resultOf(source, compressed(1000, 10, 's3://local-source/a b.jpg')),
      resultOf(failed, { status: 'failed', code: 'NotFound', message: 'none' }),
    ];
    const page = pageOf(results, {
      job: { ...JOB, fileList: 's3://local-source/', output: 's3://local-output/', jobId: JOB_ID },
      folders: { 'local-source': '/home/me/in', 'local-output': '/home/me/out' },
      failures: [{ source: 's3://local-source/c.jpg', code: 'NotFound', message: 's3://local-source/c.jpg: none' }],
    });
    const [text] = page.split('<details style="margin-top:.9rem"><summary>All settings');
    expect(text).toContain('<td class="key">a b.jpg</td>');
    expect(text).toContain('<td class="key">c.jpg</td>');
    expect(text).toContain('/home/me/in/c.jpg: none');
    expect(text).toContain('<th>File list</th><td class="key">/home/me/in/</td>');
    expect(text).toContain('<th>Output</th><td class="key">/home/me/out/</td>');
    expect(text).not.toContain('local-');
  });

  it('says why images were not compressed', () => {
    const kept = resultOf(image('a.jpg'), { status: 'kept', reason: 'hdr-gain-map', bytesIn: 10 });
    const skipped = resultOf(image('b.jpg', 1), { status: 'skipped', reason: 'archived' });
    const page = pageOf([kept, skipped]);
    expect(page).toContain('has an HDR gain map that would be lost');
    expect(page).toContain('in an archive storage class; restore it first');
  });

  it('says that nothing was written in a dry run', () => {
    const kept = resultOf(image('b.jpg', 1), { status: 'kept', reason: 'hdr-gain-map', bytesIn: 10 });
    const results = [resultOf(image('a.jpg'), compressed(1000, 500)), kept];
    const page = pageOf(results, { job: { ...JOB, dryRun: true } });
    expect(page).toContain('Dry run: no image was written');
    expect(page).toContain('1 of 2 images would be compressed');
    expect(page).not.toContain('in the output');
    expect(pageOf(results)).toContain('2 images in the output, 1 of them compressed');
  });

  it('says how many bytes each of the biggest savings saved', () => {
    const page = pageOf([resultOf(image('a.jpg'), compressed(2_000_000, 500_000))]);
    const [, savings = ''] = page.split('<h2>Biggest savings</h2>');
    expect(savings.match(/<td class="number">[^<]*/g)?.map((cell) => cell.slice(19))).toEqual([
      '2.00 MB',
      '500 kB',
      '1.50 MB',
      '75.0 %',
    ]);
  });

  it('is self-contained: no script, and nothing that is loaded from elsewhere', () => {
    const page = pageOf([resultOf(image('a.jpg'), compressed(100, 50))]);
    expect(page).not.toMatch(/<script|<link|<img|@import|url\(|\ssrc=|\shref=/);
    expect(page).toContain("default-src 'none'");
    expect(page).toContain('prefers-color-scheme: dark');
    expect(page).toContain('@media print');
  });

  it('contains no NaN or undefined when nothing was compressed', () => {
    expect(pageOf([], { job: undefined })).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('stays small, however many images failed', () => {
    const failures = Array.from({ length: 200 }, (_, n) => ({
      source: `s3://in/${n}.jpg`,
      code: 'NotFound' as const,
      message: 'no such object',
    }));
    const failed = resultOf(image('a.jpg'), {
      status: 'failed',
      code: 'NotFound',
      message: 'no such object',
    });
    const page = pageOf(
      Array.from({ length: 5000 }, () => failed),
      { failures },
    );
    expect(page).toContain('and 4,800 more in failed.jsonl');
    expect(page.length).toBeLessThan(100_000);
  });
});
