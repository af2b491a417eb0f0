import { CliError } from '../base/errors.js';
import type { NetworkAttachmentConfig } from '../base/wire.js';
import type { Project } from './compose/load.js';
import type { ComposeNetwork, ComposeService } from './compose/schema.js';
import { isExternal, nameOf, stackLabels } from './names.js';

/** Body of POST /networks/create. */
export interface NetworkRequest {
  Name: string;
  Driver: string;
  Labels: Record<string, string>;
  Options?: Record<string, string>;
  IPAM?: { Driver?: string; Config?: Record<string, unknown>[]; Options?: Record<string, string> };
  Internal?: boolean;
  Attachable?: boolean;
  EnableIPv4?: boolean;
  EnableIPv6?: boolean;
}

/** Without networks of its own a service is on this one. */
const defaultNetwork = 'default';
/** Networks of the node itself, in which names mean nothing. */
const ofNode = ['host', 'bridge', 'none', 'default'];

function attachmentsOf(service: ComposeService) {
  const given = service.networks ?? new Map();
  return given.size > 0 ? given : new Map([[defaultNetwork, undefined]]);
}

function declared(project: Project, name: string, key: string): ComposeNetwork {
  const network = project.networks.get(key);
  if (network === undefined && key !== defaultNetwork) {
    throw new CliError(`service ${name}: undefined network ${JSON.stringify(key)}`);
  }
  return network ?? {};
}

/** The networks that the services of a stack are on: those to make, and the names of those that must be there. */
export function networksOf(stack: string, project: Project): { own: NetworkRequest[]; external: string[] } {
  const used = new Set([...project.services.values()].flatMap((service) => [...attachmentsOf(service).keys()]));
  const own: NetworkRequest[] = [];
  const external: string[] = [];
  for (const key of used) {
    const network = project.networks.get(key) ?? {};
    if (isExternal(network)) external.push(nameOf(stack, key, network));
    else own.push(requestOf(nameOf(stack, key, network), stack, network));
  }
  return { own, external };
}

function requestOf(Name: string, stack: string, network: ComposeNetwork): NetworkRequest {
  const request: NetworkRequest = {
    Name,
    Driver: network.driver ?? 'overlay',
    Labels: stackLabels(stack, network.labels),
  };
  if (network.driver_opts) request.Options = Object.fromEntries(network.driver_opts);
  if (network.internal) request.Internal = true;
  if (network.attachable) request.Attachable = true;
  if (network.enable_ipv4 === false) request.EnableIPv4 = false;
  if (network.enable_ipv6) request.EnableIPv6 = true;
  if (network.ipam) {
    const { driver, config = [], options } = network.ipam;
    request.IPAM = {
      ...(driver === undefined ? {} : { Driver: driver }),
      Config: config.map((pool) => ({
        ...(pool.subnet ? { Subnet: pool.subnet } : {}),
        ...(pool.ip_range ? { IPRange: pool.ip_range } : {}),
        ...(pool.gateway ? { Gateway: pool.gateway } : {}),
        ...(pool.aux_addresses ? { AuxiliaryAddresses: Object.fromEntries(pool.aux_addresses) } : {}),
      })),
      ...(options ? { Options: Object.fromEntries(options) } : {}),
    };
  }
  return request;
}

/** The networks of a service, in the order of their names; on each it answers to its own name and its aliases. */
export function attachments(
  stack: string,
  project: Project,
  name: string,
  service: ComposeService,
): NetworkAttachmentConfig[] {
  const found = [...attachmentsOf(service)].map(([key, attachment]): NetworkAttachmentConfig => {
    const Target = nameOf(stack, key, declared(project, name, key));
    return {
      Target,
      ...(ofNode.includes(Target) ? {} : { Aliases: [...(attachment?.aliases ?? []), name] }),
      ...(attachment?.driver_opts ? { DriverOpts: Object.fromEntries(attachment.driver_opts) } : {}),
    };
  });
  return found.sort((a, b) => (a.Target! < b.Target! ? -1 : 1));
}
