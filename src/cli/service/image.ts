import type { Context } from '../base/context.js';
import { CliError, NoDaemonError } from '../base/errors.js';
import { registryAuthHeader } from '../base/registry-auth.js';
import type { ServiceSpec } from '../base/wire.js';

const registry_ms_max = 5_000; // a registry that cannot be reached must not hold up the service

/** An image name with the tag it means when it has none: `nginx` is `nginx:latest`. */
export function withTag(image: string): string {
  if (image === '' || image.includes('@')) return image;
  return /:[^/]*$/.test(image) ? image : `${image}:latest`;
}

interface Distribution {
  Descriptor?: { digest?: string };
  Platforms?: { architecture?: string; os?: string }[] | null;
}

/**
 * Pins the image of `spec` to the digest that its registry has now, so that every node runs the same. An image that was built
 * here and never was in a registry is left as it is; when the registry does not say, the user is told, and nodes decide.
 */
export async function pinImage(context: Context, spec: ServiceSpec, auth: string | undefined): Promise<void> {
  const container = spec.TaskTemplate?.ContainerSpec;
  const image = container?.Image ?? '';
  // What can be no image in a registry is the daemon's to refuse; it must not become a path of the API.
  if (container === undefined || !/^[a-z0-9][\w.:/-]*(@sha256:[0-9a-f]{64})?$/.test(image) || image.includes('..'))
    return;
  if (await isBuiltHere(context, image)) return;
  let found: Distribution;
  try {
    found = await context.client.get<Distribution>(`/distribution/${image}/json`, {
      headers: auth === undefined ? undefined : { 'X-Registry-Auth': auth },
      timeout_ms: registry_ms_max,
    });
  } catch (thrown) {
    if (!(thrown instanceof CliError) || thrown instanceof NoDaemonError) throw thrown;
    context.err.write(
      `image ${image} could not be accessed on a registry to record\n` +
        `its digest. Each node will access ${image} independently,\n` +
        'possibly leading to different nodes running different\nversions of the image.\n\n',
    );
    return;
  }
  const digest = found.Descriptor?.digest;
  if (digest === undefined) return;
  if (!image.includes('@')) container.Image = `${image}@${digest}`;
  const platforms = (found.Platforms ?? []).map(({ architecture = '', os = '' }) => ({
    // Images say `arm` where nodes say which arm.
    ...(architecture.toLowerCase() === 'arm' || architecture === '' ? {} : { Architecture: architecture }),
    OS: os,
  }));
  if (platforms.length > 0) spec.TaskTemplate!.Placement = { ...spec.TaskTemplate!.Placement, Platforms: platforms };
}

interface LocalImage {
  RepoDigests?: string[] | null;
}

/** Whether the node's own engine has the image and no registry ever had it. */
async function isBuiltHere(context: Context, image: string): Promise<boolean> {
  try {
    const local = await context.client.get<LocalImage>(`/images/${image}/json`, { timeout_ms: registry_ms_max });
    return Array.isArray(local?.RepoDigests) && local.RepoDigests.length === 0;
  } catch (thrown) {
    if (!(thrown instanceof CliError) || thrown instanceof NoDaemonError) throw thrown;
    return false;
  }
}

/** The header by which nodes may pull the image, from the user's stored logins. Undefined when there is none. */
export async function authFor(context: Context, image: string): Promise<string | undefined> {
  const slash = image.indexOf('/');
  const first = slash < 0 ? '' : image.slice(0, slash);
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost';
  return registryAuthHeader(context, isHost ? first : 'docker.io');
}
