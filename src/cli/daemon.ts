import { type DaemonOptions, defaultGroup, defaultDaemonOptions as defaults } from '../daemon/options.js';
import { parseGenericResources } from '../model/generic-resources.js';
import type { CommandSpec } from './base/command.js';
import { flag, list, onOff, text } from './base/flag.js';
import { parseLabel } from './base/labels.js';

const quoted = (value: string) => JSON.stringify(value);

const levels: readonly DaemonOptions['logLevel'][] = ['error', 'warn', 'info', 'debug'];

const stateDirFlag = text('state-dir', 'Directory of everything that outlives the daemon: its identity and its log', {
  shown: quoted(defaults.stateDirectory),
});
const hostFlag = list(
  'host',
  'Where to serve the API: unix:///path or tcp://host:port (with --tlsverify). May be repeated',
  (word) => word,
  { short: 'H', shown: quoted(defaults.apiHosts.join(',')) },
);
const groupFlag = text('group', 'Group that may use the unix socket', { short: 'G', shown: quoted(defaultGroup) });
const tlsFlag = onOff(
  'tls',
  'Use TLS on TCP; implied by --tlsverify. --tls=false serves the API to whoever reaches it',
);
const tlsVerifyFlag = onOff('tlsverify', 'Use TLS on TCP and serve only clients with a certificate of --tlscacert');
const caCertFlag = text('tlscacert', 'Trust certs signed only by this CA');
const certFlag = text('tlscert', 'Path to TLS certificate file');
const keyFlag = text('tlskey', 'Path to TLS key file');
const engineFlag = text('engine-socket', 'Socket of the Docker Engine of this machine', {
  shown: quoted(defaults.engineSocket),
});
const listenFlag = text(
  'listen-addr',
  'Cluster port, where "swarm init" and "swarm join" name none (format: "<ip>:<port>")',
  {
    shown: defaults.listenAddress,
  },
);
const advertiseFlag = text(
  'advertise-addr',
  'Address or interface at which other nodes reach this one, where "swarm init" and "swarm join" name none',
);
const publishFlag = text('publish-addr', 'Address that published ports listen on; all of the machine when empty');
const planes: readonly DaemonOptions['dataPlane'][] = ['auto', 'kernel', 'user-space'];
const planeFlag = flag(
  'data-plane',
  'string',
  `Where published ports are balanced (${planes.map(quoted).join(', ')}); auto: in the kernel where that is possible`,
  (word) => {
    const plane = planes.find((each) => each === word);
    if (plane === undefined) throw new Error(`use ${planes.join(', ')}`);
    return plane;
  },
  { shown: quoted(defaults.dataPlane) },
);
const hostnameFlag = text('hostname', 'Name of the node in "node ls"; the name of the machine when empty');
const labelFlag = list(
  'label',
  'Label of this node\'s engine, for constraints such as "engine.labels.disk==ssd"',
  parseLabel,
  {
    short: 'l',
  },
);
const genericFlag = list(
  'node-generic-resource',
  'What this machine has that tasks can reserve: counted ("ssd=3") or by name ("gpu=uuid1"; may be repeated)',
  (word) => word,
);
const historyFlag = text('history', "Redis that keeps the cluster's events for all managers (redis://host:port)");
const levelFlag = flag(
  'log-level',
  'string',
  `How much to log (${levels.map(quoted).join(', ')})`,
  (word) => {
    const level = levels.find((each) => each === word);
    if (level === undefined) throw new Error(`use ${levels.join(', ')}`);
    return level;
  },
  { shown: quoted(defaults.logLevel) },
);

/** `shoal daemon`: runs until it is told to stop. */
export const daemon: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: [
    stateDirFlag,
    hostFlag,
    groupFlag,
    tlsFlag,
    tlsVerifyFlag,
    caCertFlag,
    certFlag,
    keyFlag,
    engineFlag,
    listenFlag,
    advertiseFlag,
    publishFlag,
    planeFlag,
    hostnameFlag,
    labelFlag,
    genericFlag,
    historyFlag,
    levelFlag,
  ],
  async run(_context, values) {
    // Loaded here: nothing of the daemon's weight is for commands that only talk to it.
    const { runDaemon } = await import('../daemon/main.js');
    await runDaemon({
      stateDirectory: values.get(stateDirFlag) ?? defaults.stateDirectory,
      apiHosts: values.get(hostFlag) ?? defaults.apiHosts,
      group: values.get(groupFlag),
      tls: values.get(tlsFlag),
      tlsVerify: values.get(tlsVerifyFlag) ?? defaults.tlsVerify,
      tlsCACert: values.get(caCertFlag) ?? defaults.tlsCACert,
      tlsCert: values.get(certFlag) ?? defaults.tlsCert,
      tlsKey: values.get(keyFlag) ?? defaults.tlsKey,
      engineSocket: values.get(engineFlag) ?? defaults.engineSocket,
      listenAddress: values.get(listenFlag) ?? defaults.listenAddress,
      advertiseAddress: values.get(advertiseFlag) ?? defaults.advertiseAddress,
      publishAddress: values.get(publishFlag) ?? defaults.publishAddress,
      dataPlane: values.get(planeFlag) ?? defaults.dataPlane,
      hostname: values.get(hostnameFlag) ?? defaults.hostname,
      labels: Object.fromEntries(values.get(labelFlag) ?? []),
      genericResources: parseGenericResources(values.get(genericFlag) ?? []),
      historyURL: values.get(historyFlag) ?? defaults.historyURL,
      logLevel: values.get(levelFlag) ?? defaults.logLevel,
    });
  },
};
