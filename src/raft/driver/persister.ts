import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import { messageOf } from '../../model/errors.js';
import type { Ready } from '../core/core.js';
import type { RaftStorage } from '../log/storage.js';
import { isDiskFull } from '../log/wal.js';
import type { StateMachine } from '../node.js';
import type { SnapshotReceiver } from './snapshot-receiver.js';

const retry_ms = 500;

/** Brings one Ready after the other to the disk. A full disk is waited for; any other failure is final. */
export class Persister {
  /** Why nothing can be written at the moment. */
  problem: string | undefined;

  constructor(
    private readonly storage: RaftStorage,
    private readonly receiver: SnapshotReceiver,
    private readonly stateMachine: StateMachine,
    private readonly clock: Clock,
    private readonly log: Logger,
    private readonly stopping: () => boolean,
    /** Called when `problem` came or went. */
    private readonly changed: () => void,
  ) {}

  /** Resolves when all of it is durable, and a snapshot in it restored; false when the node stopped first. */
  async persist(ready: Ready): Promise<boolean> {
    const { snapshot, entries, hardState } = ready;
    if (snapshot !== undefined) {
      const incoming = this.receiver.acceptedFile(snapshot);
      if (!(await this.untilDone(() => this.storage.placeIncoming(incoming)))) return false;
      this.receiver.placed();
    }
    if (snapshot !== undefined || entries.length > 0 || hardState !== undefined) {
      const reset = snapshot === undefined ? undefined : { index: snapshot.index, term: snapshot.term };
      if (!(await this.untilDone(() => this.storage.append({ reset, entries, hardState })))) return false;
    }
    if (snapshot !== undefined) await this.stateMachine.restore(snapshot.index, this.storage.chunks(snapshot));
    return true;
  }

  private async untilDone(write: () => Promise<void>): Promise<boolean> {
    for (;;) {
      try {
        await write();
        if (this.problem !== undefined) {
          this.problem = undefined;
          this.log.info('the disk takes writes again');
          this.changed();
        }
        return true;
      } catch (error) {
        if (!isDiskFull(error)) throw error;
        if (this.problem === undefined) {
          this.problem = `the disk of this manager is full: ${messageOf(error)}`;
          this.log.error('the disk is full', { reason: messageOf(error) });
          this.changed();
        }
      }
      await new Promise<void>((resolve) => this.clock.after(retry_ms, resolve));
      if (this.stopping()) return false;
    }
  }
}
