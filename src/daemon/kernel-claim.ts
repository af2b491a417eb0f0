import { createServer } from 'node:net';

/** An abstract socket: there is one of the name in each network namespace, and it goes with its process. */
const claimed = '\0shoal-kernel-networking';

/**
 * Claims the networking of the kernel, as far as this network namespace goes, until the process ends: two daemons on one machine would each
 * remove what the other puts in. False when another daemon has it. `name` only where it shall be another claim.
 */
export function claimKernel(name = claimed): Promise<boolean> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(name, () => {
      server.removeAllListeners('error').on('error', () => {}); // of a single accept
      resolve(true);
    });
  });
}
