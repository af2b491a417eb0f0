import type { Logger } from 'winston';
import { messageOf, ShoalError } from '../../model/errors.js';
import type { Network } from '../../model/types.js';
import type { Container, ContainerNetwork } from '../container.js';
import type { Engine } from '../engine.js';
import { type AttachedContainers, isOfTask } from './attached-containers.js';
import type { EndpointAddresses } from './engine-networks.js';
import { addressesLabel, networkLabel } from './labels.js';
import type { Bridge, NodeNetworks } from './node-networks.js';

export interface OwnContainersOptions {
  engine: Engine;
  networks: NodeNetworks;
  attached: AttachedContainers;
  log: Logger;
}

/** What this node's user does with containers of its own and networks of the cluster, by the engine's API that we pass on. */
export class OwnContainers {
  constructor(private readonly options: OwnContainersOptions) {}

  /** The network that is meant, as far as this node was told of it: by whole id or name. Undefined: none of the cluster's. */
  find(reference: string): Network | undefined {
    return this.options.networks.find(reference);
  }

  /**
   * Has the network on this node's engine, for a container that is going to be made for it: of its segments that with an address that is
   * asked for, else the first. Throws why it cannot be.
   */
  async bring(network: Network, { address, address6 }: EndpointAddresses = anyAddresses): Promise<Bridge> {
    if (network.Spec?.Attachable !== true) {
      const words = `rpc error: code = PermissionDenied desc = network ${network.Spec?.Name} not manually attachable`;
      throw couldNot(network, new ShoalError('forbidden', words));
    }
    const bridges = await this.options.networks.bring(network);
    return bridges.find(({ has }) => has(address || address6)) ?? bridges[0]!;
  }

  /**
   * Has `start` start a container (by id or name) that is on networks of the cluster, with the addresses that the managers give it there. Of any
   * other just starts it. Throws Docker's words when it cannot have an address.
   */
  async starting(reference: string, start: () => Promise<void>): Promise<void> {
    const { engine, networks, attached } = this.options;
    const container = networks.hasAny ? await engine.inspect(reference) : undefined;
    const places = container && !isOfTask(container) ? await this.placesOf(container) : [];
    if (container === undefined || places.length === 0) return start();
    await attached.holding(container.id, async () => {
      try {
        if (container.phase !== 'running') {
          for (const { network, on } of places) await this.settle(container, network, on, wishIn(container, on));
        }
      } catch (error) {
        // As the engine does with one that it cannot start; `docker run --rm` waits for that.
        if (container.autoRemove) await engine.remove(container.id);
        throw error;
      }
      await start();
      await networks.started();
    });
  }

  /** Puts a container on a network: at once with an address, or when it is next started. Throws Docker's words. */
  async connect(
    reference: string,
    network: Network,
    wish: EndpointAddresses & { aliases: readonly string[] },
  ): Promise<void> {
    const { engine, networks, attached } = this.options;
    const container = await this.inspected(reference);
    const bridge = await this.bring(network, wish);
    if (placeOn(container, await networks.bring(network)) !== undefined) {
      const words = `endpoint with name ${container.name} already exists in network ${network.Spec?.Name}`;
      throw new ShoalError('forbidden', words);
    }
    if (container.phase !== 'running') {
      return engine.connectNetwork(bridge.id, container.id, wish, wish.aliases);
    }
    const asked = { asked: wish.address, asked6: wish.address6 };
    const on = { name: bridge.name, id: '', address: '', address6: '', ...asked, aliases: wish.aliases };
    await attached.holding(container.id, async () => {
      await this.settle(container, network, on, asked);
      await networks.started();
    });
  }

  /** Takes a container off a network; its address is given back. Throws Docker's words. */
  async disconnect(reference: string, network: Network): Promise<void> {
    const { engine, networks, attached } = this.options;
    const container = await this.inspected(reference);
    const place = placeOn(container, await networks.bring(network));
    if (place === undefined) {
      const words = `container ${container.id} is not connected to network ${network.Spec?.Name}`;
      throw new ShoalError('forbidden', words);
    }
    await engine.disconnectNetwork(place.name, container.id);
    await attached.look(container.id);
  }

  /** The node leaves its cluster: its users' containers run on, off the cluster's networks, and their addresses are given back. Never rejects. */
  async release(): Promise<void> {
    const { engine, networks, attached, log } = this.options;
    if (!networks.hasAny) return;
    try {
      const bridges = new Set((await engine.networks(networkLabel)).map(({ id }) => id));
      for (const container of await engine.list({})) {
        const places = isOfTask(container) ? [] : container.networks.filter(({ id }) => bridges.has(id));
        for (const { id } of places) await engine.disconnectNetwork(id, container.id);
        if (places.length > 0) await attached.look(container.id);
      }
    } catch (error) {
      log.warn('containers were left on networks of the cluster', { reason: messageOf(error) });
    }
  }

  private async inspected(reference: string): Promise<Container> {
    const container = await this.options.engine.inspect(reference);
    if (container === undefined) throw new ShoalError('not-found', `No such container: ${reference}`);
    return container;
  }

  /**
   * The container has, or will have when it is started, the addresses that the managers give it on the network, and no others. Those that it
   * had are had again if they are free still; `wish`: its user wants those or none.
   */
  private async settle(container: Container, network: Network, on: ContainerNetwork, wish: Asked): Promise<void> {
    const { engine, networks, attached } = this.options;
    try {
      const task = await attached.taskFor(container, network, on).catch((error) => {
        const isTaken = error instanceof ShoalError && error.code === 'failed-precondition';
        if (!isTaken || (on.asked === wish.asked && on.asked6 === wish.asked6)) throw error;
        return attached.taskFor(container, network, { ...on, ...wish });
      });
      const [place] = await networks.attach(task);
      if (place === undefined) throw new ShoalError('internal', `task ${task.ID} is on no network`);
      if (on.asked === place.address && on.asked6 === place.address6 && on.id === place.network) return;
      await engine.disconnectNetwork(on.name, container.id);
      await engine.connectNetwork(place.network, container.id, place, on.aliases);
    } catch (error) {
      throw couldNot(network, error);
    }
  }

  /** The networks of the cluster among those that a container is on. */
  private async placesOf(container: Container): Promise<{ network: Network; on: ContainerNetwork }[]> {
    const { engine, networks } = this.options;
    const bridges = await engine.networks(networkLabel);
    return container.networks.flatMap((on) => {
      const bridge = bridges.find(({ id, name }) => id === on.id || name === on.name);
      const network = bridge && networks.find(bridge.labels[networkLabel] ?? '');
      return network === undefined ? [] : [{ network, on }];
    });
  }
}

const anyAddresses: EndpointAddresses = { address: '', address6: '' };

type Asked = Pick<ContainerNetwork, 'asked' | 'asked6'>;

/** The addresses that the container's user chose, and not the managers when it ran before. */
function wishIn({ started, labels }: Container, { asked, asked6 }: ContainerNetwork): Asked {
  const chosen = (labels[addressesLabel] ?? '').split(' ');
  const wish = (address: string) => (!started || chosen.includes(address) ? address : '');
  return { asked: wish(asked), asked6: wish(asked6) };
}

function placeOn({ networks }: Container, bridges: readonly Bridge[]): ContainerNetwork | undefined {
  return networks.find(({ id, name }) => bridges.some((bridge) => id === bridge.id || name === bridge.name));
}

function couldNot(network: Network, error: unknown): ShoalError {
  const code = error instanceof ShoalError ? error.code : 'internal';
  return new ShoalError(code, `Could not attach to network ${network.Spec?.Name}: ${messageOf(error)}`);
}
