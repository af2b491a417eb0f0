import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Logger } from 'winston';
import { messageOf, ShoalError } from '../model/errors.js';
import { isID } from '../model/ids.js';
import type { Config, ConfigReference, Driver, FileTarget, Secret, SecretReference, Task } from '../model/types.js';
import { expandPayload, type Payloads, type TemplateNode } from '../template/index.js';
import type { MountConfig } from './container.js';

// What statfs calls the file systems that live in memory (linux/magic.h): tmpfs and ramfs.
const inMemory = new Set([0x01021994, 0x858458f6]);

/** What of a secret or a config makes its file. */
interface Templated {
  Data: Uint8Array;
  Templating: Driver | null;
}
type Filled = (name: string, spec: Templated | null) => Uint8Array;

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
  constructor(
    private readonly directory: string | undefined,
    private readonly log: Logger,
  ) {}

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

  /**
   * Writes the task's files, those that are templates filled in with what `node` is, and says how they are mounted. Throws
   * ShoalError, naming the one that the task cannot have.
   */
  bring(task: Task, node: TemplateNode): MountConfig[] {
    const container = task.Spec?.ContainerSpec;
    const filled = (name: string, spec: Templated | null) => this.filled(task, node, name, spec);
    const files = [
      ...(container?.Secrets ?? []).map((reference) => this.secretFile(reference, filled)),
      ...(container?.Configs ?? []).map((reference) => this.configFile(reference, filled)),
    ];
    if (files.length === 0) return [];
    const folder = this.folderFor(task);
    return files.map((file, at) => {
      const source = join(folder, String(at)); // no name from outside becomes a path on the node
      rmSync(source, { force: true });
      writeFileSync(source, file.data, { mode: 0o400 });
      giveTo(file, source);
      chmodSync(source, file.mode);
      return { Type: 'bind', Source: source, Target: file.path, ReadOnly: true };
    });
  }

  /** Removes the task's files. Never throws: what cannot be removed now is, by `keepOnly`, later. */
  forget(taskID: string): void {
    if (this.directory === undefined || !isID(taskID)) return;
    try {
      rmSync(join(this.directory, taskID), { recursive: true, force: true });
    } catch (error) {
      this.log.error('the secrets and configs of a task could not be removed', { task: taskID, error });
    }
  }

  /** Removes the files of all tasks but these. Never throws. */
  keepOnly(taskIDs: ReadonlySet<string>): void {
    if (this.directory === undefined) return;
    let names: string[] = [];
    try {
      mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      names = readdirSync(this.directory);
    } catch (error) {
      this.log.error('the directory of secrets and configs cannot be used', { directory: this.directory, error });
    }
    for (const name of names) if (!taskIDs.has(name)) this.forget(name);
  }

  /** Leaves no directory behind when nothing is in it; files of tasks that run on stay. Never throws. */
  close(): void {
    if (this.directory === undefined) return;
    try {
      rmdirSync(this.directory);
      rmdirSync(dirname(this.directory));
    } catch {
      // not empty, or never made
    }
  }

  private secretFile(reference: SecretReference, filled: Filled): TaskFile {
    const name = `secret ${reference.SecretName}`;
    const data = filled(name, this.secretOf(reference).Spec);
    return fileOf(name, reference.File, reference.SecretName, '/run/secrets', data);
  }

  private configFile(reference: ConfigReference, filled: Filled): TaskFile {
    const name = `config ${reference.ConfigName}`;
    const config = this.configOf(reference);
    if (reference.Runtime !== null) {
      throw new ShoalError('not-supported', `${name}: Runtime is not supported: allowed is File`);
    }
    return fileOf(name, reference.File, reference.ConfigName, '', filled(name, config.Spec));
  }

  private secretOf(reference: SecretReference): Secret {
    const secret = this.secrets.get(reference.SecretID);
    if (secret === undefined) {
      throw new ShoalError('not-found', `secret ${reference.SecretName} was not given to this node`);
    }
    return secret;
  }

  private configOf(reference: ConfigReference): Config {
    const config = this.configs.get(reference.ConfigID);
    if (config === undefined) {
      throw new ShoalError('not-found', `config ${reference.ConfigName} was not given to this node`);
    }
    return config;
  }

  /** The data of one, filled in where it is a template. */
  private filled(task: Task, node: TemplateNode, name: string, spec: Templated | null): Uint8Array {
    const data = spec?.Data ?? new Uint8Array();
    if (!spec?.Templating?.Name) return data;
    if (spec.Templating.Name !== 'golang') {
      throw new ShoalError('not-supported', `${name}: Templating.Name: ${spec.Templating.Name}: allowed is golang`);
    }
    let isSecret = 'Driver' in spec; // of the two, only secrets have one
    const payloads = this.payloadsOf(task, () => {
      isSecret = true;
    });
    try {
      return expandPayload(task, node, data, payloads);
    } catch (error) {
      const message = messageOf(error);
      // Go's words quote the template, and values that it came upon.
      const told = isSecret
        ? `${/^template: \w*:[\d:]*/.exec(message)?.[0] ?? ''} (more would tell of a secret)`
        : message;
      throw new ShoalError('invalid-argument', `expanding ${name} failed: ${told}`);
    }
  }

  /** What a template of the task may take from others: what the task has itself, as it was stored. `onSecret`: it takes a secret. */
  private payloadsOf(task: Task, onSecret: () => void): Payloads {
    const { Secrets: secrets = [], Configs: configs = [] } = task.Spec?.ContainerSpec ?? {};
    return {
      secret: (target) => {
        const reference = secrets.find(({ File: file }) => file?.Name === target);
        if (reference === undefined) throw new ShoalError('not-found', `secret target ${target} not found`);
        onSecret();
        return this.secretOf(reference).Spec?.Data ?? new Uint8Array();
      },
      config: (target) => {
        const reference = configs.find(({ File: file }) => file?.Name === target);
        if (reference === undefined) throw new ShoalError('not-found', `config target ${target} not found`);
        return this.configOf(reference).Spec?.Data ?? new Uint8Array();
      },
    };
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

/** Throws ShoalError naming the file when this process may not give it to its owner. */
function giveTo({ path, uid, gid }: TaskFile, source: string): void {
  const is = statSync(source);
  if (is.uid === uid && is.gid === gid) return;
  try {
    chownSync(source, uid, gid);
  } catch (error) {
    throw new ShoalError(
      'failed-precondition',
      `${path}: cannot be given to its owner ${uid}:${gid} on this node, whose daemon may not be root: ${messageOf(error)}`,
      { cause: error },
    );
  }
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
