import type { Host } from '../../lab/host.js';
import { runShown } from '../../lab/run.js';
import type { CommandSpec } from '../base/command.js';
import { CliError } from '../base/errors.js';
import { flag } from '../base/flag.js';
import { parseInteger } from '../base/units.js';
import { labOf, nameFlag, nameOf, writeStatus } from './common.js';

/** `shoal lab down` */
export const labDown: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: [nameFlag],
  async run({ out }, values) {
    await labOf(values).down();
    out.write(`lab ${nameOf(values)} is gone\n`);
  },
};

/** `shoal lab status` */
export const labStatus: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: [nameFlag],
  run: (context, values) => writeStatus(context, labOf(values)),
};

/** `shoal lab exec`: ends as the command ends. */
export const labExec: CommandSpec = {
  usage: '[OPTIONS] HOST|client COMMAND [ARG...]',
  operands: { min: 2, max: Number.POSITIVE_INFINITY },
  flags: [nameFlag],
  optionsFirst: true,
  async run(_context, values, [name, ...words]) {
    const command = words[0] === '--' ? words.slice(1) : words;
    if (command.length === 0) throw new CliError("there is no command after '--'");
    const lab = labOf(values);
    process.exitCode =
      name === 'client'
        ? await runShown([...lab.clientPrefix(), ...command])
        : await lab.host(name as string).interact(command);
  },
};

const timesFlag = flag('times', 'int', 'On that many new connections', (text) => parseInteger(text, 1, 9999), {
  shown: '1',
});

/** `shoal lab get` */
export const labGet: CommandSpec = {
  usage: '[OPTIONS] URL',
  operands: { min: 1, max: 1 },
  flags: [nameFlag, timesFlag],
  async run(_context, values, [url]) {
    if (!/^https?:/.test(url as string) || !URL.canParse(url as string)) {
      throw new CliError(`${JSON.stringify(url)} is not a URL, such as http://10.99.0.11:8080/`);
    }
    process.exitCode = await runShown(labOf(values).askCommand(url as string, values.get(timesFlag) ?? 1));
  },
};

function onHosts(act: (host: Host) => Promise<void>): CommandSpec {
  return {
    usage: '[OPTIONS] HOST [HOST...]',
    operands: { min: 1, max: Number.POSITIVE_INFINITY },
    flags: [nameFlag],
    async run({ out }, values, names) {
      const lab = labOf(values);
      for (const host of names.map((name) => lab.host(name))) await act(host);
      out.write(`${lab.hosts.map((host) => `${host.name} ${host.isUp() ? 'up' : 'down'}`).join('   ')}\n`);
    },
  };
}

export const labPartition = onHosts((host) => host.partition());
export const labHeal = onHosts((host) => host.heal());
export const labCrash = onHosts((host) => host.crash());
export const labStart = onHosts((host) => host.start());
