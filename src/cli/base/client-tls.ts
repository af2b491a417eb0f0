import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { CliError } from './errors.js';

/** What the docker client shows and asks for over TCP with TLS, PEM. */
export interface ClientTLS {
  ca: string;
  cert: string;
  key: string;
}

/**
 * TLS as the docker client takes it from the environment: DOCKER_TLS_VERIFY asks for it, ca.pem, cert.pem and key.pem are in
 * DOCKER_CERT_PATH or ~/.docker. Undefined when it is not asked for. Throws `CliError` naming the file that cannot be read.
 */
export function tlsFromEnvironment(env: Readonly<Record<string, string | undefined>>): ClientTLS | undefined {
  if (!env.DOCKER_TLS_VERIFY) return undefined;
  const folder = env.DOCKER_CERT_PATH || join(homedir(), '.docker');
  const read = (name: string) => {
    try {
      return readFileSync(join(folder, name), 'utf8');
    } catch (error) {
      throw new CliError(`DOCKER_TLS_VERIFY: ${(error as Error).message}`, { cause: error });
    }
  };
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') };
}
