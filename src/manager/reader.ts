import type { Proposer, View } from '../store/view.js';

/** The store as the managers' services use it: read what is acknowledged, propose changes. */
export interface Replicated extends Proposer {
  /** The store once everything acknowledged before the call is in it. Throws `no-leader` at once when there is none. */
  read(): Promise<View>;
}
