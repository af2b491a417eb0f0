import type { Answer, Recorded } from '../../../helpers/fake-daemon.js';

/** A root's certificate and key as files, to the command line nothing but PEM. */
export const rootFiles = {
  '/tmp/shoal-golden-root.pem': '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
  '/tmp/shoal-golden-key.pem': '-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n',
  '/tmp/shoal-golden-no.pem': 'no PEM\n',
};

const [root, key, no] = Object.keys(rootFiles);
const cfssl = 'protocol=cfssl,url=https://ca.example:8888/api/v1/cfssl/sign';

/** Command lines of `docker swarm …`; what its client does with each is recorded (see record.ts). */
export const swarmLines = [
  'init',
  'init --autolock --cert-expiry 48h --availability drain --task-history-limit 2 --dispatcher-heartbeat 3s --max-snapshots 1 --snapshot-interval 5',
  'init --listen-addr eth0:7 --advertise-addr 10.0.0.1 --data-path-addr eth1 --data-path-port 7777 --default-addr-pool 10.1.0.0/16 --default-addr-pool-mask-length 26 --force-new-cluster',
  'init --cert-expiry -1h',
  'init --cert-expiry 1d',
  `init --external-ca ${cfssl}`,
  `init --external-ca ${cfssl},label=x,tls=a=b --external-ca url=https://b.example,protocol=CFSSL`,
  `init --external-ca '"url=https://b.example/a,b",protocol=cfssl'`,
  'init --external-ca protocol=cfssl',
  'init --external-ca url=https://b.example',
  'init --external-ca protocol=vault,url=https://b.example',
  'init --external-ca nonsense',
  `init --external-ca ''`,
  `init --external-ca ${cfssl},cacert=/tmp/shoal-golden-none.pem`,
  `init --external-ca ${cfssl},cacert=${no}`,
  `update --external-ca ${cfssl}`,
  'update --cert-expiry 2h --autolock',
  'update --autolock=false --task-history-limit 0 --max-snapshots 0',
  'ca --rotate -d',
  'ca --rotate -d --cert-expiry 3h',
  `ca --rotate -d --ca-cert ${root} --ca-key ${key}`,
  `ca --rotate -d --ca-cert ${root} --external-ca ${cfssl}`,
  `ca --rotate -d --ca-cert ${root}`,
  `ca --rotate -d --ca-key ${key}`,
  `ca --rotate -d --external-ca ${cfssl}`,
  `ca --rotate -d --ca-cert ${no} --ca-key ${key}`,
  'ca --rotate -d --ca-cert /tmp/shoal-golden-none.pem',
  `ca --external-ca ${cfssl}`,
  `ca --ca-cert ${root}`,
  'ca -d',
  'ca -q --cert-expiry 1h',
];

const swarm = {
  ID: 'clusterid',
  Version: { Index: 4 },
  Spec: {
    Name: 'default',
    Orchestration: { TaskHistoryRetentionLimit: 7 },
    Raft: { SnapshotInterval: 10000, KeepOldSnapshots: 3, ElectionTick: 10, HeartbeatTick: 1 },
    Dispatcher: { HeartbeatPeriod: 5e9 },
    CAConfig: { NodeCertExpiry: 7776e12, ForceRotate: 6 },
    EncryptionConfig: { AutoLockManagers: true },
  },
  TLSInfo: { TrustRoot: '-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n' },
  JoinTokens: { Worker: 'SWMTKN-1-w', Manager: 'SWMTKN-1-m' },
};

/** A daemon that is a manager, for what changes the swarm. */
export const swarmRoutes: Record<string, Answer> = {
  'GET /_ping': 'OK',
  'HEAD /_ping': 'OK',
  'GET /swarm': swarm,
  'GET /info': { Swarm: { NodeID: 'n1', RemoteManagers: [{ Addr: '10.0.0.1:2377' }] } },
  'GET /nodes/n1': { ID: 'n1', ManagerStatus: { Addr: '10.0.0.1:2377' } },
  'GET /swarm/unlockkey': { UnlockKey: 'SWMKEY-1-x' },
  'POST /swarm/init': 'n1',
  'POST /swarm/update': undefined,
};

/** What was sent that changes something: an update as its version and whole spec, an init as its whole request. */
export function swarmChangesSent(requests: readonly Recorded[]): { path: string; query: object; body: unknown }[] {
  return requests
    .filter(({ method }) => method === 'POST')
    .map(({ path, query, body }) => ({ path, query: said(query), body: bare(body) }));
}

const said = (query: Record<string, string>) =>
  Object.fromEntries(Object.entries(query).filter(([, value]) => value !== 'false'));

/** What Go leaves out at times (false, 0, '', {}, null), is the same to the daemon, save where one can switch off. */
function bare(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => bare(item));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .map(([key, item]): [string, unknown] => [key, bare(item, key)])
    .filter(([key, item]) => ['TaskHistoryRetentionLimit', 'KeepOldSnapshots'].includes(key) || !isEmpty(item));
  return name === '' || entries.length > 0 ? Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))) : null;
}

const isEmpty = (item: unknown) => !item || (Array.isArray(item) && item.length === 0);
