import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/model/paths.js';

/** As much of a JSON schema as the Engine API's description uses. */
export interface Schema {
  $ref?: string;
  allOf?: Schema[];
  type?: string;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  required?: string[];
  'x-nullable'?: boolean;
}

export interface Operation {
  parameters?: { name: string; in: string; schema?: Schema; enum?: unknown[] }[];
  responses: Record<string, { schema?: Schema }>;
}

/** What Docker says of the cluster's part of its Engine API v1.47. */
export const description = JSON.parse(
  readFileSync(join(packageRoot(), 'test', 'data', 'engine-api', 'engine-api-v1.47.json'), 'utf8'),
) as { paths: Record<string, Record<string, Operation>>; definitions: Record<string, Schema> };

// Where Docker does not answer what it describes (moby api/types/swarm: Service.PreviousSpec, ContainerSpec.Healthcheck):
const service = description.definitions.Service!.properties!;
service.PreviousSpec = { ...service.Spec, 'x-nullable': true };
const container = description.definitions.TaskSpec!.properties!.ContainerSpec!.properties!;
container.Healthcheck = container.HealthCheck!;
delete container.HealthCheck;

export const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
);

/** Those that are the cluster's alone; networks may be the node's own. */
export const clusterOperations = operations.filter(({ path }) => !path.startsWith('/networks'));

/** The schema itself: references followed, parts put together. */
export function resolved(schema: Schema): Schema {
  if (schema.$ref !== undefined) return resolved(description.definitions[schema.$ref.replace('#/definitions/', '')]!);
  if (schema.allOf === undefined) return schema;
  const parts = schema.allOf.map(resolved);
  return { ...Object.assign({}, ...parts), properties: Object.assign({}, ...parts.map((part) => part.properties)) };
}

/** In what ways the value is not what the schema says; a property that it does not know is one. */
export function problems(given: Schema, value: unknown, where = ''): string[] {
  const schema = resolved(given);
  if (value === null)
    return schema['x-nullable'] || schema.type === 'array' || schema.type === 'object' ? [] : [`${where}: null`];
  if (schema.enum !== undefined && !schema.enum.includes(value))
    return [`${where}: ${value} is none of ${schema.enum}`];
  switch (schema.type) {
    case 'array':
      if (!Array.isArray(value)) return [`${where}: no array`];
      return value.flatMap((one, at) => problems(schema.items ?? {}, one, `${where}[${at}]`));
    case 'integer':
      return Number.isInteger(value) ? [] : [`${where}: ${value} is no integer`];
    case 'number':
    case 'string':
    case 'boolean':
      return typeof value === schema.type ? [] : [`${where}: ${JSON.stringify(value)} is no ${schema.type}`];
  }
  if (schema.type !== 'object' && schema.properties === undefined) return [];
  if (typeof value !== 'object' || Array.isArray(value)) return [`${where}: no object`];
  const missing = (schema.required ?? []).filter((name) => !(name in value)).map((name) => `${where}.${name}: missing`);
  const parts = Object.entries(value).flatMap(([name, part]) => {
    const property = schema.properties?.[name];
    if (property !== undefined) return problems(property, part, `${where}.${name}`);
    if (schema.properties === undefined && schema.additionalProperties === undefined) return []; // `{}` in the description: anything
    if (typeof schema.additionalProperties === 'object')
      return problems(schema.additionalProperties, part, `${where}.${name}`);
    return [`${where}.${name}: not in the description`];
  });
  return [...missing, ...parts];
}

/** A value that has everything the schema knows. */
export function sample(given: Schema): unknown {
  const schema = resolved(given);
  if (schema.enum !== undefined) return schema.enum.find((one) => one !== '') ?? '';
  switch (schema.type) {
    case 'array':
      return [sample(schema.items ?? {})];
    case 'integer':
      return 7;
    case 'number':
      return 0.5;
    case 'boolean':
      return true;
    case 'string':
      return 'dGV4dA=='; // is text, and base64
  }
  if (schema.properties !== undefined) {
    return Object.fromEntries(Object.entries(schema.properties).map(([name, part]) => [name, sample(part)]));
  }
  return typeof schema.additionalProperties === 'object' ? { key: sample(schema.additionalProperties) } : {};
}
