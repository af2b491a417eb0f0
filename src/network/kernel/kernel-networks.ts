import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import { messageOf } from '../../model/errors.js';
import type { Network } from '../../model/types.js';
import type { NetworkItems } from '../network-table.js';
import { commandsFor } from './commands.js';
import { desiredKernel, tunnelMTU } from './desired.js';
import { bridgeOf, markMask, passMark, tableName, tunnelDevice } from './names.js';
import { type Observed, observe } from './observed.js';
import { rulesFor } from './rules.js';
import { type Ruleset, renderChange, renderWhole } from './ruleset.js';
import { sysctlsFor } from './sysctls.js';
import type { KernelTools } from './tools.js';

export interface KernelNetworksOptions {
  nodeID: string;
  tools: KernelTools;
  clock: Clock;
  log: Logger;
  /** After every look: the networks of which this node has the bridge, their gateways being addresses of it. */
  onCarried?(networks: readonly Network[]): Promise<void>;
}

/** How often what the kernel has is compared with what it shall have, though nothing changed. */
const look_ms = 3_000;

/**
 * The cluster's networks in this node's kernel: the tunnel to the other nodes, routes to addresses there, and the rules. It goes by what is
 * there, never by what was done before, so a killed agent's successor goes on, and what somebody else removed comes back. The
 * bridges are the engine's; they are cared for from when they appear.
 */
export class KernelNetworks {
  private items: NetworkItems | undefined;
  /** What the table holds when nobody else has touched it, and how nft shows that. */
  private rules: { applied: Ruleset; listing: string } | undefined;
  private running: Promise<void> | undefined;
  private isDirty = false;
  private isClosed = false;
  private failure = '';
  private cancelLook = () => {};

  constructor(private readonly options: KernelNetworksOptions) {}

  /** Why the kernel is not as it shall be; '' when it is. */
  get error(): string {
    return this.failure;
  }

  /** Makes the kernel be so. Resolves when it is, or when it could not be made so: then it is tried again, and `error` says why. */
  apply(items: NetworkItems): Promise<void> {
    this.items = items;
    return this.refresh();
  }

  /** Of what goes through the tunnel, in bytes: so much a packet between containers may have. */
  async mtu(): Promise<number> {
    const { tools, nodeID } = this.options;
    const seen = await observe(tools);
    return tunnelMTU(seen.mtuOf(this.items?.peers.get(nodeID)?.Address ?? ''));
  }

  /** Looks at once: a bridge or a container on one is new. */
  refresh(): Promise<void> {
    this.isDirty = true;
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /** Removes everything of ours. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.cancelLook();
    await this.running;
    if (!this.options.tools.hasDevice(tunnelDevice) && this.rules === undefined) return;
    await this.removeAll().catch((error) =>
      this.options.log.warn('the networks of the cluster were left in the kernel', { reason: messageOf(error) }),
    );
  }

  private async run(): Promise<void> {
    while (this.isDirty && !this.isClosed) {
      this.isDirty = false;
      this.cancelLook();
      try {
        await this.makeSo();
        if (this.failure !== '') this.options.log.info('the kernel carries the networks of the cluster again');
        this.failure = '';
      } catch (error) {
        const reason = messageOf(error);
        if (reason !== this.failure) this.options.log.error('the kernel does not carry the networks', { reason });
        this.failure = reason;
        this.rules = undefined;
      }
    }
    if (this.isClosed || !this.isNeeded) return;
    this.cancelLook = this.options.clock.after(look_ms, () => void this.refresh());
  }

  private get isNeeded(): boolean {
    return (this.items?.networks.size ?? 0) > 0 && this.items?.peers.has(this.options.nodeID) === true;
  }

  private async makeSo(): Promise<void> {
    const { items } = this;
    const { tools, nodeID } = this.options;
    if (items === undefined) return;
    if (!this.isNeeded) {
      if (tools.hasDevice(tunnelDevice) || this.rules !== undefined) await this.removeAll();
      await this.options.onCarried?.([]);
      return;
    }
    const seen = await observe(tools);
    const carried = carriedNetworks(items, seen);
    const mtu = tunnelMTU(seen.mtuOf(items.peers.get(nodeID)?.Address ?? ''));
    // Rules first: nothing shall pass for a moment that they would stop.
    await this.setRules(rulesFor(items, nodeID, carried));
    const { ip, bridge } = commandsFor(desiredKernel(items, nodeID, carried, mtu), seen);
    if (ip.length > 0) await tools.run('ip', ['-force', '-batch', '-'], `${ip.join('\n')}\n`);
    if (bridge.length > 0) await tools.run('bridge', ['-force', '-batch', '-'], `${bridge.join('\n')}\n`);
    const bridges = carried.map((network) => bridgeOf(network.Number));
    for (const [path, value] of sysctlsFor(bridges)) await tools.setSysctl(path, value);
    for (const name of bridges) {
      await tools.run('ip', ['link', 'set', name, 'type', 'bridge', 'nf_call_iptables', '1']);
    }
    await this.passDocker();
    await this.options.onCarried?.(carried);
  }

  /** In proportion to what changed; the whole when somebody else has been at the table. */
  private async setRules(wanted: Ruleset): Promise<void> {
    const { tools, log } = this.options;
    const known = this.rules;
    const untouched = known !== undefined && (await this.listing()) === known.listing;
    if (known !== undefined && !untouched) log.warn('the rules were changed by somebody else, and are put right');
    const text = untouched ? renderChange(known.applied, wanted) : renderWhole(wanted);
    if (text === '') return;
    this.rules = undefined;
    await tools.run('nft', ['-f', '-'], text);
    this.rules = { applied: wanted, listing: (await this.listing()) ?? '' };
  }

  /** The table without the contents of its sets; undefined when there is none. */
  private listing(): Promise<string | undefined> {
    return this.options.tools.run('nft', ['-t', 'list', 'table', 'ip', tableName]).catch(() => undefined);
  }

  /** Docker drops what it does not know; one rule in the chain that it leaves to others lets through what carries our mark. */
  private async passDocker(): Promise<void> {
    const { tools } = this.options;
    try {
      await tools.run('iptables', ['-w', '-C', ...passRule]);
    } catch {
      // Without the engine's chain nothing of the engine's stands in the way either; it is looked for again and again.
      await tools
        .run('iptables', ['-w', '-I', ...passRule])
        .catch((error) => this.options.log.debug('the engine has no chain for us', { reason: messageOf(error) }));
    }
  }

  private async removeAll(): Promise<void> {
    const { tools } = this.options;
    if (tools.hasDevice(tunnelDevice)) await tools.run('ip', ['link', 'del', tunnelDevice]);
    await tools.run('nft', ['-f', '-'], `table ip ${tableName}\ndelete table ip ${tableName}\n`);
    await tools.run('iptables', ['-w', '-D', ...passRule]).catch(() => {}); // the engine may have taken its chain away
    this.rules = undefined;
  }
}

const hex = (number: number) => `0x${number.toString(16)}`;
const passRule = ['DOCKER-USER', '-m', 'mark', '--mark', `${hex(passMark)}/${hex(markMask)}`, '-j', 'ACCEPT'];

/** Networks of which this node has the bridge, in order of their number. */
function carriedNetworks(items: NetworkItems, { bridges }: Observed): Network[] {
  return [...items.networks.values()]
    .filter((network) => bridges.includes(bridgeOf(network.Number)))
    .sort((a, b) => a.Number - b.Number);
}
