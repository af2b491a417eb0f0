import assert from 'node:assert/strict';
import { routes } from '../../../src/api/routes.js';
import { fromJSON, toJSON } from '../../../src/model/json.js';
import { ApiFixture, smallSpec } from '../../helpers/api-fixture.js';
import { localNodeID } from '../../helpers/memory-backend.js';
import { clusterOperations, description, problems, sample } from '../../helpers/openapi.js';

const shapeOf = (path: string) => path.replace(/\{[^}]*\}/g, '{}');

describe('Docker’s description of its API', () => {
  it('has no endpoint of a cluster that we do not answer', () => {
    const known = new Set(routes.map(({ method, pattern }) => `${method} ${shapeOf(pattern)}`));
    const missing = clusterOperations
      .map(({ method, path }) => `${method} ${shapeOf(path)}`)
      .filter((one) => !known.has(one));
    assert.deepEqual(missing, []);
  });

  for (const message of ['ServiceSpec', 'NodeSpec', 'SwarmSpec', 'SecretSpec', 'ConfigSpec'] as const) {
    it(`has no field of ${message} that is lost on its way`, () => {
      const whole = sample(description.definitions[message]!) as object;
      const text = JSON.stringify(whole);
      const known = JSON.parse(text.replace(/,"Options":\[\[[^\]]*\]\]/, '')) as object; // of tmpfs: docs/compatibility.md
      assert.deepEqual(toJSON(message, fromJSON(message, known)), known);
    });
  }

  describe('holds for what we answer', () => {
    let api: ApiFixture;
    const ids: Record<string, string> = { nodes: localNodeID, tasks: 'task' };
    before(async () => {
      api = await new ApiFixture().start();
      api.backend.found().addNode(
        {
          ID: 'worker',
          Spec: { Name: 'w', Labels: { a: 'b' }, Role: 'worker', Availability: 'drain' },
          Description: {
            Hostname: 'node2',
            Platform: { OS: 'linux', Architecture: 'x86_64' },
            Resources: {
              NanoCPUs: 4e9,
              MemoryBytes: 8e9,
              GenericResources: [{ DiscreteResourceSpec: { Kind: 'gpu', Value: 2 } }],
            },
            Engine: { EngineVersion: '28', Labels: { c: 'd' }, Plugins: [{ Type: 'Log', Name: 'json-file' }] },
            TLSInfo: { TrustRoot: 'PEM', CertIssuerSubject: 'a', CertIssuerPublicKey: 'b' },
          },
          Status: { State: 'down', Message: 'gone', Addr: '10.0.0.2' },
        },
        'node2',
      );
      ids.secrets = (
        await api.call('POST', '/secrets/create', { Name: 's', Labels: { a: 'b' }, Data: 'aGk=' })
      ).body.ID;
      ids.configs = (await api.call('POST', '/configs/create', { Name: 'c', Data: 'aGk=' })).body.ID;
      const made = await api.call('POST', '/services/create', fullSpec(ids));
      assert.equal(made.status, 201, made.text);
      ids.services = made.body.ID;
      const { Version } = (await api.call('GET', `/services/${ids.services}`)).body;
      const update = { ...fullSpec(ids), Labels: { new: 'one' } };
      assert.equal(
        (await api.call('POST', `/services/${ids.services}/update?version=${Version.Index}`, update)).status,
        200,
      );
      await api.call(
        'POST',
        '/services/create',
        smallSpec('job', { Mode: { ReplicatedJob: { TotalCompletions: 3 } } }),
      );
      await api.call('POST', '/services/create', smallSpec('everywhere', { Mode: { Global: {} } }));
      api.backend.addTask({
        ID: 'task',
        ServiceID: ids.services!,
        NodeID: 'worker',
        Slot: 1,
        DesiredState: 'running',
        Spec: fromJSON('ServiceSpec', fullSpec(ids)).TaskTemplate!,
        Status: {
          State: 'failed',
          Message: 'm',
          Err: 'e',
          ContainerStatus: { ContainerID: 'c', PID: 5, ExitCode: 137 },
          PortStatus: { Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 32768, PublishMode: 'host' }] },
        },
        AssignedGenericResources: [{ NamedResourceSpec: { Kind: 'gpu', Value: 'a' } }],
      });
    });
    after(() => api.stop());
    const target = (path: string, id = ids[path.split('/')[1] ?? ''] ?? 'none') => path.replace(/\{[^}]*\}/, id);

    for (const { method, path, operation } of clusterOperations.filter(
      (one) => one.method === 'GET' && !one.path.endsWith('/logs'),
    )) {
      it(`${method} ${path}`, async () => {
        const schema = operation.responses['200']?.schema ?? {};
        for (const version of ['', '/v1.41', '/v1.44', '/v1.47']) {
          for (const query of ['', '?status=true', '?insertDefaults=true']) {
            const { status, body } = await api.call(method, `${version}${target(path)}${query}`);
            assert.equal(status, 200);
            assert.deepEqual(
              problems(schema, body).filter((one) => !one.endsWith('.GenericResources: not in the description')),
              [],
            );
          }
        }
      });
    }

    it('and says what resources a task has by the name that Docker’s clients know as well', async () => {
      const { body } = await api.call('GET', '/tasks');
      assert.deepEqual(body[0].GenericResources, [{ NamedResourceSpec: { Kind: 'gpu', Value: 'a' } }]);
    });

    it('and for what we refuse: nothing there, no manager, no leader', async () => {
      const error = description.definitions.ErrorResponse!;
      const check = async (method: string, path: string, statuses: readonly number[]) => {
        const { status, body } = await api.call(
          method,
          path,
          method === 'POST' ? { Role: 'worker', Availability: 'active' } : undefined,
        );
        assert.ok(statuses.includes(status), `${method} ${path}: ${status} ${body?.message}`);
        assert.deepEqual(problems(error, body), []);
        assert.notEqual(body.message, '');
      };
      const query = '?version=1&stdout=1';
      for (const { method, path } of clusterOperations) {
        if (path.includes('{')) await check(method, target(path, 'none') + query, [404]);
      }
      api.backend.hasLeader = false;
      for (const { method, path } of clusterOperations) {
        if (/^\/swarm\/(init|join|leave|unlock)/.test(path) || path.endsWith('/create')) continue;
        await check(method, target(path) + query, [503]);
      }
      api.backend.hasLeader = true;
      api.backend.isManager = false;
      for (const { method, path } of clusterOperations) {
        if (/^\/swarm\/(init|join|leave|unlock$)/.test(path)) continue;
        await check(method, target(path) + query, [503]);
      }
      api.backend.isManager = true;
    });
  });
});

