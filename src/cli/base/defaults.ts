import type protobuf from 'protobufjs';
import { messageType } from '../../model/codec.js';

/**
 * An object of the API as a Go client sees it: every field that the model has is there, with its zero when the answer left it
 * out; maps are `Map`s, in which any key may be asked for. Absent sub-messages are null. What the model does not know stays as it is.
 */
export function withDefaults(message: string, object: unknown): unknown {
  return whole(messageType(message), object);
}

function whole(type: protobuf.Type, object: unknown): unknown {
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return object;
  const given = object as Record<string, unknown>;
  const filled: Record<string, unknown> = {};
  for (const field of type.fieldsArray) {
    if (field.options?.['(internal)'] === true) continue;
    const value = Object.hasOwn(given, field.name) ? given[field.name] : undefined;
    if (field.map) filled[field.name] = new Map(Object.entries(value ?? {}));
    else if (field.repeated) filled[field.name] = Array.isArray(value) ? value.map((item) => one(field, item)) : [];
    else filled[field.name] = one(field, value);
  }
  for (const [name, value] of Object.entries(given)) if (!(name in filled)) filled[name] = value;
  return filled;
}

function one(field: protobuf.Field, value: unknown): unknown {
  const type = field.resolvedType;
  if (type !== null && 'fieldsArray' in type) return value === undefined ? null : whole(type, value);
  if (value !== undefined && value !== null) return value;
  if (field.partOf !== null || field.options?.proto3_optional === true) return null;
  return field.type === 'bytes' ? '' : field.defaultValue;
}
