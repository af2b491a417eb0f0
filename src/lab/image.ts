import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ShoalError } from '../model/errors.js';
import { run } from './run.js';

/**
 * A small image made on this machine, no registry asked: busybox with its applets and a web page that says which container
 * answers, for a GET of / on port 80.
 */
export async function makeImageFile(directory: string): Promise<string> {
  const file = join(directory, 'image.tar');
  if (existsSync(file)) return file;
  const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
  if (busybox === undefined) {
    throw new ShoalError(
      'failed-precondition',
      'the lab makes its image from busybox, which is not installed: apt-get install busybox-static',
    );
  }
  const root = join(directory, 'image');
  rmSync(root, { recursive: true, force: true });
  for (const folder of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev', 'root', 'www/cgi-bin'])
    mkdirSync(join(root, folder), { recursive: true });
  copyFileSync(busybox, join(root, 'bin/busybox'));
  for (const applet of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).split('\n')) {
    if (applet !== '' && applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  }
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nweb:x:1000:\n');
  writeFileSync(join(root, 'www/cgi-bin/index.cgi'), page);
  chmodSync(join(root, 'www/cgi-bin/index.cgi'), 0o755);
  chmodSync(join(root, 'tmp'), 0o1777);
  await run('tar', ['-C', root, '-cf', file, '.']);
  rmSync(root, { recursive: true, force: true });
  return file;
}

// As process 1 httpd alone would ignore SIGTERM, which has no handler there.
const serve = ['sh', '-c', "trap 'exit 0' TERM; httpd -f -p 80 -h /www & wait"];

// busybox httpd serves cgi-bin/index.cgi for / when there is no index.html
const page = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\nConnection: close\\r\\n\\r\\n'
echo "\${VERSION:-v1} $(hostname)"
`;

/** Loads the image into an engine under the given references, which differ in what their page says. */
export async function loadImage(
  file: string,
  engineSocket: string,
  versions: ReadonlyMap<string, string>,
): Promise<void> {
  for (const [reference, version] of versions) {
    await run('docker', [
      '-H',
      `unix://${engineSocket}`,
      'import',
      '-c',
      `CMD ${JSON.stringify(serve)}`,
      '-c',
      'EXPOSE 80',
      '-c',
      `ENV VERSION=${version}`,
      file,
      reference,
    ]);
  }
}
