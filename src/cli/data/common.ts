import type { MessageName } from '../../model/codec.js';
import type { CommandSpec } from '../base/command.js';
import type { Context } from '../base/context.js';
import { eachInTurn } from '../base/each.js';
import { CliError } from '../base/errors.js';
import { fileReason } from '../base/file-reason.js';
import { filterFlag, filtersQuery } from '../base/filter.js';
import { list, text } from '../base/flag.js';
import { type Column, formatList, type Listing, listFormatFlag, quietFlag } from '../base/format.js';
import { goTime } from '../base/go-time.js';
import { inspectAll, inspectFormatFlag, prettyFlag } from '../base/inspect.js';
import { labelColumns, parseLabel, sortedLabels } from '../base/labels.js';
import { pathOf } from '../base/path.js';
import { ago } from '../base/units.js';
import type { Config, Secret } from '../base/wire.js';

// Secrets and configs are the same to the command line, save for what may be seen of them.

type Thing = Secret & Config;

export const templateDriverFlag = text('template-driver', 'Template driver');
export const labelFlag = (usage: string) => list('label', usage, parseLabel, { short: 'l' });

/** The content of a file, or of standard input for `-`. */
export async function readContent(context: Context, path: string): Promise<Buffer> {
  const content = await contentOf(context, path);
  if (content.length === 0) throw new CliError(`error reading from ${path}: data is empty`);
  return content;
}

async function contentOf(context: Context, path: string): Promise<Buffer> {
  if (path !== '-') {
    return context.readFile(path).catch((thrown: unknown) => {
      throw new CliError(`error reading content from ${JSON.stringify(path)}: ${fileReason(path, thrown)}`);
    });
  }
  const chunks: Buffer[] = [];
  for await (const chunk of context.input) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks);
}

interface Row {
  thing: Thing;
  now_ms: number;
}

const columns: readonly Column<Row>[] = [
  { name: 'ID', header: 'ID', value: ({ thing }) => thing.ID ?? '' },
  { name: 'Name', header: 'NAME', value: ({ thing }) => thing.Spec?.Name ?? '' },
  { name: 'CreatedAt', header: 'CREATED', value: ({ thing, now_ms }) => ago(thing.CreatedAt, now_ms) },
  { name: 'UpdatedAt', header: 'UPDATED', value: ({ thing, now_ms }) => ago(thing.UpdatedAt, now_ms) },
  ...labelColumns<Row>(({ thing }) => thing.Spec?.Labels),
];
const driverColumn: Column<Row> = {
  name: 'Driver',
  header: 'DRIVER',
  value: ({ thing }) => thing.Spec?.Driver?.Name ?? '',
};

export function lsCommand(kind: 'secret' | 'config'): CommandSpec {
  const listing: Listing<Row> = {
    table:
      kind === 'secret' ? ['ID', 'Name', 'Driver', 'CreatedAt', 'UpdatedAt'] : ['ID', 'Name', 'CreatedAt', 'UpdatedAt'],
    id: ({ thing }) => thing.ID ?? '',
    columns: kind === 'secret' ? [...columns, driverColumn] : columns,
  };
  return {
    usage: '[OPTIONS]',
    operands: { min: 0, max: 0 },
    flags: [filterFlag, listFormatFlag, quietFlag],
    async run(context, values) {
      const query = { filters: filtersQuery(values.get(filterFlag) ?? []) };
      const things = await context.client.get<Thing[]>(`/${kind}s`, { query });
      const order = new Intl.Collator('en', { numeric: true });
      const rows = things
        .map((thing) => ({ thing, now_ms: context.clock.now() }))
        .sort((a, b) => order.compare(a.thing.Spec?.Name ?? '', b.thing.Spec?.Name ?? ''));
      context.out.write(await formatList(listing, rows, values));
    },
  };
}

export function inspectCommand(kind: 'secret' | 'config', message: MessageName): CommandSpec {
  return {
    usage: `[OPTIONS] ${kind.toUpperCase()} [${kind.toUpperCase()}...]`,
    operands: { min: 1, max: Number.POSITIVE_INFINITY },
    flags: [inspectFormatFlag, prettyFlag],
    run: (context, values, references) =>
      inspectAll<Thing>(context, values, references, {
        message,
        get: (reference) => context.client.get<Thing>(pathOf(`${kind}s`, reference)),
        pretty: (thing) => describe(thing, kind),
      }),
  };
}

function describe(thing: Thing, kind: 'secret' | 'config'): string {
  const labels = sortedLabels(thing.Spec?.Labels).map(([key, value]) => ` - ${key}=${value}`);
  const lines = [`ID:\t\t\t${thing.ID ?? ''}`, `Name:\t\t\t${thing.Spec?.Name ?? ''}`];
  if (labels.length > 0) lines.push('Labels:', ...labels);
  if (thing.Spec?.Driver?.Name) lines.push(`Driver:\t\t\t${thing.Spec.Driver.Name}`);
  lines.push(
    `Created at:            \t${goTime(thing.CreatedAt)}`,
    `Updated at:            \t${goTime(thing.UpdatedAt)}`,
  );
  if (kind === 'config') lines.push('Data:', Buffer.from(thing.Spec?.Data ?? '', 'base64').toString('utf8'));
  return `${lines.join('\n')}\n`;
}

export function rmCommand(kind: 'secret' | 'config'): CommandSpec {
  return {
    usage: `${kind.toUpperCase()} [${kind.toUpperCase()}...]`,
    operands: { min: 1, max: Number.POSITIVE_INFINITY },
    flags: [],
    run: (context, _values, references) =>
      eachInTurn(references, async (reference) => {
        await context.client.delete(pathOf(`${kind}s`, reference));
        context.out.write(`${reference}\n`);
      }),
  };
}
