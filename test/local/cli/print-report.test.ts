import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../../local/cli/exit-codes.ts';
import { printReport } from '../../../local/cli/print-report.ts';
import { shapeOf, widthOf } from '../../../local/cli/terminal-text.ts';
import type { ImageResult, Outcome } from '../../../src/core/image-result.ts';
import { buildReport, type JobCircumstances, type JobReport } from '../../../src/core/report.ts';
import { countResult, newTally } from '../../../src/core/tally.ts';
import { compressed, JOB, JOB_ID, resultOf } from '../../support/report-files.ts';

const FAILED: Outcome = { status: 'failed', code: 'CorruptImage', message: 'premature end of JPEG image' };
const KEPT: Outcome = { status: 'kept', reason: 'no-gain', bytesIn: 5000 };

const image = (key: string, n: number) => ({ n, bucket: 'in', key });

function reportOf(results: readonly ImageResult[], circumstances: Partial<JobCircumstances> = {}): JobReport {
  const tally = newTally();
  for (const result of results) countResult(tally, result);
  return buildReport(tally, {
    jobId: JOB_ID,
    job: JOB,
    jobFiles: '/tmp/job-files',
    startedAt: '2026-11-21T10:00:00.000Z',
    finishedAt: '2026-11-21T10:00:03.500Z',
    planned: results.length,
    batches: { planned: 1, failed: 0 },
    failures: [],
    failedBatches: [],
    ...circumstances,
  });
}

function print(results: readonly ImageResult[], columns = 100, colour = false) {
  return printReport(reportOf(results), results, { columns, colour });
}

const FEW = [
  resultOf(image('photos/bush dog.jpg', 1), compressed(2_000_000, 500_000)),
  resultOf(image('broken/cut off.jpg', 2), FAILED),
  resultOf(image('写真/夏休み 🏖️.png', 0), KEPT),
];

