import type { Job } from '../core/job.ts';

/** What a listing says about an object. */
export interface Selectable {
  readonly key: string;
  /** NaN where it is unknown. */
  readonly size: number;
  readonly lastModified?: Date | undefined;
}

/** Whether an object below a prefix belongs to the job. Case of suffixes is ignored. */
export function isSelected({ key, size, lastModified }: Selectable, select: Job['select']): boolean {
  const { suffixes, minBytes, maxBytes, modifiedAfter } = select;
  if (suffixes && !suffixes.some((suffix) => key.toLowerCase().endsWith(suffix.toLowerCase()))) return false;
  if (minBytes !== null && !(size >= minBytes)) return false;
  if (maxBytes !== null && !(size <= maxBytes)) return false;
  return modifiedAfter === null || (lastModified !== undefined && lastModified > new Date(modifiedAfter));
}

export function hasFilters(select: Job['select']): boolean {
  return Object.values(select).some((filter) => filter !== null);
}
