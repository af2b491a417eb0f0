import { type Flag, flag, list, onOff, text } from '../base/flag.js';
import { parseBytes, parseCpus, parseDuration, parseInteger } from '../base/units.js';

// Options that stand for one value, the same in `service create` and `service update`.

const uint = (name: string, usage: string, shown?: string) =>
  flag(name, 'uint', usage, (word) => parseInteger(word, 0), shown === undefined ? {} : { shown });

const duration = (name: string, usage: string, shown?: string, min_ns = 0) =>
  flag(
    name,
    'duration',
    usage,
    (word) => {
      const value_ns = parseDuration(word);
      if (value_ns < 0) throw new Error('duration cannot be negative');
      if (value_ns !== 0 && value_ns < min_ns) throw new Error('duration is too short: the least is 1ms');
      return value_ns;
    },
    shown === undefined ? {} : { shown },
  );

const ratio = (name: string, usage: string) =>
  flag(
    name,
    'float',
    usage,
    (word) => {
      const value = word.trim() === '' ? Number.NaN : Number(word);
      if (!(value >= 0 && value <= 1)) throw new Error(`${JSON.stringify(word)} is out of range: use 0 to 1`);
      return value;
    },
    { shown: '0' },
  );

/** One of a few words. */
const oneOf = (name: string, usage: string, words: readonly string[], shown: string) =>
  flag(
    name,
    'string',
    usage,
    (word) => {
      if (!words.includes(word)) throw new Error(`use ${words.join(', ')}`);
      return word;
    },
    { shown: `"${shown}"` },
  );

const health_ns_min = 1e6; // the engine refuses shorter waits

export const hostname = text('hostname', 'Container hostname');
export const workdir = text('workdir', 'Working directory inside the container', { short: 'w' });
export const user = text('user', 'Username or UID (format: <name|uid>[:<group|gid>])', { short: 'u' });
export const tty = onOff('tty', 'Allocate a pseudo-TTY', { short: 't' });
export const init = onOff('init', 'Use an init inside each service container to forward signals and reap processes');
export const readOnly = onOff('read-only', "Mount the container's root filesystem as read only");
export const stopSignal = text('stop-signal', 'Signal to stop the container');
export const stopGrace = duration(
  'stop-grace-period',
  'Time to wait before force killing a container (ns|us|ms|s|m|h)',
  '10s',
);
export const isolation = text('isolation', 'Service container isolation mode');
export const entrypoint = text('entrypoint', 'Overwrite the default ENTRYPOINT of the image', { kind: 'command' });
export const oomScore = flag('oom-score-adj', 'int', "Tune host's OOM preferences (-1000 to 1000) ", (word) =>
  parseInteger(word, -1000, 1000),
);
export const credentialSpec = flag(
  'credential-spec',
  'credential-spec',
  'Credential spec for managed service account (Windows only)',
  (word) => {
    const match = /^(config|file|registry):\/\/(.*)$/s.exec(word);
    if (match === null && word !== '') {
      throw new Error('invalid credential spec: value must be prefixed with "config://", "file://", or "registry://"');
    }
    return { kind: (match?.[1] ?? '') as '' | 'config' | 'file' | 'registry', value: match?.[2] ?? '' };
  },
);
export const endpointMode = text('endpoint-mode', 'Endpoint mode (vip or dnsrr)', { shown: '"vip"' });
export const logDriver = text('log-driver', 'Logging driver for service');
export const logOpt = list('log-opt', 'Logging driver options', (word) => word);

export const health = {
  cmd: text('health-cmd', 'Command to run to check health'),
  interval: duration('health-interval', 'Time between running the check (ms|s|m|h)', undefined, health_ns_min),
  retries: flag('health-retries', 'int', 'Consecutive failures needed to report unhealthy', (word) =>
    parseInteger(word, 0, 2 ** 31 - 1),
  ),
  startInterval: duration(
    'health-start-interval',
    'Time between running the check during the start period (ms|s|m|h)',
    undefined,
    health_ns_min,
  ),
  startPeriod: duration(
    'health-start-period',
    'Start period for the container to initialize before counting retries towards unstable (ms|s|m|h)',
    undefined,
    health_ns_min,
  ),
  timeout: duration('health-timeout', 'Maximum time to allow one check to run (ms|s|m|h)', undefined, health_ns_min),
};
export const noHealthcheck = onOff('no-healthcheck', 'Disable any container-specified HEALTHCHECK');

