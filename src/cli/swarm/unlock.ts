import { createInterface } from 'node:readline/promises';
import type { CommandSpec } from '../base/command.js';
import type { Context } from '../base/context.js';
import { CliError } from '../base/errors.js';
import { onOff } from '../base/flag.js';
import type { Swarm } from '../base/wire.js';
import type { Info } from '../system/info.js';

const quietFlag = onOff('quiet', 'Only display token', { short: 'q' });
const rotateFlag = onOff('rotate', 'Rotate unlock key');

/** `shoal swarm unlock` */
export const swarmUnlock: CommandSpec = {
  usage: '',
  operands: { min: 0, max: 0 },
  flags: [],
  async run(context) {
    const { Swarm } = await context.client.get<Info>('/info');
    if (Swarm?.LocalNodeState === 'inactive') throw new CliError('Error: This node is not part of a swarm');
    if (Swarm?.LocalNodeState !== 'locked') throw new CliError('Error: swarm is not locked');
    const key = await readKey(context);
    await context.client.post('/swarm/unlock', { body: { UnlockKey: key } });
  },
};

/** `shoal swarm unlock-key` */
export const unlockKey: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: [quietFlag, rotateFlag],
  async run(context, values) {
    const isQuiet = values.get(quietFlag) ?? false;
    if (values.get(rotateFlag)) {
      const { Spec, Version } = await context.client.get<Swarm>('/swarm');
      if (!Spec?.EncryptionConfig?.AutoLockManagers) {
        throw new CliError('cannot rotate because autolock is not turned on');
      }
      const query = { version: Version?.Index, rotateManagerUnlockKey: true };
      await context.client.post('/swarm/update', { query, body: Spec });
      if (!isQuiet) context.out.write('Successfully rotated manager unlock key.\n\n');
    }
    const { UnlockKey } = await context.client.get<{ UnlockKey?: string }>('/swarm/unlockkey');
    if (!UnlockKey) throw new CliError('no unlock key is set');
    if (isQuiet) context.out.write(`${UnlockKey}\n`);
    else printUnlockKey(context, UnlockKey);
  },
};

/** Shows the key and what it is for. */
export function printUnlockKey(context: Context, key: string): void {
  context.out.write(
    'To unlock a swarm manager after it restarts, run the `shoal swarm unlock`\n' +
      `command and provide the following key:\n\n    ${key}\n\n` +
      'Remember to store this key in a password manager, since without it you\n' +
      'will not be able to restart the manager.\n',
  );
}

/** Asks for the unlock key, and reads a line. */
export async function readKey(context: Context): Promise<string> {
  const lines = createInterface({ input: context.input });
  context.out.write('Enter unlock key: ');
  try {
    for await (const line of lines) return line.trim();
    return '';
  } finally {
    lines.close();
  }
}
