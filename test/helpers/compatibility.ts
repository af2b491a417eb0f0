import { apiVersion, apiVersionMin } from '../../src/api/version.js';
import { smallSpec } from './api-fixture.js';
import { scenarios } from './beside-swarm/all.js';
import { usedBy } from './beside-swarm/flags.js';
import { knownDifferences, untried } from './beside-swarm/known.js';
import { clusterOperations } from './openapi.js';

// The table that docs/compatibility.md is made of, and that test/unit/api/compatibility.test.ts tries out:
//   npx tsx test/helpers/compatibility.ts > docs/compatibility.md

/** Something that Docker takes and we refuse, with a request that shows it. */
export interface Refusal {
  what: string;
  why: string;
  path: string;
  body: object;
  status: number;
  says: RegExp;
}

const inContainer = (part: object) => smallSpec('web', { TaskTemplate: { ContainerSpec: { Image: 'shop', ...part } } });
const port = { TargetPort: 80, PublishedPort: 8080, Protocol: 'sctp' };

export const refusals: readonly Refusal[] = [
  {
    what: 'cluster volumes (`Mounts[].Type: cluster`)',
    why: 'no CSI drivers; a volume driver of the engine that reaches all nodes does the same',
    path: '/services/create',
    body: inContainer({ Mounts: [{ Type: 'cluster', Source: 'vol', Target: '/v' }] }),
    status: 501,
    says: /cluster volumes are not supported/,
  },
  {
    what: 'plugins as services (`TaskTemplate.Runtime: plugin`)',
    why: 'experimental in Docker; install plugins at each engine',
    path: '/services/create',
    body: smallSpec('web', { TaskTemplate: { Runtime: 'plugin', PluginSpec: { Name: 'p' } } }),
    status: 501,
    says: /plugins as services are not supported/,
  },
  {
    what: 'SCTP ports in ingress mode',
    why: 'the balancer speaks TCP and UDP; SCTP works in host mode',
    path: '/services/create',
    body: smallSpec('web', { EndpointSpec: { Ports: [port] } }),
    status: 501,
    says: /sctp is not supported in ingress mode/,
  },
  {
    what: 'secret drivers (`SecretSpec.Driver`)',
    why: 'no engine plugin is asked for secrets; give `Data`',
    path: '/secrets/create',
    body: { Name: 's', Driver: { Name: 'vault' } },
    status: 501,
    says: /secret drivers are not supported/,
  },
  {
    what: 'more than 100,000 tasks a service',
    why: 'what the planner was measured with; Docker takes any number and stops working',
    path: '/services/create',
    body: smallSpec('web', { Mode: { Replicated: { Replicas: 100_001 } } }),
    status: 400,
    says: /100001 is above the limit of 100000 tasks a service/,
  },
];

/** What Docker takes and we take otherwise. */
const differences: readonly (readonly [string, string])[] = [
  ['`Mounts[].TmpfsOptions.Options` (API 1.46)', 'passed over: older engines have no such option'],
  [
    '`SwarmSpec.Raft.ElectionTick`, `HeartbeatTick`',
    'kept and shown, without effect: elections have times of their own',
  ],
  [
    '`ExternalCAs` while the root is one that the cluster made itself (`swarm init --external-ca`, `swarm update --external-ca`)',
    'kept and shown, and asked for nothing: nobody else has that root’s key. Docker asks them, and nobody can join. `shoal swarm init --ca-cert FILE --external-ca …` begins with the external CA’s root',
  ],
  [
    '`docker exec`, `logs`, `inspect`, `stats`, `attach` of a task’s container on another node',
    'work at any manager, by id or name, through the tunnel; Docker knows only the containers of the node it is asked on',
  ],
  [
    'removing a network (as `docker stack rm` does)',
    'waits up to a minute for the last tasks of services that are gone already: their addresses are of use until they have stopped',
  ],
  [
    'a version conflict, a name that is taken',
    'are told by every manager alike, as the entry is applied; the words are Docker’s',
  ],
  [
    '`GET /events`',
    'a manager remembers the last 10,000 events of the cluster with their own times (all managers share them with `--history`); Docker’s engine remembers 256',
  ],
  ['service logs', 'of at most 500 containers at a time for one request; the others follow as those end'],
  [
    'images without a registry',
    'an image that is on the node is used as it is, and nothing waits for a registry that cannot be reached',
  ],
  [
    '`service logs --follow` of a task that is over',
    'ends with its log; Docker’s goes on and on, and never says a word',
  ],
  [
    '`shoal stack deploy`',
    'reads and checks every file, secret and network before it makes anything; Docker stops in the middle',
  ],
];

