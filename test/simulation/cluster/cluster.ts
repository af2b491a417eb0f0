import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Logger } from 'winston';
import { timestamp } from '../../../src/model/clock.js';
import type { NodeInit } from '../../../src/model/types.js';
import type { RaftCore } from '../../../src/raft/core/core.js';
import type { Member, StateMachine } from '../../../src/raft/node.js';
import { Invariants } from '../raft/invariants.js';
import { Network } from '../raft/network.js';
import { processClock, type World } from '../world.js';
import { Checks } from './checks.js';
import { Host } from './host.js';
import { Links } from './links.js';
import { Rpc } from './rpc.js';
import { Trace } from './trace.js';

/** Said at level error of what the simulation does to a daemon, not of what the daemon does. */
const expectedErrors = ['routes could not be applied', 'the disk is full', 'cannot take a snapshot'];

/** Three managers, which are workers too, and some workers more: everything on one clock, in one process. */
export class Cluster {
  readonly trace: Trace;
  readonly links: Links;
  readonly rpc: Rpc;
  readonly raft: Network;
  readonly hosts: Host[] = [];
  readonly managers: readonly Host[];
  readonly checks: Checks;
  readonly invariants = new Invariants();
  failure: unknown;

  constructor(
    readonly world: World,
    readonly workers: number,
  ) {
    this.trace = new Trace(() => world.now_ms);
    this.links = new Links(world);
    this.rpc = new Rpc(world, this.links, this.trace);
    this.raft = new Network(world);
    this.checks = new Checks(world, this.links, this.hosts);
    const names = ['m1', 'm2', 'm3', ...Array.from({ length: workers }, (_, at) => `w${at + 1}`)];
    const founders: Member[] = names
      .slice(0, 3)
      .map((name, at) => ({ id: at + 1, nodeID: nodeIDOf(name), address: `${name}:2377` }));
    const ground = {
      world,
      links: this.links,
      rpc: this.rpc,
      raft: this.raft,
      founders,
      failed: (error: unknown) => this.failed(error),
      watched: (host: Host, store: StateMachine) => this.watched(host, store),
      opened: (_host: Host, manager: NonNullable<Host['manager']>) =>
        manager.watch((commit) => this.guarded(() => this.checks.committed(commit, manager.view))),
      log: (host: Host, alive: () => boolean) => this.log(host, alive),
    };
    for (const [at, name] of names.entries()) {
      const witness = (host: Host) => this.checks.witness(host, (error) => this.failed(error));
      this.hosts.push(new Host(name, nodeIDOf(name), at < 3 ? at + 1 : 0, ground, witness));
    }
    this.managers = this.hosts.slice(0, 3);
    world.check = () => this.check();
  }

  /** The manager that leads, of several that think so the one of the latest term. */
  get leader(): Host | undefined {
    return this.managers
      .filter(({ core }) => core?.role === 'leader')
      .sort((left, right) => (right.core?.term ?? 0) - (left.core?.term ?? 0))[0];
  }

  failed(error: unknown): void {
    this.failure ??= error;
  }

  private guarded(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.failed(error);
    }
  }

  private check(): void {
    if (this.failure !== undefined) throw this.failure;
    const observed: { id: number; core: RaftCore }[] = [];
    for (const { raftID, core } of this.managers) if (core !== undefined) observed.push({ id: raftID, core });
    this.invariants.check(observed);
    if (this.world.steps % 2000 === 0) this.invariants.checkLogMatching(observed);
  }

  private watched(host: Host, store: StateMachine): StateMachine {
    return {
      apply: (index, data) => {
        const hash = createHash('sha256').update(data).digest('hex').slice(0, 16);
        this.guarded(() => this.invariants.checkApplied(host.raftID, index, hash));
        this.trace.add(`${host.name} applies ${index} ${hash}`);
        return store.apply(index, data);
      },
      snapshot: () => store.snapshot(),
      restore: (index, chunks) => {
        this.trace.add(`${host.name} restores ${index}`);
        return store.restore(index, chunks);
      },
    };
  }

  /** Nobody lies here and no disk breaks: an error is a bug. */
  private log(host: Host, alive: () => boolean): Logger {
    const say = (level: string) => (message: string, details?: object) => {
      if (!alive()) return;
      if (process.env.SIMULATION_LOG !== undefined) {
        console.log(Math.round(this.world.now_ms), host.name, level, message, JSON.stringify(details ?? {}));
      }
      if ((level === 'error' && !expectedErrors.includes(message)) || message === 'dropped a raft message') {
        this.failed(new Error(`${host.name} says: ${message} ${JSON.stringify(details)}`));
      }
    };
    const log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error'), child: () => log };
    return log as unknown as Logger;
  }

  /** Starts everything and waits until the nodes are part of it. */
  async found(): Promise<void> {
    for (const host of this.hosts) host.start();
    await this.world.run(20_000, () => this.leader !== undefined);
    const { leader } = this;
    assert.ok(leader !== undefined, 'nobody came to lead');
    const nodes: NodeInit[] = this.hosts.map(({ nodeID, raftID, address }) => ({
      ID: nodeID,
      Spec: { Role: raftID > 0 ? 'manager' : 'worker', Availability: 'active', Labels: {} },
      Status: { State: 'unknown' },
      ...(raftID > 0 && { ManagerStatus: { Addr: address }, RaftID: raftID }),
    }));
    const Raft = { SnapshotInterval: 60, LogEntriesForSlowFollowers: 20 }; // so that some managers need one
    leader
      .propose({
        Origin: 'init',
        Time: timestamp(processClock(this.world, 1, () => true)),
        Operations: [
          { Action: 'create', Cluster: { ID: 'cluster', Spec: { Name: 'default', Raft }, NextRaftID: 4 } },
          ...nodes.map((Node) => ({ Action: 'create', Node })),
        ],
      })
      .catch((error) => this.failed(error));
    await this.world.run(this.world.now_ms + 30_000, () => this.isWhole());
    assert.ok(this.isWhole(), 'not every node became part of the cluster');
  }

  private isWhole(): boolean {
    const nodes = [...(this.leader?.view?.list('Node') ?? [])];
    return nodes.length > 0 && nodes.every(({ Status }) => Status?.State === 'ready');
  }
}

/** Of the form that node ids have. */
function nodeIDOf(name: string): string {
  return name.padEnd(25, '0');
}
