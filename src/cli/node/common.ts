import type { Context } from '../base/context.js';
import { eachInTurn } from '../base/each.js';
import { CliError } from '../base/errors.js';
import { pathOf } from '../base/path.js';
import { dryRun, showPreview } from '../base/preview.js';
import type { Node, Preview } from '../base/wire.js';
import type { Info } from '../system/info.js';

/** The node that `self` means: the one the daemon runs on. Throws when the daemon is in no cluster. */
export async function resolveSelf(context: Context, reference: string): Promise<string> {
  if (reference !== 'self') return reference;
  const info = await context.client.get<Info>('/info');
  const id = info.Swarm?.NodeID;
  if (!id) {
    // The daemon's own words for why nothing of the cluster can be read here.
    await context.client.get('/nodes');
    throw new CliError('this node is not part of a swarm: use "shoal swarm init" or "shoal swarm join" first');
  }
  return id;
}

export function getNode(context: Context, reference: string): Promise<Node> {
  return context.client.get<Node>(pathOf('nodes', reference));
}

/** Changes the spec of each node in turn and says so (`dry`: shows what it would do instead). Goes on past those that fail, then fails with their messages. */
export async function updateNodes(
  context: Context,
  references: readonly string[],
  change: (node: Node) => Node['Spec'] | undefined,
  done: (reference: string) => string,
  dry?: 'text' | 'json',
): Promise<void> {
  await eachInTurn(references, async (reference) => {
    const node = await getNode(context, reference);
    const spec = change(node);
    if (spec === undefined) return;
    const path = pathOf('nodes', node.ID ?? reference, 'update');
    if (dry !== undefined) {
      const query = { version: node.Version?.Index, ...dryRun };
      return showPreview(context, await context.client.post<Preview>(path, { query, body: spec }), dry);
    }
    await context.client.post(path, { query: { version: node.Version?.Index }, body: spec });
    context.out.write(`${done(reference)}\n`);
  });
}