/** A service that says something of nearly everything there is. */
function fullSpec(ids: Record<string, string>) {
  const update = {
    Parallelism: 2,
    Delay: 1e9,
    FailureAction: 'pause',
    Monitor: 1e9,
    MaxFailureRatio: 0.1,
    Order: 'start-first',
  };
  const file = { File: { Name: 'f', UID: '0', GID: '0', Mode: 292 } };
  return {
    Name: 'full',
    Labels: { a: 'b' },
    TaskTemplate: {
      ContainerSpec: {
        Image: 'shop:1',
        Labels: { c: 'd' },
        Command: ['a'],
        Args: ['b'],
        Hostname: 'h',
        Env: ['A=b'],
        Dir: '/d',
        User: 'u',
        Groups: ['g'],
        Privileges: {
          CredentialSpec: { File: 'f' },
          SELinuxContext: { Disable: true },
          Seccomp: { Mode: 'unconfined' },
          AppArmor: { Mode: 'disabled' },
          NoNewPrivileges: true,
        },
        StopSignal: 'SIGINT',
        TTY: true,
        OpenStdin: true,
        ReadOnly: true,
        Mounts: [
          {
            Type: 'volume',
            Source: 'vol',
            Target: '/v',
            VolumeOptions: { NoCopy: true, Labels: { a: 'b' }, DriverConfig: { Name: 'local', Options: { a: 'b' } } },
          },
          { Type: 'bind', Source: '/b', Target: '/b', ReadOnly: true, BindOptions: { Propagation: 'rslave' } },
          { Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 1e6, Mode: 0o700 } },
        ],
        StopGracePeriod: 5e9,
        Healthcheck: {
          Test: ['CMD', 'x'],
          Interval: 1e9,
          Timeout: 1e9,
          Retries: 2,
          StartPeriod: 1e9,
          StartInterval: 1e9,
        },
        Hosts: ['10.0.0.1 db'],
        DNSConfig: { Nameservers: ['1.1.1.1'], Search: ['a.b'], Options: ['o'] },
        Secrets: [{ ...file, SecretID: ids.secrets, SecretName: 's' }],
        Configs: [{ ...file, ConfigID: ids.configs, ConfigName: 'c' }],
        Isolation: 'default',
        Init: true,
        Sysctls: { 'net.core.somaxconn': '1' },
        CapabilityAdd: ['CAP_NET_ADMIN'],
        CapabilityDrop: ['ALL'],
        Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }],
      },
      Resources: {
        Limits: { NanoCPUs: 1e9, MemoryBytes: 1e8, Pids: 10 },
        Reservations: {
          NanoCPUs: 1e8,
          MemoryBytes: 1e7,
          GenericResources: [{ DiscreteResourceSpec: { Kind: 'gpu', Value: 1 } }],
        },
      },
      RestartPolicy: { Condition: 'on-failure', Delay: 1e9, MaxAttempts: 2, Window: 1e9 },
      Placement: {
        Constraints: ['node.role==worker'],
        Preferences: [{ Spread: { SpreadDescriptor: 'node.labels.a' } }],
        MaxReplicas: 3,
        Platforms: [{ Architecture: 'amd64', OS: 'linux' }],
      },
      LogDriver: { Name: 'json-file', Options: { a: 'b' } },
      ForceUpdate: 1,
    },
    Mode: { Replicated: { Replicas: 2 } },
    UpdateConfig: update,
    RollbackConfig: update,
    EndpointSpec: {
      Mode: 'vip',
      Ports: [{ Name: 'p', Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' }],
    },
  };
}
