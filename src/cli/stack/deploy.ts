import type { CommandSpec } from '../base/command.js';
import type { Context } from '../base/context.js';
import { CliError, DaemonError } from '../base/errors.js';
import { list, onOff, text } from '../base/flag.js';
import { pathOf } from '../base/path.js';
import type { Config, Secret, Service, ServiceSpec } from '../base/wire.js';
import { authFor, pinImage, withTag } from '../service/image.js';
import { followService } from '../service/progress.js';
import { type Network, networksOfStack, servicesOf } from './common.js';
import { loadProject } from './compose/load.js';
import type { ComposeService } from './compose/schema.js';
import { configReferences, type FileKind, type FileSpec, filesOf, secretReferences, wantedFiles } from './files.js';
import { checkStackName, imageLabel } from './names.js';
import { type NetworkRequest, networksOf } from './networks.js';
import { removeServices } from './rm.js';
import { serviceSpec } from './service-spec.js';

export const composeFileFlag = {
  ...list('compose-file', 'Path to a Compose file, or "-" to read from stdin', (path) => path, { short: 'c' }),
  kind: 'strings',
  parse: (paths: string, before: string[] = []) => [...before, ...paths.split(',')],
};
const pruneFlag = onOff('prune', 'Prune services that are no longer referenced');
const quietFlag = onOff('quiet', 'Suppress progress output', { short: 'q' });
const detachFlag = onOff('detach', 'Exit immediately instead of waiting for the stack services to converge', {
  short: 'd',
  shown: 'true',
});
const resolveFlag = text(
  'resolve-image',
  'Query the registry to resolve image digest and supported platforms ("always", "changed", "never")',
  { shown: '"always"' },
);
const authFlag = onOff('with-registry-auth', 'Send registry authentication details to Swarm agents');

interface Ways {
  resolve: string;
  withAuth: boolean;
}

/** `shoal stack deploy` */
export const stackDeploy: CommandSpec = {
  usage: '[OPTIONS] STACK',
  operands: { min: 1, max: 1 },
  flags: [composeFileFlag, detachFlag, pruneFlag, quietFlag, resolveFlag, authFlag],
  async run(context, values, [stack = '']) {
    checkStackName(stack);
    const ways = { resolve: values.get(resolveFlag) ?? 'always', withAuth: values.get(authFlag) ?? false };
    if (!['always', 'changed', 'never'].includes(ways.resolve)) {
      throw new CliError(`Invalid option ${ways.resolve} for flag --resolve-image`);
    }
    const project = await loadProject(context, values.get(composeFileFlag) ?? []);
    // Everything is read and checked before anything is changed.
    const files = {
      secret: await filesOf(context, stack, project, 'secret'),
      config: await filesOf(context, stack, project, 'config'),
    };
    const services: [ServiceSpec, readonly [string, ComposeService]][] = [];
    for (const entry of project.services) {
      const [name, service] = entry;
      wantedFiles(stack, project, name, 'secret', service.secrets);
      wantedFiles(stack, project, name, 'config', service.configs);
      services.push([await serviceSpec(context, stack, project, entry), entry]);
    }
    const networks = networksOf(stack, project);
    for (const name of networks.external) await checkExternal(context, name);
    if (values.get(pruneFlag))
      await prune(
        context,
        stack,
        services.map(([spec]) => spec.Name ?? ''),
      );

    await createNetworks(context, stack, networks.own);
    for (const spec of files.secret) await putFile(context, 'secret', spec);
    for (const spec of files.config) await putFile(context, 'config', spec);
    const existing = new Map((await servicesOf(context, stack)).map((service) => [service.Spec?.Name ?? '', service]));
    const ids: string[] = [];
    for (const [spec, entry] of services) {
      const container = spec.TaskTemplate!.ContainerSpec!;
      container.Secrets = await secretReferences(context, stack, project, entry);
      container.Configs = await configReferences(context, stack, project, entry);
      const forRuntime = container.Configs.find(({ Runtime }) => Runtime);
      if (forRuntime) container.Privileges = { CredentialSpec: { Config: forRuntime.ConfigID } };
      ids.push(await putService(context, spec, existing.get(spec.Name ?? ''), ways));
    }
    if (values.get(detachFlag) === false) {
      for (const id of ids) await followService(context, id, values.get(quietFlag) ?? false);
    }
  },
};

