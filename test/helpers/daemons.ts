import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import winston from 'winston';
import type { InitRequest, JoinRequest } from '../../src/api/backend.js';
import { Daemon } from '../../src/daemon/daemon.js';
import { type DaemonOptions, defaultDaemonOptions } from '../../src/daemon/options.js';
import type { Parts, RaftPlace } from '../../src/daemon/parts.js';
import { openRaft, prepareRaft } from '../../src/daemon/raft.js';
import { clearWorkerSide, startWorkerSide, type WorkerSide } from '../../src/daemon/worker-side.js';
import { type Clock, systemClock } from '../../src/model/clock.js';
import { complete } from '../../src/model/codec.js';
import { ShoalError } from '../../src/model/errors.js';
import { systemRandom } from '../../src/model/random.js';
import type { RaftGroup } from './raft-group.js';
import { SimulatedEngine } from './simulated-engine.js';

async function noSocket(): Promise<never> {
  throw new ShoalError('unavailable', 'a simulated engine has no socket');
}

/** A port that was free a moment ago on 127.0.0.1. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export const initRequest = (request: Partial<InitRequest> = {}): InitRequest => ({
  listenAddress: '',
  advertiseAddress: '',
  dataPathAddress: '',
  dataPathPort: 0,
  defaultAddressPool: [],
  subnetSize: 24,
  forceNewCluster: false,
  availability: 'active',
  spec: complete('SwarmSpec', {}),
  ...request,
});

export const joinRequest = (token: string, remote: string, request: Partial<JoinRequest> = {}): JoinRequest => ({
  listenAddress: '',
  advertiseAddress: '',
  dataPathAddress: '',
  remoteAddresses: [remote],
  token,
  availability: 'active',
  ...request,
});

/** Resolves once `holds`; fails with `what` after a time that only a broken cluster takes. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`it never came to hold that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Daemons in this process, on loopback, with simulated engines; over Raft, or over a group that agrees without it. */
export class Daemons {
  readonly #directories: string[] = [];
  readonly #running: Daemon[] = [];
  /** Each daemon's engine, which outlives it. */
  readonly engines = new Map<Daemon, SimulatedEngine>();
  readonly #engineOf = new Map<string, SimulatedEngine>();
  readonly #optionsOf = new Map<Daemon, DaemonOptions>();
  readonly #workers = new Map<string, WorkerSide>();

  /** Of the daemons that are started from now on. */
  clock: Clock = systemClock;
  /** Called when a daemon takes part in its group, before it knows that it does. */
  raftOpened: (place: RaftPlace) => void = () => {};

  constructor(private readonly group?: RaftGroup) {}

  async options(): Promise<DaemonOptions> {
    const stateDirectory = await mkdtemp(join(tmpdir(), 'shoal-daemon-'));
    this.#directories.push(stateDirectory);
    const listenAddress = `127.0.0.1:${await freePort()}`;
    return { ...defaultDaemonOptions, stateDirectory, listenAddress, logLevel: 'error' };
  }

  async start(options: DaemonOptions): Promise<Daemon> {
    const log = winston
      .createLogger({
        level: process.env.SHOAL_TEST_LOG ?? 'error',
        silent: process.env.SHOAL_TEST_LOG === undefined,
        format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
        transports: [new winston.transports.Console()],
      })
      .child({ at: options.listenAddress });
    const { clock } = this;
    const engine = this.#engineOf.get(options.stateDirectory) ?? new SimulatedEngine(systemClock);
    this.#engineOf.set(options.stateDirectory, engine);
    const parts: Parts = {
      clock,
      random: systemRandom,
      log,
      connectEngine: noSocket,
      streamEngine: noSocket,
      prepareRaft: async (directory, sealer) => {
        if (this.group === undefined) await prepareRaft(directory, sealer);
      },
      openRaft: async (place) => {
        const { group } = this;
        const open = async () => {
          if (group === undefined) return openRaft(place, { clock, random: systemRandom, log });
          const node = await group.open(place.self, place.stateMachine, place.isFirst);
          return { node, close: () => node.stop() };
        };
        const opened = await open();
        this.raftOpened(place);
        return opened;
      },
      startWorker: (place) => {
        const worker = startWorkerSide(place, {
          engine,
          hostname: options.listenAddress,
          labels: options.labels,
          genericResources: options.genericResources,
          publishAddress: '127.0.0.1',
          kernelTools: undefined,
          kernelPlane: undefined,
          encryption: { obstacle: 'the kernel is not ours' },
          clock,
          random: systemRandom,
          log,
        });
        this.#workers.set(options.stateDirectory, worker);
        return worker;
      },
      clearNode: (nodeID) => clearWorkerSide(nodeID, { engine, kernelTools: undefined, clock, log }),
    };
    const daemon = new Daemon(parts, options, 'test');
    this.engines.set(daemon, engine);
    this.#running.push(daemon);
    this.#optionsOf.set(daemon, options);
    await daemon.start();
    return daemon;
  }

  directoryOf(daemon: Daemon): string {
    return this.optionsOf(daemon).stateDirectory;
  }

  optionsOf(daemon: Daemon): DaemonOptions {
    return this.#optionsOf.get(daemon)!;
  }

  /** The worker's side of the daemon that has this state directory. */
  workerOf(directory: string): WorkerSide {
    return this.#workers.get(directory)!;
  }

  async close(): Promise<void> {
    for (const daemon of this.#running.splice(0)) await daemon.stop();
    for (const directory of this.#directories.splice(0)) await rm(directory, { recursive: true, force: true });
  }
}
