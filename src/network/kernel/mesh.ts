import type { Family } from '../../model/ip.js';
import { parseAddress } from '../../model/ipv4.js';
import type { NetworkPeer, Route, RouteEndpoint } from '../../model/types.js';
import { startingParts } from './first-answer.js';
import { endingParts } from './last-answer.js';
import { hiddenFlag, passMark, tunnelAddress, tunnelMAC } from './names.js';
import { hex, type RuleChain } from './ruleset.js';

/** The published ports that this node's kernel shall balance, and what it must know for that. */
export interface Mesh {
  routes: readonly Route[];
  /** Address that published ports are asked for at; '' is every one of the node's. */
  publishAddress: string;
  /** Where the tunnel leads to a task here, as `insideOf` has it: also of tasks that lately left rotation, to which other nodes still lead. */
  inside: ReadonlyMap<string, string>;
  /** Destinations that came into rotation lately, as `Starting` has them. */
  starting: ReadonlySet<string>;
  /** Those that left it lately, as `Ending` has them. */
  ending: ReadonlySet<string>;
  /** The engine's bridges that tasks here are on. Clients there go through user space: one could be led to itself. */
  engineBridges: readonly string[];
}

/** Where the kernel leads a connection. */
export interface Target {
  taskID: string;
  address: string;
  port: number;
  /** Reached past the tunnel: the task sees this node. */
  isPlain: boolean;
}

/** The nodes by id, and which of them is this one. */
export interface Nodes {
  nodeID: string;
  peers: ReadonlyMap<string, NetworkPeer>;
}

/**
 * Where a route leads, seen from this node: to a task here at its own address; to one elsewhere through the tunnel, at the port that its
 * engine has bound for it, so that the client's address is kept; to one on a node without the tunnel past it. What cannot
 * be an endpoint is left out.
 */
export function targetsOf(route: Route, { nodeID, peers }: Nodes): Target[] {
  if (!isBalanced(route)) return [];
  const self = peers.get(nodeID);
  return route.Endpoints.flatMap((endpoint): Target[] => {
    const { TaskID: taskID, NodeID, Host, Port, Inside } = endpoint;
    if (!isReachable(endpoint)) return [];
    const peer = peers.get(NodeID);
    if (Inside === '' || peer === undefined || self === undefined) {
      return [{ taskID, address: Host, port: Port, isPlain: true }];
    }
    if (NodeID === nodeID) return [{ taskID, address: Inside, port: route.TargetPort, isPlain: false }];
    return [{ taskID, address: tunnelAddress(peer.Number), port: Port, isPlain: false }];
  });
}

/** `<protocol> . <port>` that other nodes ask for through the tunnel, to `<address> . <port>` of the task here. */
export function insideOf(routes: readonly Route[], nodeID: string): Map<string, string> {
  const inside = new Map<string, string>();
  for (const route of routes) {
    if (!isBalanced(route)) continue;
    for (const endpoint of route.Endpoints) {
      if (endpoint.NodeID !== nodeID || endpoint.Inside === '' || !isReachable(endpoint)) continue;
      inside.set(`${route.Protocol} . ${endpoint.Port}`, `${endpoint.Inside} . ${route.TargetPort}`);
    }
  }
  return inside;
}

/** The bridges that the tasks behind `inside` are on, of those that `bridgeOf` knows an address's bridge of; in order. */
export function bridgesOf(inside: Mesh['inside'], bridgeOf: (address: string) => string | undefined): string[] {
  const bridges = [...inside.values()].map((target) => bridgeOf(target.split(' ')[0] ?? ''));
  return [...new Set(bridges.filter((name) => name !== undefined))].sort();
}

/** Elements and chains of the mesh; see rules.ts for what uses them. */
export function meshParts(mesh: Mesh, nodes: Nodes) {
  const [starting, ending] = [startingParts(mesh.starting), endingParts(mesh.ending)];
  const chains = new Map<string, RuleChain>([...starting.chains, ...ending.chains]);
  const ports = new Map<string, string>();
  const plain = new Map<string, string>();
  const turn = nodes.peers.get(nodes.nodeID)?.Number ?? 0;
  for (const route of mesh.routes) {
    const targets = targetsOf(route, nodes);
    // Without a task the port stays with the listener in user space, which refuses.
    if (targets.length === 0) continue;
    const { Protocol, PublishedPort } = route;
    const chain = `pub_${Protocol}_${PublishedPort}`;
    ports.set(`${Protocol} . ${PublishedPort}`, `goto ${chain}`);
    chains.set(chain, { hook: '', rules: [balance(route, targets, turn)] });
    for (const { address, port, isPlain } of targets) if (isPlain) plain.set(`${address} . ${port}`, '');
  }
  const others = [...nodes.peers.values()].filter(({ ID }) => ID !== nodes.nodeID);
  return {
    chains,
    ports,
    plain,
    inside: mesh.inside,
    starting,
    ending,
    engine: new Map(mesh.engineBridges.map((name) => [`"${name}"`, ''])),
    marks: new Map(others.map(({ Number: number }) => [tunnelMAC(number), hex(passMark + number)])),
    zones: new Map(others.map(({ Number: number }) => [tunnelMAC(number), String(number)])),
  };
}

/**
 * Nodes begin at different tasks, else the first clients of all of them would go to one; but a client that keeps its task keeps it
 * whichever node it asks.
 */
function balance({ Protocol, Masquerade, Sticky }: Route, targets: readonly Target[], turn: number): string {
  const count = targets.length;
  const places = targets.map((_, at) => {
    const { address, port } = targets[(at + (Sticky ? 0 : turn)) % count]!;
    return `${at} : ${address} . ${port}`;
  });
  const pick = Sticky ? stickyPick(count) : `numgen inc mod ${count}`;
  const mark = hex(Masquerade ? passMark + hiddenFlag : passMark);
  return `meta l4proto ${Protocol} ct mark set ${mark} dnat ip to ${pick} map { ${places.join(', ')} }`;
}

/** One of so many places by the client's address. Without a seed of its own each rule would have another. */
export function stickyPick(count: number, family: Family = 4): string {
  return `jhash ${family === 4 ? 'ip' : 'ip6'} saddr mod ${count} seed 0x53`;
}

const isPort = (port: unknown) => Number.isInteger(port) && (port as number) > 0 && (port as number) < 65_536;

function isBalanced({ Protocol, PublishedPort, TargetPort }: Route): boolean {
  return (Protocol === 'tcp' || Protocol === 'udp') && isPort(PublishedPort) && isPort(TargetPort);
}

function isReachable({ Host, Port, Inside }: RouteEndpoint): boolean {
  return parseAddress(Host) !== undefined && isPort(Port) && (Inside === '' || parseAddress(Inside) !== undefined);
}