/** What is at a path of the API; undefined when there is nothing. */
async function lookUp<T>(context: Context, path: string): Promise<T | undefined> {
  try {
    return await context.client.get<T>(path);
  } catch (thrown) {
    if (thrown instanceof DaemonError && thrown.status === 404) return undefined;
    throw thrown;
  }
}

async function checkExternal(context: Context, name: string): Promise<void> {
  if (['host', 'bridge', 'none'].includes(name)) return; // every node has these
  const found = await lookUp<Network>(context, pathOf('networks', name));
  if (found === undefined) {
    throw new CliError(
      `network ${JSON.stringify(name)} is declared as external, but could not be found. You need to create a swarm-scoped network before the stack is deployed`,
    );
  }
  if (found.Scope === 'swarm') return;
  throw new CliError(
    `network ${JSON.stringify(name)} is declared as external, but it is not in the right scope: ${JSON.stringify(found.Scope ?? '')} instead of "swarm"`,
  );
}

async function createNetworks(context: Context, stack: string, wanted: readonly NetworkRequest[]): Promise<void> {
  const existing = new Set((await networksOfStack(context, stack)).map(({ Name }) => Name));
  for (const network of wanted) {
    if (existing.has(network.Name)) continue;
    context.out.write(`Creating network ${network.Name}\n`);
    await context.client.post('/networks/create', { body: network });
  }
}

/** Makes a secret or config, or gives an existing one the labels it has now; another content is the daemon's to refuse. */
async function putFile(context: Context, kind: FileKind, spec: FileSpec): Promise<void> {
  const existing = await lookUp<Secret | Config>(context, pathOf(`${kind}s`, spec.Name));
  if (existing?.Spec?.Name !== spec.Name) {
    context.out.write(`Creating ${kind} ${spec.Name}\n`);
    await context.client.post(`/${kind}s/create`, { body: spec });
    return;
  }
  const query = { version: existing.Version?.Index };
  await context.client.post(pathOf(`${kind}s`, existing.ID ?? '', 'update'), { query, body: spec });
}

/** Makes a service or updates it, and gives its id. */
async function putService(
  context: Context,
  spec: ServiceSpec,
  before: Service | undefined,
  ways: Ways,
): Promise<string> {
  const container = spec.TaskTemplate!.ContainerSpec!;
  const image = container.Image ?? '';
  const auth = ways.withAuth ? await authFor(context, image) : undefined;
  const headers = auth === undefined ? undefined : { 'X-Registry-Auth': auth };
  const isSame = before?.Spec?.Labels?.[imageLabel] === image;
  if (before !== undefined && isSame && ways.resolve !== 'always') {
    container.Image = before.Spec?.TaskTemplate?.ContainerSpec?.Image ?? image;
  } else {
    container.Image = withTag(image);
    if (ways.resolve !== 'never') await pinImage(context, spec, auth);
  }
  if (before === undefined) {
    context.out.write(`Creating service ${spec.Name}\n`);
    const created = await context.client.post<{ ID: string; Warnings?: string[] | null }>('/services/create', {
      body: spec,
      headers,
    });
    for (const warning of created.Warnings ?? []) context.err.write(`${warning}\n`);
    return created.ID;
  }
  context.out.write(`Updating service ${spec.Name} (id: ${before.ID})\n`);
  // A stack has no way to ask for a forced update; one that was asked for otherwise stays as it is.
  spec.TaskTemplate!.ForceUpdate = before.Spec?.TaskTemplate?.ForceUpdate ?? 0;
  const query = { version: before.Version?.Index, ...(ways.withAuth ? {} : { registryAuthFrom: 'spec' }) };
  const updated = await context.client.post<{ Warnings?: string[] | null }>(
    pathOf('services', before.ID ?? '', 'update'),
    {
      query,
      body: spec,
      headers,
    },
  );
  for (const warning of updated?.Warnings ?? []) context.err.write(`${warning}\n`);
  return before.ID ?? '';
}

async function prune(context: Context, stack: string, kept: readonly string[]): Promise<void> {
  const services = await servicesOf(context, stack);
  await removeServices(
    context,
    services.filter(({ Spec }) => !kept.includes(Spec?.Name ?? '')),
  );
}
