/** A network of the engine, as much of it as is looked at. */
export interface EngineNetwork {
  id: string;
  name: string;
  labels: Readonly<Record<string, string>>;
}

/** What the engine is asked to create, in its API's own words (POST /networks/create). */
export interface NetworkConfig {
  Name: string;
  Driver: 'bridge';
  CheckDuplicate: true;
  EnableIPv6: boolean;
  IPAM: { Config: { Subnet: string; Gateway: string; IPRange: string }[] };
  Options: Record<string, string>;
  Labels: Record<string, string>;
}

/** A container's place on a network. */
export interface EndpointAddresses {
  /** Of IPv4; without one, when it is next started. */
  address: string;
  /** Of IPv6, on a network that has it. */
  address6: string;
}

/** The engine's networks; the calls throw as those of `Engine` do. */
export interface EngineNetworks {
  /** Those that carry the label. */
  networks(label: string): Promise<EngineNetwork[]>;
  /** Resolves with its id. Throws `name-conflict` when there is one of that name. */
  createNetwork(config: NetworkConfig): Promise<string>;
  /** Does nothing to one that is gone. Throws when containers are on it. */
  removeNetwork(id: string): Promise<void>;
  /** Puts a container on one more network. Does nothing when it is on it. */
  connectNetwork(
    network: string,
    container: string,
    place: EndpointAddresses,
    aliases?: readonly string[],
  ): Promise<void>;
  /** Takes a container off a network, running or not. Does nothing when it is not on it, or either is gone. */
  disconnectNetwork(network: string, container: string): Promise<void>;
}
