import { ShoalError } from '../model/errors.js';
import type { Handler } from './exchange.js';

/** One endpoint. `pattern` is a path in which `{name}` stands for one segment. */
export interface Route {
  method: string;
  pattern: string;
  handle: Handler;
  /** It can be asked what it would do, and then changes nothing: see dry-run.ts. */
  isForeseen?: true;
}

export interface Match {
  handle: Handler;
  isForeseen: boolean;
  params: Readonly<Record<string, string>>;
}

/** Top-level paths that are the cluster's. They never reach the engine, whose own swarm mode must stay off. */
const ours: ReadonlySet<string> = new Set(['swarm', 'nodes', 'services', 'tasks', 'secrets', 'configs']);

/** Finds the handler of a path (percent-encoded, without version); undefined is for the engine to answer. */
export class Router {
  private readonly routes: readonly (Route & { segments: readonly string[] })[];

  constructor(routes: readonly Route[]) {
    this.routes = routes.map((route) => ({ ...route, segments: route.pattern.slice(1).split('/') }));
  }

  /** Throws `not-found` for a path of the cluster's that does not exist, `invalid-argument` for one that no path can be. */
  match(method: string, path: string): Match | undefined {
    const segments = decodeSegments(path);
    for (const route of this.routes) {
      if (route.method !== method || route.segments.length !== segments.length) continue;
      const params = bind(route.segments, segments);
      if (params !== undefined) return { handle: route.handle, isForeseen: route.isForeseen === true, params };
    }
    if (ours.has(segments[0] ?? '')) throw new ShoalError('not-found', 'page not found');
    return undefined;
  }
}

function bind(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [at, part] of pattern.entries()) {
    const segment = segments[at] ?? '';
    if (part.startsWith('{')) {
      if (segment === '') return undefined;
      params[part.slice(1, -1)] = segment;
    } else if (part !== segment) {
      return undefined;
    }
  }
  return params;
}

/**
 * The segments of a path, decoded. The engine's router decodes and tidies paths as well, so one that would become another
 * path there (dot segments, empty segments, control characters) is refused: it could reach what we keep from the engine.
 */
export function decodeSegments(path: string): string[] {
  if (!path.startsWith('/')) throw new ShoalError('invalid-argument', 'the request path must begin with a slash');
  return path
    .slice(1)
    .split('/')
    .map((encoded, at, all) => {
      let segment: string;
      try {
        segment = decodeURIComponent(encoded);
      } catch {
        throw new ShoalError('invalid-argument', 'the request path has a malformed percent escape');
      }
      const parts = segment.split('/');
      const isTrailing = at === all.length - 1 && at > 0;
      if (
        (segment === '' && !isTrailing && all.length > 1) ||
        parts.some((part) => part === '.' || part === '..' || (part === '' && parts.length > 1)) ||
        /[\x00-\x1f\x7f\\]/.test(segment)
      ) {
        throw new ShoalError('invalid-argument', 'the request path must be in its plain form, without dot segments');
      }
      return segment;
    });
}
