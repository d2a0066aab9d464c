/** What PlanJob hands to the state machine. */
export interface PlanSummary {
  readonly jobId: string;
  readonly images: number;
  readonly batches: number;
  /** Sum of the sizes that the list named. */
  readonly bytes: number;
}