const nano = (name: string, usage: string) => flag(name, 'decimal', usage, (word) => parseCpus(word));
const bytes = (name: string, usage: string) => flag(name, 'bytes', usage, (word) => parseBytes(word));
export const limits = {
  NanoCPUs: nano('limit-cpu', 'Limit CPUs'),
  MemoryBytes: bytes('limit-memory', 'Limit Memory'),
  Pids: flag('limit-pids', 'int', 'Limit maximum number of processes (default 0 = unlimited)', (word) =>
    parseInteger(word, 0),
  ),
};
export const reservations = {
  NanoCPUs: nano('reserve-cpu', 'Reserve CPUs'),
  MemoryBytes: bytes('reserve-memory', 'Reserve Memory'),
};

export const restart = {
  Condition: oneOf(
    'restart-condition',
    'Restart when condition is met ("none", "on-failure", "any")',
    ['none', 'on-failure', 'any'],
    'any',
  ),
  Delay: duration('restart-delay', 'Delay between restart attempts (ns|us|ms|s|m|h)', '5s'),
  MaxAttempts: uint('restart-max-attempts', 'Maximum number of restarts before giving up'),
  Window: duration('restart-window', 'Window used to evaluate the restart policy (ns|us|ms|s|m|h)'),
};

export const update = {
  Parallelism: uint(
    'update-parallelism',
    'Maximum number of tasks updated simultaneously (0 to update all at once)',
    '1',
  ),
  Delay: duration('update-delay', 'Delay between updates (ns|us|ms|s|m|h)', '0s'),
  Monitor: duration('update-monitor', 'Duration after each task update to monitor for failure (ns|us|ms|s|m|h)', '5s'),
  MaxFailureRatio: ratio('update-max-failure-ratio', 'Failure rate to tolerate during an update'),
  FailureAction: oneOf(
    'update-failure-action',
    'Action on update failure ("pause", "continue", "rollback")',
    ['pause', 'continue', 'rollback'],
    'pause',
  ),
  Order: oneOf(
    'update-order',
    'Update order ("start-first", "stop-first")',
    ['start-first', 'stop-first'],
    'stop-first',
  ),
};
export const rollback = {
  Parallelism: uint(
    'rollback-parallelism',
    'Maximum number of tasks rolled back simultaneously (0 to roll back all at once)',
    '1',
  ),
  Delay: duration('rollback-delay', 'Delay between task rollbacks (ns|us|ms|s|m|h)', '0s'),
  Monitor: duration(
    'rollback-monitor',
    'Duration after each task rollback to monitor for failure (ns|us|ms|s|m|h)',
    '5s',
  ),
  MaxFailureRatio: ratio('rollback-max-failure-ratio', 'Failure rate to tolerate during a rollback'),
  FailureAction: oneOf(
    'rollback-failure-action',
    'Action on rollback failure ("pause", "continue")',
    ['pause', 'continue'],
    'pause',
  ),
  Order: oneOf(
    'rollback-order',
    'Rollback order ("start-first", "stop-first")',
    ['start-first', 'stop-first'],
    'stop-first',
  ),
};

export const replicas = uint('replicas', 'Number of tasks');
export const maxConcurrent = uint(
  'max-concurrent',
  'Number of job tasks to run concurrently (default equal to --replicas)',
);
export const maxReplicas = uint('replicas-max-per-node', 'Maximum number of tasks per node (default 0 = unlimited)');

export const detach = onOff('detach', 'Exit immediately instead of waiting for the service to converge', {
  short: 'd',
});
export const quiet = onOff('quiet', 'Suppress progress output', { short: 'q' });
export const registryAuth = onOff('with-registry-auth', 'Send registry authentication details to swarm agents');
export const noResolveImage = onOff(
  'no-resolve-image',
  'Do not query the registry to resolve image digest and supported platforms',
);

/** All of the above, for a command's options. */
export const scalarOptions: readonly Flag<unknown>[] = [
  hostname,
  workdir,
  user,
  tty,
  init,
  readOnly,
  stopSignal,
  stopGrace,
  isolation,
  entrypoint,
  oomScore,
  credentialSpec,
  endpointMode,
  logDriver,
  logOpt,
  noHealthcheck,
  ...[health, limits, reservations, restart, update, rollback].flatMap((group) => Object.values<Flag<unknown>>(group)),
  replicas,
  maxConcurrent,
  maxReplicas,
  detach,
  quiet,
  registryAuth,
  noResolveImage,
];
