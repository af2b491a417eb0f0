import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Context } from './context.js';

interface ClientConfig {
  auths?: Record<string, { auth?: string; identitytoken?: string }>;
  credsStore?: string;
  credHelpers?: Record<string, string>;
}

const dockerHubKey = 'https://index.docker.io/v1/';

/** What `docker login` stored for a registry, as the API's X-Registry-Auth header. Undefined when the user is not logged in. */
export async function registryAuthHeader(context: Context, registry: string): Promise<string | undefined> {
  const directory = context.env.DOCKER_CONFIG ?? join(context.env.HOME ?? homedir(), '.docker');
  let config: ClientConfig;
  try {
    config = JSON.parse((await context.readFile(join(directory, 'config.json'))).toString('utf8')) as ClientConfig;
  } catch {
    return undefined; // never logged in from here
  }
  const key = registry === 'docker.io' ? dockerHubKey : registry;
  const helper = config.credHelpers?.[key] ?? config.credsStore;
  const login = helper === undefined ? storedLogin(config, key) : await askHelper(helper, key);
  if (login === undefined) return undefined;
  return Buffer.from(JSON.stringify({ ...login, serveraddress: key })).toString('base64url');
}

type Login = { username: string; password: string } | { identitytoken: string };

function storedLogin(config: ClientConfig, key: string): Login | undefined {
  const entry = config.auths?.[key] ?? config.auths?.[`https://${key}`];
  if (entry?.identitytoken) return { identitytoken: entry.identitytoken };
  const decoded = Buffer.from(entry?.auth ?? '', 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  return colon < 1 ? undefined : { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

/** Asks a credential helper (`docker-credential-NAME get`), which takes the registry on its input. */
async function askHelper(name: string, key: string): Promise<Login | undefined> {
  if (!/^[\w.-]+$/.test(name)) return undefined;
  const answer = await new Promise<string>((resolve) => {
    const helper = spawn(`docker-credential-${name}`, ['get'], { stdio: ['pipe', 'pipe', 'ignore'] });
    let output = '';
    helper.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    helper.on('error', () => resolve(''));
    helper.on('close', (code) => resolve(code === 0 ? output : ''));
    helper.stdin.on('error', () => resolve(''));
    helper.stdin.end(key);
  });
  try {
    const { Username, Secret } = JSON.parse(answer) as { Username?: string; Secret?: string };
    if (!Secret) return undefined;
    return Username === '<token>' ? { identitytoken: Secret } : { username: Username ?? '', password: Secret };
  } catch {
    return undefined;
  }
}