/** The text of docs/compatibility.md. */
export function compatibilityPage(): string {
  const rows = clusterOperations.map(({ method, path, operation }) => {
    const query = (operation.parameters ?? []).filter((one) => one.in === 'query').map(({ name }) => `\`${name}\``);
    return `| \`${method} ${path}\` | ${query.join(', ')} |`;
  });
  const commandRows = [...usedBy(scenarios)]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .filter(([command]) => !['rm', 'run'].includes(command))
    .map(
      ([command, flags]) =>
        `| \`docker ${command}\` | ${[...flags]
          .filter((flag) => flag !== '--')
          .sort()
          .join(' ')} |`,
    );
  return `# Compatibility with Docker

This page is made by \`npx tsx test/helpers/compatibility.ts > docs/compatibility.md\`; a test holds it to the sources, and tries every refusal.

Shoal answers Engine API versions ${apiVersionMin} to ${apiVersion}. Its answers are held against Docker's own description of v1.47
(\`test/unit/api/openapi.test.ts\`): every endpoint of a cluster is there, no field of a spec is lost, and every answer has the described shape.
Every command and flag of the \`docker\` command that concerns a cluster is run beside Docker's own Swarm mode, in both clients that
the machine has (\`test/integration/beside-swarm.test.ts\`, below). \`shoal\`'s command line and \`stack deploy\` are held against what Docker's
client 28.2.2 sends for the same words (\`test/unit/cli/golden\`). Docker's client 20.10 and 28 run against a real cluster in
\`test/integration/docker-client.test.ts\`; beside it stacks, dockerode, the Python SDK, and the calls of a dashboard (Portainer) and of a
proxy that looks for services (Traefik) in \`ecosystem.test.ts\`, a registry that wants a login in \`registry.test.ts\`, and containers of
other nodes in \`remote-containers.test.ts\`.

    docker context create shoal --docker host=unix:///var/run/shoal.sock && docker context use shoal    # or DOCKER_HOST=unix:///var/run/shoal.sock

## What is refused

| what | answer | why |
|---|---|---|
${refusals.map(({ what, status, why }) => `| ${what} | ${status} | ${why} |`).join('\n')}

## What is otherwise

| what | in Shoal |
|---|---|
${differences.map(([what, how]) => `| ${what} | ${how} |`).join('\n')}

## Beside Docker's Swarm mode

\`test/integration/beside-swarm.test.ts\` runs the same command lines on a cluster of Shoal's and on one of Docker's own on the same machine (two
hosts each), and compares exit codes, what is printed, and the objects field by field. Its first test reads \`docker COMMAND --help\` and
fails for a command or a flag that no line uses; its last for a difference below that there is no longer.

| what differs | how, and why |
|---|---|
${knownDifferences.map(({ what, why }) => `| ${what} | ${why} |`).join('\n')}

Not tried: ${Object.entries(untried)
    .map(([flag, why]) => `\`${flag}\` (${why})`)
    .join('; ')}.

| command | flags that are tried |
|---|---|
${commandRows.join('\n')}

## Endpoints

Everything that is not listed (images, containers, exec, build, volumes, plugins, …) is the node's own engine's, streams and upgraded connections
included; \`/info\`, \`/version\`, \`/_ping\` and \`/events\` are the engine's and the cluster's in one. A client that speaks a newer version than the
engine has its version lowered.

| endpoint of the cluster | parameters |
|---|---|
${rows.join('\n')}
`;
}

if (process.argv[1] === import.meta.filename) process.stdout.write(compatibilityPage());
