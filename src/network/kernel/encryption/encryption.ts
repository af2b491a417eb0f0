import type { Logger } from 'winston';
import { messageOf, ShoalError } from '../../../model/errors.js';
import type { Random } from '../../../model/random.js';
import type { DataPathKey, NetworkPeer } from '../../../model/types.js';
import type { NetworkItems } from '../../network-table.js';
import type { KernelTools } from '../tools.js';
import { observeProgram } from './observed.js';
import { encryptedPort, encryptingPeers } from './peers.js';
import { newEpoch } from './probe.js';
import { emptyProgram, type Program, programCommands, programFor, withoutKey } from './program.js';
import type { End } from './seals.js';

export interface EncryptionOptions {
  nodeID: string;
  tools: KernelTools;
  /** Of what is in the kernel now, or a new one; see NodeEncryption. */
  epoch: number;
  random: Random;
  log: Logger;
}

/** What in this node's kernel encrypts the tunnel of encrypted networks, and lets nothing else through it. Goes by what is there. */
export class Encryption {
  private keys: readonly DataPathKey[] = [];
  private current: number;
  /** What is there when nobody else has touched it; undefined when that is not known. */
  private made: Program | undefined;
  /** Told when the kernel has forgotten what it had, so that the others must use other keys with this node. */
  onEpoch: () => void = () => {};

  constructor(private readonly options: EncryptionOptions) {
    this.current = options.epoch;
  }

  get epoch(): number {
    return this.current;
  }

  /** Whether the node is to take part: the managers have told it keys. */
  get isOn(): boolean {
    return this.keys.length > 0;
  }

  /** In order of generation; none: this node has no task on an encrypted network. */
  setKeys(keys: readonly DataPathKey[]): void {
    this.keys = keys;
  }

  /** Makes the kernel's part as it shall be; with `isLook` whatever somebody else did to it. Throws what the tools throw. */
  async make(items: NetworkItems, isLook: boolean): Promise<void> {
    const { tools, nodeID, random, log } = this.options;
    let desired = this.desired(items);
    const before = this.made;
    if (before === undefined && desired === emptyProgram) return;
    if (before !== undefined && !isLook) return this.carryOut(desired, before);
    const found = await observeProgram(tools);
    if (before !== undefined && hasLost(before, found)) {
      // What is made anew would count its packets from 0 again, which the others refuse, and with reason.
      this.current = newEpoch(random, this.current);
      log.warn('what encrypts networks was removed by somebody else, and is made anew', { node: nodeID });
      this.onEpoch();
      desired = this.desired(items);
    }
    await this.carryOut(desired, found);
  }

  /** Where the kernel is not as it shall be, a line each; without keys. Throws what the tools throw. */
  async differences(items: NetworkItems): Promise<string[]> {
    const desired = this.desired(items);
    if (this.made === undefined && desired === emptyProgram) return [];
    const lines = programCommands(desired, await observeProgram(this.options.tools));
    return lines.map((line) => `to be done: ip ${withoutKey(line)}`);
  }

  /** Somebody has removed what is ours. */
  forget(): void {
    this.made = undefined;
  }

  private desired(items: NetworkItems): Program {
    const self = items.peers.get(this.options.nodeID);
    if (self === undefined || !this.isOn) return emptyProgram;
    const peers = encryptingPeers(items, self.ID).map((peer) => endOf(peer, peer.EncryptionEpoch));
    return programFor(endOf(self, this.current), peers, this.keys, encryptedPort(self));
  }

  private async carryOut(desired: Program, found: Program): Promise<void> {
    this.made = undefined;
    await carryOut(programCommands(desired, found), this.options.tools);
    this.made = desired;
  }
}

/** Removes what is ours, also of an agent before this one. Throws what the tools throw. */
export async function removeProgram(tools: KernelTools): Promise<void> {
  const found = await observeProgram(tools).catch(() => emptyProgram); // a kernel without IPsec
  await carryOut(programCommands(emptyProgram, found), tools);
}

/** Keys go by standard input, where no list of processes shows them. */
async function carryOut(lines: readonly string[], tools: KernelTools): Promise<void> {
  if (lines.length === 0) return;
  try {
    await tools.run('ip', ['-force', '-batch', '-'], `${lines.join('\n')}\n`);
  } catch (error) {
    throw new ShoalError('unavailable', withoutKey(messageOf(error)));
  }
}

function endOf({ ID, Number: number, Address: address }: NetworkPeer, epoch: number): End {
  return { ID, Number: number, epoch, address };
}

function hasLost(before: Program, found: Program): boolean {
  const there = new Set(found.states.map(({ to, spi, key }) => `${to} ${spi} ${key}`));
  return before.states.some(({ to, spi, key }) => !there.has(`${to} ${spi} ${key}`));
}
