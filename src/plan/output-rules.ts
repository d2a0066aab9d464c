import { NAMED_PROBLEMS } from '../core/file-list.ts';
import type { Job } from '../core/job.ts';
import { outputRule, targetFormat } from '../core/output-key.ts';
import { PlanError } from '../core/plan.ts';
import { formatS3Uri, parseS3Prefix, type S3Location } from '../core/s3-uri.ts';
import { PROBE_KEY } from '../store/endpoint-check.ts';

/** Objects below a prefix or in an inventory that are outputs of an earlier run or our own files, and so no sources. */
export function isNoSource({ fileList, output }: Job, workBucket: string): (location: S3Location) => boolean {
  const target = output === 'in-place' ? undefined : parseS3Prefix(output);
  const isBelowList = parseS3Prefix(fileList) ? output.startsWith(fileList) : target?.prefix !== '';
  const outputs = isBelowList && output !== fileList ? target : undefined;
  return (location) => isJobFile(location, workBucket) || isBelow(location, outputs) || location.key === PROBE_KEY;
}

/**
 * What distinguishes sources with the same output. Where an output keeps the whole key, or is the source itself, that
 * is the bucket alone, which saves the second fingerprint of every image.
 */
export function distinguishingPart(job: Job): (source: S3Location) => string {
  const keepsKey = job.layout === 'mirror' && targetFormat(job) === undefined;
  return keepsKey ? ({ bucket }) => bucket : formatS3Uri;
}

export function checkOutputs(job: Job, workBucket: string) {
  const outputOf = outputRule(job, targetFormat(job));
  const target = job.output === 'in-place' ? undefined : parseS3Prefix(job.output);
  const problems: string[] = [];
  let total = 0;

  const problemOf = (source: S3Location, output: S3Location): string | undefined => {
    if (isJobFile(output, workBucket)) return `${formatS3Uri(source)} -> ${formatS3Uri(output)} is among the job files`;
    const isOverItself = target && output.key === source.key && output.bucket === source.bucket;
    return isOverItself ? `${formatS3Uri(source)} would overwrite itself` : undefined;
  };

  return {
    /** `isOverwritable`: the source is where outputs go. */
    check(source: S3Location): { readonly output: S3Location; readonly isOverwritable: boolean } {
      const isOverwritable = isBelow(source, target);
      // A folder marker is skipped whatever its name; in a flat layout all of them would collide.
      if (source.key.endsWith('/')) return { output: source, isOverwritable };
      const output = outputOf(source);
      const problem = problemOf(source, output);
      if (problem !== undefined) {
        total += 1;
        if (problems.length < NAMED_PROBLEMS) problems.push(problem);
      }
      return { output, isOverwritable };
    },
    /** @throws PlanError for outputs over their own source or among the job files */
    end(): void {
      if (total === 0) return;
      throw new PlanError(
        `Outputs must not overwrite sources or job files: choose another 'output', or "in-place" to replace the sources`,
        problems,
        total,
      );
    },
  };
}

function isJobFile({ bucket, key }: S3Location, workBucket: string): boolean {
  return bucket === workBucket && key.startsWith('jobs/');
}

function isBelow({ bucket, key }: S3Location, target: ReturnType<typeof parseS3Prefix>): boolean {
  return bucket === target?.bucket && key.startsWith(target.prefix);
}
