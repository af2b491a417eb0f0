import type { Service, TaskSpec, UpdateConfig } from '../../model/types.js';

/** How a service restarts what ended. */
export interface RestartPolicy {
  condition: 'none' | 'on-failure' | 'any';
  delay_ms: number;
  /** 0: any number. */
  maxAttempts: number;
  /** Restarts longer ago than this do not count as attempts; 0: all count. */
  window_ms: number;
}

/** How a service replaces tasks whose spec has changed. */
export interface UpdatePolicy {
  /** Slots at a time. */
  parallelism: number;
  delay_ms: number;
  monitor_ms: number;
  failureAction: 'pause' | 'continue' | 'rollback';
  maxFailureRatio: number;
  startFirst: boolean;
}

// Docker's defaults (swarmkit api/defaults/service.go).
const restartDelay_ms = 5000;
const monitor_ms = 5000;
const stopGrace_ms = 10_000;
const historyLimit = 5;

export function milliseconds(nanoseconds: number): number {
  return nanoseconds / 1e6;
}

/** Milliseconds since 1970 of an RFC 3339 time; undefined of an empty or broken one. */
export function timeOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

/** Managers go by one clock (cluster-clock.ts) but for a manager's first moments: what is stamped later than this was so by a wrong one. */
const skew_ms = 10_000;

/** Whether `time` cannot have been yet. Nobody waits for a clock to come to it. */
export function isBeyond(time: number, now: number): boolean {
  return time > now + skew_ms;
}

export function restartPolicyOf(spec: TaskSpec | null): RestartPolicy {
  const policy = spec?.RestartPolicy;
  const condition = policy?.Condition;
  return {
    condition: condition === 'none' || condition === 'on-failure' ? condition : 'any',
    delay_ms: policy?.Delay === undefined ? restartDelay_ms : milliseconds(policy.Delay),
    maxAttempts: policy?.MaxAttempts ?? 0,
    window_ms: milliseconds(policy?.Window ?? 0),
  };
}

/** The policy of the update that is on: a rollback has its own. A config that is absent has Docker's defaults. */
export function updatePolicyOf(service: Service): UpdatePolicy {
  const rollingBack = service.UpdateStatus?.State === 'rollback_started';
  const config = (rollingBack ? service.Spec?.RollbackConfig : service.Spec?.UpdateConfig) ?? null;
  return {
    parallelism: parallelismOf(config),
    delay_ms: milliseconds(config?.Delay ?? 0),
    monitor_ms: config?.Monitor ? milliseconds(config.Monitor) : monitor_ms,
    failureAction:
      config?.FailureAction === 'continue' || config?.FailureAction === 'rollback' ? config.FailureAction : 'pause',
    maxFailureRatio: config?.MaxFailureRatio ?? 0,
    startFirst: config?.Order === 'start-first',
  };
}

function parallelismOf(config: UpdateConfig | null): number {
  if (config === null) return 1;
  return config.Parallelism === 0 ? Number.POSITIVE_INFINITY : config.Parallelism;
}

export function stopGraceOf(spec: TaskSpec | null): number {
  const grace = spec?.ContainerSpec?.StopGracePeriod;
  return grace === undefined ? stopGrace_ms : milliseconds(grace);
}

/** Tasks kept for each slot, the one that runs included. Negative in the cluster's spec: all are kept. */
export function historyLimitOf(configured: number | undefined, restart: RestartPolicy): number {
  const limit = configured ?? historyLimit;
  if (limit < 0) return Number.POSITIVE_INFINITY;
  // Attempts are counted from history, so as much of it stays as that needs.
  return restart.maxAttempts > 0 ? Math.max(limit, restart.maxAttempts + 1) : limit;
}
