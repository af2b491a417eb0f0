import { messageOf, ShoalError } from '../model/errors.js';
import { containerName, slotName } from '../model/task-names.js';
import type { ContainerSpec, Mount, NodeDescription, Task } from '../model/types.js';
import { TemplateError } from './error.js';
import type { Functions } from './functions.js';
import { Template } from './template.js';
import { typeName } from './values.js';

/** What a template in a task sees of its node: nothing where the node is not known. */
export type TemplateNode = Pick<NodeDescription, 'Hostname' | 'Platform'> | undefined;

/** What a templated secret or config may ask for besides: see `expandPayload`. */
export interface Payloads {
  /** The data of the secret or config that the task has under a target. Throws when there is none, or it cannot be given. */
  secret(target: string): Uint8Array;
  config(target: string): Uint8Array;
}

/** The placeholders of Docker (swarmkit template/context.go). */
function contextOf(task: Task, node: TemplateNode, type: string): object {
  return {
    [typeName]: type,
    Service: {
      [typeName]: 'struct { ID string; Name string; Labels map[string]string }',
      ID: task.ServiceID,
      Name: task.ServiceName,
      Labels: task.ServiceLabels,
    },
    Node: {
      [typeName]: 'struct { ID string; Hostname string; Platform template.Platform }',
      ID: task.NodeID,
      Hostname: node?.Hostname ?? '',
      Platform: {
        [typeName]: 'template.Platform',
        Architecture: node?.Platform?.Architecture ?? '',
        OS: node?.Platform?.OS ?? '',
      },
    },
    Task: {
      [typeName]: 'struct { ID string; Name string; Slot string }',
      ID: task.ID,
      Name: containerName(task),
      Slot: slotName(task),
    },
  };
}

/** What Docker gives templates in specs on top of Go's functions: the separator comes first. */
const functions: Functions = {
  join: (...args) => {
    const [separator = '', ...items] = args.map((arg) => {
      if (typeof arg !== 'string') throw new Error('wrong type for value; expected string');
      return arg;
    });
    return items.join(separator);
  },
};

/**
 * The container of a task with its templates filled in: where Docker has them (swarmkit template/expand.go), that is in the values
 * of Env, in Hostname, and in Mounts: Source, Target, labels and driver options of volumes. The task's own spec stays as it is. Throws
 * `invalid-argument` that names the field and has Go's words.
 */
export function expandContainer(task: Task, container: ContainerSpec, node: TemplateNode): ContainerSpec {
  const context = contextOf(task, node, '*template.Context');
  const expand = (text: string, what: () => string, field: string) => {
    if (!text.includes('{{')) return text;
    try {
      return new Template(text, functions).run(context);
    } catch (thrown) {
      throw new ShoalError('invalid-argument', `${what()}: ${wordsOf(thrown)} (ContainerSpec.${field})`);
    }
  };
  return {
    ...container,
    Env: container.Env.map((entry, at) => {
      const end = entry.indexOf('=') + 1; // of the name, which is no template; without a value there is nothing to fill in
      if (end === 0) return entry;
      const what = () => `expanding env failed: expanding env ${JSON.stringify(entry)}`;
      return entry.slice(0, end) + expand(entry.slice(end), what, `Env[${at}]`);
    }),
    Mounts: container.Mounts.map((mount, at) => expandMount(mount, `Mounts[${at}]`, expand)),
    Hostname: expand(container.Hostname, () => 'expanding hostname failed', 'Hostname'),
  };
}

type Expand = (text: string, what: () => string, field: string) => string;

function expandMount(mount: Mount, where: string, expand: Expand): Mount {
  const fill = (text: string, what: string, field: string) =>
    expand(text, () => `expanding mounts failed: ${what}`, `${where}.${field}`);
  const each = (map: Readonly<Record<string, string>>, what: string, field: string) =>
    Object.fromEntries(
      Object.entries(map).map(([key, text]) => [
        key,
        fill(text, `${what}: expanding map entry ${JSON.stringify(key)}`, field),
      ]),
    );
  const { VolumeOptions: volume } = mount;
  return {
    ...mount,
    Source: fill(mount.Source, `expanding mount source ${JSON.stringify(mount.Source)}`, 'Source'),
    Target: fill(mount.Target, `expanding mount target ${JSON.stringify(mount.Target)}`, 'Target'),
    VolumeOptions: volume && {
      ...volume,
      Labels: each(volume.Labels, 'expanding volume labels', 'VolumeOptions.Labels'),
      DriverConfig: volume.DriverConfig && {
        ...volume.DriverConfig,
        Options: each(
          volume.DriverConfig.Options,
          'expanding volume driver config',
          'VolumeOptions.DriverConfig.Options',
        ),
      },
    },
  };
}

/**
 * The data of a secret or config that is a template (`--template-driver golang`): the placeholders of specs, and `secret`, `config` and
 * `env`, which take the target of a file of the task and the name of a variable in its Env as it was written. Throws ShoalError
 * `invalid-argument` in Go's words; never with data of a secret in it.
 */
export function expandPayload(task: Task, node: TemplateNode, data: Uint8Array, payloads: Payloads): Uint8Array {
  const env = task.Spec?.ContainerSpec?.Env ?? [];
  const name = (arg: unknown) => {
    if (typeof arg !== 'string') throw new Error('wrong type for value; expected string');
    return arg;
  };
  try {
    const template = new Template(textOf(data), {
      ...functions,
      secret: (target) => textOf(payloads.secret(name(target))),
      config: (target) => textOf(payloads.config(name(target))),
      env: (variable) => {
        const start = `${name(variable)}=`;
        return env.find((entry) => entry.startsWith(start))?.slice(start.length) ?? '';
      },
    });
    return Buffer.from(template.run(contextOf(task, node, '*template.PayloadContext')));
  } catch (thrown) {
    throw new ShoalError('invalid-argument', wordsOf(thrown));
  }
}

/** Docker calls every template of a task so. */
function wordsOf(thrown: unknown): string {
  return thrown instanceof TemplateError ? thrown.named('expansion') : messageOf(thrown);
}

function textOf(data: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new Error('what is not text in UTF-8 cannot be part of a template');
  }
}
