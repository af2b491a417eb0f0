import { type Clock, timestamp } from '../../model/clock.js';
import { encode } from '../../model/codec.js';
import { ShoalError } from '../../model/errors.js';
import { rankOf } from '../../model/states.js';
import type { Hello, NodeDescription, TaskStatus } from '../../model/types.js';

// What a node says is replicated to every manager and kept. These bounds are far above anything that an honest node says.
const description_bytes_max = 256 * 1024;
const status_bytes_max = 16 * 1024;
const textLength_max = 1_024;
const addressLength_max = 300; // a DNS name of 253 characters, brackets, a port

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;

/** Throws `invalid-argument` naming the field when the node says more of itself, or something else, than it may. */
export function checkHello({ Description, Addr, ClusterAddr, DataPathAddr }: Hello): void {
  if (Description !== null) checkDescription(Description, 'Hello.Description');
  for (const [field, address] of Object.entries({ Addr, ClusterAddr, DataPathAddr })) {
    if (address.length > addressLength_max || !/^[\x21-\x7e]*$/.test(address)) {
      throw new ShoalError(
        'invalid-argument',
        `Hello.${field}: must be an address of at most ${addressLength_max} characters`,
      );
    }
  }
}

/** Throws `invalid-argument` naming the `field` when the description is too large. */
export function checkDescription(description: NodeDescription, field: string): void {
  const size = encode('NodeDescription', description).length;
  if (size <= description_bytes_max) return;
  throw new ShoalError(
    'invalid-argument',
    `${field}: ${size} bytes are above the limit of ${description_bytes_max} bytes`,
  );
}

/** A text as it may be kept. */
export function bounded(text: string): string {
  return text.length <= textLength_max ? text : `${text.slice(0, textLength_max)}…`;
}

/** A task's status as it may be kept, and its size on the wire; undefined when nothing of it can be used. */
export function statusFrom(
  said: TaskStatus | null,
  nodeID: string,
  clock: Clock,
): { status: TaskStatus; size_bytes: number } | undefined {
  if (said === null || rankOf(said.State) < 0) return undefined;
  const status = {
    ...said,
    Timestamp: time.test(said.Timestamp) ? said.Timestamp : timestamp(clock),
    Message: bounded(said.Message),
    Err: bounded(said.Err),
    AppliedBy: nodeID,
    AppliedAt: '', // the store's to say
    RunningAt: '',
  };
  const size_bytes = encode('TaskStatus', status).length;
  return size_bytes <= status_bytes_max ? { status, size_bytes } : undefined;
}
