import { systemContext } from './base/context.js';
import { run } from './program.js';

// A reader that has seen enough (`shoal node ls | head -1`) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await run(process.argv.slice(2), systemContext);
