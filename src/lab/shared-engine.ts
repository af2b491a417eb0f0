import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tryRun } from './run.js';

const nodeLabel = 'com.docker.swarm.node.id';

/** Removes the containers of a node from an engine that outlives it. Does nothing when it was in no cluster, or the engine is gone. */
export async function removeContainersOf(stateDirectory: string, engineSocket: string): Promise<void> {
  const nodeID = nodeIDIn(stateDirectory);
  if (nodeID === undefined) return;
  const docker = (...args: string[]) => tryRun('docker', ['-H', `unix://${engineSocket}`, ...args]);
  const { stdout } = await docker('ps', '-aq', '--filter', `label=${nodeLabel}=${nodeID}`);
  const ids = stdout.split('\n').filter(Boolean);
  if (ids.length > 0) await docker('rm', '--force', '--volumes', ...ids);
}

function nodeIDIn(stateDirectory: string): string | undefined {
  try {
    const { nodeID } = JSON.parse(readFileSync(join(stateDirectory, 'node.json'), 'utf8')) as { nodeID?: unknown };
    return typeof nodeID === 'string' ? nodeID : undefined;
  } catch {
    return undefined;
  }
}
