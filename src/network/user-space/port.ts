import type { Clock } from '../../model/clock.js';
import type { Random } from '../../model/random.js';
import type { Budget } from './budget.js';
import type { Rotation, Target } from './rotation.js';
import type { Wires } from './wire.js';

/** What every published port shares with the others of the plane. */
export interface PortSettings {
  readonly clock: Clock;
  readonly random: Random;
  readonly wires: Wires;
  readonly connections: Budget;
  /** So many of them one port may have: a client that hoards on one does not shut the others. */
  readonly connectionsOfPort: number;
  readonly flows: Budget;
  readonly flowsOfPort: number;
  readonly idle_ms: number;
  readonly connectTimeout_ms: number;
  readonly flowIdle_ms: number;
  /** Asks for `tick` until it says that there is nothing to wait for. */
  wake(): void;
  unreachable(target: Target, code: string): void;
  /** Something was refused because `what` is used up. */
  exhausted(what: string): void;
}

/** A published port of one protocol that is being listened on. */
export interface Port {
  readonly rotation: Rotation;
  /** Looks after what is bounded in time. Returns whether to call again. */
  tick(now_ms: number): boolean;
  /** Listens no more; resolves once the port is free. What is under way goes on, and is still ticked. */
  stop(): Promise<void>;
  /** Cuts what is under way. */
  cut(): void;
  /** Connections or flows under way. */
  readonly open: number;
}

/** Whether the address family is just not there: binding `::` on a machine without IPv6 is no conflict. */
export function isMissingFamily(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL' || code === 'EPROTONOSUPPORT';
}
