import type { Host } from '../../lab/host.js';
import { Lab } from '../../lab/lab.js';
import { answersPing } from '../../lab/probe.js';
import type { Context } from '../base/context.js';
import { text, type Values } from '../base/flag.js';
import { alignTable } from '../base/table.js';

const defaultName = 'lab';

export const nameFlag = text('name', 'Which lab; several can be up side by side', { shown: `"${defaultName}"` });

export const nameOf = (values: Values): string => values.get(nameFlag) ?? defaultName;

/** What names this lab on a command line; '' for the one that needs no name. */
export const nameWords = (name: string): string => (name === defaultName ? '' : ` --name ${name}`);

export const labOf = (values: Values): Lab => Lab.open(nameOf(values));

/** What is up, and where: at most 80 columns. */
export async function writeStatus({ out }: Context, lab: Lab): Promise<void> {
  const word = (isUp: boolean) => (isUp ? 'up' : 'down');
  const row = async (host: Host) => {
    const [engine, daemon] = await Promise.all([answersPing(host.engineSocket), host.isDaemonUp()]);
    return [
      host.name,
      host.address,
      word(host.isUp()),
      word(engine),
      word(daemon),
      lab.layout.host(host.index).directory,
    ];
  };
  const rows = await Promise.all(lab.hosts.map(row));
  out.write(alignTable([['HOST', 'ADDRESS', 'HOST IS', 'ENGINE IS', 'DAEMON IS', 'DIRECTORY'], ...rows]));
  const ofEngine = lab.sharedEngine === undefined ? ', docker.sock and dockerd.log' : '';
  out.write(`\nA host's directory has shoal.sock and shoal.log${ofEngine}.\n`);
}
