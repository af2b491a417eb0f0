import { CommanderError } from 'commander';
import { tlsFlags } from './base/client-tls.js';
import { commandOf, DockerCommand, LazyCommand } from './base/command.js';
import { type Context, defaultHost } from './base/context.js';
import { CliError } from './base/errors.js';
import { list, onOff, Values } from './base/flag.js';
import { shoalVersion } from './base/version.js';
import { config, type Entry, lab, network, node, raft, secret, service, stack, swarm } from './commands.js';

const hostFlag = list('host', 'Daemon socket to connect to', (host) => host, {
  short: 'H',
  shown: `"${defaultHost}"`,
});
const versionFlag = onOff('version', 'Print version information and quit', { short: 'v' });

/** Gives the world of a command, with the daemon at the host of `-H` (undefined: not given), reached as the other global flags say. */
type ContextFor = (host: string | undefined, globals: Values) => Context;

/** The tree of commands. */
export function programOf(contextFor: ContextFor): DockerCommand {
  const root = new DockerCommand('shoal');
  const { out, err } = contextFor(undefined, root.values);
  root.description('One cluster of many machines that run Docker Engine').exitOverride().allowExcessArguments();
  root.configureOutput({ writeOut: (text) => out.write(text), writeErr: (text) => err.write(text) });
  const context = () => contextFor(chosenHost(root), root.values);
  const lazy = (entry: Entry) => new LazyCommand(entry, async () => commandOf(entry, await entry.load(), context));
  const group = (name: string, summary: string, entries: readonly Entry[]) => {
    const command = new DockerCommand(name);
    command.copyInheritedSettings(root).description(summary);
    command.operandsUsage = 'COMMAND';
    command.optionsFirst = true;
    for (const entry of entries) command.addCommand(lazy(entry));
    return command;
  };

  const own = (command: DockerCommand) => Object.assign(command, { isOwn: true });

  root.operandsUsage = '[OPTIONS] COMMAND';
  root.flags.push(hostFlag, ...tlsFlags, versionFlag);
  root.optionsFirst = true;
  root.addCommand(group('config', 'Manage Swarm configs', config));
  root.addCommand(
    lazy({
      name: 'daemon',
      summary: 'Run the Shoal daemon',
      isOwn: true,
      load: () => import('./daemon.js').then((m) => m.daemon),
    }),
  );
  root.addCommand(
    lazy({
      name: 'info',
      summary: 'Display system-wide information',
      load: () => import('./system/info.js').then((m) => m.info),
    }),
  );
  root.addCommand(own(group('lab', 'Make several hosts on this one machine, to try a cluster', lab)));
  root.addCommand(group('network', 'Manage networks', network));
  root.addCommand(group('node', 'Manage Swarm nodes', node));
  root.addCommand(own(group('raft', "Look into a manager's Raft log", raft)));
  root.addCommand(group('secret', 'Manage Swarm secrets', secret));
  root.addCommand(group('service', 'Manage Swarm services', service));
  root.addCommand(group('stack', 'Manage Swarm stacks', stack));
  root.addCommand(group('swarm', 'Manage Swarm', swarm));
  root.addCommand(
    lazy({
      name: 'version',
      summary: 'Show the Shoal version information',
      load: () => import('./system/version.js').then((m) => m.version),
    }),
  );
  root.action(() => {
    if (root.values.get(versionFlag)) out.write(`Shoal version ${shoalVersion()}\n`);
    else root.help();
  });
  return root;
}

function chosenHost(root: DockerCommand): string | undefined {
  const hosts = root.values.get(hostFlag) ?? [];
  if (hosts.length > 1) throw new CliError('specify only one -H', { exitCode: 125 });
  return hosts[0];
}

/** Runs one command line (without the program's name) and gives its exit code. What goes wrong is told on standard error. */
export async function run(args: readonly string[], contextFor: ContextFor): Promise<number> {
  let context: Context | undefined;
  const remembered: ContextFor = (host, globals) => {
    context = contextFor(host, globals);
    return context;
  };
  const fallback = contextFor(undefined, new Values());
  try {
    const program = programOf(remembered);
    await program.parseAsync([...args], { from: 'user' });
    return Number(process.exitCode ?? 0); // `lab exec` ends as the command that it ran
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode;
    fallback.err.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    return thrown instanceof CliError ? thrown.exitCode : 1;
  } finally {
    context?.close();
  }
}
