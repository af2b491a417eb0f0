import { ShoalError } from '../model/errors.js';

/** Versions of the Engine API that we answer: 1.47 is the description the model follows; 1.24 is Docker's own lower bound. */
export const apiVersion = '1.47';
export const apiVersionMin = '1.24';

const minorMax = minorOf(apiVersion);
const minorMin = minorOf(apiVersionMin);

function minorOf(version: string): number {
  return Number(version.slice(version.indexOf('.') + 1));
}

/** A request path taken apart: the minor of the API version that it names (ours when it names none), and the rest. */
export interface VersionedPath {
  minor: number;
  /** Without the version prefix, still percent-encoded; begins with a slash. */
  path: string;
  /** Whether the path had a version prefix. */
  explicit: boolean;
}

/** Takes the `/vX.Y` prefix off a path. Throws `invalid-argument` in Docker's words for a version that we do not speak. */
export function splitVersion(path: string): VersionedPath {
  const match = /^\/v(\d{1,4})\.(\d{1,4})(?=\/|$)/.exec(path);
  if (match === null) return { minor: minorMax, path, explicit: false };
  const major = Number(match[1]);
  const minor = Number(match[2]);
  if (major > 1 || (major === 1 && minor > minorMax)) {
    throw new ShoalError(
      'invalid-argument',
      `client version ${major}.${minor} is too new. Maximum supported API version is ${apiVersion}`,
    );
  }
  if (major < 1 || minor < minorMin) {
    throw new ShoalError(
      'invalid-argument',
      `client version ${major}.${minor} is too old. Minimum supported API version is ${apiVersionMin}, please upgrade your client to a newer version`,
    );
  }
  return { minor, path: path.slice(match[0].length) || '/', explicit: true };
}
