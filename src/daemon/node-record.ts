import type { Logger } from 'winston';
import { messageOf } from '../model/errors.js';
import type { NodeState, StateDirectory } from './state.js';

/** The node's own state, in memory and in node.json: what is read here was handed to the disk, in order. */
export class NodeRecord {
  #state: NodeState;
  #saving: Promise<void> = Promise.resolve();

  constructor(
    private readonly directory: StateDirectory,
    state: NodeState,
    private readonly log: Logger,
  ) {
    this.#state = state;
  }

  get state(): NodeState {
    return this.#state;
  }

  /** Resolves once the changes are on disk. */
  update(changes: Partial<NodeState>): Promise<void> {
    this.#state = { ...this.#state, ...changes };
    const state = this.#state;
    const saved = this.#saving.then(() => this.directory.save(state));
    this.#saving = saved.catch(() => {});
    return saved;
  }

  /** Remembers where managers are, for after a restart; worth trying only. */
  async learnManagers(managers: NodeState['managers']): Promise<void> {
    const same = JSON.stringify(managers) === JSON.stringify(this.#state.managers);
    if (same || managers.length === 0) return;
    try {
      await this.update({ managers });
    } catch (error) {
      this.log.warn('the list of managers could not be saved', { reason: messageOf(error) });
    }
  }

  /** Resolves once nothing is on its way to the disk. */
  async settled(): Promise<void> {
    await this.#saving;
  }
}
