import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import type { Node } from '../../model/types.js';
import type { View } from '../../store/view.js';
import type { Leadership } from './managers.js';
import { NodeLiveness } from './node-liveness.js';
import type { Session } from './session.js';

const sweepsPerBeat = 4;

export interface LostNodesOptions {
  self: string;
  store: View;
  clock: Clock;
  log: Logger;
  heartbeat_ms(): number;
  leadership(): Leadership;
  sessions(): Iterable<Session>;
  sessionOf(nodeID: string): Session | undefined;
  /** A session's node has missed its beats. */
  onSilent(session: Session): void;
  /** A node is to be declared down; told again until it is. */
  onLost(node: Node): void;
  /** Something is to be done a few times a beat. `lost_ms` without a word means lost. */
  onSweep(lost_ms: number): void;
}

const beatsToLose = 3;

/** The watch over nodes and managers that fall silent, a few times a heartbeat. */
export class LostNodes {
  private readonly liveness = new NodeLiveness();
  private cancel = () => {};

  constructor(private readonly options: LostNodesOptions) {
    this.sweepLater();
  }

  get lost_ms(): number {
    return beatsToLose * this.options.heartbeat_ms();
  }

  /** A session ended, just now, or by silence: then the silence counts. */
  ended({ nodeID, epoch, silent_ms }: Session): void {
    this.liveness.ended(nodeID, epoch, this.options.clock.monotonic(), silent_ms);
  }

  /** This manager was cut off: what it missed tells nothing of the nodes. */
  reset(): void {
    this.liveness.reset();
  }

  stop(): void {
    this.cancel();
  }

  private sweepLater(): void {
    this.cancel = this.options.clock.after(this.options.heartbeat_ms() / sweepsPerBeat, () => {
      this.sweep();
      this.sweepLater();
    });
  }

  private sweep(): void {
    const { options } = this;
    const now_ms = options.clock.monotonic();
    for (const session of [...options.sessions()]) {
      if (!session.isLost(options.heartbeat_ms())) continue;
      options.log.warn('a node has gone silent', { node: session.nodeID, silent_ms: Math.round(session.silent_ms) });
      options.onSilent(session);
    }
    options.onSweep(this.lost_ms);
    const { hasLeader, leads, managers, silence_ms } = options.leadership();
    if (!hasLeader) return;
    const members = new Set(managers.map((one) => one.nodeID));
    const managerSilent = (id: string) => (silence_ms.get(id) ?? 0) >= this.lost_ms;
    const lost = this.liveness.sweep(options.store, {
      now_ms,
      lost_ms: this.lost_ms,
      self: options.self,
      leads,
      epochHere: (id) => options.sessionOf(id)?.epoch,
      managerGone: (id) => !members.has(id) || managerSilent(id),
      managerSilent,
    });
    for (const node of lost) options.onLost(node);
  }
}
