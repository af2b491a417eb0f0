import { encode } from '../codec.js';
import { ShoalError } from '../errors.js';
import { checkExtensions } from '../extensions.js';
import type { EndpointSpec, ServiceMode, ServiceSpec, UpdateConfig } from '../types.js';
import { bare, checkOneOf, checkPlain, checkRange, refuse, refuseAs, shown } from './check.js';
import { checkObjectLabels, checkServiceName } from './names.js';
import { checkNetworks, checkTaskTemplate } from './task.js';

/** Tasks that one service may ask for: what the planner and the store were measured with (issue 5: 100,000 tasks on 5,000 nodes). */
export const tasksMax = 100_000;
/** Room for a spec in a Raft entry. Larger data belongs into a config. */
const specLimit_bytes = 1024 * 1024;

/** Refuses a spec that cannot run, by the path of the first field that is wrong: `invalid-argument`, or `not-supported`. */
export function validateServiceSpec(spec: ServiceSpec, where = 'Spec'): void {
  checkServiceName(`${where}.Name`, spec.Name);
  checkObjectLabels(where, spec.Labels);
  checkExtensions(`${where}.Labels`, spec.Labels);
  if (!spec.TaskTemplate) refuseAs('mismatched Runtime and *Spec fields', `${where}.TaskTemplate.ContainerSpec`);
  checkTaskTemplate(`${where}.TaskTemplate`, spec.TaskTemplate);
  checkNetworks(`${where}.Networks`, spec.Networks);
  const isJob = spec.Mode ? checkMode(`${where}.Mode`, spec.Mode) : false;
  for (const [field, actions] of [
    ['UpdateConfig', ['', 'pause', 'continue', 'rollback']],
    ['RollbackConfig', ['', 'pause', 'continue']],
  ] as const) {
    const config = spec[field];
    if (!config) continue;
    if (isJob) {
      refuseAs(
        `Jobs may not have ${field === 'UpdateConfig' ? 'an update' : 'a rollback'} config`,
        `${where}.${field}`,
      );
    }
    checkUpdateConfig(`${where}.${field}`, config, actions);
  }
  if (isJob && spec.TaskTemplate.RestartPolicy?.Condition === 'any') {
    refuse(
      `${where}.TaskTemplate.RestartPolicy.Condition`,
      'a job ends; "any" is not allowed, expected one of none, on-failure',
    );
  }
  if (spec.EndpointSpec) checkEndpoint(`${where}.EndpointSpec`, spec.EndpointSpec);
  const size = encode('ServiceSpec', spec).length;
  if (size > specLimit_bytes) refuse(where, `${size} bytes are above the limit of ${specLimit_bytes} bytes a service`);
}

/** Whether the mode is a job's. */
function checkMode(where: string, mode: ServiceMode): boolean {
  const given = [mode.Replicated, mode.Global, mode.ReplicatedJob, mode.GlobalJob].filter((one) => one);
  if (given.length > 1) refuseAs('must specify only one service mode', where);
  const counts: readonly (readonly [string, number | undefined])[] = [
    ['Replicated.Replicas', mode.Replicated?.Replicas],
    ['ReplicatedJob.MaxConcurrent', mode.ReplicatedJob?.MaxConcurrent],
    ['ReplicatedJob.TotalCompletions', mode.ReplicatedJob?.TotalCompletions],
  ];
  for (const [field, count] of counts) {
    if (count !== undefined && count > tasksMax) {
      refuse(`${where}.${field}`, `${count} is above the limit of ${tasksMax} tasks a service`);
    }
  }
  return Boolean(mode.ReplicatedJob || mode.GlobalJob);
}

function checkUpdateConfig(where: string, config: UpdateConfig, actions: readonly string[]): void {
  if (config.Delay < 0) refuseAs('TaskSpec: update-delay cannot be negative', `${where}.Delay`);
  if (config.Monitor < 0) refuseAs('TaskSpec: update-monitor cannot be negative', `${where}.Monitor`);
  if (config.MaxFailureRatio < 0 || config.MaxFailureRatio > 1) {
    refuseAs('TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1', `${where}.MaxFailureRatio`);
  }
  checkOneOf(
    `${where}.FailureAction`,
    config.FailureAction,
    actions,
    `unrecognized update failure action ${bare(config.FailureAction)}`,
  );
  const words = `unrecognized update order ${bare(config.Order)}`;
  checkOneOf(`${where}.Order`, config.Order, ['', 'stop-first', 'start-first'], words);
}

function checkEndpoint(where: string, endpoint: EndpointSpec): void {
  checkOneOf(`${where}.Mode`, endpoint.Mode, ['', 'vip', 'dnsrr'], `invalid resolution mode: ${shown(endpoint.Mode)}`);
  const published = new Set<string>();
  for (const [at, port] of endpoint.Ports.entries()) {
    const path = `${where}.Ports[${at}]`;
    checkPlain(`${path}.Name`, port.Name);
    checkOneOf(`${path}.Protocol`, port.Protocol, ['', 'tcp', 'udp', 'sctp']);
    checkOneOf(`${path}.PublishMode`, port.PublishMode, ['', 'ingress', 'host']);
    checkRange(`${path}.TargetPort`, port.TargetPort, 1, 65535);
    checkRange(`${path}.PublishedPort`, port.PublishedPort, 0, 65535);
    const isIngress = port.PublishMode !== 'host';
    if (isIngress && endpoint.Mode === 'dnsrr') {
      refuseAs("EndpointSpec: port published with ingress mode can't be used with dnsrr mode", path);
    }
    if (isIngress && port.Protocol === 'sctp') {
      throw new ShoalError('not-supported', `${path}.Protocol: sctp is not supported in ingress mode; use host`);
    }
    if (port.PublishedPort === 0) continue;
    const key = `${port.Protocol || 'tcp'}/${port.PublishedPort}`;
    if (published.has(key)) refuseAs('EndpointSpec: duplicate published ports provided', path);
    published.add(key);
  }
}