describe('the report on a terminal', () => {
  it('has a line for each image, in the order of the list', async () => {
    const lines = (await print(FEW)).split('\n');
    expect(lines[1]).toMatch(/^写真\/夏休み 🏖️\.png +5\.00 kB +5\.00 kB +kept {2}saves less than 3 % \(minSavings\)$/);
    expect(lines[2]).toMatch(/^photos\/bush dog\.jpg +2\.00 MB +500 kB +75\.0 % {2}jpeg$/);
    expect(lines[3]).toMatch(/^broken\/cut off\.jpg +failed {2}CorruptImage$/);
  });

  it('names and counts metadata that is left in images, and ends with exit code 1', async () => {
    const strip = { ...JOB, compression: { ...JOB.compression, metadata: 'strip' } } as const;
    const results = [resultOf(image('a.gif', 0), { ...KEPT, metadataLeft: 'a comment' })];
    const report = reportOf(results, { job: strip });
    const text = await printReport(report, results, { columns: 120, colour: false });
    expect(text).toMatch(/a\.gif .* kept {2}metadata left: a comment; saves less/);
    expect(text).toContain("1 image still has metadata that 'metadata: strip' removes.");
    expect([report.metadataLeft, exitCodeOf(report)]).toEqual([1, 1]);
  });

  it.each([
    [{ format: 'jpeg', lossless: true }, 'jpeg, lossless'],
    [{ format: 'jpeg', lossless: false, quality: 78 }, 'jpeg, encoder quality 78'],
    [{ format: 'webp', lossless: false, quality: 70, score: 80.4, probes: 4 }, 'webp, encoder quality 70, score 80.4'],
    [{ format: 'png', lossless: true }, 'png, lossless'],
    [{ format: 'png', lossless: false, score: 95.4 }, 'png, palette, score 95.4'],
  ] as const)('says how an image was encoded: %o', async (encoding, note) => {
    const outcome = { ...compressed(2_000_000, 500_000), encoding } as Outcome;
    const lines = (await print([resultOf(image('a.jpg', 0), outcome)])).split('\n');
    expect(lines[1]).toMatch(new RegExp(`75\\.0 % {2}${note}$`));
  });

  it('aligns its columns, also with characters that are two columns wide', async () => {
    const lines = (await print(FEW)).split('\n').slice(0, 3);
    const ends = lines.map((line) => widthOf(line.match(/^.*(before|kB +5|MB)/)![0].replace(/ +5$/, '')));
    expect(new Set(ends).size).toBe(1);
  });

  it('explains each failure and says where they are listed', async () => {
    const text = await print(FEW);
    expect(text).toContain('CorruptImage: cannot be decoded without errors. Restore the original');
    expect(text).toContain('    premature end of JPEG image');
    expect(text).toContain('3 images: 1 compressed, 1 kept, 1 failed (3.5 s)');
    expect(text).toContain('\nOf 3 images, 1 failed (33.33 %, tolerated 10 %).\n');
    expect(text).toContain('2.00 MB → 505 kB, 74.8 % smaller');
    expect(text).toContain(`/tmp/job-files/jobs/${JOB_ID}/report.html`);
    expect(text).toContain(`/tmp/job-files/jobs/${JOB_ID}/failed.jsonl`);
  });

  it('shows an image once, even if two hosts compressed it', async () => {
    const twice = [resultOf(image('a.jpg', 0), { status: 'skipped', reason: 'up-to-date' }), ...FEW.slice(0, 1)];
    const again = resultOf(image('a.jpg', 0), compressed(100, 50));
    const text = await printReport(reportOf(twice), [...twice, again], { columns: 80, colour: false });
    expect(text.match(/a\.jpg/g)).toHaveLength(1);
    expect(text).toMatch(/a\.jpg +100 B +50 B/);
  });

  it.each([40, 60, 80, 100, 200])('is never wider than %i columns, except addresses', async (columns) => {
    const long = resultOf(image(`${'深い/folder/'.repeat(30)}picture.jpg`, 3), FAILED);
    const noted = resultOf(image('x'.repeat(300), 4), {
      ...FAILED,
      message: `${'y'.repeat(500)}\nsecond line`,
    } as Outcome);
    const text = await print([...FEW, long, noted], columns);
    const wide = text.split('\n').filter((line) => widthOf(line) > columns && !line.includes('/tmp/job-files'));
    expect(wide).toEqual([]);
    expect(text).toContain('picture.jpg');
    expect(text).toContain('second line');
  });

  it('summarises what is too much to list, and still names every failure', async () => {
    const results = Array.from({ length: 500 }, (_, n) =>
      resultOf(image(`${n}.jpg`, n), n % 100 === 0 ? FAILED : n % 3 === 0 ? KEPT : compressed(1000 + n, 500)),
    );
    const text = await print(results);
    for (const n of [0, 100, 200, 300, 400]) expect(text).toContain(`  ${n}.jpg\n`);
    expect(text).toContain('Biggest savings\nimage');
    expect(text).toContain('165  saves less than 3 % (minSavings)\n');
    expect(text.split('\n').length).toBeLessThan(50);
  });

  it('names lost images, which have no row', async () => {
    const failures = [{ source: 's3://in/gone.jpg', code: 'Lost', message: 'batch-000001: died' }] as const;
    const report = reportOf(FEW.slice(0, 1), { planned: 2, failures });
    const text = await printReport(report, FEW.slice(0, 1), { columns: 90, colour: false });
    expect(text).toContain('gone.jpg');
    expect(text).toContain('The job failed. Of 2 images, 1 was lost');
  });

  it('gives no advice on deployment for a permission of this machine', async () => {
    const denied: Outcome = { status: 'failed', code: 'AccessDenied', message: 'EACCES' };
    const rows = [resultOf(image('a.jpg', 0), denied)];
    const text = (folders?: Record<string, string>) =>
      printReport(reportOf(rows, { folders }), rows, { columns: 100, colour: false });
    expect(await text()).toContain('sourceBuckets');
    expect(await text({ in: '/home/me/in' })).toMatch(/AccessDenied: .*\. Grant the permission named below\.\n/);
  });

  it('says of a job that was stopped how many were not started, and names none of them', async () => {
    const failure = {
      error: 'Interrupted',
      cause: 'Stopped by Ctrl-C; the same command continues from here.',
    };
    const report = reportOf(FEW, { planned: 90, failure });
    const text = await printReport(report, FEW, { columns: 90, colour: false });
    expect(text).toContain('90 images: 1 compressed, 1 kept, 1 failed, 87 not started (3.5 s)');
    expect(text).toContain('the same command continues from here.');
    expect(text).not.toMatch(/lost|stopped before it|The job failed/i);
    expect(text.match(/not started/g)).toHaveLength(1);
  });

  it('names images in folders by their paths, others by their URIs, and says where the outputs are', async () => {
    const folders = { 'local-source': '/home/me/in', 'local-output': '/home/me/out' };
    const rows = [
      resultOf({ n: 0, bucket: 'local-source', key: 'a.jpg' }, compressed(1000, 500)),
      resultOf(
        { n: 1, bucket: 'local-source', key: 'b.jpg' },
        { status: 'failed', code: 'NotFound', message: 's3://local-source/b.jpg: no such object' },
      ),
      resultOf({ n: 2, bucket: 'far', key: 'c.jpg' }, compressed(1000, 500)),
    ];
    const report = reportOf(rows, { folders, job: { ...JOB, output: 's3://local-output/' } });
    const text = await printReport(report, rows, { columns: 100, colour: false });
    expect(text).toMatch(/^a\.jpg +1\.00 kB/m);
    expect(text).toMatch(/^s3:\/\/far\/c\.jpg +1\.00 kB/m);
    expect(text).toContain('    /home/me/in/b.jpg: no such object\n');
    expect(text).toMatch(/^output \/home\/me\/out\/$/m);
    expect(text).not.toContain('local-');
    const dryRun = { ...report, settings: { ...JOB, dryRun: true } };
    expect(await printReport(dryRun, rows, { columns: 100, colour: false })).not.toMatch(/^output/m);
  });

  it('lets no key take over the terminal', async () => {
    const text = await print([resultOf(image('\u001b[2Jclear\r\u202egpj.exe\nnext.jpg', 0), FAILED)]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is what is tested
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    expect(text).toContain('clear');
  });

  it('has colours only on terminals, and none where NO_COLOR is set', async () => {
    expect(await print(FEW, 100, true)).toContain('\u001b[31m');
    expect(await print(FEW, 100, false)).not.toContain('\u001b');
    expect(shapeOf({ isTTY: true, columns: 120 }, {})).toEqual({ columns: 120, colour: true });
    expect(shapeOf({ isTTY: true, columns: 120 }, { NO_COLOR: '1' }).colour).toBe(false);
    expect(shapeOf({}, {})).toEqual({ columns: 100, colour: false });
  });
});
