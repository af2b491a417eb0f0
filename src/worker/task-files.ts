import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ShoalError } from '../model/errors.js';
import { isID } from '../model/ids.js';
import type { Config, ConfigReference, FileTarget, Secret, SecretReference, Task } from '../model/types.js';
import type { MountConfig } from './container.js';

// What statfs calls the file systems that live in memory (linux/magic.h): tmpfs and ramfs.
const inMemory = new Set([0x01021994, 0x858458f6]);

interface TaskFile {
  /** Where the container has it. */
  path: string;
  data: Uint8Array;
  uid: number;
  gid: number;
  mode: number;
}

/**
 * The secrets and configs of the node's tasks: files in a directory in memory, a folder a task, each mounted read-only into the
 * task's container. Nothing of them is ever on a disk; a task's are gone when it has ended.
 */
export class TaskFiles {
  private readonly secrets = new Map<string, Secret>();
  private readonly configs = new Map<string, Config>();

  /** `directory`: see AgentOptions.memoryDirectory. */
  constructor(private readonly directory: string | undefined) {}

  /** The data as it was assigned: `full` replaces what was before. */
  assign(full: boolean, secrets: readonly Secret[], configs: readonly Config[]): void {
    if (full) {
      this.secrets.clear();
      this.configs.clear();
    }
    for (const secret of secrets) this.secrets.set(secret.ID, secret);
    for (const config of configs) this.configs.set(config.ID, config);
  }

  withdraw(secretIDs: readonly string[], configIDs: readonly string[]): void {
    for (const id of secretIDs) this.secrets.delete(id);
    for (const id of configIDs) this.configs.delete(id);
  }

  /** Writes the task's files and says how they are mounted. Throws ShoalError, naming the one that the task cannot have. */
  bring(task: Task): MountConfig[] {
    const container = task.Spec?.ContainerSpec;
    const files = [
      ...(container?.Secrets ?? []).map((reference) => this.secretFile(reference)),
      ...(container?.Configs ?? []).map((reference) => this.configFile(reference)),
    ];
    if (files.length === 0) return [];
    const folder = this.folderFor(task);
    return files.map((file, at) => {
      const source = join(folder, String(at)); // no name from outside becomes a path on the node
      rmSync(source, { force: true });
      writeFileSync(source, file.data, { mode: 0o400 });
      chownSync(source, file.uid, file.gid);
      chmodSync(source, file.mode);
      return { Type: 'bind', Source: source, Target: file.path, ReadOnly: true };
    });
  }

  /** Removes the task's files. */
  forget(taskID: string): void {
    if (this.directory === undefined || !isID(taskID)) return;
    rmSync(join(this.directory, taskID), { recursive: true, force: true });
  }

  /** Removes the files of all tasks but these. */
  keepOnly(taskIDs: ReadonlySet<string>): void {
    if (this.directory === undefined) return;
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.directory)) if (!taskIDs.has(name)) this.forget(name);
  }

  private secretFile(reference: SecretReference): TaskFile {
    const name = `secret ${reference.SecretName}`;
    const secret = this.secrets.get(reference.SecretID);
    if (secret === undefined) throw new ShoalError('not-found', `${name} was not given to this node`);
    return fileOf(name, reference.File, reference.SecretName, '/run/secrets', plain(name, secret.Spec));
  }

  private configFile(reference: ConfigReference): TaskFile {
    const name = `config ${reference.ConfigName}`;
    const config = this.configs.get(reference.ConfigID);
    if (config === undefined) throw new ShoalError('not-found', `${name} was not given to this node`);
    if (reference.Runtime !== null) {
      throw new ShoalError('not-supported', `${name}: Runtime is not supported: allowed is File`);
    }
    return fileOf(name, reference.File, reference.ConfigName, '', plain(name, config.Spec));
  }

  private folderFor(task: Task): string {
    if (this.directory === undefined || !isID(task.ID)) {
      throw new ShoalError('not-supported', 'this node has no directory in memory for secrets and configs');
    }
    const folder = join(this.directory, task.ID);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if ((task.Spec?.ContainerSpec?.Secrets.length ?? 0) > 0 && !inMemory.has(statfsSync(folder).type)) {
      throw new ShoalError(
        'failed-precondition',
        `secrets may be in memory only, and ${this.directory} is not a tmpfs`,
      );
    }
    return folder;
  }
}

/** The data of one that is to be given as it is. */
function plain(name: string, spec: { Data: Uint8Array; Templating: unknown } | null): Uint8Array {
  if (spec?.Templating) throw new ShoalError('not-supported', `${name}: Templating is not supported on this node`);
  return spec?.Data ?? new Uint8Array();
}

function fileOf(name: string, target: FileTarget | null, fallback: string, folder: string, data: Uint8Array): TaskFile {
  const path = target?.Name || fallback;
  return {
    path: path.startsWith('/') ? path : `${folder}/${path}`,
    data,
    uid: ownerOf(target?.UID, `${name}: File.UID`),
    gid: ownerOf(target?.GID, `${name}: File.GID`),
    mode: (target?.Mode ?? 0o444) & 0o7777,
  };
}

function ownerOf(text: string | undefined, field: string): number {
  if (!text) return 0;
  if (!/^\d{1,10}$/.test(text))
    throw new ShoalError('invalid-argument', `${field}: ${JSON.stringify(text)}: allowed are numbers`);
  return Number(text);
}
