import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import { timestamp } from '../../model/clock.js';
import { messageOf } from '../../model/errors.js';
import type { Member, RaftNode } from '../../raft/node.js';
import type { Proposer, View } from '../../store/view.js';
import { type MembershipStep, nextStep } from './plan.js';

export interface KeeperParts {
  raft: RaftNode;
  view: () => View;
  proposer: Proposer;
  clock: Clock;
  log: Logger;
}

const lookAgain_ms = 1_000; // reachability changes with time alone

/**
 * Makes the Raft group what the nodes' roles say, while this manager leads: adds managers that asked to join, takes out those
 * that were demoted or removed, and hands over first when it is itself to leave. Remembers nothing between its looks.
 */
export class MembershipKeeper {
  readonly #parts: KeeperParts;
  readonly #unwatch: () => void;
  #cancelTimer = () => {};
  readonly #adding = new Set<number>();
  #working = false;
  #again = false;
  #stopped = false;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
    this.#unwatch = parts.raft.onStatus(() => this.wake());
    this.wake();
  }

  /** Something changed that may ask for a step. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#working) {
      this.#again = true;
      return;
    }
    this.#working = true;
    void this.#work();
  }

  async #work(): Promise<void> {
    let did = true;
    while (!this.#stopped && (did || this.#again)) {
      this.#again = false;
      did = await this.#look();
    }
    this.#working = false;
    this.#cancelTimer();
    if (!this.#stopped) this.#cancelTimer = this.#parts.clock.after(lookAgain_ms, () => this.wake());
  }

  stop(): void {
    this.#stopped = true;
    this.#unwatch();
    this.#cancelTimer();
  }

  /** Whether a step was taken. */
  async #look(): Promise<boolean> {
    const { raft, view, log } = this.#parts;
    const step = nextStep(view(), raft.status(), this.#adding);
    if (step === undefined) return false;
    try {
      await this.#take(step);
      return true;
    } catch (error) {
      log.warn('a membership step failed; it is tried again', { step: step.do, reason: messageOf(error) });
      return false;
    }
  }

  /** Adding takes until the new member has the log: it goes on beside whatever else is to do. */
  async #add(member: Member): Promise<void> {
    const { raft, log } = this.#parts;
    const about = { node: member.nodeID, raft: member.id };
    log.info('manager joins the Raft group', about);
    this.#adding.add(member.id);
    try {
      await raft.addMember(member);
    } catch (error) {
      log.warn('the manager could not be added yet', { ...about, reason: messageOf(error) });
    } finally {
      // Not tried again at once: what failed now fails in the next millisecond too.
      this.#parts.clock.after(lookAgain_ms, () => this.#adding.delete(member.id));
    }
  }

  async #take(step: MembershipStep): Promise<void> {
    const { raft, proposer, clock, log } = this.#parts;
    if (step.do === 'add') {
      void this.#add(step.member);
    } else if (step.do === 'remove') {
      log.info('manager leaves the Raft group', { node: step.member.nodeID, raft: step.member.id });
      await raft.removeMember(step.member.id);
    } else if (step.do === 'hand-over') {
      log.info('leadership is handed over: this manager is to leave', { raft: step.to });
      await raft.transferLeadership(step.to);
    } else {
      const { node } = step;
      await proposer.propose({
        Origin: 'membership',
        Time: timestamp(clock),
        Operations: [
          {
            Action: 'update',
            ID: node.ID,
            ExpectedVersion: node.Version?.Index ?? 0,
            Node: { ...node, RaftID: 0, ManagerStatus: null },
          },
        ],
      });
    }
  }
}
