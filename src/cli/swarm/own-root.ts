import type { Context } from '../base/context.js';
import { type Flag, text, type Values } from '../base/flag.js';
import { readPemFile } from '../base/pem-file.js';

export const certificateFlag = text(
  'ca-cert',
  'Path to the PEM-formatted root CA certificate to use for the new cluster',
  { kind: 'pem-file' },
);
export const keyFlag = text('ca-key', 'Path to the PEM-formatted root CA key to use for the new cluster', {
  kind: 'pem-file',
});

/** The root of the user's own that the command line names: PEM, empty where it names none. */
export async function ownRootIn(
  context: Context,
  values: Values,
): Promise<{ SigningCACert: string; SigningCAKey: string }> {
  const read = async (flag: Flag<string>) => {
    const path = values.get(flag);
    if (path === undefined) return '';
    const notPEM = 'file contents must be in PEM format';
    return await readPemFile(context, path, { flag: flag.name, given: path, notRead: '', notPEM });
  };
  return { SigningCACert: await read(certificateFlag), SigningCAKey: await read(keyFlag) };
}
