import { isIP } from 'node:net';
import { isAttachment } from '../../model/attachment.js';
import { type Clock, timestamp } from '../../model/clock.js';
import { ShoalError } from '../../model/errors.js';
import { newID } from '../../model/ids.js';
import { addressIn, familyOf, parseIP } from '../../model/ip.js';
import type { Random } from '../../model/random.js';
import { isFinal } from '../../model/states.js';
import type { AttachNetworkRequest, AttachNetworkResponse, OperationInit, Task } from '../../model/types.js';
import type { Commit, Proposer, View } from '../../store/view.js';

export interface AttachingOptions {
  store: View & { watch(call: (commit: Commit) => void): () => void };
  proposer: Proposer;
  clock: Clock;
  random: Random;
  checkServing(): void;
}

/** How long the leader's next plan may take. */
const answer_ms_max = 15_000;
// What a node says is kept: more than any honest node needs, and no more than the state can bear.
const attachmentsOfNode_max = 1_024;
/** Each is an entry of Raft's log. */
const askedByNode_max = 32;
const name_max = 255;
const list_max = 64;

/** Answers nodes whose users start containers on networks of the cluster: writes the task that holds the address, and waits for that. */
export class Attaching {
  private readonly askedBy = new Map<string, number>();

  constructor(private readonly options: AttachingOptions) {}

  /**
   * The task of this container on this network, with its address: one that is there already, or a new one. Throws `not-found`, `forbidden`
   * for a network that is not attachable, `failed-precondition` when there is no address for it, in Docker's words.
   */
  async attach(nodeID: string, said: AttachNetworkRequest): Promise<AttachNetworkResponse> {
    const asked = this.askedBy.get(nodeID) ?? 0;
    if (asked >= askedByNode_max) {
      throw new ShoalError('overloaded', `node ${nodeID} asks for ${asked} attachments at once already`);
    }
    this.askedBy.set(nodeID, asked + 1);
    try {
      return { Task: await this.taskFor(nodeID, said) };
    } finally {
      const left = (this.askedBy.get(nodeID) ?? 1) - 1;
      if (left > 0) this.askedBy.set(nodeID, left);
      else this.askedBy.delete(nodeID);
    }
  }

  private async taskFor(nodeID: string, said: AttachNetworkRequest): Promise<Task> {
    const { store, checkServing } = this.options;
    checkServing();
    const request = checked(said);
    const network = store.get('Network', request.NetworkID);
    if (network === undefined) throw new ShoalError('not-found', `network ${request.NetworkID} not found`);
    if (network.Spec?.Attachable !== true) {
      throw new ShoalError(
        'forbidden',
        `rpc error: code = PermissionDenied desc = network ${network.Spec?.Name} not manually attachable`,
      );
    }
    const attached = [...store.tasksOfNode(nodeID)].filter(isAttachment);
    const same = attached.find((task) => isFor(task, request));
    if (same === undefined && attached.length >= attachmentsOfNode_max) {
      throw new ShoalError('overloaded', `node ${nodeID} has ${attached.length} attachments to networks already`);
    }
    const id = same?.ID ?? (await this.create(nodeID, request));
    return this.addressed(id);
  }

  private async create(nodeID: string, request: AttachNetworkRequest): Promise<string> {
    const { clock, random } = this.options;
    const ID = newID(random);
    const { NetworkID, ContainerID, ContainerName, Hostname, Aliases, Nameservers, Address, Address6 } = request;
    const Addresses = [Address, Address6].filter((address) => address !== '');
    await this.propose({
      Action: 'create',
      ID,
      Task: {
        ID,
        Name: ContainerName,
        NodeID: nodeID,
        DesiredState: 'running',
        Spec: {
          Runtime: 'attachment',
          NetworkAttachmentSpec: { ContainerID, Hostname, Nameservers },
          Networks: [{ Target: NetworkID, Aliases, Addresses }],
        },
        Status: { Timestamp: timestamp(clock), State: 'new', Message: 'created' },
      },
    });
    return ID;
  }

  /** The task once it has an address. It is taken out again when there is none. */
  private async addressed(id: string): Promise<Task> {
    const { store, clock } = this.options;
    let settle: (() => void) | undefined;
    let isLate = false;
    const unwatch = store.watch(({ changes }) => {
      if (changes.some((change) => change.id === id)) settle?.();
    });
    const cancel = clock.after(answer_ms_max, () => {
      isLate = true;
      settle?.();
    });
    try {
      for (;;) {
        const task = store.get('Task', id);
        if (task === undefined) throw new ShoalError('not-found', 'the network or the node was removed meanwhile');
        if (task.NetworksAttachments.length > 0) return task;
        const reason = task.Status?.Err || (isLate ? 'context deadline exceeded' : '');
        if (reason !== '') {
          await this.propose({ Action: 'remove', Kind: 'Task', ID: id }).catch(() => {}); // its node will find that it has no use for it
          throw new ShoalError(isLate ? 'unavailable' : 'failed-precondition', reason);
        }
        await new Promise<void>((resolve) => {
          settle = resolve;
        });
      }
    } finally {
      unwatch();
      cancel();
    }
  }

  private async propose(operation: OperationInit): Promise<void> {
    const { proposer, clock } = this.options;
    await proposer.propose({ Operations: [operation], Origin: 'dispatcher', Time: timestamp(clock) });
  }
}

/** Whether the task is for this container on this network, and has, or may get, the addresses that are asked for. */
function isFor(task: Task, { NetworkID, ContainerID, Address, Address6 }: AttachNetworkRequest): boolean {
  if (isFinal(task.Status?.State ?? '') || task.Spec?.NetworkAttachmentSpec?.ContainerID !== ContainerID) return false;
  if (task.Spec.Networks[0]?.Target !== NetworkID) return false;
  const has = task.NetworksAttachments[0]?.Addresses.map(addressIn);
  return has === undefined || [Address, Address6].every((address) => address === '' || has.includes(address));
}

/** What a node says, as it may be kept. Throws `invalid-argument` naming the field. */
function checked(said: AttachNetworkRequest): AttachNetworkRequest {
  const refuse = (field: string, what: string): never => {
    throw new ShoalError('invalid-argument', `AttachNetwork.${field}: ${what}`);
  };
  if (!/^[0-9a-f]{64}$/.test(said.ContainerID)) refuse('ContainerID', 'must be 64 hexadecimal digits');
  for (const [field, family] of [
    ['Address', 4],
    ['Address6', 6],
  ] as const) {
    const address = parseIP(said[field]);
    if (said[field] === '' || (address !== undefined && familyOf(address) === family)) continue;
    refuse(field, `must be an IPv${family} address`);
  }
  const names = { ContainerName: [said.ContainerName], Hostname: [said.Hostname], Aliases: said.Aliases };
  for (const [field, list] of Object.entries(names)) {
    if (list.length > list_max) refuse(field, `must be at most ${list_max}`);
    for (const name of list) {
      if (!/^[\x21-\x7e]*$/.test(name) || name.length > name_max) {
        refuse(field, `must be at most ${name_max} characters of ASCII without blanks`);
      }
    }
  }
  if (said.Nameservers.length > list_max || said.Nameservers.some((one) => isIP(one) === 0)) {
    refuse('Nameservers', `must be at most ${list_max} addresses`);
  }
  return said;
}
