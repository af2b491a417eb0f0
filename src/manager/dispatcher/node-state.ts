import type { NodeDescription, NodeStatus } from '../../model/types.js';
import { silentMessage } from './node-liveness.js';
import { bounded } from './said.js';

/** A node whose engine cannot be used takes no tasks and serves none: it is down, and says why. */
export function nodeState(engineError: string): Pick<NodeStatus, 'State' | 'Message'> {
  if (engineError === '') return { State: 'ready', Message: '' };
  return { State: 'down', Message: `engine: ${bounded(engineError)}` };
}

/** What a node says of itself; of an engine that it has not reached since it started, what it said before (`known`). */
export function described(said: NodeDescription, known: NodeDescription | null | undefined): NodeDescription {
  if (said.Engine?.EngineVersion || !known?.Engine?.EngineVersion) return said;
  const { Platform, Resources, Engine } = known;
  return { ...said, Platform, Resources, Engine };
}

/** What a node is that nobody hears of. */
export const silentNode: Pick<NodeStatus, 'State' | 'Message'> = { State: 'down', Message: silentMessage };

/** Whether the node was declared down because nobody heard of it, and not by itself. */
export function isSilenced(status: NodeStatus): boolean {
  return status.State === 'down' && status.Message === silentMessage;
}
