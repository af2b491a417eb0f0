import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// A Linux kernel of its own as an ordinary process (Debian's user-mode-linux): with what the machine's kernel may not have, and without
// touching it. Its files are the machine's, to be read only; it has no network but what is made in it.

const kernel = '/usr/bin/linux.uml';
const modulesOf = '/usr/lib/uml/modules';

export interface Boot {
  /** Run by node as the only program. What it writes to the file named by its argument is the result, as JSON. */
  script: string;
  /** Kernel modules, which are loaded with those that they need. */
  modules: readonly string[];
  limit_ms: number;
}

/** Boots, runs the script, and resolves with its result once the kernel has stopped. Throws with all that it said when there is none. */
export async function inUserModeLinux<T>({ script, modules, limit_ms }: Boot): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-uml-'));
  try {
    const init = join(folder, 'init');
    await writeFile(init, initScript(script, folder, await inOrder(modules)), { mode: 0o755 });
    const said = await boot(init, folder, limit_ms);
    const result = await readFile(join(folder, 'result'), 'utf8').catch(() => undefined);
    const out = await readFile(join(folder, 'out'), 'utf8').catch(() => '');
    if (result === undefined)
      throw new Error(`no result from user mode Linux:\n${said.slice(-4_000)}\n${out.slice(-4_000)}`);
    return JSON.parse(result) as T;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function initScript(script: string, folder: string, modules: readonly string[]): string {
  return `#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /run
mkdir /run/result
mount -t hostfs none /run/result -o ${folder}
for module in ${modules.join(' ')}; do busybox insmod $module || echo "$module: not loaded"; done
ip link set lo up
'${process.execPath}' '${script}' /run/result/result >/run/result/out 2>&1
busybox poweroff -f
`;
}

/** Paths of the modules, each after those that it needs. */
async function inOrder(modules: readonly string[]): Promise<string[]> {
  const [version = ''] = await readdir(modulesOf);
  const folder = join(modulesOf, version);
  const needs = new Map<string, { path: string; needed: string[] }>();
  for (const line of (await readFile(join(folder, 'modules.dep'), 'utf8')).split('\n')) {
    const [path = '', rest = ''] = line.split(':');
    const needed = rest.split(' ').filter((one) => one !== '');
    needs.set(nameOf(path), { path: join(folder, path), needed: needed.map(nameOf) });
  }
  const order = new Set<string>();
  const add = (name: string) => {
    const module = needs.get(name);
    if (module === undefined) throw new Error(`user mode Linux has no module ${name}`);
    for (const one of module.needed) add(one);
    order.add(module.path);
  };
  for (const name of modules) add(name);
  return [...order];
}

function nameOf(path: string): string {
  return path.replace(/^.*\//, '').replace(/\.ko.*$/, '');
}

function boot(init: string, folder: string, limit_ms: number): Promise<string> {
  const root = ['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro'];
  const console = ['con=null', 'con0=null,fd:1', 'quiet'];
  return new Promise((resolve, reject) => {
    const child = spawn(kernel, ['mem=512M', ...root, ...console, `init=${init}`], {
      detached: true, // a group of its own: it is many processes
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: folder, HOME: folder },
    });
    const end = () => {
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {} // it has ended
    };
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString('utf8');
      });
    }
    const late = setTimeout(end, limit_ms);
    process.once('exit', end);
    child.once('error', reject);
    child.once('close', () => {
      clearTimeout(late);
      process.off('exit', end);
      end();
      resolve(said);
    });
  });
}
