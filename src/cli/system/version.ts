import type { CommandSpec } from '../base/command.js';
import { CliError } from '../base/errors.js';
import { readTemplate } from '../base/format.js';
import { inspectFormatFlag } from '../base/inspect.js';
import { shoalVersion } from '../base/version.js';

interface ServerVersion {
  Version?: string;
  ApiVersion?: string;
  MinAPIVersion?: string;
  Os?: string;
  Arch?: string;
  Components?: { Name?: string; Version?: string; Details?: Record<string, string> | null }[] | null;
}

/** `shoal version`. Without a daemon it shows its own part, and fails. */
export const version: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: [inspectFormatFlag],
  async run(context, values) {
    const format = values.get(inspectFormatFlag) ?? '';
    const client = {
      Version: shoalVersion(),
      ApiVersion: '1.47',
      NodeVersion: process.version,
      Os: process.platform,
      Arch: process.arch,
    };
    const template = format === '' || format === 'json' ? undefined : await readTemplate(format);
    let server: ServerVersion | undefined;
    let failure: CliError | undefined;
    try {
      server = await context.client.get<ServerVersion>('/version');
    } catch (thrown) {
      if (!(thrown instanceof CliError)) throw thrown;
      failure = thrown;
    }
    const both = { Client: client, Server: server ?? null };
    if (template !== undefined) context.out.write(`${template(both)}\n`);
    else if (format === 'json') context.out.write(`${JSON.stringify(both)}\n`);
    else {
      const own: [string, string][] = [
        ['Version', client.Version],
        ['API version', client.ApiVersion],
        ['Node.js version', client.NodeVersion],
        ['OS/Arch', `${client.Os}/${client.Arch}`],
      ];
      context.out.write(`Client:\n${pairs(own)}${server === undefined ? '' : `\nServer:\n${describe(server)}`}`);
    }
    if (failure !== undefined) throw failure;
  },
};

function describe(server: ServerVersion): string {
  const components = server.Components?.length
    ? server.Components
    : [{ Name: 'Engine', Version: server.Version ?? '', Details: partOf(server) }];
  return components
    .map(({ Name = '', Version = '', Details }) => {
      const details = new Map(Object.entries(Details ?? {}));
      const known: [string, string][] = [['Version', Version]];
      const api = details.get('ApiVersion');
      const least = details.get('MinAPIVersion');
      if (api) known.push(['API version', least ? `${api} (minimum version ${least})` : api]);
      const os = details.get('Os');
      if (os) known.push(['OS/Arch', `${os}/${details.get('Arch') ?? ''}`]);
      for (const key of ['ApiVersion', 'MinAPIVersion', 'Os', 'Arch']) details.delete(key);
      const others = [...details].sort(([a], [b]) => (a < b ? -1 : 1));
      return ` ${Name}:\n${pairs([...known, ...others])
        .replace(/^/gm, ' ')
        .trimEnd()}\n`;
    })
    .join('');
}

/** What a server that names no components says of itself. */
function partOf({ ApiVersion = '', MinAPIVersion = '', Os = '', Arch = '' }: ServerVersion) {
  return { ApiVersion, MinAPIVersion, Os, Arch };
}

function pairs(rows: readonly (readonly [string, string])[]): string {
  return rows.map(([name, value]) => ` ${`${name}:`.padEnd(18)} ${value}\n`).join('');
}
