import { failureText } from '../core/image-result.ts';
import { jobKeys } from '../core/job-keys.ts';
import type { ObjectStore } from '../core/object-store.ts';
import { type JobReport, percentSaved } from '../core/report.ts';
import { parseS3Uri } from '../core/s3-uri.ts';
import type { ReportSummary } from '../report/report-job.ts';
import { readJson } from '../store/json-lines.ts';
import type { MkBatch } from './mk-environment.ts';

/** One line for every failed image, then the totals, for the container's log. */
export async function printMkReport(summary: ReportSummary, mk: MkBatch, store: ObjectStore): Promise<void> {
  const location = parseS3Uri(summary.report);
  const report = location && (await readJson<JobReport>(store, location));
  for (const { source, code, message } of report?.failures ?? [])
    console.error(`FAILED ${source}: ${failureText(code, message)}`);
  const { planned, compressed, kept, skipped, failed, lost, bytesIn, bytesOut } = summary;
  const unnamed = report ? failed + lost - report.failures.length : 0;
  if (report && unnamed > 0)
    console.error(`and ${unnamed} more in s3://${mk.outputBucket}/${jobKeys.failed(report.jobId)}`);
  console.log(
    `${mk.batch}: compressed ${compressed} of ${planned} images, kept ${kept}, skipped ${skipped}, failed ${failed + lost}; ` +
      `${bytesIn} bytes became ${bytesOut}, ${percentSaved(bytesIn, bytesOut)} % smaller`,
  );
  console.log(`Outputs: ${mk.output}  Report: ${summary.report}`);
}
