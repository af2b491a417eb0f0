/** How long the last changes of routes and names took to be in force, from when the node heard of each; all 0 when there were none. */
export interface DelaySummary {
  count: number;
  median_ms: number;
  max_ms: number;
}

/** A node's kernel compared with the managers' state. */
export interface NetworkVerdict {
  /** Of the state, as the node has it. */
  revision: number;
  /** A line each. */
  differences: string[];
  delays: DelaySummary;
}
