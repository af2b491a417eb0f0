import type { Material } from '../security/credentials.js';
import { KeyRing, newDataKey } from '../security/key-ring.js';
import { loadNodeFile, type NodeFile, saveNodeFile } from '../security/node-file.js';

/** The node's keys, in memory and in its node file: what is used here is on disk first. Changes come one after the other. */
export class NodeVault {
  #content: NodeFile;
  #unlockKey: string;
  #ring: KeyRing | undefined;
  #changing: Promise<void> = Promise.resolve();

  private constructor(
    private readonly directory: string,
    content: NodeFile,
    unlockKey: string,
  ) {
    this.#content = content;
    this.#unlockKey = unlockKey;
  }

  /** Throws `locked` when the keys are encrypted and no unlock key is given; and as loadNodeFile does. */
  static async open(directory: string, unlockKey = ''): Promise<NodeVault> {
    return new NodeVault(directory, await loadNodeFile(directory, unlockKey), unlockKey);
  }

  /** A new node's vault, on disk when it resolves. */
  static async create(directory: string, material: Material): Promise<void> {
    await saveNodeFile(directory, { material, dataKeys: [], lockedAsOf: 0 });
  }

  get material(): Material {
    return this.#content.material;
  }

  /** One change after the other, each made from what the one before has left; resolves once the file has it. */
  #change(make: () => { content: Partial<NodeFile>; unlockKey?: string } | undefined): Promise<void> {
    const changed = this.#changing.then(async () => {
      const { content, unlockKey = this.#unlockKey } = make() ?? {};
      if (content === undefined) return;
      const next = { ...this.#content, ...content };
      await saveNodeFile(this.directory, next, unlockKey);
      this.#content = next;
      this.#unlockKey = unlockKey;
    });
    this.#changing = changed.catch(() => {});
    return changed;
  }

  keepMaterial(material: Material): Promise<void> {
    return this.#change(() => ({ content: { material } }));
  }

  /** What this manager's log is encrypted with. The first key is made when there is none yet, and is on disk before it is used. */
  async sealer(): Promise<KeyRing> {
    await this.#change(() =>
      this.#content.dataKeys.length === 0 ? { content: { dataKeys: [newDataKey([])] } } : undefined,
    );
    this.#ring ??= new KeyRing(this.#content.dataKeys);
    return this.#ring;
  }

  /** Forgets the keys of records that are no more; to be called when the whole log was just read. */
  async dropUnusedKeys(): Promise<void> {
    const ring = this.#ring;
    if (ring === undefined || ring.usedKeys.length === ring.keys.length) return;
    await this.#change(() => ({ content: { dataKeys: ring.usedKeys } }));
    ring.setKeys(this.#content.dataKeys);
  }

  /**
   * The cluster wants its managers locked with this key, or with none, as of a version of the cluster object; what is older than what
   * was done already is a replay. The log goes on under a new data key: the old one lay under the old lock.
   */
  async lockWith(unlockKey: string, asOf: number): Promise<boolean> {
    let isNews = false;
    await this.#change(() => {
      const { dataKeys, lockedAsOf } = this.#content;
      isNews = unlockKey !== this.#unlockKey && asOf > lockedAsOf;
      if (!isNews) return undefined;
      return { content: { dataKeys: [...dataKeys, newDataKey(dataKeys)], lockedAsOf: asOf }, unlockKey };
    });
    if (isNews) this.#ring?.setKeys(this.#content.dataKeys);
    return isNews;
  }

  /** The node is no manager any more: it keeps nothing encrypted, and starts without being unlocked. */
  async becomeWorkers(): Promise<void> {
    this.#ring = undefined;
    await this.#change(() => ({ content: { dataKeys: [], lockedAsOf: 0 }, unlockKey: '' }));
  }
}
