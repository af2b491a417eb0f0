import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, ShoalError } from '../model/errors.js';
import { checkMaterial, type Material } from './credentials.js';
import { lostFileAdvice, replaceFile } from './files.js';
import { type DataKey, KeyRing, keyBytes } from './key-ring.js';
import { parseUnlockKey } from './unlock-key.js';

const nodeFile = 'swarm-node.pem'; // keys and certificate in one file, so that they change together or not at all
const rootFile = 'swarm-root-ca.crt';
const labels = { key: 'PRIVATE KEY', data: 'SHOAL DATA KEYS', sealed: 'SHOAL SEALED KEYS' };
const sealedPlace = 'node keys';

/** What a node keeps of keys: its own, and those of what it keeps encrypted. */
export interface NodeFile {
  material: Material;
  /** Keys of the Raft log on this disk, oldest first; a worker has none. */
  dataKeys: readonly DataKey[];
  /** The version of the cluster object by which the file was locked, or unlocked for good. */
  lockedAsOf: number;
}

interface SealedContent {
  keyPEM: string;
  lockedAsOf: number;
  dataKeys: { id: number; key: string }[];
}

function block(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function blockIn(text: string, label: string): Buffer | undefined {
  const found = new RegExp(`-----BEGIN ${label}-----\\n([A-Za-z0-9+/=\\n]*)-----END ${label}-----`).exec(text);
  return found === null ? undefined : Buffer.from(found[1]!, 'base64');
}

const ringOf = (unlockKey: string) => new KeyRing([{ id: 1, key: parseUnlockKey(unlockKey) }]);

/** Writes it to `directory`: 0600, replaced as one. With an `unlockKey` all keys in it are encrypted under that. */
export async function saveNodeFile(directory: string, content: NodeFile, unlockKey = ''): Promise<void> {
  const { material, lockedAsOf } = content;
  const dataKeys = content.dataKeys.map(({ id, key }) => ({ id, key: key.toString('base64') }));
  const kept: SealedContent = { keyPEM: material.keyPEM.trim(), lockedAsOf, dataKeys };
  const keys =
    unlockKey === ''
      ? `${kept.keyPEM}\n${block(labels.data, Buffer.from(JSON.stringify({ lockedAsOf, dataKeys })))}`
      : block(labels.sealed, ringOf(unlockKey).seal(Buffer.from(JSON.stringify(kept)), sealedPlace));
  await replaceFile(join(directory, rootFile), material.rootPEM, 0o644);
  await replaceFile(join(directory, nodeFile), `${keys}${material.certificatePEM.trim()}\n`, 0o600);
}

function opened(sealed: Buffer, unlockKey: string): SealedContent {
  if (unlockKey === '') {
    throw new ShoalError(
      'locked',
      'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.',
    );
  }
  const ring = ringOf(unlockKey);
  try {
    return JSON.parse(ring.open(sealed, sealedPlace).toString());
  } catch {
    throw new ShoalError('invalid-argument', 'swarm could not be unlocked: invalid key provided');
  }
}

/** Damage is told of without the parser's words, which quote what they stumble over. */
function unsealedKeysIn(text: string): Partial<SealedContent> {
  const found = blockIn(text, labels.data);
  if (found === undefined) return {};
  try {
    const { lockedAsOf, dataKeys } = JSON.parse(found.toString());
    return { lockedAsOf, dataKeys };
  } catch {
    throw new Error('the data keys in it cannot be read');
  }
}

function keysIn(text: string, unlockKey: string): SealedContent {
  const sealed = blockIn(text, labels.sealed);
  if (sealed !== undefined) return opened(sealed, unlockKey);
  const key = blockIn(text, labels.key);
  if (key === undefined) throw new Error('there is no private key in it');
  return { keyPEM: block(labels.key, key), lockedAsOf: 0, dataKeys: [], ...unsealedKeysIn(text) };
}

function dataKeysOf({ dataKeys }: SealedContent): DataKey[] {
  return dataKeys.map(({ id, key }) => {
    const bytes = Buffer.from(key, 'base64');
    if (!Number.isSafeInteger(id) || bytes.length !== keyBytes) throw new Error('a data key in it is none');
    return { id, key: bytes };
  });
}

/**
 * Reads what `saveNodeFile` wrote. Throws `locked` when its keys are encrypted and no key is given, `invalid-argument` when the key is
 * not the right one; naming the file, `failed-precondition` when it is damaged and `internal` when it cannot be read.
 */
export async function loadNodeFile(directory: string, unlockKey = ''): Promise<NodeFile> {
  const paths = { node: join(directory, nodeFile), root: join(directory, rootFile) };
  const read = async (path: string) => {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      throw new ShoalError('internal', `${path}: cannot be read: ${messageOf(error)}. ${lostFileAdvice}`, {
        cause: error,
      });
    }
  };
  const [node, rootPEM] = [await read(paths.node), await read(paths.root)];
  try {
    const kept = keysIn(node, unlockKey);
    const certificatePEM = node.slice(node.indexOf('-----BEGIN CERTIFICATE-----'));
    const material = { keyPEM: kept.keyPEM, certificatePEM, rootPEM };
    checkMaterial(material);
    return { material, lockedAsOf: kept.lockedAsOf, dataKeys: dataKeysOf(kept) };
  } catch (error) {
    if (error instanceof ShoalError && (error.code === 'locked' || error.code === 'invalid-argument')) throw error;
    const what = `${paths.node} (with ${paths.root}): damaged: ${messageOf(error)}. ${lostFileAdvice}`;
    throw new ShoalError('failed-precondition', what, { cause: error });
  }
}
