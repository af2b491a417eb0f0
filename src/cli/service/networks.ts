import type { Context } from '../base/context.js';
import { CliError } from '../base/errors.js';
import { pathOf } from '../base/path.js';
import type { NetworkAttachmentConfig } from '../base/wire.js';
import { splitPairs } from './words.js';

/** One `--network`: a name, or `name=net,alias=web,driver-opt=key=value`. Throws with the field that is wrong. */
export function parseNetwork(text: string): NetworkAttachmentConfig {
  if (!text.includes('=')) {
    if (text === '') throw new Error('network name must be specified');
    return { Target: text };
  }
  const attachment: NetworkAttachmentConfig & { Aliases?: string[] } = { Target: '' };
  const options: Record<string, string> = {};
  for (const { key, value, field } of splitPairs(text)) {
    if (value === undefined) throw new Error(`invalid field ${field} in ${text}`);
    if (key === 'name') attachment.Target = value;
    else if (key === 'alias') attachment.Aliases = [...(attachment.Aliases ?? []), value];
    else if (key === 'driver-opt') {
      const equals = value.indexOf('=');
      if (equals < 1) throw new Error('invalid key value pair format in driver options');
      options[value.slice(0, equals).trim().toLowerCase()] = value.slice(equals + 1);
    } else throw new Error(`invalid field key ${key}: use name, alias or driver-opt`);
  }
  if (!attachment.Target) throw new Error('network name/id is not specified');
  return Object.keys(options).length === 0 ? attachment : { ...attachment, DriverOpts: options };
}

interface NetworkAnswer {
  Id?: string;
}

/** The id of a network of the cluster, by name or id. */
export async function networkID(context: Context, name: string): Promise<string> {
  const network = await context.client.get<NetworkAnswer>(pathOf('networks', name), { query: { scope: 'swarm' } });
  if (!network.Id) throw new CliError(`network ${name} not found`);
  return network.Id;
}

/** Attachments with the ids of their networks for their names, in the order given. */
export async function resolveNetworks(
  context: Context,
  wanted: readonly NetworkAttachmentConfig[],
): Promise<NetworkAttachmentConfig[]> {
  const resolved: NetworkAttachmentConfig[] = [];
  for (const each of wanted) resolved.push({ ...each, Target: await networkID(context, each.Target ?? '') });
  return resolved;
}
