import { type Answer, Refusal } from '../../../helpers/fake-daemon.js';

/** A service with something in every part of it, for updates to change. */
export const service = {
  ID: 'svcid',
  Version: { Index: 7 },
  Spec: {
    Name: 'n',
    Labels: { x: 'y' },
    TaskTemplate: {
      ContainerSpec: {
        Image: 'img:2@sha256:abc',
        Labels: { cl: '1' },
        Env: ['A=1', 'B=2', 'C=3'],
        Args: ['q'],
        Groups: ['g1', 'g2'],
        DNSConfig: { Nameservers: ['8.8.8.8'], Search: ['z.y'] },
        Mounts: [{ Type: 'bind', Source: '/a', Target: '/b' }],
        Hosts: ['1.2.3.4 foo', '::1 bar'],
        CapabilityAdd: ['CAP_NET_ADMIN'],
        CapabilityDrop: ['CAP_CHOWN'],
        Sysctls: { s1: '1' },
        Ulimits: [{ Name: 'nofile', Hard: 5, Soft: 3 }],
        Secrets: [{ File: { Name: 's0', UID: '0', GID: '0', Mode: 292 }, SecretID: 's0id', SecretName: 's0' }],
        Configs: [{ File: { Name: 'c0', UID: '0', GID: '0', Mode: 292 }, ConfigID: 'c0id', ConfigName: 'c0' }],
        Healthcheck: { Test: ['CMD-SHELL', 'x'], Interval: 5e9 },
      },
      Resources: {
        Limits: { NanoCPUs: 1e9 },
        Reservations: { GenericResources: [{ DiscreteResourceSpec: { Kind: 'gpu', Value: 3 } }] },
      },
      Placement: {
        Constraints: ['a==b', 'node.role==worker'],
        Preferences: [{ Spread: { SpreadDescriptor: 'q' } }],
      },
      Networks: [{ Target: 'n0' }],
      LogDriver: { Name: 'local', Options: { o: '1' } },
      RestartPolicy: { Condition: 'none', MaxAttempts: 3 },
      ForceUpdate: 2,
    },
    Mode: { Replicated: { Replicas: 2 } },
    UpdateConfig: { Parallelism: 4, MaxFailureRatio: 0, Order: 'start-first' },
    EndpointSpec: {
      Mode: 'vip',
      Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' }],
    },
  },
  Endpoint: {},
};
const withSpec = (more: object) => ({ ...service, Spec: { ...service.Spec, ...more } });
/** One with next to nothing in it. */
const bare = {
  ...service,
  Spec: { Name: 'e', TaskTemplate: { ContainerSpec: { Image: 'i:1' }, ForceUpdate: 0 }, Mode: { Replicated: {} } },
};

/** What a daemon answers while the goldens are recorded, and while they are held against us. */
export const routes: Record<string, Answer> = {
  'GET /_ping': 'OK',
  'HEAD /_ping': 'OK',
  'POST /services/create': { ID: 'svcid' },
  'GET /networks/n': { Id: 'netid', Name: 'n', Scope: 'swarm', Driver: 'overlay' },
  'GET /networks/n0': { Id: 'n0', Name: 'n0', Scope: 'swarm', Driver: 'overlay' },
  'GET /networks/m': { Id: 'mid', Name: 'm', Scope: 'swarm', Driver: 'overlay' },
  'GET /networks/*': new Refusal(404, 'network nope not found'),
  'GET /secrets': ['s0', 's1', 's2'].map((name) => ({ ID: `${name}id`, Spec: { Name: name } })),
  'GET /configs': ['c0', 'c1', 'c2'].map((name) => ({ ID: `${name}id`, Spec: { Name: name } })),
  'GET /services/n': service,
  'GET /services/g': withSpec({ Mode: { Global: {} } }),
  'GET /services/j': withSpec({
    UpdateConfig: undefined,
    Mode: { ReplicatedJob: { MaxConcurrent: 2, TotalCompletions: 2 } },
  }),
  'GET /services/e': bare,
  'GET /services/*': new Refusal(404, 'service nope not found'),
  'POST /services/svcid/update': {},
  'GET /distribution/*': {
    Descriptor: { digest: `sha256:${'a'.repeat(64)}` },
    Platforms: [
      { architecture: 'amd64', os: 'linux' },
      { architecture: 'arm', os: 'linux', variant: 'v7' },
    ],
  },
};

/** Where to be there says something even when it is empty, zero or false. */
const meaningful = 'Replicated Global ReplicatedJob GlobalJob Runtime Init StopGracePeriod Replicas MaxAttempts'.split(
  ' ',
);

/** Leaves out what is empty, zero or false: Go clients leave it out in places, and to the daemon it is the same. */
export function bodyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bodyOf);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value)
    .map(([key, item]): [string, unknown] => [key, bodyOf(item)])
    .filter(([key, item]) => {
      if (item === null || item === undefined) return false;
      return meaningful.includes(key) || (item && !(typeof item === 'object' && Object.keys(item).length === 0));
    });
  return Object.fromEntries(kept);
}

/** What differs from `before` to `after`, by path; null for what is gone. */
export function differences(before: unknown, after: unknown): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const compare = (a: unknown, b: unknown, path: string) => {
    const isPlain = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
    if (isPlain(a) && isPlain(b)) {
      const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
      for (const key of [...new Set([...Object.keys(left), ...Object.keys(right)])].sort()) {
        compare(left[key], right[key], path === '' ? key : `${path}.${key}`);
      }
    } else if (JSON.stringify(a) !== JSON.stringify(b)) found[path] = sorted(b) ?? null;
  };
  compare(bodyOf(before), bodyOf(after), '');
  return found;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, item]): [string, unknown] => [key, sorted(item)])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** The environment and file that some of the cases read. */
export const environment = { OWN: 'own' };
export const envFile = { path: '/tmp/shoal-golden.env', content: 'A=1\n# comment\n  B=2\nOWN\nNOPE\n' };

/** The commands whose help is Docker's. */
export const commands = [
  'config',
  'config create',
  'config inspect',
  'config ls',
  'config rm',
  'node',
  'node demote',
  'node inspect',
  'node ls',
  'node promote',
  'node ps',
  'node rm',
  'node update',
  'secret',
  'secret create',
  'secret inspect',
  'secret ls',
  'secret rm',
  'service',
  'service create',
  'service inspect',
  'service logs',
  'service ls',
  'service ps',
  'service rm',
  'service rollback',
  'service scale',
  'service update',
  'stack deploy',
  'stack ls',
  'stack ps',
  'stack rm',
  'stack services',
  'swarm',
  'swarm ca',
  'swarm init',
  'swarm join',
  'swarm join-token',
  'swarm leave',
  'swarm unlock',
  'swarm unlock-key',
  'swarm update',
];
