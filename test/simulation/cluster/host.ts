import type { Logger } from 'winston';
import { Manager } from '../../../src/manager/composition/manager.js';
import type { Clock } from '../../../src/model/clock.js';
import { ShoalError } from '../../../src/model/errors.js';
import { seededRandom } from '../../../src/model/random.js';
import type { TransactionInit } from '../../../src/model/types.js';
import type { RaftCore } from '../../../src/raft/core/core.js';
import { startRaft } from '../../../src/raft/driver.js';
import type { Member, RaftNode, StateMachine } from '../../../src/raft/node.js';
import type { View } from '../../../src/store/view.js';
import { NodeWorker } from '../../../src/worker/node-worker.js';
import { SimulatedDisk } from '../../helpers/sim-disk.js';
import type { Network } from '../raft/network.js';
import { processClock, type World } from '../world.js';
import { type EngineWitness, engineFor, WatchedEngine } from './engine.js';
import type { Links } from './links.js';
import { SimulatedPlane } from './plane.js';
import { Port, type Rpc } from './rpc.js';

/** What all hosts stand on. */
export interface Ground {
  world: World;
  links: Links;
  rpc: Rpc;
  raft: Network;
  /** Nobody else of the cluster is known to a node that starts for the first time. */
  founders: readonly Member[];
  /** Something happened that must not. */
  failed(error: unknown): void;
  /** Between Raft and a manager's store. */
  watched(host: Host, store: StateMachine): StateMachine;
  /** A manager serves. */
  opened(host: Host, manager: Manager): void;
  log(host: Host, alive: () => boolean): Logger;
}

/** What the daemon of a host is while it runs. */
interface Process {
  isAlive: boolean;
  plane: SimulatedPlane;
  manager?: Manager;
  worker?: NodeWorker;
  disconnect(): void;
}

const unreachable = (): never => {
  throw new ShoalError('unavailable', 'there is nothing to dial in a simulation');
};

/** One machine: its engine and its disk, which outlive the daemon, and the daemon while it runs. */
export class Host {
  readonly disk = new SimulatedDisk();
  readonly engine: WatchedEngine;
  /** How fast its clock goes. */
  rate = 1;
  /** By how much its clock is wrong. */
  readonly error = { wall_ms: 0, monotonic_ms: 0 };
  diskDelay_ms = 2;
  process: Process | undefined;
  private known: readonly { NodeID: string; Addr: string }[];
  private isFirstStart = true;

  constructor(
    readonly name: string,
    readonly nodeID: string,
    /** 0 of one that is no manager. */
    readonly raftID: number,
    private readonly ground: Ground,
    witness: (host: Host) => EngineWitness,
  ) {
    const { world, founders } = ground;
    this.engine = new WatchedEngine(world, witness(this));
    this.known = founders.map(({ nodeID: NodeID, address: Addr }) => ({ NodeID, Addr }));
    this.disk.faults.delay = () => world.sleep(this.diskDelay_ms * (0.5 + world.random.below(100) / 100));
  }

  get address(): string {
    return `${this.name}:2377`;
  }

  /** What it says of where its tasks answer: m1 is 10.1.0.1, w1 10.2.0.1. Nobody connects there. */
  private get ip(): string {
    return `10.${this.raftID > 0 ? 1 : 2}.0.${this.name.slice(1)}`;
  }

  get manager(): Manager | undefined {
    return this.process?.manager;
  }

  get plane(): SimulatedPlane | undefined {
    return this.process?.plane;
  }

  get core(): RaftCore | undefined {
    const raft = this.manager?.raft as unknown as { core: RaftCore } | undefined;
    return raft?.core;
  }

  get view(): View | undefined {
    return this.manager?.view;
  }

  propose(transaction: TransactionInit): Promise<{ index: number }> {
    return this.manager?.propose(transaction) ?? Promise.reject(new ShoalError('unavailable', `${this.name} is down`));
  }

  /** The daemon starts, from what its disk holds. */
  start(): void {
    const { world, rpc } = this.ground;
    if (this.process !== undefined) return;
    const own: Process = {
      isAlive: true,
      plane: new SimulatedPlane(world, () => own.isAlive),
      disconnect: () => {},
    };
    this.process = own;
    const alive = () => own.isAlive;
    const clock = processClock(world, this.rate, alive, this.error);
    const port = new Port(alive);
    rpc.listen(this.name, port);
    const log = this.ground.log(this, alive);
    const opening = this.raftID === 0 ? Promise.resolve() : this.startManager(own, port, clock, log);
    opening.then(
      () => own.isAlive && this.startWorker(own, clock, log),
      (error) => own.isAlive && this.ground.failed(error),
    );
  }

