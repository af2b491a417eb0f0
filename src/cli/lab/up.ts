import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { shoalCommand } from '../../lab/daemon-command.js';
import type { Host } from '../../lab/host.js';
import { Lab } from '../../lab/lab.js';
import { tryRun } from '../../lab/run.js';
import { packageRoot } from '../../model/paths.js';
import type { CommandSpec } from '../base/command.js';
import type { Context } from '../base/context.js';
import { CliError } from '../base/errors.js';
import { type Flag, list, onOff, text } from '../base/flag.js';
import { parseInteger } from '../base/units.js';
import { nameFlag, nameOf, nameWords, writeStatus } from './common.js';

const hosts_default = 3;
const managers_max = 5; // more only make every write slower
const engineSocket = '/var/run/docker.sock';

const initFlag = onOff('init', 'Make them one cluster: all hosts managers, up to five');
const noDaemonFlag = onOff('no-daemon', 'Engines only');
const sharedFlag: Flag<string> = {
  ...text(
    'shared-engine',
    'Without root: only daemons, on loopback addresses, that share one engine, at /var/run/docker.sock unless it is said',
  ),
  kind: '[=socket]',
  bare: engineSocket,
};
const engineFlag = list('engine-flag', 'Further flag for every dockerd', (word) => word);
const daemonFlag = list('daemon-flag', 'Further flag for every shoal daemon', (word) => word);

/** `shoal lab up` */
export const labUp: CommandSpec = {
  usage: '[OPTIONS] [HOSTS]',
  operands: { min: 0, max: 1 },
  flags: [nameFlag, initFlag, noDaemonFlag, sharedFlag, engineFlag, daemonFlag],
  async run(context, values, [hosts]) {
    const name = nameOf(values);
    const { err } = context;
    context.onInterrupt(() => {
      err.write(`interrupted; what is there already goes with: shoal lab down${nameWords(name)}\n`);
      process.exit(130);
    });
    const isInit = values.get(initFlag) ?? false;
    const isBare = values.get(noDaemonFlag) ?? false;
    if (isInit && isBare) throw new CliError('--init needs daemons: it cannot be used with --no-daemon');
    const lab = await Lab.up({
      name,
      hosts: hosts === undefined ? hosts_default : countOf(hosts),
      sharedEngine: values.get(sharedFlag),
      engineFlags: values.get(engineFlag) ?? [],
      daemonFlags: isBare ? undefined : (values.get(daemonFlag) ?? []),
    });
    if (isInit) await formCluster(lab.hosts);
    await writeStatus(context, lab);
    context.out.write(advice(context, lab, { name, isInit, isBare }));
  },
};

function countOf(word: string): number {
  try {
    return parseInteger(word, 0);
  } catch (error) {
    throw new CliError(`HOSTS: ${(error as Error).message}`, { cause: error });
  }
}

interface Made {
  name: string;
  isInit: boolean;
  isBare: boolean;
}

function advice({ env }: Context, lab: Lab, { name, isInit, isBare }: Made): string {
  const [first] = lab.hosts as [Host];
  const end = `End it:   shoal lab down${nameWords(name)}\n`;
  const bin = join(packageRoot(), 'bin');
  const isThere = (env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, 'shoal')));
  const path = isThere ? [] : [`export PATH=${bin}:$PATH`];
  const use = isBare
    ? [`docker -H unix://${first.engineSocket} ps`]
    : [
        `export SHOAL_HOST=unix://${first.apiSocket}`,
        ...(isInit
          ? [
              'shoal service create --name web --replicas 3 -p 8080:80 shoal/web:1',
              `shoal lab get${nameWords(name)} http://${first.address}:8080/`,
            ]
          : ['shoal swarm init']),
      ];
  return `\nUse it:   ${[...path, ...use].join('\n          ')}\n${end}`;
}

/** `swarm init` on the first host and `swarm join` on the others, by the command itself. */
async function formCluster(hosts: readonly Host[]): Promise<void> {
  const [first, ...others] = hosts as [Host, ...Host[]];
  const shoal = async (host: Host, ...args: string[]) => {
    const [program, ...rest] = shoalCommand('-H', `unix://${host.apiSocket}`, ...args) as [string, ...string[]];
    const output = await tryRun(program, rest);
    if (output.code !== 0) throw new CliError(`${host.name}: shoal ${args.join(' ')}: ${output.stderr.trim()}`);
    return output.stdout.trim();
  };
  await shoal(first, 'swarm', 'init');
  for (const [at, host] of others.entries()) {
    const token = await shoal(first, 'swarm', 'join-token', '-q', at + 1 < managers_max ? 'manager' : 'worker');
    await shoal(host, 'swarm', 'join', '--token', token, `${first.address}:2377`);
  }
}
