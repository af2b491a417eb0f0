import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument, type ScalarTag } from 'yaml';
import type { Context } from '../../base/context.js';
import { CliError } from '../../base/errors.js';
import { fileReason } from '../../base/file-reason.js';
import { interpolate } from './interpolate.js';
import { mergeProjects } from './merge.js';
import {
  type ComposeFileObject,
  type ComposeNetwork,
  type ComposeService,
  type ComposeVolume,
  deprecated,
  fileReader,
  unsupported,
} from './schema.js';

/** What all the files of a stack say together. */
export interface Project {
  services: Map<string, ComposeService>;
  networks: Map<string, ComposeNetwork>;
  volumes: Map<string, ComposeVolume>;
  secrets: Map<string, ComposeFileObject>;
  configs: Map<string, ComposeFileObject>;
  /** What paths in it are relative to: the folder of the first file. */
  directory: string;
}

const sections = ['services', 'networks', 'volumes', 'secrets', 'configs'] as const;

/** `0440` is octal, as in every compose file; YAML 1.2 alone reads it as decimal. */
const octal: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  test: /^0[0-7]+$/,
  resolve: (digits) => Number.parseInt(digits, 8),
};

/**
 * Reads compose files (`-` is standard input), later ones over earlier ones, with the variables of our environment put in.
 * Throws `CliError` that names file or field. What Docker passes over with a word is told on standard error.
 */
export async function loadProject(context: Context, files: readonly string[]): Promise<Project> {
  if (files.length === 0) throw new CliError('Specify a Compose file (with --compose-file)');
  const notes: string[] = [];
  const projects: Project[] = [];
  const directory = files[0] === '-' ? process.cwd() : dirname(resolve(files[0]!));
  for (const file of files) {
    const raw = parseYAML(await contentOf(context, file));
    projects.push(readProject(context, raw, directory, (line) => notes.push(line)));
  }
  const project = projects.reduce(mergeProjects);
  for (const line of notes) context.err.write(`${line}\n`);
  const ignored = (keys: readonly string[]) =>
    keys.filter((key) => [...project.services.values()].some((service) => Object.hasOwn(service, key)));
  const unknown = ignored(unsupported);
  if (unknown.length > 0) context.err.write(`Ignoring unsupported options: ${unknown.join(', ')}\n\n`);
  const old = ignored(Object.keys(deprecated));
  if (old.length > 0) {
    context.err.write(`Ignoring deprecated options:\n\n${old.map((key) => `${key}: ${deprecated[key]}\n\n`).join('')}`);
  }
  return project;
}

async function contentOf(context: Context, file: string): Promise<string> {
  if (file === '-') {
    const chunks: Buffer[] = [];
    for await (const chunk of context.input) chunks.push(Buffer.from(chunk as Buffer));
    return Buffer.concat(chunks).toString('utf8');
  }
  return (await readNamed(context, resolve(file))).toString('utf8');
}

/** A file's content. Throws `CliError` in Docker's words. */
export async function readNamed(context: Context, path: string): Promise<Buffer> {
  try {
    return await context.readFile(path);
  } catch (thrown) {
    throw new CliError(fileReason(path, thrown));
  }
}

function parseYAML(content: string): Record<string, unknown> {
  const lineCounter = new LineCounter();
  const document = parseDocument(content, {
    merge: true,
    lineCounter,
    customTags: (tags) => [octal, ...tags],
    logLevel: 'error',
  });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line } = lineCounter.linePos(error.pos[0]);
    throw new CliError(`yaml: line ${line}: ${error.message.split(' at line ')[0]}`);
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch (thrown) {
    throw new CliError(`yaml: ${(thrown as Error).message}`); // aliases of aliases of aliases
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CliError('top-level object must be a mapping');
  }
  return value as Record<string, unknown>;
}

function readProject(
  context: Context,
  raw: Record<string, unknown>,
  directory: string,
  warn: (line: string) => void,
): Project {
  const { version } = raw;
  if (version !== undefined && typeof version !== 'string') throw new CliError('version must be a string');
  if (version !== undefined && !/^3(\.\d{1,2})?$/.test(version)) {
    throw new CliError(`unsupported Compose file version: ${version}`);
  }
  const given: Record<string, unknown> = { ...raw };
  for (const section of sections) {
    if (Object.hasOwn(given, section)) given[section] = interpolate(given[section], context.env, section);
  }
  const read = fileReader(warn)(given, '');
  return {
    services: read.services ?? new Map(),
    networks: read.networks ?? new Map(),
    volumes: read.volumes ?? new Map(),
    secrets: read.secrets ?? new Map(),
    configs: read.configs ?? new Map(),
    directory,
  };
}
