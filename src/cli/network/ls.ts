import type { CommandSpec } from '../base/command.js';
import { filterFlag, filtersQuery } from '../base/filter.js';
import { onOff } from '../base/flag.js';
import { type Column, formatList, type Listing, listFormatFlag, quietFlag } from '../base/format.js';
import { labelColumns } from '../base/labels.js';
import type { NetworkAnswer } from './answer.js';

interface Row {
  network: NetworkAnswer;
  isWhole: boolean;
}

const idLength = 12;
const noTruncation = onOff('no-trunc', 'Do not truncate the output');

const columns: readonly Column<Row>[] = [
  {
    name: 'ID',
    header: 'NETWORK ID',
    value: ({ network, isWhole }) => network.Id.slice(0, isWhole ? undefined : idLength),
  },
  { name: 'Name', header: 'NAME', value: ({ network }) => network.Name },
  { name: 'Driver', header: 'DRIVER', value: ({ network }) => network.Driver },
  { name: 'Scope', header: 'SCOPE', value: ({ network }) => network.Scope },
  { name: 'IPv4', header: 'IPV4', value: ({ network }) => String(network.EnableIPv4 ?? true) },
  { name: 'IPv6', header: 'IPV6', value: ({ network }) => String(network.EnableIPv6 ?? false) },
  { name: 'Internal', header: 'INTERNAL', value: ({ network }) => String(network.Internal ?? false) },
  { name: 'CreatedAt', header: 'CREATED AT', value: ({ network }) => network.Created },
  ...labelColumns<Row>(({ network }) => network.Labels),
];
const listing: Listing<Row> = {
  columns,
  table: ['ID', 'Name', 'Driver', 'Scope'],
  id: (row) => String(columns[0]!.value(row)),
};

/** `shoal network ls` */
export const networkLs: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: [
    { ...filterFlag, usage: 'Provide filter values (e.g. "driver=bridge")' },
    listFormatFlag,
    noTruncation,
    { ...quietFlag, usage: 'Only display network IDs' },
  ],
  async run(context, values) {
    const query = { filters: filtersQuery(values.get(filterFlag) ?? []) };
    const networks = await context.client.get<NetworkAnswer[]>('/networks', { query });
    const order = new Intl.Collator('en', { numeric: true });
    const rows = networks
      .map((network) => ({ network, isWhole: values.get(noTruncation) ?? false }))
      .sort((a, b) => order.compare(a.network.Name, b.network.Name));
    context.out.write(await formatList(listing, rows, values));
  },
};
