import { Command, InvalidArgumentError } from 'commander';
import { messageOf, ShoalError } from '../model/errors.js';
import { shoalCommand } from './daemon-command.js';
import type { Host } from './host.js';
import { Lab } from './lab.js';
import { answersPing } from './probe.js';
import { runShown, tryRun } from './run.js';

/** `shoal lab …`: several hosts, each with a Docker Engine and a Shoal daemon, on one Linux machine. */
export function labCommand(): Command {
  const lab = new Command('lab')
    .enablePositionalOptions()
    .description('Several hosts on one Linux machine, a Docker Engine and a Shoal daemon each');
  const named = (command: Command) =>
    command.option('--name <name>', 'which lab; several can be up side by side', 'lab');

  named(lab.command('up'))
    .description('Build and boot the hosts')
    .argument('[hosts]', 'how many', wholeNumber, 3)
    .option('--no-daemon', 'engines only')
    .option('--init', 'make them one cluster: all hosts managers, up to five')
    .option('--shared-engine [socket]', 'without root: only daemons, on loopback addresses, sharing one engine')
    .option('--engine-flag <flag...>', 'further flag for every dockerd')
    .option('--daemon-flag <flag...>', 'further flag for every shoal daemon')
    .action(guard(up));
  named(lab.command('down'))
    .description("End everything of the lab and remove it, the hosts' disks too")
    .action(guard(down));
  named(lab.command('status')).description('What is up, and where').action(guard(status));
  named(lab.command('exec'))
    .description('Run a command on a host, or as `client` on a machine beside the cluster')
    .argument('<host>')
    .argument('<command...>')
    .passThroughOptions()
    .action(guard(execute));
  named(lab.command('get'))
    .description('Get a URL as a machine beside the cluster does')
    .argument('<url>')
    .option('--times <n>', 'on that many new connections', wholeNumber, 1)
    .action(guard(get));
  const onHosts = (verb: string, summary: string, act: (host: Host) => Promise<void>) =>
    named(lab.command(verb))
      .description(summary)
      .argument('<host...>', 'names or numbers')
      .action(
        guard(async (names: string[], options: { name: string }) => {
          const { hosts, find } = opened(options.name);
          for (const host of names.map(find)) await act(host);
          console.log(hosts.map((host) => `${host.name} ${host.isUp() ? 'up' : 'down'}`).join('   '));
        }),
      );
  onHosts('partition', 'Cut hosts off the network', (host) => host.partition());
  onHosts('heal', 'Join hosts to the network again', (host) => host.heal());
  onHosts('crash', 'Cut the power: engine, daemon and containers die at once', (host) => host.crash());
  onHosts('start', 'Boot hosts that are down, with the disks they had', (host) => host.start());
  return lab;
}

interface UpOptions {
  name: string;
  daemon: boolean;
  init?: boolean;
  sharedEngine?: string | true;
  engineFlag?: string[];
  daemonFlag?: string[];
}

async function up(hosts: number, options: UpOptions): Promise<void> {
  process.once('SIGINT', () => {
    console.error(`interrupted; what is there already goes with: shoal lab down${nameFlag(options.name)}`);
    process.exit(130);
  });
  const lab = await Lab.up({
    name: options.name,
    hosts,
    sharedEngine: options.sharedEngine === true ? '/var/run/docker.sock' : options.sharedEngine,
    engineFlags: options.engineFlag ?? [],
    daemonFlags: options.daemon ? (options.daemonFlag ?? []) : undefined,
  });
  if (options.init) await formCluster(lab.hosts);
  await status({ name: options.name });
  const [first] = lab.hosts;
  const name = nameFlag(options.name);
  console.log(`
Use it:    export SHOAL_HOST=unix://${first?.apiSocket}
           shoal ${options.init ? 'service create --name web --replicas 3 -p 8080:80 shoal/web:1' : 'swarm init'}
           shoal lab get${name} http://${first?.address}:8080/
End it:    shoal lab down${name}`);
}

const nameFlag = (name: string) => (name === 'lab' ? '' : ` --name ${name}`);

const managersMax = 5; // more only make every write slower

/** `swarm init` on the first host and `swarm join` on the others, by the command itself. */
async function formCluster(hosts: readonly Host[]): Promise<void> {
  const [first, ...others] = hosts as [Host, ...Host[]];
  const shoal = async (host: Host, ...args: string[]) => {
    const [program, ...rest] = shoalCommand('-H', `unix://${host.apiSocket}`, ...args) as [string, ...string[]];
    const output = await tryRun(program, rest);
    if (output.code !== 0)
      throw new ShoalError('internal', `${host.name}: shoal ${args.join(' ')}: ${output.stderr.trim()}`);
    return output.stdout.trim();
  };
  await shoal(first, 'swarm', 'init');
  for (const [at, host] of others.entries()) {
    const token = await shoal(first, 'swarm', 'join-token', '-q', at + 1 < managersMax ? 'manager' : 'worker');
    await shoal(host, 'swarm', 'join', '--token', token, `${first.address}:2377`);
  }
}

async function down(options: { name: string }): Promise<void> {
  await Lab.open(options.name).down();
  console.log(`lab ${options.name} is gone`);
}

async function status(options: { name: string }): Promise<void> {
  const { hosts } = opened(options.name);
  const row = (cells: readonly string[]) => console.log(cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(''));
  row(['HOST', 'ADDRESS', 'HOST IS', 'ENGINE IS', 'DAEMON IS', 'SOCKETS']);
  const word = (isUp: boolean) => (isUp ? 'up' : 'down');
  for (const host of hosts) {
    const [engine, daemon] = await Promise.all([answersPing(host.engineSocket), host.isDaemonUp()]);
    const sockets = `${host.apiSocket} ${host.engineSocket}`;
    row([host.name, host.address, word(host.isUp()), word(engine), word(daemon), sockets]);
  }
}
const widths = [8, 14, 9, 11, 11];

async function execute(name: string, command: string[], options: { name: string }): Promise<void> {
  const lab = Lab.open(options.name);
  if (name !== 'client') {
    process.exitCode = await lab.host(name).interact(command);
    return;
  }
  process.exitCode = await runShown([...lab.clientPrefix(), ...command]);
}

async function get(url: string, options: { name: string; times: number }): Promise<void> {
  if (!URL.canParse(url)) throw new ShoalError('invalid-argument', `${JSON.stringify(url)} is not a URL`);
  process.exitCode = await runShown(Lab.open(options.name).askCommand(url, options.times));
}

function opened(name: string) {
  const lab = Lab.open(name);
  return { hosts: lab.hosts, find: (host: string) => lab.host(host) };
}

function wholeNumber(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('not a whole number.');
  return Number(text);
}

/** What goes wrong ends as one sentence and exit code 1. */
function guard<A extends unknown[]>(action: (...args: A) => Promise<void>): (...args: A) => Promise<void> {
  return async (...args) => {
    try {
      await action(...args);
    } catch (error) {
      console.error(`shoal lab: ${messageOf(error)}`);
      process.exitCode = 1;
    }
  };
}
