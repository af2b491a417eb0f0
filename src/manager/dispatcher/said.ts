import { type Clock, timestamp } from '../../model/clock.js';
import { encode } from '../../model/codec.js';
import { ShoalError } from '../../model/errors.js';
import { rankOf } from '../../model/states.js';
import type { Hello, Node, NodeDescription, Task, TaskStatus } from '../../model/types.js';
import { addressesFrom, checkAddresses } from './said-addresses.js';

// What a node says is replicated to every manager and kept. These bounds are far above anything that an honest node says.
const description_bytes_max = 256 * 1024;
const status_bytes_max = 16 * 1024;
const textLength_max = 1_024;

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;

/**
 * What a node says of itself, as it may be kept by a manager with the address `own`. Throws `invalid-argument` naming the field when it is
 * more, or something else, than it may be.
 */
export function helloFrom(said: Hello, own: string): Hello {
  const { Description } = said;
  checkAddresses(said, own);
  return { ...said, Description: Description && descriptionFrom(Description, 'Hello.Description') };
}

/** A description as it may be kept. Throws `invalid-argument` naming the `field` when it is too large. */
export function descriptionFrom(said: NodeDescription, field: string): NodeDescription {
  const size = encode('NodeDescription', said).length;
  if (size > description_bytes_max) {
    throw new ShoalError(
      'invalid-argument',
      `${field}: ${size} bytes are above the limit of ${description_bytes_max} bytes`,
    );
  }
  return { ...plain(said, controls), TLSInfo: plain(said.TLSInfo, controlsInText) };
}

// Clients print what is kept as it is, and a terminal obeys control characters.
const controls = /[\x00-\x1f\x7f-\x9f]/g;
const controlsInText = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g; // tabs and line ends may be in it

/** The same with blanks in the place of control characters, in every string of it. */
function plain<T>(value: T, unwanted: RegExp): T {
  if (typeof value === 'string') return value.replace(unwanted, ' ') as T;
  if (Array.isArray(value)) return value.map((item) => plain(item, unwanted)) as T;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [plain(key, unwanted), plain(item, unwanted)]),
  ) as T;
}

/** A text as it may be kept. */
export function bounded(text: string): string {
  const kept = text.length <= textLength_max ? text : `${text.slice(0, textLength_max)}…`;
  return plain(kept, controlsInText);
}

/** A task's status as it may be kept, and its size on the wire; undefined when nothing of it can be used. */
export function statusFrom(
  said: TaskStatus | null,
  task: Task,
  node: Node,
  clock: Clock,
): { status: TaskStatus; size_bytes: number } | undefined {
  if (said === null || rankOf(said.State) < 0) return undefined;
  const status = {
    ...said,
    Timestamp: time.test(said.Timestamp) ? said.Timestamp : timestamp(clock),
    Message: bounded(said.Message),
    Err: bounded(said.Err),
    Addresses: addressesFrom(said.Addresses, task, node.Status?.Addr ?? ''),
    AppliedBy: node.ID,
    AppliedAt: '', // the store's to say
    RunningAt: '',
  };
  const size_bytes = encode('TaskStatus', status).length;
  return size_bytes <= status_bytes_max ? { status, size_bytes } : undefined;
}
