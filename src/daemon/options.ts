import type { GenericResource } from '../model/types.js';

/** What `shoal daemon` can be told on its command line. */
export interface DaemonOptions {
  /** Everything that outlives the process: node.json, certificates/, raft/. */
  stateDirectory: string;
  /** Where the API is served: `unix:///path`, a plain path, or `tcp://host:port` (with TLS, or --tls=false). */
  apiHosts: readonly string[];
  /** Group that may use the API's unix sockets; undefined: not said, `defaultGroup` where the daemon may give them to it. */
  group: string | undefined;
  /** TLS on TCP; undefined: not said. */
  tls: boolean | undefined;
  /** Clients on TCP must show a certificate of --tlscacert. */
  tlsVerify: boolean;
  /** Paths of PEM files. */
  tlsCACert: string;
  tlsCert: string;
  tlsKey: string;
  /** The local Docker Engine's socket. */
  engineSocket: string;
  /** Cluster port for `swarm init` and `swarm join` calls that name none, `host:port`. */
  listenAddress: string;
  /** Address (or interface) other nodes reach this one at, for calls that name none; '' finds it out. */
  advertiseAddress: string;
  /** Address that published ports listen on; '' is all of the node's. */
  publishAddress: string;
  /** Where published ports are balanced; `auto`: in the kernel where that is possible. */
  dataPlane: 'auto' | 'kernel' | 'user-space';
  /** Name shown by `node ls`; '' is the machine's host name. */
  hostname: string;
  /** Engine labels of this node, as in `node.labels`-free constraints `engine.labels.x==y`; added to those of the engine. */
  labels: Readonly<Record<string, string>>;
  /** What the machine has that only its owner knows, such as GPUs; added to those of the engine. */
  genericResources: readonly GenericResource[];
  /** Redis (redis:// or rediss://) that keeps the cluster's events for all managers; '' keeps them in memory. */
  historyURL: string;
  logLevel: 'error' | 'warn' | 'info' | 'debug';
}

export const defaultGroup = 'docker';

export const defaultDaemonOptions: DaemonOptions = {
  stateDirectory: '/var/lib/shoal',
  apiHosts: ['unix:///var/run/shoal.sock'],
  group: undefined,
  tls: undefined,
  tlsVerify: false,
  tlsCACert: '',
  tlsCert: '',
  tlsKey: '',
  engineSocket: '/var/run/docker.sock',
  listenAddress: '0.0.0.0:2377',
  advertiseAddress: '',
  publishAddress: '',
  dataPlane: 'auto',
  hostname: '',
  labels: {},
  genericResources: [],
  historyURL: '',
  logLevel: 'info',
};
