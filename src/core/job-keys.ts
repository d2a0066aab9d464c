/** Keys of a job's files in the work bucket. Documents and checks rely on them. */
export const jobKeys = {
  job: (jobId: string) => `jobs/${jobId}/job.json`,
  images: (jobId: string) => `jobs/${jobId}/images.jsonl`,
  batches: (jobId: string) => `jobs/${jobId}/batches.jsonl`,
  results: (jobId: string) => `jobs/${jobId}/results/`,
  batchResults: (jobId: string, batchId: string) => `jobs/${jobId}/results/${batchId}/`,
  journal: (jobId: string, batchId: string) => `jobs/${jobId}/results/${batchId}/journal.json`,
  mapRun: (jobId: string) => `jobs/${jobId}/map-run`,
  reportJson: (jobId: string) => `jobs/${jobId}/report.json`,
  reportHtml: (jobId: string) => `jobs/${jobId}/report.html`,
  failed: (jobId: string) => `jobs/${jobId}/failed.jsonl`,
  /** Parts of undo.jsonl, as the hosts write them. */
  undoParts: (jobId: string) => `jobs/${jobId}/undo/`,
  undo: (jobId: string) => `jobs/${jobId}/undo.jsonl`,
  hashes: (jobId: string) => `jobs/${jobId}/hashes.jsonl`,
} as const;
