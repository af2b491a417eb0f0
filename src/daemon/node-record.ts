import type { Logger } from 'winston';
import { messageOf } from '../model/errors.js';
import type { NodeState, StateDirectory } from './state.js';

/** The nodes whose manager's certificates count, as of an entry of the managers' log. */
export interface TrustedManagers {
  nodeIDs: string[];
  asOf: number;
}

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

  /** Remembers where managers are and whom to take for one, for after a restart; worth trying only. What is older than what is known is no news. */
  async learnManagers(managers: NodeState['managers'], { nodeIDs, asOf }: TrustedManagers): Promise<void> {
    const { trustedAsOf } = this.#state;
    const news = {
      ...(managers.length > 0 && { managers }),
      ...(nodeIDs.length > 0 && asOf >= trustedAsOf && { trustedManagers: nodeIDs, trustedAsOf: asOf }),
    };
    const before = this.#state;
    const same = (['managers', 'trustedManagers', 'trustedAsOf'] as const).every(
      (field) => news[field] === undefined || JSON.stringify(news[field]) === JSON.stringify(before[field]),
    );
    if (same) return;
    try {
      await this.update(news);
    } catch (error) {
      this.log.warn('the list of managers could not be saved', { reason: messageOf(error) });
    }
  }

  /** Resolves once nothing is on its way to the disk. */
  async settled(): Promise<void> {
    await this.#saving;
  }
}
