import type { CommandSpec } from '../base/command.js';
import { filtersQuery } from '../base/filter.js';
import { formatList, type Listing, listFormatFlag } from '../base/format.js';
import type { Service } from '../base/wire.js';
import { stackLabel } from './names.js';

interface Stack {
  name: string;
  services: number;
}

const listing: Listing<Stack> = {
  table: ['Name', 'Services'],
  id: ({ name }) => name,
  columns: [
    { name: 'Name', header: 'NAME', value: ({ name }) => name },
    { name: 'Services', header: 'SERVICES', value: ({ services }) => String(services) },
  ],
};

/** `shoal stack ls` */
export const stackLs: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: [listFormatFlag],
  async run(context, values) {
    const query = { filters: filtersQuery([['label', stackLabel]]) };
    const counts = new Map<string, number>();
    for (const { Spec } of await context.client.get<Service[]>('/services', { query })) {
      const name = Spec?.Labels?.[stackLabel] ?? '';
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const order = new Intl.Collator('en', { numeric: true });
    const stacks = [...counts].map(([name, services]) => ({ name, services }));
    stacks.sort((a, b) => order.compare(a.name, b.name));
    context.out.write(await formatList(listing, stacks, values));
  },
};
