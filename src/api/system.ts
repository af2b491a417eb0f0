import { messageOf } from '../model/errors.js';
import { toJSON } from '../model/json.js';
import { getJSON } from './engine.js';
import { type Api, answerJSON, type Exchange } from './exchange.js';
import type { Route } from './router.js';
import { apiVersion, apiVersionMin } from './version.js';

export const systemRoutes: readonly Route[] = [
  { method: 'GET', pattern: '/_ping', handle: ping },
  { method: 'HEAD', pattern: '/_ping', handle: ping },
  { method: 'GET', pattern: '/info', handle: info },
  { method: 'GET', pattern: '/version', handle: version },
];

/** Says that we are there, whatever the engine does; the `Swarm` header is what clients ask for before they show swarm commands. */
async function ping(api: Api, { request, response }: Exchange): Promise<void> {
  const { state } = api.backend.local();
  response.writeHead(200, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': 2,
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    Swarm: state === 'active' ? (api.backend.manager() ? 'active/manager' : 'active/worker') : state,
  });
  response.end(request.method === 'HEAD' ? undefined : 'OK');
}

/** The engine's own answer to a question about the system, or why there is none. */
async function askEngine(api: Api, path: string): Promise<{ answer: Record<string, unknown>; error: string }> {
  try {
    const { response, body } = await getJSON(api.engines.own.kept, path);
    const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
    if (response.statusCode === 200 && isObject) return { answer: body as Record<string, unknown>, error: '' };
    return { answer: {}, error: `the Docker Engine of this node answered ${response.statusCode}` };
  } catch (thrown) {
    return { answer: {}, error: messageOf(thrown) };
  }
}

async function info(api: Api, exchange: Exchange): Promise<void> {
  const [{ answer, error }, Swarm] = await Promise.all([askEngine(api, '/info'), swarmInfo(api)]);
  const warnings = Array.isArray(answer.Warnings) ? answer.Warnings : [];
  answerJSON(exchange, 200, { ...answer, Swarm, Warnings: error === '' ? answer.Warnings : [...warnings, error] });
}

/** The Swarm section of `docker info`. */
async function swarmInfo(api: Api): Promise<Record<string, unknown>> {
  const local = api.backend.local();
  const manager = api.backend.manager();
  const known = local.remoteManagers.map(({ NodeID, Addr }) => ({ NodeID, Addr }));
  const section: Record<string, unknown> = {
    NodeID: local.nodeID,
    NodeAddr: local.nodeAddress,
    LocalNodeState: local.state,
    ControlAvailable: manager !== undefined,
    Error: local.error,
    RemoteManagers: known.length > 0 ? known : null,
  };
  if (manager === undefined) return section;
  try {
    const view = await manager.read();
    section.Nodes = view.count('Node');
    section.Managers = manager.managers().size;
    const cluster = view.cluster();
    if (cluster !== undefined) {
      const { JoinTokens: _secret, ...shown } = toJSON('Cluster', cluster);
      section.Cluster = shown;
    }
  } catch (thrown) {
    section.Error = messageOf(thrown);
  }
  return section;
}

async function version(api: Api, exchange: Exchange): Promise<void> {
  const { answer } = await askEngine(api, '/version');
  const components = Array.isArray(answer.Components) ? answer.Components : [];
  const own = {
    Name: 'Shoal',
    Version: api.backend.version,
    Details: { ApiVersion: apiVersion, MinAPIVersion: apiVersionMin },
  };
  answerJSON(exchange, 200, {
    Platform: { Name: '' },
    Version: api.backend.version,
    Os: 'linux',
    Arch: process.arch === 'x64' ? 'amd64' : process.arch,
    ...answer,
    Components: [...components, own],
    ApiVersion: apiVersion,
    MinAPIVersion: apiVersionMin,
  });
}
