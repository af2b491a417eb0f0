import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { CliError } from './errors.js';
import { fileReason } from './file-reason.js';
import { onOff, text, type Values } from './flag.js';

/** What the docker client shows and asks for over TCP with TLS, PEM. */
export interface ClientTLS {
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
  /** False: whoever answers is taken for the daemon. */
  rejectUnauthorized: boolean;
}

type Env = Readonly<Record<string, string | undefined>>;

const tlsFlag = onOff('tls', 'Use TLS; implied by --tlsverify');
const verifyFlag = onOff('tlsverify', 'Use TLS and verify the remote');
const fileFlag = (name: string, usage: string, file: string) =>
  text(name, usage, { shown: JSON.stringify(join(homedir(), '.docker', file)) });
const caFlag = fileFlag('tlscacert', 'Trust certs signed only by this CA', 'ca.pem');
const certFlag = fileFlag('tlscert', 'Path to TLS certificate file', 'cert.pem');
const keyFlag = fileFlag('tlskey', 'Path to TLS key file', 'key.pem');

export const tlsFlags = [tlsFlag, caFlag, certFlag, keyFlag, verifyFlag];

/**
 * TLS as the docker client takes it: --tlsverify or DOCKER_TLS_VERIFY asks for it, --tls for one that does not look at who answers; ca.pem,
 * cert.pem and key.pem are in DOCKER_CERT_PATH or ~/.docker, or where the flags say. Undefined when it is not asked for. Throws `CliError`
 * naming the file that cannot be read.
 */
export function clientTLS(env: Env, values: Values): ClientTLS | undefined {
  const isVerified = values.get(verifyFlag) ?? Boolean(env.DOCKER_TLS_VERIFY);
  if (!isVerified && !values.get(tlsFlag)) return undefined;
  const folder = env.DOCKER_CERT_PATH || join(homedir(), '.docker');
  const read = (flag: typeof caFlag, file: string) => {
    const path = values.get(flag) ?? join(folder, file);
    // Without verifying, as in Docker, a client shows a certificate only if it has one.
    if (!isVerified && !values.has(flag) && !existsSync(path)) return undefined;
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw new CliError(`--${flag.name}: ${fileReason(path, error)}`, { cause: error });
    }
  };
  return {
    ca: isVerified ? read(caFlag, 'ca.pem') : undefined,
    cert: read(certFlag, 'cert.pem'),
    key: read(keyFlag, 'key.pem'),
    rejectUnauthorized: isVerified,
  };
}