  private async startManager(own: Process, port: Port, clock: Clock, log: Logger): Promise<void> {
    const { ground, nodeID } = this;
    const caller = { host: this.name, nodeID, alive: () => own.isAlive };
    const manager = await Manager.start({
      nodeID,
      openRaft: async (store) => {
        const node = await this.openRaft(ground.watched(this, store), clock, log);
        return { node, close: () => node.stop() };
      },
      listener: port,
      dialer: { credentials: unreachable },
      connectPeer: ({ address }) => ground.rpc.client('ManagerPeers', caller, address),
      connectEngine: async () => unreachable(),
      onUnlockKey: () => {},
      showing: () => ({ keyPEM: '', certificatePEM: '' }),
      isForced: false,
      clock,
      random: this.draw(),
      log,
    });
    if (!own.isAlive) return;
    own.manager = manager;
    ground.opened(this, manager);
  }

  private openRaft(stateMachine: StateMachine, clock: Clock, log: Logger): Promise<RaftNode> {
    const { ground, raftID } = this;
    const self = ground.founders.find(({ id }) => id === raftID) as Member;
    const bootstrap = this.isFirstStart ? { bootstrap: ground.founders } : {};
    this.isFirstStart = false;
    return startRaft({
      self,
      disk: this.disk.mount(),
      transport: ground.raft.transport(raftID),
      stateMachine,
      clock,
      random: this.draw(),
      log,
      onFatal: (error) => ground.failed(error),
      segmentBytes: 64 * 1024,
      ...bootstrap,
    });
  }

  private startWorker(own: Process, clock: Clock, log: Logger): void {
    const { ground, nodeID, name, ip } = this;
    const alive = () => own.isAlive;
    const engine = engineFor(this.engine, alive);
    own.disconnect = () => engine.disconnect();
    own.worker = new NodeWorker({
      node: { id: nodeID, hostname: name, address: ip, clusterAddress: `${ip}:2377`, dataPathAddress: '' },
      labels: {},
      genericResources: [],
      managers: this.known,
      connect: (address) => ground.rpc.client('Dispatcher', { host: name, nodeID, alive }, address),
      engine,
      plane: own.plane,
      kernel: undefined,
      encryption: { obstacle: 'there is no kernel' },
      throughTunnel: false,
      memoryDirectory: undefined,
      onTLSChange: () => () => {},
      tlsInfo: () => ({ TrustRoot: '', CertIssuerSubject: '', CertIssuerPublicKey: '' }),
      events: {
        onRole: () => {},
        onTrust: () => {},
        onManagers: (managers) => {
          this.known = managers;
        },
        onConnected: () => {},
        onRejected: (reason) => ground.failed(new Error(`${name} was refused: ${reason}`)),
      },
      clock,
      random: this.draw(),
      log,
    });
  }

  private draw() {
    return seededRandom(this.ground.world.random.below(2 ** 31));
  }

  /** kill -9 of the daemon: its containers and its engine live on. */
  kill(): void {
    this.end(false);
  }

  /** The power goes: the disk keeps what was synced, containers end, and nobody is told. */
  powerOff(): void {
    this.end(true);
    this.engine.die('killed');
    this.ground.links.setPower(this.name, false);
  }

  powerOn(): void {
    this.ground.links.setPower(this.name, true);
    this.engine.boot();
    this.start();
  }

  private end(isSilent: boolean): void {
    const { process, ground } = this;
    ground.links.trouble(this.name);
    if (process === undefined) return;
    ground.rpc.died(this.name, isSilent);
    process.isAlive = false;
    this.process = undefined;
    process.disconnect();
    if (this.raftID === 0) return;
    ground.raft.detach(this.raftID);
    if (isSilent) this.disk.crash(ground.world.random);
    else this.disk.abandon();
  }

  /** SIGTERM: the daemon stops cleanly. Resolves when it is gone. */
  async stop(): Promise<void> {
    const { process } = this;
    if (process === undefined) return;
    this.ground.links.trouble(this.name);
    await process.manager?.handOver();
    if (process.isAlive) await process.worker?.stop();
    if (process.isAlive) await process.manager?.stop();
    if (process.isAlive) this.kill();
  }
}
