import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';
import { messageOf } from '../model/errors.js';
import type { Routes } from '../model/types.js';
import type { DataPlane } from './data-plane.js';
import { Delays } from './delays.js';
import type { NetworkItems } from './network-table.js';
import { WantedRoutes } from './wanted-routes.js';

export interface PlaneDriverOptions {
  plane: DataPlane;
  /** The networks of the cluster on this node. Resolves when they are so, or when that is out of reach now; never rejects. */
  networks?: {
    /** What names mean from now on: at once, whatever is being applied. */
    know(items: NetworkItems): void;
    apply(items: NetworkItems): Promise<void>;
  };
  clock: Clock;
  log: Logger;
  /**
   * The plane is as the manager's routes were at `revision` or later; `busyTaskIDs` have left rotation but still have connections.
   * Called after every change, and whenever a task stops being busy.
   */
  applied(revision: number, busyTaskIDs: readonly string[]): void;
}

/** After a plane refused altogether it is asked again. */
const retry_ms = 1000;
/** How long a manager that is behind what the plane has already may take to catch up before its word counts all the same. */
const patience_ms = 5000;

/**
 * Brings the routes that a session sends to the plane: one change at a time, and of those that come meanwhile only what they amount to.
 *
 * A new session may be with a manager that has not heard of everything yet. Endpoints that it still names may be stopping, so its
 * routes wait until they are no older than those in the plane.
 */
export class PlaneDriver {
  private readonly wanted = new WantedRoutes();
  private wantedRevision = 0;
  /** Names are as of this. */
  private knownRevision = 0;
  /** Undefined before the first change went through. */
  private planeRevision: number | undefined;
  private isDirty = false;
  /** When the first word came of what is not in force yet. */
  private heard_ms = 0;
  /** From a message until what it says is in force on this node: rules and names. */
  readonly delays = new Delays();
  private isClosed = false;
  private applying: Promise<void> | undefined;
  /** Cancels the wait for a manager to catch up, or for a plane that refused; undefined while nothing is waited for. */
  private cancelWait: (() => void) | undefined;
  private readonly stopListening: () => void;

  constructor(private readonly options: PlaneDriverOptions) {
    this.stopListening = options.plane.onReleased(() => this.tell());
  }

  /** Of the managers' state, as far as the plane has it; 0 before the first. */
  get revision(): number {
    return this.planeRevision ?? 0;
  }

  /** Takes a message of the session, in the order they come. */
  receive(message: Routes): void {
    if (this.isClosed) return;
    this.wanted.take(message);
    this.wantedRevision = message.Revision;
    if (!this.isDirty) this.heard_ms = this.options.clock.monotonic();
    this.isDirty = true;
    if (this.wantedRevision >= this.knownRevision) {
      this.knownRevision = this.wantedRevision;
      this.options.networks?.know(this.wanted.networkItems());
    }
    if (message.Full || !this.isBehind()) this.endWait();
    this.next();
  }

  /** Changes nothing any more; resolves once a change that is under way has gone through. The plane is left as it is. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.endWait();
    this.stopListening();
    await this.applying;
  }

  private next(): void {
    if (!this.isDirty || this.isClosed || this.applying !== undefined) return;
    if (!this.isBehind()) {
      this.start();
      return;
    }
    // Counted from the first word of the session that came too early: a busy cluster sends one often, and each would begin it anew.
    this.cancelWait ??= this.options.clock.after(patience_ms, () => this.start());
    this.tell();
  }

  /** Whether the plane has been told of more than the manager knows. */
  private isBehind(): boolean {
    return this.planeRevision !== undefined && this.wantedRevision < this.planeRevision;
  }

  private endWait(): void {
    this.cancelWait?.();
    this.cancelWait = undefined;
  }

  private start(): void {
    this.endWait();
    this.applying ??= this.applyAll().then((done) => {
      this.applying = undefined;
      if (done) this.next();
    });
  }

  /** False when the plane refused; it is asked again later. */
  private async applyAll(): Promise<boolean> {
    this.isDirty = false;
    const { wantedRevision: revision, heard_ms } = this;
    this.knownRevision = revision;
    try {
      const { plane, networks } = this.options;
      const [{ failed }] = await Promise.all([
        plane.apply([...this.wanted.routes.values()]),
        networks?.apply(this.wanted.networkItems()),
      ]);
      if (failed.length > 0) {
        this.options.log.warn('some routes cannot be had', { count: failed.length, failed: failed.slice(0, 10) });
      }
      this.planeRevision = revision;
      this.delays.add(this.options.clock.monotonic() - heard_ms);
      this.tell();
      return true;
    } catch (error) {
      this.options.log.error('routes could not be applied', { revision, reason: messageOf(error) });
      this.isDirty = true;
      this.endWait();
      if (!this.isClosed) this.cancelWait = this.options.clock.after(retry_ms, () => this.start());
      return false;
    }
  }

  /** What the session sent last may be older than the plane; of that it is told, because it knows no other revision. */
  private tell(): void {
    if (this.planeRevision === undefined || this.isClosed) return;
    const revision = Math.min(this.wantedRevision, this.planeRevision);
    this.options.applied(revision, this.options.plane.busyTasks());
  }
}
