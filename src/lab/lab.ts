import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, ShoalError } from '../model/errors.js';
import { packageRoot } from '../model/paths.js';
import type { Host, HostOptions } from './host.js';
import { loadImage, makeImageFile } from './image.js';
import { hostsMax, Layout } from './layout.js';
import { NamespaceHost } from './namespace-host.js';
import { answersPing } from './probe.js';
import { SharedHost } from './shared-host.js';
import { switchDown, switchUp } from './switch.js';

export interface LabOptions extends HostOptions {
  name: string;
  hosts: number;
  /** Without root: daemons on this machine's loopback that share the engine behind this socket. */
  sharedEngine: string | undefined;
  directory?: string;
}

/** What `lab.json` remembers, so that later commands find the lab again. */
type Saved = Required<Omit<LabOptions, 'directory' | 'sharedEngine' | 'daemonFlags'>> & {
  sharedEngine: string | null;
  daemonFlags: readonly string[] | null;
};

/** Two versions of one web server, in every engine of a lab: what their page says differs. */
export const labImages = new Map([
  ['shoal/web:1', 'v1'],
  ['shoal/web:2', 'v2'],
]);

async function checkEngine(sharedEngine: string | undefined): Promise<void> {
  if (sharedEngine === undefined || (await answersPing(sharedEngine))) return;
  throw new ShoalError(
    'failed-precondition',
    `no Docker Engine answers at ${sharedEngine}. Start it, get the right to use it (being in the group docker, often), or name the socket of another: --shared-engine=/path/to/docker.sock`,
  );
}

/** Several hosts on one Linux machine. */
export class Lab {
  private constructor(
    readonly layout: Layout,
    readonly hosts: readonly Host[],
    readonly sharedEngine: string | undefined,
  ) {}

  /** Builds the hosts and boots them; takes everything down again when one does not come up. */
  static async up(options: LabOptions): Promise<Lab> {
    check(options);
    await checkEngine(options.sharedEngine);
    const layout = new Layout(options.name, options.directory);
    if (existsSync(layout.stateFile)) {
      throw new ShoalError(
        'failed-precondition',
        `the lab ${options.name} is up already; \`shoal lab down --name ${options.name}\` ends it`,
      );
    }
    mkdirSync(layout.directory, { recursive: true });
    const saved: Saved = {
      ...options,
      sharedEngine: options.sharedEngine ?? null,
      daemonFlags: options.daemonFlags ?? null,
    };
    writeFileSync(layout.stateFile, JSON.stringify(saved));
    const lab = Lab.over(layout, saved);
    try {
      if (lab.sharedEngine === undefined) await switchUp(layout);
      await Promise.all(lab.hosts.map((host) => host.start()));
      await lab.loadImages();
    } catch (error) {
      await lab.down().catch(() => {}); // the reason that counts is the first one
      throw error;
    }
    return lab;
  }

  /** A lab that is up, by name. */
  static open(name: string, directory?: string): Lab {
    const layout = new Layout(name, directory);
    let saved: Saved;
    try {
      saved = JSON.parse(readFileSync(layout.stateFile, 'utf8'));
    } catch (error) {
      if (!existsSync(layout.stateFile)) {
        throw new ShoalError('not-found', `there is no lab ${name} here; \`shoal lab up\` makes one`);
      }
      throw new ShoalError('internal', `${layout.stateFile} cannot be read: ${messageOf(error)}`);
    }
    return Lab.over(layout, saved);
  }

  private static over(layout: Layout, saved: Saved): Lab {
    const options: HostOptions = { engineFlags: saved.engineFlags, daemonFlags: saved.daemonFlags ?? undefined };
    const hosts = Array.from({ length: saved.hosts }, (_, at) => {
      const place = layout.host(at + 1);
      return saved.sharedEngine === null
        ? new NamespaceHost(place, options)
        : new SharedHost(place, saved.sharedEngine, options);
    });
    return new Lab(layout, hosts, saved.sharedEngine ?? undefined);
  }

  private async loadImages(): Promise<void> {
    const file = await makeImageFile(this.layout.directory);
    const engines = new Set(this.hosts.map((host) => host.engineSocket));
    await Promise.all([...engines].map((engine) => loadImage(file, engine, labImages)));
  }

  /** By name (`node2`) or number (`2`). */
  host(name: string): Host {
    const host = this.hosts.find((one) => one.name === name || String(one.index) === name);
    if (host === undefined) {
      throw new ShoalError(
        'not-found',
        `there is no host ${JSON.stringify(name)}; the hosts are ${this.hosts.map((one) => one.name).join(', ')}`,
      );
    }
    return host;
  }

  /** Command prefix that runs a program as a client outside the cluster that reaches every host. */
  clientPrefix(): string[] {
    return this.sharedEngine === undefined ? ['ip', 'netns', 'exec', this.layout.clientNamespace] : [];
  }

  /** Command that gets `url` as that client, `times` times on new connections, and prints each answer on a line. */
  askCommand(url: string, times: number): string[] {
    const program = join(packageRoot(), 'dist', 'src', 'lab', 'ask.js');
    return [...this.clientPrefix(), process.execPath, program, url, String(times)];
  }

  /** Ends everything and removes it, the hosts' disks too. */
  async down(): Promise<void> {
    const ends = await Promise.allSettled(this.hosts.map((host) => host.stop()));
    if (this.sharedEngine === undefined) await switchDown(this.layout);
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    rmSync(this.layout.directory, { recursive: true, force: true });
  }
}

function check(options: LabOptions): void {
  if (!Number.isInteger(options.hosts) || options.hosts < 1 || options.hosts > hostsMax) {
    throw new ShoalError('invalid-argument', `a lab has 1 to ${hostsMax} hosts, not ${options.hosts}`);
  }
  if (options.sharedEngine === undefined && process.getuid?.() !== 0) {
    throw new ShoalError(
      'failed-precondition',
      'hosts of their own are made of network namespaces, which only root may create.\n' +
        'Either run it as root:   sudo shoal lab up\n' +
        'or let several daemons share the Docker Engine that you can reach:   shoal lab up --shared-engine',
    );
  }
}
