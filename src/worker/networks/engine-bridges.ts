import type { Logger } from 'winston';
import { ShoalError } from '../../model/errors.js';
import { segmentsOf } from '../../model/network-block.js';
import type { Network } from '../../model/types.js';
import type { KernelNetworks } from '../../network/kernel/kernel-networks.js';
import type { Engine } from '../engine.js';
import { bridgeConfigs } from './bridge-config.js';
import type { EngineNetwork, NetworkConfig } from './engine-networks.js';
import { networkLabel, segmentLabel } from './labels.js';

export interface EngineBridgesOptions {
  engine: Engine;
  kernel: KernelNetworks;
  log: Logger;
}

/**
 * What the engine has for the network, in the order of its segments; what is missing of it is made. Throws `not-supported` when this node
 * cannot carry it, else what the engine does.
 */
export async function bridgesFor(network: Network, options: EngineBridgesOptions): Promise<EngineNetwork[]> {
  const there = await options.engine.networks(`${networkLabel}=${network.ID}`);
  const known = segmentsOf(network).map((_, at) =>
    there.find(({ labels }) => (labels[segmentLabel] ?? '0') === String(at)),
  );
  if (known.length === 0) throw new ShoalError('not-supported', `network ${network.Spec?.Name}: it has no subnet`);
  const isThere = (bridge: EngineNetwork | undefined): bridge is EngineNetwork => bridge !== undefined;
  return known.every(isThere) ? known : makeMissing(network, known, options);
}

async function makeMissing(
  network: Network,
  known: readonly (EngineNetwork | undefined)[],
  { engine, kernel, log }: EngineBridgesOptions,
): Promise<EngineNetwork[]> {
  const { version } = await engine.info();
  const mtu = await kernel.prepare(network).catch((error) => {
    if (!(error instanceof ShoalError)) throw error;
    throw new ShoalError(error.code, `network ${network.Spec?.Name}: ${error.message}`);
  });
  const bridges: EngineNetwork[] = [];
  for (const [at, config] of bridgeConfigs(network, version, mtu).entries()) {
    bridges.push(known[at] ?? (await make(config, network.ID, engine)));
  }
  log.info('a network of the cluster is on this node', { network: network.Spec?.Name, id: network.ID });
  await kernel.refresh();
  return bridges;
}

/** Under another name when a network of the node's own has the name: ours is known by its label, too. */
async function make(config: NetworkConfig, networkID: string, engine: Engine): Promise<EngineNetwork> {
  const { Name: name, Labels: labels } = config;
  try {
    return { id: await engine.createNetwork(config), name, labels };
  } catch (error) {
    if (!(error instanceof ShoalError && error.code === 'name-conflict')) throw error;
    const Name = `${name}.${networkID}`;
    return { id: await engine.createNetwork({ ...config, Name }), name: Name, labels };
  }
}
