import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Authority } from '../../src/security/authority.js';
import { serverMaterial } from './cfssl-signer.js';
import { freePort, until } from './daemons.js';

/** What docs/security.md tells an operator to give cfssl: certificates of nodes, and under the profile CA those of roots. */
const config = {
  signing: {
    default: { expiry: '2160h', usages: ['digital signature', 'server auth', 'client auth'] },
    profiles: {
      CA: { expiry: '43800h', usages: ['cert sign', 'crl sign'], ca_constraint: { is_ca: true, max_path_len: 1 } },
    },
  },
};

/** Whether it is installed: `npm test` sees to that, `npm run test:unit` does without. */
export const hasCfssl = spawnSync('cfssl', ['version']).status === 0;

/** Debian's cfssl as a server for one root, which takes certificates of `clients` only when that is given. */
export class Cfssl {
  private constructor(
    private readonly process: ChildProcess,
    private readonly directory: string,
    private readonly port: number,
  ) {}

  static async serve(root: Authority, clients?: string): Promise<Cfssl> {
    const directory = await mkdtemp(join(tmpdir(), 'shoal-cfssl-'));
    const own = await serverMaterial(root, '127.0.0.1');
    const files = {
      'ca.pem': root.certificatePEM,
      'ca-key.pem': root.keyPEM,
      'tls.pem': own.certificatePEM,
      'tls-key.pem': own.keyPEM,
      'clients.pem': clients ?? '',
      'config.json': JSON.stringify(config),
    };
    for (const [name, content] of Object.entries(files))
      await writeFile(join(directory, name), content, { mode: 0o600 });
    const port = await freePort();
    const flags = {
      address: '127.0.0.1',
      port: String(port),
      ca: 'ca.pem',
      'ca-key': 'ca-key.pem',
      'tls-cert': 'tls.pem',
      'tls-key': 'tls-key.pem',
      config: 'config.json',
      loglevel: '3',
      ...(clients !== undefined && { 'mutual-tls-ca': 'clients.pem' }),
    };
    const words = Object.entries(flags).map(([name, value]) => `-${name}=${value}`);
    const child = spawn('cfssl', ['serve', ...words], { cwd: directory, stdio: 'ignore' });
    const server = new Cfssl(child, directory, port);
    await until(() => answers(port) || child.exitCode !== null, 'cfssl listens');
    return server;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}/api/v1/cfssl/sign`;
  }

  async close(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const gone = once(this.process, 'exit');
      this.process.kill();
      await gone;
    }
    await rm(this.directory, { recursive: true, force: true });
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
