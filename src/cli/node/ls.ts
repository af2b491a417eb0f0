import type { CommandSpec } from '../base/command.js';
import { filterFlag, filtersQuery } from '../base/filter.js';
import { formatList, type Listing, listFormatFlag, quietFlag } from '../base/format.js';
import type { Node } from '../base/wire.js';
import type { Info } from '../system/info.js';

interface Row {
  node: Node;
  isSelf: boolean;
  /** The certificate that the cluster trusts; undefined when this node may not know. */
  trustRoot: string | undefined;
}

const title = (word: string | undefined) => (word === undefined ? '' : word.charAt(0).toUpperCase() + word.slice(1));

export function managerStatus(node: Node): string {
  const status = node.ManagerStatus;
  if (status === undefined || status === null) return '';
  return status.Leader ? 'Leader' : title(status.Reachability);
}

function tlsStatus(root: string | undefined, trustRoot: string | undefined): string {
  if (!root || !trustRoot) return 'Unknown';
  return root === trustRoot ? 'Ready' : 'Needs Rotation';
}

export const nodeListing: Listing<Row> = {
  table: ['ID', 'Hostname', 'Status', 'Availability', 'ManagerStatus', 'EngineVersion'],
  id: ({ node }) => node.ID ?? '',
  columns: [
    {
      name: 'ID',
      header: 'ID',
      value: ({ node }) => node.ID ?? '',
      cell: ({ node, isSelf }) => `${node.ID} ${isSelf ? '*' : ' '}`,
    },
    { name: 'Hostname', header: 'HOSTNAME', value: ({ node }) => node.Description?.Hostname ?? '' },
    { name: 'Status', header: 'STATUS', value: ({ node }) => title(node.Status?.State) },
    { name: 'Availability', header: 'AVAILABILITY', value: ({ node }) => title(node.Spec?.Availability) },
    { name: 'ManagerStatus', header: 'MANAGER STATUS', value: ({ node }) => managerStatus(node) },
    {
      name: 'EngineVersion',
      header: 'ENGINE VERSION',
      value: ({ node }) => node.Description?.Engine?.EngineVersion ?? '',
    },
    { name: 'Self', header: 'SELF', value: ({ isSelf }) => isSelf },
    {
      name: 'TLSStatus',
      header: 'TLS STATUS',
      value: ({ node, trustRoot }) => tlsStatus(node.Description?.TLSInfo?.TrustRoot, trustRoot),
    },
  ],
};

/** `shoal node ls` */
export const nodeLs: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: [filterFlag, listFormatFlag, quietFlag],
  async run(context, values) {
    const query = { filters: filtersQuery(values.get(filterFlag) ?? []) };
    const [nodes, info] = await Promise.all([
      context.client.get<Node[]>('/nodes', { query }),
      values.get(quietFlag) ? undefined : context.client.get<Info>('/info'),
    ]);
    const names = new Intl.Collator('en', { numeric: true });
    const rows = nodes
      .map((node) => ({
        node,
        isSelf: info?.Swarm?.NodeID === node.ID,
        trustRoot: info?.Swarm?.Cluster?.TLSInfo?.TrustRoot,
      }))
      .sort((a, b) => names.compare(a.node.Description?.Hostname ?? '', b.node.Description?.Hostname ?? ''));
    context.out.write(await formatList(nodeListing, rows, values));
  },
};
