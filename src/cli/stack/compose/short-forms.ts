import { CliError } from '../../base/errors.js';
import type { PortConfig } from '../../base/wire.js';
import { parsePublish } from '../../service/ports.js';

/** The ports of one short form (`80:8000`, `7000-7002:7100-7102/udp`). An address in front of them is passed over, and told to `warn`. */
export function shortPorts(text: string, warn: (line: string) => void): PortConfig[] {
  const match = /^(?:(\[[0-9a-fA-F:.]+\]|\d{1,3}(?:\.\d{1,3}){3}):)?(\d[\d-]*:|:)?(\d[\d-]*)(\/[a-z]+)?$/i.exec(text);
  if (match === null) throw new CliError("Does not match format 'ports'");
  const [, address, published = '', target, protocol = ''] = match;
  if (address !== undefined)
    warn(`ignoring IP-address (${text}${protocol === '' ? '/tcp' : ''}) service will listen on '0.0.0.0'`);
  return parsePublish(`${published === ':' ? '' : published}${target}${protocol}`);
}

export interface ComposeMount {
  type?: string | undefined;
  source?: string | undefined;
  target?: string | undefined;
  read_only?: boolean | undefined;
  consistency?: string | undefined;
  bind?: { propagation?: string | undefined } | undefined;
  volume?: { nocopy?: boolean | undefined; subpath?: string | undefined } | undefined;
  tmpfs?: { size?: number | undefined; mode?: number | undefined } | undefined;
}

const propagations = ['rprivate', 'private', 'rshared', 'shared', 'rslave', 'slave'];
const consistencies = ['consistent', 'cached', 'delegated'];

/** One short form of a volume: `/target`, `source:/target` or `source:/target:options`. */
export function shortMount(text: string): ComposeMount {
  if (text === '') throw new CliError(`invalid empty volume spec`);
  const [source = '', target, options = '', ...more] = text.split(':');
  if (more.length > 0 || (target !== undefined && (source === '' || target === ''))) {
    throw new CliError(`invalid volume specification: ${text}`);
  }
  if (target === undefined) return { type: 'volume', target: source };
  const isPath = /^[./~]/.test(source);
  const mount: ComposeMount = { type: isPath ? 'bind' : 'volume', source, target };
  for (const option of options.split(',')) {
    if (option === 'ro') mount.read_only = true;
    else if (option === 'rw') mount.read_only = false;
    else if (option === 'nocopy') mount.volume = { nocopy: true };
    else if (propagations.includes(option)) mount.bind = { propagation: option };
    else if (consistencies.includes(option)) mount.consistency = option;
    // other words (z, Z) say nothing to a cluster, as in Docker
  }
  return mount;
}
