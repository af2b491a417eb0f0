import type { Logger } from 'winston';
import { messageOf } from '../../model/errors.js';
import type { RaftCore } from '../core/core.js';
import { ProtocolError } from '../core/invariant.js';
import type { Message } from '../core/types.js';
import { WireError } from '../wire/bytes.js';
import type { SnapshotReceiver } from './snapshot-receiver.js';
import type { SnapshotSender } from './snapshot-sender.js';
import type { Statuses } from './statuses.js';

/** Brings what other members send to those whom it is for. What no honest member sends is dropped, and nothing more happens. */
export class Inbox {
  constructor(
    private readonly core: RaftCore,
    private readonly sender: SnapshotSender,
    private readonly receiver: SnapshotReceiver,
    private readonly statuses: Statuses,
    private readonly log: Logger,
    private readonly background: (work: Promise<void>) => void,
  ) {}

  take(messages: readonly Message[]): void {
    for (const message of messages) {
      this.statuses.heard(message.from);
      try {
        this.deliver(message);
      } catch (error) {
        if (!(error instanceof ProtocolError || error instanceof WireError)) throw error;
        this.log.warn('dropped a raft message', { from: message.from, reason: messageOf(error) });
      }
    }
  }

  private deliver(message: Message): void {
    if (message.type === 'snapshot-chunk') this.background(this.receiver.chunk(message));
    else if (message.type === 'snapshot-progress') this.background(this.sender.progress(message));
    else this.core.step(message);
  }
}
