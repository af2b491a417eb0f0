import type { Logger } from 'winston';
import { isEncrypted } from '../../../model/encrypted-networks.js';
import { messageOf } from '../../../model/errors.js';
import type { Network } from '../../../model/types.js';
import type { NetworkItems } from '../../network-table.js';
import { type ActualKernel, commandsFor } from '../commands.js';
import { type DesiredKernel, desiredEncrypted, tunnelMTU } from '../desired.js';
import { encryptedTunnel } from '../names.js';
import type { Observed } from '../observed.js';
import { sysctlsFor } from '../sysctls.js';
import type { KernelTools } from '../tools.js';
import { makeWays } from '../ways.js';
import { type Encryption, removeProgram } from './encryption.js';
import { encryptedPort, encryptingPeers } from './peers.js';

export interface EncryptedWaysOptions {
  nodeID: string;
  tools: KernelTools;
  /** Left out: this kernel cannot. */
  encryption?: Encryption | undefined;
  log: Logger;
}

/** What the node's kernel is to carry at the moment. */
export interface Carrying {
  items: NetworkItems;
  carried: readonly Network[];
  /** Of the machine's own network; undefined when that is not known. */
  underlayMTU: number | undefined;
  /** Whether the kernel does. */
  knowsIPv6: boolean;
}

/** The tunnel of encrypted networks in this node's kernel, with what encrypts it. What goes wrong with it leaves the others alone. */
export class EncryptedWays {
  private failure = '';

  constructor(private readonly options: EncryptedWaysOptions) {}

  /** Why encrypted networks are not as they shall be; '' when they are. */
  get error(): string {
    return this.options.encryption === undefined ? 'the kernel of this node cannot encrypt' : this.failure;
  }

  /** Whether what is said of the tunnel's port holds: there is or will be one. */
  isOn({ networks }: NetworkItems, { encrypted }: Pick<Observed, 'encrypted'>): boolean {
    const { encryption } = this.options;
    if (encryption === undefined) return false;
    return encryption.isOn === undefined
      ? encrypted.tunnel !== undefined
      : encryption.isOn && [...networks.values()].some(isEncrypted);
  }

  /** Makes what was seen be as it shall be, and returns what is there then. Never rejects. */
  async make(carrying: Carrying, seen: Observed, isLook: boolean): Promise<ActualKernel> {
    const { encryption, log } = this.options;
    if (encryption === undefined ? seen.encrypted.tunnel === undefined : encryption.isOn === undefined) {
      return seen.encrypted;
    }
    try {
      // What lets only encrypted packets through comes first, and goes last.
      const desired = this.desired(carrying, seen);
      if (desired.tunnel !== undefined) await encryption?.make(carrying.items, isLook);
      // A device that is made just now has no settings yet.
      const how = { isLook: isLook || seen.encrypted.tunnel === undefined, hasPlane: false };
      const there = await makeWays(desired, seen.encrypted, how, this.options.tools);
      if (desired.tunnel === undefined) await encryption?.make(carrying.items, isLook);
      if (this.failure !== '') log.info('the kernel carries encrypted networks again');
      this.failure = '';
      return there;
    } catch (error) {
      const reason = messageOf(error);
      if (reason !== this.failure) log.error('the kernel does not carry encrypted networks', { reason });
      this.failure = reason;
      return seen.encrypted;
    }
  }

  /** Where the kernel is not as it shall be, a line each; without keys. Throws what the tools throw. */
  async differences(carrying: Carrying, seen: Observed): Promise<string[]> {
    const { encryption, tools } = this.options;
    if (encryption !== undefined && encryption.isOn === undefined) return [];
    const desired = this.desired(carrying, seen);
    const { ip, bridge } = commandsFor(desired, seen.encrypted);
    const lines = [...ip.map((line) => `ip ${line}`), ...bridge.map((line) => `bridge ${line}`)];
    const differences = lines.map((line) => `to be done: ${line}`);
    if (encryption !== undefined) differences.push(...(await encryption.differences(carrying.items)));
    if (desired.tunnel !== undefined) {
      for (const [path, value] of sysctlsFor(desired, false)) {
        const found = tools.sysctl(path);
        if (found !== undefined && found !== value) differences.push(`${path} is ${found}, not ${value}`);
      }
    }
    return differences;
  }

  /** Removes what is ours, also of an agent before this one. Throws what the tools throw. */
  async remove(): Promise<void> {
    const { encryption, tools } = this.options;
    const { device } = encryptedTunnel;
    const isThere = tools.hasDevice(device);
    if (isThere) await tools.run('ip', ['link', 'del', device]);
    const wasThere = (isThere || encryption !== undefined) && (await removeProgram(tools));
    encryption?.forget(wasThere);
  }

  private desired({ items, carried, underlayMTU, knowsIPv6 }: Carrying, seen: Observed): DesiredKernel {
    const { nodeID } = this.options;
    const self = items.peers.get(nodeID);
    const port = this.isOn(items, seen) && self !== undefined ? encryptedPort(self) : undefined;
    const peers = encryptingPeers(items, nodeID);
    const mtu = tunnelMTU(encryptedTunnel, underlayMTU);
    return desiredEncrypted(items, nodeID, carried, mtu, { peers, port, knowsIPv6 });
  }
}
