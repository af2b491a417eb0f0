import { statfsSync } from 'node:fs';
import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';
import { messageOf } from '../model/errors.js';
import type { Random } from '../model/random.js';
import { serviceClient } from '../model/services.js';
import type { HelloInit, NodeDescription } from '../model/types.js';
import type { DataPlane } from '../network/data-plane.js';
import { PlaneDriver } from '../network/plane-driver.js';
import { UserSpacePlane } from '../network/user-space/plane.js';
import type { Credentials } from '../security/credentials.js';
import type { NodeRole } from '../security/identity.js';
import { tlsInfoOf } from '../security/tls-info.js';
import { type Agent, startAgent } from '../worker/agent.js';
import type { Engine } from '../worker/engine.js';
import { labelNames } from '../worker/labels.js';
import { NodeSession } from '../worker/session/session.js';
import { splitHostPort } from './addresses.js';
import type { NodeState } from './state.js';

/** What a node does as a worker, which managers do too: its session with a manager, its tasks, its routes. */
export interface WorkerSide {
  /** Whether a manager has welcomed the node since it started. */
  readonly isConnected: boolean;
  /** Stops; the containers run on. */
  stop(): Promise<void>;
  /** Removes the containers of the node's tasks, after `stop`: the node leaves the cluster. */
  removeContainers(): Promise<void>;
}

/** What the worker's side tells the node as it hears it from a manager. */
export interface WorkerEvents {
  onRole: (role: NodeRole) => void;
  onManagers: (managers: NodeState['managers']) => void;
  onConnected: () => void;
  onRejected: (reason: string) => void;
}

export interface WorkerPlace {
  state: NodeState;
  credentials: Credentials;
  events: WorkerEvents;
}

export interface WorkerParts {
  engine: Engine;
  hostname: string;
  /** Added to the engine's own. */
  labels: Readonly<Record<string, string>>;
  /** Address that published ports listen on; '' is all of the node's. */
  publishAddress: string;
  clock: Clock;
  random: Random;
  log: Logger;
}

// As long as a node may be silent before it is taken for lost (three heartbeats).
const engineAway_ms_max = 3_000;
// linux/magic.h TMPFS_MAGIC
const tmpfs = 0x01021994;

/** Where secrets of tasks may be: in memory and nowhere else. Undefined when the machine offers no such place. */
function memoryDirectory(nodeID: string): string | undefined {
  const home = ['/run', '/dev/shm'].find((path) => {
    try {
      return statfsSync(path).type === tmpfs;
    } catch {
      return false;
    }
  });
  return home === undefined ? undefined : `${home}/shoal/${nodeID}`;
}

/** Starts the worker's side of a node: it turns to the managers that the node knows and does what they assign. */
export function startWorkerSide(place: WorkerPlace, parts: WorkerParts): WorkerSide {
  return new NodeWorker(place, parts);
}

class NodeWorker implements WorkerSide {
  readonly #place: WorkerPlace;
  readonly #parts: WorkerParts;
  readonly #agent: Agent;
  readonly #session: NodeSession;
  readonly #plane: DataPlane;
  readonly #routes: PlaneDriver;
  #cancelEngineReport: () => void = () => {};
  #hasConnected = false;

  constructor(place: WorkerPlace, parts: WorkerParts) {
    this.#place = place;
    this.#parts = parts;
    const { state, credentials, events } = place;
    const { clock, random, log } = parts;
    const address = splitHostPort(state.advertiseAddress, 0, '').host;
    this.#agent = startAgent({
      engine: parts.engine,
      node: { id: state.nodeID, hostname: parts.hostname, address },
      clock,
      random,
      log: log.child({ part: 'agent' }),
      report: (reports) => this.#session.report(reports),
      memoryDirectory: memoryDirectory(state.nodeID),
    });
    const { publishAddress } = parts;
    this.#plane = new UserSpacePlane({
      log: log.child({ part: 'plane' }),
      clock,
      random,
      ...(publishAddress !== '' && { addresses: [publishAddress] }),
    });
    this.#routes = new PlaneDriver({
      plane: this.#plane,
      clock,
      log: log.child({ part: 'plane' }),
      applied: (revision, busy) => this.#session.routesApplied(revision, busy),
    });
    this.#session = new NodeSession({
      self: state.nodeID,
      managers: state.managers.map(({ NodeID, Addr }) => ({ nodeID: NodeID, address: Addr })),
      connect: (manager) => serviceClient('Dispatcher', manager, credentials.credentials({ role: 'manager' })),
      hello: () => this.#hello(address),
      handlers: {
        onAssignments: (assignments) => this.#agent.assign(assignments),
        onRoutes: (routes) => this.#routes.receive(routes),
        onManagers: (managers) => events.onManagers(managers.map(({ NodeID, Addr }) => ({ NodeID, Addr }))),
        onRole: (role) => events.onRole(role === 'manager' ? 'manager' : 'worker'),
        onRemoved: (reason) => events.onRejected(reason),
        onState: ({ connected }) => {
          if (!connected) return;
          this.#hasConnected = true;
          events.onConnected();
        },
      },
      clock,
      random,
      log: log.child({ part: 'session' }),
    });
    this.#agent.onEngineChange(() => this.#engineChanged());
  }

  /** Good news travels at once. Bad news waits: an engine that is only being restarted must not send its tasks elsewhere. */
  #engineChanged(): void {
    this.#cancelEngineReport();
    if (this.#agent.engineError() === '') this.#report();
    else this.#cancelEngineReport = this.#parts.clock.after(engineAway_ms_max, () => this.#report());
  }

  #report(): void {
    this.#describe().then(
      (description) => this.#session.describe(description, this.#agent.engineError()),
      (error) => this.#parts.log.warn('the node could not describe itself', { reason: messageOf(error) }),
    );
  }

  get isConnected(): boolean {
    return this.#hasConnected;
  }

  async #describe(): Promise<NodeDescription> {
    const description = await this.#agent.description();
    const { Engine } = description;
    return {
      ...description,
      Engine: Engine && { ...Engine, Labels: { ...Engine.Labels, ...this.#parts.labels } },
      TLSInfo: tlsInfoOf(this.#place.credentials.material.rootPEM),
    };
  }

  async #hello(Addr: string): Promise<HelloInit> {
    const Description = await this.#describe();
    return {
      Description,
      Addr,
      ClusterAddr: this.#place.state.advertiseAddress,
      EngineError: this.#agent.engineError(),
    };
  }

  async stop(): Promise<void> {
    this.#cancelEngineReport();
    this.#session.stop();
    await this.#routes.close();
    await Promise.all([this.#plane.close(), this.#agent.stop()]);
  }

  async removeContainers(): Promise<void> {
    const { engine, log } = this.#parts;
    const { nodeID } = this.#place.state;
    try {
      const containers = await engine.list({ [labelNames.nodeID]: nodeID });
      await Promise.all(containers.map(({ id }) => engine.remove(id)));
    } catch (error) {
      log.warn('containers of tasks were left behind', { node: nodeID, reason: messageOf(error) });
    }
  }
}
