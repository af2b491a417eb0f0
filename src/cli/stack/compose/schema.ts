import { parseBytes, parseCpus, parseDuration } from '../../base/units.js';
import type { PortConfig } from '../../base/wire.js';
import { splitWords } from '../../service/words.js';
import {
  anything,
  either,
  filledPairs,
  integer,
  list,
  made,
  mapping,
  number,
  type Of,
  object,
  optional,
  pairs,
  type Read,
  scalar,
  text,
  truth,
  words,
  wrong,
} from './read.js';
import { type ComposeMount, shortMount, shortPorts } from './short-forms.js';

// What a compose file may say (version 3 and those parts of the Compose Specification that a cluster takes).

const duration = made(text, parseDuration);
const bytes = made(scalar, parseBytes);
const command: Read<string[]> = either(made(text, splitWords), list(text));

const updateConfig = object({
  parallelism: integer,
  delay: duration,
  failure_action: text,
  monitor: duration,
  max_failure_ratio: number,
  order: text,
});

const deploy = object({
  mode: text,
  replicas: integer,
  labels: filledPairs(),
  update_config: updateConfig,
  rollback_config: updateConfig,
  endpoint_mode: text,
  resources: object({
    limits: object({ cpus: made(scalar, parseCpus), memory: bytes, pids: integer }),
    reservations: object({
      cpus: made(scalar, parseCpus),
      memory: bytes,
      generic_resources: list(object({ discrete_resource_spec: object({ kind: text, value: number }) })),
      devices: anything,
    }),
  }),
  restart_policy: object({ condition: text, delay: duration, max_attempts: integer, window: duration }),
  placement: object({
    constraints: list(text),
    preferences: list(object({ spread: text })),
    max_replicas_per_node: integer,
  }),
});

const healthcheck = object({
  disable: truth,
  test: either((value, where) => ['CMD-SHELL', text(value, where)], list(text)),
  interval: duration,
  timeout: duration,
  start_period: duration,
  start_interval: duration,
  retries: integer,
});

const fileReference = either(
  made(text, (source) => ({ source }) as FileReference),
  object({ source: text, target: text, uid: scalar, gid: scalar, mode: integer }, ['source']) as Read<FileReference>,
);
export interface FileReference {
  source: string;
  target?: string | undefined;
  uid?: string | undefined;
  gid?: string | undefined;
  mode?: number | undefined;
}

const longMount: Read<ComposeMount> = object(
  {
    type: text,
    source: text,
    target: text,
    read_only: truth,
    consistency: text,
    bind: object({ propagation: text, create_host_path: truth, selinux: text }),
    volume: object({ nocopy: truth, subpath: text }),
    tmpfs: object({ size: bytes, mode: integer }),
    cluster: anything,
  },
  ['type'],
);

const longPort: Read<PortConfig[]> = (value, where) => {
  const port = object({
    mode: text,
    target: integer,
    published: scalar,
    protocol: text,
    name: text,
    app_protocol: text,
  })(value, where);
  const { published = '0' } = port;
  if (!/^\d{1,5}$/.test(published)) throw wrong(`${where}.published`, 'must be a integer');
  return [
    {
      ...(port.protocol === undefined ? {} : { Protocol: port.protocol }),
      TargetPort: port.target ?? 0,
      PublishedPort: Number(published),
      ...(port.mode === undefined ? {} : { PublishMode: port.mode }),
    },
  ];
};

const attachment = optional(
  object({ aliases: list(text), ipv4_address: text, ipv6_address: text, driver_opts: filledPairs(), priority: number }),
);
export type Attachment = Of<typeof attachment>;

const namesOrMapping: Read<Map<string, Attachment>> = (value, where) =>
  Array.isArray(value)
    ? new Map(list(text)(value, where).map((name): [string, Attachment] => [name, undefined]))
    : mapping(attachment)(value, where);

const ulimit: Read<{ soft: number; hard: number }> = either(
  made(integer, (both) => ({ soft: both, hard: both })),
  object({ soft: integer, hard: integer }, ['soft', 'hard']) as Read<{ soft: number; hard: number }>,
);

