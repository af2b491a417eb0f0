import { isIP } from 'node:net';
import { ShoalError } from '../model/errors.js';
import { fromJSON, toJSON } from '../model/json.js';
import { withSwarmDefaults } from '../model/validate/defaults.js';
import { validateSwarmSpec } from '../model/validate/swarm.js';
import type { InitRequest, ManagerBackend } from './backend.js';
import { Body } from './body.js';
import {
  type Api,
  answerEmpty,
  answerJSON,
  type Exchange,
  flag,
  managerOf,
  readJSON,
  versionParameter,
} from './exchange.js';
import type { Route } from './router.js';

export const swarmRoutes: readonly Route[] = [
  { method: 'GET', pattern: '/swarm', handle: inspect },
  { method: 'POST', pattern: '/swarm/init', handle: init },
  { method: 'POST', pattern: '/swarm/join', handle: join },
  { method: 'POST', pattern: '/swarm/leave', handle: leave },
  { method: 'POST', pattern: '/swarm/update', handle: update },
  { method: 'GET', pattern: '/swarm/unlockkey', handle: unlockKey },
  { method: 'POST', pattern: '/swarm/unlock', handle: unlock },
];

async function inspect(api: Api, exchange: Exchange): Promise<void> {
  const cluster = (await managerOf(api).read()).cluster();
  if (cluster === undefined) throw new ShoalError('no-leader', 'The swarm is being set up. Try again in a moment.');
  answerJSON(exchange, 200, toJSON('Cluster', cluster));
}

async function init(api: Api, exchange: Exchange): Promise<void> {
  const body = new Body(await readJSON(api, exchange));
  const forceNewCluster = body.boolean('ForceNewCluster');
  if (!forceNewCluster) checkInactive(api);
  const given = fromJSON('SwarmSpec', body.raw('Spec') ?? {}, 'Spec');
  if (body.boolean('AutoLockManagers')) given.EncryptionConfig = { AutoLockManagers: true };
  validateSwarmSpec(given);
  const request: InitRequest = {
    ...ownAddresses(body),
    dataPathPort: dataPathPort(body),
    defaultAddressPool: body.strings('DefaultAddrPool').map((pool, at) => checkPool(`DefaultAddrPool[${at}]`, pool)),
    subnetSize: body.integer('SubnetSize', 0, 29) || 24,
    forceNewCluster,
    availability: availability(body),
    spec: withSwarmDefaults(given),
  };
  answerJSON(exchange, 200, await api.backend.init(request));
}

async function join(api: Api, exchange: Exchange): Promise<void> {
  const body = new Body(await readJSON(api, exchange));
  checkInactive(api);
  const remoteAddresses = body.strings('RemoteAddrs');
  if (remoteAddresses.length === 0) {
    throw new ShoalError('invalid-argument', 'at least 1 RemoteAddr is required to join (RemoteAddrs)');
  }
  const token = body.string('JoinToken');
  if (!/^SWMTKN-[0-9]-[0-9a-z]{50}-[0-9a-z]{25}$/.test(token)) {
    throw new ShoalError('invalid-argument', 'invalid join token (JoinToken)');
  }
  await api.backend.join({ ...ownAddresses(body), remoteAddresses, token, availability: availability(body) });
  answerEmpty(exchange, 200);
}

function checkInactive(api: Api): void {
  const { state, error } = api.backend.local();
  if (state === 'inactive') return;
  if (state === 'error') {
    throw new ShoalError(
      'already-in-swarm',
      `This node cannot take up its place in its cluster: ${error.replace(/\.$/, '')}. "docker swarm leave --force" gives that cluster up.`,
    );
  }
  throw new ShoalError(
    'already-in-swarm',
    'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.',
  );
}

/** The addresses of this node that both init and join take; what they mean on this machine the daemon finds out. */
function ownAddresses(body: Body) {
  return {
    listenAddress: body.string('ListenAddr'),
    advertiseAddress: body.string('AdvertiseAddr'),
    dataPathAddress: body.string('DataPathAddr'),
  };
}

