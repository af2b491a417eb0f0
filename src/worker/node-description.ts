import type { NodeDescription } from '../model/types.js';
import type { EngineInfo } from './engine.js';

/** What the node is, from its engine's own words; `info` undefined when the engine was never reached. */
export function nodeDescription(hostname: string, info: EngineInfo | undefined): NodeDescription {
  const plugins = Object.entries(info?.plugins ?? {}).flatMap(([Type, names]) => names.map((Name) => ({ Type, Name })));
  return {
    Hostname: hostname,
    Platform: { Architecture: info?.architecture ?? '', OS: info?.os ?? '' },
    Resources: {
      NanoCPUs: (info?.cpus ?? 0) * 1e9,
      MemoryBytes: info?.memory_bytes ?? 0,
      GenericResources: [...(info?.genericResources ?? [])],
    },
    Engine: {
      EngineVersion: info?.version ?? '',
      Labels: Object.fromEntries((info?.labels ?? []).map(labelOf)),
      Plugins: plugins.sort((a, b) => compare(a.Type, b.Type) || compare(a.Name, b.Name)),
    },
    TLSInfo: null,
    Encryption: null,
  };
}

function labelOf(text: string): [string, string] {
  const at = text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
