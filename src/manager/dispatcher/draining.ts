import { DrainGate, type Progress } from './drain-gate.js';
import type { ManagerAddress } from './managers.js';
import { Peers, type PeersOptions } from './peers.js';
import type { Session } from './session.js';

export interface DrainingOptions extends Omit<PeersOptions, 'onProgress' | 'onLost'> {
  lost_ms(): number;
  /** Some waiting tasks may be free to stop now. */
  onProgress(): void;
}

const wordsBeforeLost = 6;

/** How far the sessions of all managers are with the routes, and which tasks must wait for that. */
export class Draining {
  readonly gate: DrainGate;
  readonly peers: Peers;
  private told_ms = Number.NEGATIVE_INFINITY;

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

  /**
   * Our own sessions came further, or the store did. The other managers are told at once if a task may wait for that (`awaited`),
   * else only often enough that silence means something: most entries end no task, and each word costs every manager.
   */
  progressed(sessions: Iterable<Session>, index: number, awaited: boolean): void {
    const { clock, lost_ms, onProgress } = this.options;
    const progress = this.look(sessions, index);
    const now_ms = clock.monotonic();
    if (awaited || now_ms - this.told_ms >= lost_ms() / wordsBeforeLost) {
      this.told_ms = now_ms;
      this.peers.tell(progress);
    }
    onProgress();
  }

  /** Has the gate know how far our own sessions are, one that was opened this moment among them. Nobody is told. */
  look(sessions: Iterable<Session>, index: number): Progress {
    const progress = progressOf(sessions, index);
    this.gate.setProgress(this.options.self, progress);
    return progress;
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
