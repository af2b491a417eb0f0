import { DrainGate, type Progress } from './drain-gate.js';
import type { ManagerAddress } from './managers.js';
import { Peers, type PeersOptions } from './peers.js';
import type { Session } from './session.js';

export interface DrainingOptions extends Omit<PeersOptions, 'onProgress' | 'onLost'> {
  lost_ms(): number;
  /** Some waiting tasks may be free to stop now. */
  onProgress(): void;
}

/** How far the sessions of all managers are with the routes, and which tasks must wait for that. */
export class Draining {
  readonly gate: DrainGate;
  readonly peers: Peers;

  constructor(private readonly options: DrainingOptions) {
    this.gate = new DrainGate(options.lost_ms);
    this.peers = new Peers({
      ...options,
      onProgress: (nodeID, progress) => {
        this.gate.setProgress(nodeID, progress);
        options.onProgress();
      },
      onLost: (nodeID, since_ms) => this.gate.lose(nodeID, since_ms),
    });
  }

  setManagers(managers: readonly ManagerAddress[]): void {
    const { self, clock } = this.options;
    const nodeIDs = managers.map((one) => one.nodeID);
    this.gate.setManagers([self, ...nodeIDs], clock.monotonic()); // our own sessions count whether we are a member yet or not
    this.peers.setManagers(managers);
  }

  /** Our own sessions came further, or the store did. */
  progressed(sessions: Iterable<Session>, index: number): void {
    const progress = progressOf(sessions, index);
    this.gate.setProgress(this.options.self, progress);
    this.peers.tell(progress);
    this.options.onProgress();
  }
}

/** How far these sessions are with the state up to `index`: no session, no node that could send traffic. */
export function progressOf(sessions: Iterable<Session>, index: number): Progress {
  let revision = index;
  const busy = new Set<string>();
  for (const session of sessions) {
    revision = Math.min(revision, session.revision(index));
    for (const id of session.busy) busy.add(id);
  }
  return { revision, busy };
}
