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
  /** Undefined: the managers have not said yet. */
  private keys: readonly DataPathKey[] | undefined;
  private current: number;
  /** What is there when nobody else has touched it; undefined when that is not known. */
  private made: Program | undefined;
  /** What had counted was removed since the epoch began: it holds no longer, should this node take part again. */
  private isForgotten = false;
  /** What was asked for last, and of what. */
  private last: { about: string; keys: readonly DataPathKey[]; program: Program } | undefined;
  /** Told when the kernel has forgotten what it had, so that the others must use other keys with this node. */
  onEpoch: () => void = () => {};

  constructor(private readonly options: EncryptionOptions) {
    this.current = options.epoch;
  }

  get epoch(): number {
    return this.current;
  }

  /** Whether the node is to take part; undefined: nobody has said, so what an agent before this one has made goes on. */
  get isOn(): boolean | undefined {
    return this.keys && this.keys.length > 0;
  }

  /** In order of generation; none: this node has no task on an encrypted network. */
  setKeys(keys: readonly DataPathKey[]): void {
    this.keys = keys;
  }

  /** Makes the kernel's part as it shall be; with `isLook` whatever somebody else did to it. Throws what the tools throw. */
  async make(items: NetworkItems, isLook: boolean): Promise<void> {
    const { tools, nodeID, log } = this.options;
    const before = this.made;
    const isNothing = before === emptyProgram && !this.isOn;
    if (this.isOn === undefined || isNothing) return;
    if (before !== undefined && !isLook) return this.bring(items, before);
    const found = await observeProgram(tools);
    if (before !== undefined && hasLost(before, found)) {
      log.warn('what encrypts networks was removed by somebody else, and is made anew', { node: nodeID });
      this.renew();
    } else if (this.isForgotten || hasMoved(found, items.peers.get(nodeID))) this.renew();
    await this.bring(items, found);
  }

  /** Where the kernel is not as it shall be, a line each; without keys. Throws what the tools throw. */
  async differences(items: NetworkItems): Promise<string[]> {
    if (this.isOn === undefined || (this.made === emptyProgram && !this.isOn)) return [];
    const found = await observeProgram(this.options.tools);
    const lines = programCommands(this.desired(items, found), found);
    return lines.map((line) => `to be done: ip ${withoutKey(line)}`);
  }

  /** What is ours was removed by us, `wasThere`: there was something that had counted. */
  forget(wasThere: boolean): void {
    this.made = undefined;
    this.isForgotten ||= wasThere;
  }

  /** What is made anew would count its packets from 0 again, which the others refuse, and with reason. */
  private renew(): void {
    this.current = newEpoch(this.options.random, this.current);
    this.isForgotten = false;
    this.onEpoch();
  }

  /** Nodes with which something is there stay, though their last task on an encrypted network has ended: both ends must go on counting. */
  private desired(items: NetworkItems, found: Program): Program {
    const self = items.peers.get(this.options.nodeID);
    if (self === undefined || !this.isOn) return emptyProgram;
    const known = new Set(found.states.flatMap(({ from, to }) => [from, to]));
    const peers = encryptingPeers(items, self.ID, known).map((peer) => endOf(peer, peer.EncryptionEpoch));
    return this.programOf(endOf(self, this.current), peers, encryptedPort(self));
  }

  /** Deriving takes some 50 µs a peer, and mostly nothing has changed. */
  private programOf(self: End, peers: readonly End[], port: number): Program {
    const { keys = [] } = this;
    const about = JSON.stringify([self, peers, port]);
    if (this.last?.about !== about || this.last.keys !== keys) {
      this.last = { about, keys, program: programFor(self, peers, keys, port) };
    }
    return this.last.program;
  }

  private async bring(items: NetworkItems, found: Program): Promise<void> {
    const desired = this.desired(items, found);
    this.made = undefined;
    await carryOut(programCommands(desired, found), this.options.tools);
    this.made = desired;
    if (desired === emptyProgram && found.states.length > 0) this.renew();
  }
}

/** Removes what is ours, also of an agent before this one. Whether there was a state. Throws what the tools throw. */
export async function removeProgram(tools: KernelTools): Promise<boolean> {
  const found = await observeProgram(tools).catch(() => emptyProgram); // a kernel without IPsec
  await carryOut(programCommands(emptyProgram, found), tools);
  return found.states.length > 0;
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

/** Whether what is there is of another address that this node had: back there it would count from 0 again. */
function hasMoved({ states }: Program, self: NetworkPeer | undefined): boolean {
  if (self === undefined) return false;
  return states.some(({ from, to }) => from !== self.Address && to !== self.Address);
}