/** What is said of a service and means nothing to a cluster: Docker names these and goes on. */
export const unsupported =
  'build cgroup_parent cgroupns_mode devices domainname external_links ipc links mac_address network_mode pid privileged restart security_opt shm_size userns_mode'.split(
    ' ',
  );
export const deprecated: Readonly<Record<string, string>> = {
  container_name: 'Setting the container name is not supported.',
  expose:
    "Exposing ports is unnecessary - services on the same network can access each other's containers on any port.",
};

/** Reads one service; what is worth a word to the user goes to `warn`. */
function serviceReader(warn: (line: string) => void) {
  return object({
    ...Object.fromEntries([...unsupported, ...Object.keys(deprecated)].map((key) => [key, anything])),
    cap_add: list(text),
    cap_drop: list(text),
    command,
    configs: list(fileReference),
    credential_spec: object({ config: text, file: text, registry: text }),
    depends_on: anything, // says in which order to start; a cluster starts all at once
    deploy,
    dns: words,
    dns_search: words,
    entrypoint: command,
    env_file: words,
    environment: pairs(),
    extra_hosts: hosts,
    healthcheck,
    hostname: text,
    image: text,
    init: truth,
    isolation: text,
    labels: filledPairs(),
    logging: object({ driver: text, options: mapping(scalar) }),
    networks: namesOrMapping,
    oom_score_adj: integer,
    platform: anything,
    ports: (value: unknown, where: string) =>
      list(
        either(
          made(scalar, (port) => shortPorts(port, warn)),
          longPort,
        ),
      )(value, where).flat(),
    profiles: anything,
    pull_policy: anything,
    read_only: truth,
    restart: text,
    secrets: list(fileReference),
    stdin_open: truth,
    stop_grace_period: duration,
    stop_signal: text,
    sysctls: filledPairs(),
    tmpfs: words,
    tty: truth,
    ulimits: mapping(ulimit),
    user: scalar,
    volumes: list(either(made(text, shortMount), longMount)),
    working_dir: text,
  });
}
export type ComposeService = Of<ReturnType<typeof serviceReader>>;

/** `host:ip` lines or a mapping, in their order. A line without a colon is passed over, as Docker does. */
const hosts: Read<[string, string][]> = (value, where) =>
  Array.isArray(value)
    ? list(text)(value, where)
        .map((line) => /^([^:=]+)[:=](.*)$/s.exec(line))
        .filter((match) => match !== null)
        .map((match): [string, string] => [match[1]!, match[2]!])
    : [...mapping(scalar)(value, where)].sort(([a], [b]) => (a < b ? -1 : 1));

const external = either(truth as Read<boolean | { name?: string | undefined }>, object({ name: text }));

const network = object({
  name: text,
  driver: text,
  driver_opts: mapping(scalar),
  ipam: object({
    driver: text,
    config: list(object({ subnet: text, ip_range: text, gateway: text, aux_addresses: mapping(text) })),
    options: mapping(text),
  }),
  external,
  internal: truth,
  enable_ipv4: truth,
  enable_ipv6: truth,
  attachable: truth,
  labels: filledPairs(),
});
export type ComposeNetwork = Of<typeof network>;

const volume = object({
  name: text,
  driver: text,
  driver_opts: mapping(scalar),
  external,
  labels: filledPairs(),
});
export type ComposeVolume = Of<typeof volume>;

const storedFile = object({
  name: text,
  file: text,
  external,
  labels: filledPairs(),
  driver: text,
  driver_opts: mapping(scalar),
  template_driver: text,
});
export type ComposeFileObject = Of<typeof storedFile>;

/** Reads a whole file. */
export function fileReader(warn: (line: string) => void) {
  const named = <T>(read: Read<T>) => mapping((value, where) => optional(read)(value, where) ?? ({} as T));
  return object({
    version: text,
    name: text,
    services: mapping(serviceReader(warn)),
    networks: named(network),
    volumes: named(volume),
    secrets: named(storedFile),
    configs: named(storedFile),
  });
}
