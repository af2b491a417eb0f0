import { createHash } from 'node:crypto';
import type { Context } from '../base/context.js';
import { type ProgressLines, progressLines, silentLines } from '../base/progress-lines.js';
import type { Node, Swarm } from '../base/wire.js';

const poll_ms = 200;

// As Docker's CLI names them; the two bars stand below each other.
const ids = {
  root: 'desired root digest',
  certificates: '  rotated TLS certificates',
  roots: '  rotated CA certificates',
};

/** Nodes that are down learn of the end of a rotation when they are back: nobody waits for them before the prompt. */
const isUp = (node: Node) => node.Status?.State !== 'down';

/**
 * Shows how the nodes move to the cluster's new root, until all have and those that are up trust it alone. Ctrl-C only stops the showing.
 * Resolves with the cluster as it is then; undefined when it was interrupted.
 */
export async function followRotation(context: Context, quiet: boolean): Promise<Swarm | undefined> {
  const lines = quiet ? silentLines : progressLines(context.out);
  const interrupt = new AbortController();
  const forget = context.onInterrupt(() => interrupt.abort());
  try {
    for (;;) {
      const [swarm, nodes] = await Promise.all([
        context.client.get<Swarm>('/swarm'),
        context.client.get<Node[]>('/nodes'),
      ]);
      if (show(lines, swarm, nodes)) return swarm;
      await context.sleep(poll_ms, interrupt.signal);
      if (!interrupt.signal.aborted) continue;
      lines.message('Operation continuing in background.');
      lines.message('Use `shoal node ls --format "{{.Hostname}} {{.Status}} {{.TLSStatus}}"` to check progress.');
      return undefined;
    }
  } finally {
    forget();
  }
}

/** Whether the rotation is over. */
function show(lines: ProgressLines, swarm: Swarm, nodes: Node[]): boolean {
  const wanted = swarm.TLSInfo ?? {};
  const isOver = swarm.RootRotationInProgress !== true;
  const hasMoved = ({ Description }: Node) => Description?.TLSInfo?.CertIssuerPublicKey === wanted.CertIssuerPublicKey;
  const trusts = ({ Description }: Node) => Description?.TLSInfo?.TrustRoot === wanted.TrustRoot;
  const digest = createHash('sha256')
    .update(wanted.TrustRoot ?? '')
    .digest('hex');
  lines.show({ id: ids.root, text: `sha256:${digest}` });
  const bar = (at: number) => ({ at, of: nodes.length, unit: 'nodes' });
  lines.show({ id: ids.certificates, text: '', bar: bar(nodes.filter(hasMoved).length) });
  // Until the last node has a new certificate everybody trusts the old root as well.
  lines.show({ id: ids.roots, text: ' ', bar: bar(isOver ? nodes.filter(trusts).length : 0) });
  return isOver && nodes.filter(isUp).every((node) => hasMoved(node) && trusts(node));
}
