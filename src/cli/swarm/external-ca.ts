import type { Context } from '../base/context.js';
import { list, type Values } from '../base/flag.js';
import { readPemFile } from '../base/pem-file.js';
import type { ExternalCA } from '../base/wire.js';
import { splitFields } from '../service/words.js';

/** As the command line has it: `certificateFile` is a path. */
interface Given {
  word: string;
  URL: string;
  Options: Record<string, string>;
  certificateFile: string;
}

export const externalCaFlag = list(
  'external-ca',
  'Specifications of one or more certificate signing endpoints',
  parseExternalCa,
  { kind: 'external-ca' },
);

function parseExternalCa(word: string): Given {
  const found = new Map<string, string>();
  for (const field of splitFields(word)) {
    const equals = field.indexOf('=');
    if (equals < 0) throw new Error(`invalid field '${field}' must be a key=value pair`);
    found.set(field.slice(0, equals), field.slice(equals + 1));
  }
  const { protocol, url, cacert = '', ...Options } = Object.fromEntries(found);
  if (protocol === undefined) throw new Error('the external-ca option needs a protocol= parameter');
  if (protocol.toLowerCase() !== 'cfssl') throw new Error(`unrecognized external CA protocol ${protocol}`);
  if (url === undefined) throw new Error('the external-ca option needs a url= parameter');
  return { word, URL: url, Options, certificateFile: cacert };
}

/**
 * The external CAs of the command line; undefined when it names none. One without a `cacert=` is that of `rootPEM`, as Docker's client
 * has it for every one of them.
 */
export async function externalCAsIn(
  context: Context,
  values: Values,
  rootPEM: string,
): Promise<ExternalCA[] | undefined> {
  const given = values.get(externalCaFlag);
  if (given === undefined) return undefined;
  return await Promise.all(
    given.map(async ({ word, URL, Options, certificateFile }) => {
      const CACert = certificateFile === '' ? rootPEM : await certificateIn(context, word, certificateFile);
      return { Protocol: 'cfssl', URL, Options, CACert };
    }),
  );
}

function certificateIn(context: Context, given: string, path: string): Promise<string> {
  return readPemFile(context, path, {
    flag: externalCaFlag.name,
    given,
    notRead: 'unable to read CA cert for external CA: ',
    notPEM: 'CA cert for external CA must be in PEM format',
  });
}