/** VXLAN's port, 4789 unless it is given; Docker's range. */
function dataPathPort(body: Body): number {
  const port = body.integer('DataPathPort', 0, 65535) || 4789;
  if (port < 1024 || port > 49151) {
    throw new ShoalError(
      'invalid-argument',
      `Datapath port number ${port} is not in valid range (1024-49151) (DataPathPort)`,
    );
  }
  return port;
}

function checkPool(where: string, pool: string): string {
  const [address = '', bits = '', ...rest] = pool.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) {
    throw new ShoalError('invalid-argument', `${where}: must be a subnet in CIDR form, such as 10.0.0.0/8`);
  }
  return pool;
}

function availability(body: Body): InitRequest['availability'] {
  const value = body.string('Availability');
  if (value === '' || value === 'active') return 'active';
  if (value === 'pause' || value === 'drain') return value;
  throw new ShoalError('invalid-argument', `invalid Availability: "${value}", expected one of active, pause, drain`);
}

async function leave(api: Api, exchange: Exchange): Promise<void> {
  const force = flag(exchange, 'force');
  if (api.backend.local().state === 'inactive') {
    throw new ShoalError('not-a-manager', 'This node is not part of a swarm');
  }
  if (api.backend.local().state === 'locked' && !force) {
    throw new ShoalError(
      'not-a-manager',
      'Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.',
    );
  }
  const manager = api.backend.manager();
  if (manager !== undefined && !force) refuseManagerLeave(api, manager);
  await api.backend.leave(force);
  answerEmpty(exchange, 200);
}

/** A manager leaves only by force, or after it was demoted: Docker's warning, by what its leaving would cost. */
function refuseManagerLeave(api: Api, manager: ManagerBackend): never {
  const managers = [...manager.managers()];
  const reachable = managers.filter(([, one]) => one.reachable).length;
  const unreachable = managers.length - reachable;
  const isMember = manager.managers().has(api.backend.local().nodeID);
  let message = 'You are attempting to leave the swarm on a node that is participating as a manager. ';
  if (isMember && reachable === 1 && unreachable === 0) {
    message +=
      'Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. ';
  } else {
    if (isMember && reachable - 2 <= unreachable) {
      message += `Removing this node leaves ${reachable - 1} managers out of ${managers.length}. Without a Raft quorum your swarm will be inaccessible. `;
    }
    message +=
      'The only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. Use `--force` to suppress this message.';
  }
  throw new ShoalError('not-a-manager', message);
}

async function update(api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  const given = fromJSON('SwarmSpec', await readJSON(api, exchange), 'Spec');
  const version = versionParameter(exchange, 'swarm');
  const rotate = {
    workerToken: strictFlag(exchange, 'rotateWorkerToken'),
    managerToken: strictFlag(exchange, 'rotateManagerToken'),
    unlockKey: strictFlag(exchange, 'rotateManagerUnlockKey'),
  };
  validateSwarmSpec(given);
  await manager.updateSwarm({ version, spec: withSwarmDefaults(given), rotate });
  answerEmpty(exchange, 200);
}

/** A flag that must be one of Go's words for true and false. */
function strictFlag(exchange: Exchange, name: string): boolean {
  const value = exchange.query.get(name) ?? '';
  if (value === '' || /^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  throw new ShoalError('invalid-argument', `invalid value for ${name}: ${value.slice(0, 100)}`);
}

async function unlockKey(api: Api, exchange: Exchange): Promise<void> {
  const cluster = (await managerOf(api).read()).cluster();
  answerJSON(exchange, 200, { UnlockKey: cluster?.UnlockKey ?? '' });
}

async function unlock(api: Api, exchange: Exchange): Promise<void> {
  const key = new Body(await readJSON(api, exchange)).string('UnlockKey');
  const { state } = api.backend.local();
  if (state === 'inactive') throw new ShoalError('not-a-manager', 'This node is not part of a swarm');
  if (state !== 'locked') throw new ShoalError('conflict', 'swarm is not locked');
  await api.backend.unlock(key);
  answerEmpty(exchange, 200);
}
