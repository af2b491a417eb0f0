import { CliError } from '../base/errors.js';

/** By this label everything of a stack is known. */
export const stackLabel = 'com.docker.stack.namespace';
/** The image as the compose file names it: whether it changed shows before a digest is put in. */
export const imageLabel = 'com.docker.stack.image';

/** The cluster's name for what a stack calls `name`. */
export function scoped(stack: string, name: string): string {
  return `${stack}_${name}`;
}

export function stackLabels(stack: string, labels: ReadonlyMap<string, string> = new Map()): Record<string, string> {
  return { ...Object.fromEntries(labels), [stackLabel]: stack };
}

/** The filter that finds what belongs to a stack. */
export function ofStack(stack: string): [string, string] {
  return ['label', `${stackLabel}=${stack}`];
}

export function checkStackName(stack: string): void {
  if (stack.trim() === '') throw new CliError(`invalid stack name: ${JSON.stringify(stack)}`);
}

/** Something that a stack declares: its own, or one that was there before. */
export function isExternal(declared: { external?: boolean | { name?: string | undefined } | undefined }): boolean {
  return declared.external !== undefined && declared.external !== false;
}

/** The cluster's name of something that a stack declares. */
export function nameOf(
  stack: string,
  key: string,
  declared: { name?: string | undefined; external?: boolean | { name?: string | undefined } | undefined },
): string {
  const { external } = declared;
  if (typeof external === 'object' && external.name) return external.name;
  if (declared.name) return declared.name;
  return isExternal(declared) ? key : scoped(stack, key);
}
