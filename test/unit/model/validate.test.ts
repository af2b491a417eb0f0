import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ShoalError } from '../../../src/model/errors.js';
import { fromJSON, toJSON } from '../../../src/model/json.js';
import { withShownDefaults, withStoredDefaults } from '../../../src/model/validate/defaults.js';
import { validateNodeSpec } from '../../../src/model/validate/node.js';
import { validateConfigSpec, validateSecretSpec } from '../../../src/model/validate/objects.js';
import { validateServiceSpec } from '../../../src/model/validate/service.js';
import { validateSwarmSpec } from '../../../src/model/validate/swarm.js';

type Part = Record<string, unknown>;
const service = (parts: { container?: Part; task?: Part; spec?: Part } = {}) => ({
  Name: 'web',
  TaskTemplate: { ContainerSpec: { Image: 'nginx:1.25', ...parts.container }, ...parts.task },
  ...parts.spec,
});
const validate = (body: unknown) => validateServiceSpec(withStoredDefaults(fromJSON('ServiceSpec', body, 'Spec')));

/** What must be refused, with words of the message. */
const refusals: readonly (readonly [string, unknown, RegExp])[] = [
  ['no container', { Name: 'a' }, /mismatched Runtime and \*Spec fields/],
  ['no image', service({ container: { Image: '' } }), /ContainerSpec: image reference must be provided/],
  ['an image with a space', service({ container: { Image: 'A B' } }), /"A B" is not a valid repository\/tag/],
  ['an upper-case image', service({ container: { Image: 'Nginx' } }), /not a valid repository/],
  ['a bare digest', service({ container: { Image: 'a'.repeat(64) } }), /not a valid repository/],
  ['a name with a space', { ...service(), Name: 'a b' }, /name must be valid as a DNS name component \(Spec.Name\)/],
  ['a name that ends in a dash', { ...service(), Name: 'a-' }, /DNS name component/],
  ['a name of 64', { ...service(), Name: 'a'.repeat(64) }, /name must be 63 characters or fewer/],
  ['a name of a header', { ...service(), Name: 'a\r\nX: y' }, /DNS name component/],
  [
    'a control character in a label',
    service({ spec: { Labels: { 'a\n': 'x' } } }),
    /Spec.Labels key.*control characters/,
  ],
  ['a bell in a label', service({ spec: { Labels: { a: '\x07' } } }), /Spec.Labels\["a"\]: must not contain control/],
  ['an empty label key', service({ spec: { Labels: { '': 'x' } } }), /a key must not be empty/],
  ['an env without a name', service({ container: { Env: ['A=1', '=x'] } }), /Spec.TaskTemplate.ContainerSpec.Env\[1\]/],
  ['a relative directory', service({ container: { Dir: 'tmp' } }), /ContainerSpec.Dir: must be an absolute path/],
  ['a long host name', service({ container: { Hostname: 'h'.repeat(65) } }), /Hostname: must be 64/],
  ['no signal', service({ container: { StopSignal: 'rm -rf' } }), /StopSignal/],
  ['a negative grace', service({ container: { StopGracePeriod: -5 } }), /StopGracePeriod: -5 must not be negative/],
  [
    'a mount of no type',
    service({ container: { Mounts: [{ Type: 'foo', Target: '/x' }] } }),
    /Mounts\[0\].Type: "foo" is not known; expected one of bind, volume, tmpfs/,
  ],
  [
    'a relative mount',
    service({ container: { Mounts: [{ Type: 'tmpfs', Target: 'x' }] } }),
    /invalid mount target, must be an absolute path: "x"/,
  ],
  [
    'a mount over the root',
    service({ container: { Mounts: [{ Type: 'tmpfs', Target: '/x/..' }] } }),
    /must not be the root/,
  ],
  [
    'a relative bind',
    service({ container: { Mounts: [{ Type: 'bind', Source: 's', Target: '/x' }] } }),
    /invalid bind mount source, must be an absolute path/,
  ],
  [
    'two mounts in one place',
    service({
      container: {
        Mounts: [
          { Type: 'tmpfs', Target: '/x' },
          { Type: 'tmpfs', Target: '/x/' },
        ],
      },
    }),
    /ContainerSpec: duplicate mount point: \/x/,
  ],
  [
    'a tmpfs with a source',
    service({ container: { Mounts: [{ Type: 'tmpfs', Source: 'a', Target: '/x' }] } }),
    /invalid tmpfs source, source must be empty/,
  ],
  [
    'options of another type',
    service({ container: { Mounts: [{ Type: 'tmpfs', Target: '/x', BindOptions: {} }] } }),
    /BindOptions: must not be given on a mount of type tmpfs/,
  ],
  [
    'a path out of the volume',
    service({
      container: { Mounts: [{ Type: 'volume', Source: 'vv', Target: '/x', VolumeOptions: { Subpath: '../y' } }] },
    }),
    /Subpath/,
  ],
  [
    'a fast healthcheck',
    service({ container: { Healthcheck: { Interval: 5 } } }),
    /ContainerSpec: Interval in HealthConfig cannot be less than 1ms/,
  ],
  [
    'negative retries',
    service({ container: { Healthcheck: { Retries: -5 } } }),
    /ContainerSpec: Retries in HealthConfig cannot be negative/,
  ],
  ['an unknown test', service({ container: { Healthcheck: { Test: ['curl'] } } }), /Healthcheck.Test\[0\]/],
  ['a host without a name', service({ container: { Hosts: ['10.0.0.1'] } }), /Hosts\[0\]/],
  [
    'a name server by name',
    service({ container: { DNSConfig: { Nameservers: ['dns'] } } }),
    /Nameservers\[0\]: "dns" must be an IPv4 or IPv6 address/,
  ],
  ['two words to search', service({ container: { DNSConfig: { Search: ['a b'] } } }), /Search\[0\]/],
  [
    'a secret without a target',
    service({ container: { Secrets: [{ SecretID: 'x', SecretName: 'y' }] } }),
    /malformed secret reference, no target provided/,
  ],
  [
    'a secret outside its folder',
    service({ container: { Secrets: [{ SecretID: 'x', SecretName: 'y', File: { Name: '../../etc/passwd' } }] } }),
    /File.Name/,
  ],
  [
    'two secrets in one file',
    service({
      container: {
        Secrets: [
          { SecretID: 'x', SecretName: 'y', File: { Name: 'f' } },
          { SecretID: 'z', SecretName: 'q', File: { Name: 'f' } },
        ],
      },
    }),
    /secret references 'y' and 'q' have a conflicting target: 'f'/,
  ],
  [
    'a user id of a word',
    service({ container: { Configs: [{ ConfigID: 'x', ConfigName: 'y', File: { Name: 'f', UID: 'root' } }] } }),
    /File.UID: "root" must be a number/,
  ],
  ['a sysctl with a space', service({ container: { Sysctls: { 'a b': '1' } } }), /Sysctls/],
  ['a capability with a space', service({ container: { CapabilityAdd: ['a b'] } }), /CapabilityAdd\[0\]/],
  ['an unknown ulimit', service({ container: { Ulimits: [{ Name: 'foo' }] } }), /Ulimits\[0\].Name/],
  [
    'a soft limit above the hard',
    service({ container: { Ulimits: [{ Name: 'nofile', Soft: 2, Hard: 1 }] } }),
    /ulimit soft limit must be less than or equal to hard limit: 2 > 1/,
  ],
  ['an oom score', service({ container: { OomScoreAdj: 1001 } }), /OomScoreAdj: 1001 is not from -1000 to 1000/],
  [
    'two credential specs',
    service({ container: { Privileges: { CredentialSpec: { File: 'x', Registry: 'y' } } } }),
    /invalid CredentialSpec/,
  ],
  [
    'negative cpus',
    service({ task: { Resources: { Limits: { NanoCPUs: -1 } } } }),
    /invalid cpu value -1e-9: Must be at least 0.001 \(Spec.TaskTemplate.Resources.Limits.NanoCPUs\)/,
  ],
  [
    'little memory',
    service({ task: { Resources: { Reservations: { MemoryBytes: 5 } } } }),
    /invalid memory value 5: Must be at least 4MiB/,
  ],
  [
    'more reserved than allowed',
    service({ task: { Resources: { Limits: { NanoCPUs: 1e9 }, Reservations: { NanoCPUs: 2e9 } } } }),
    /is above the limit/,
  ],
  ['negative pids', service({ task: { Resources: { Limits: { Pids: -5 } } } }), /Limits.Pids/],
  [
    'a negative count of a resource',
    service({
      task: { Resources: { Reservations: { GenericResources: [{ DiscreteResourceSpec: { Kind: 'g', Value: -1 } }] } } },
    }),
    /GenericResources\[0\].DiscreteResourceSpec.Value/,
  ],
  [
    'an unknown restart condition',
    service({ task: { RestartPolicy: { Condition: 'foo' } } }),
    /invalid RestartCondition: "foo" \(Spec.TaskTemplate.RestartPolicy.Condition, expected one of none, on-failure, any\)/,
  ],
  [
    'a negative restart delay',
    service({ task: { RestartPolicy: { Delay: -1 } } }),
    /TaskSpec: restart-delay cannot be negative/,
  ],
  [
    'a negative restart window',
    service({ task: { RestartPolicy: { Window: -1 } } }),
    /TaskSpec: restart-window cannot be negative/,
  ],
  [
    'a constraint without operator',
    service({ task: { Placement: { Constraints: ['foo'] } } }),
    /constraint expected one operator from ==, != \(Spec.TaskTemplate.Placement.Constraints\[0\]\)/,
  ],
  ['a preference for nothing', service({ task: { Placement: { Preferences: [{}] } } }), /SpreadDescriptor/],
  ['a network without a name', service({ task: { Networks: [{}] } }), /Networks\[0\].Target/],
  ['a network twice', service({ task: { Networks: [{ Target: 'a' }, { Target: 'a' }] } }), /attached twice/],
  ['an unknown runtime', service({ task: { Runtime: 'foo' } }), /unsupported runtime/],
  ['two modes', service({ spec: { Mode: { Replicated: {}, Global: {} } } }), /must specify only one service mode/],
  [
    'too many replicas',
    service({ spec: { Mode: { Replicated: { Replicas: 4_000_000 } } } }),
    /^Spec.Mode.Replicated.Replicas: 4000000 is above the limit of 100000 tasks a service$/,
  ],
  [
    'a job with an update config',
    service({ spec: { Mode: { ReplicatedJob: {} }, UpdateConfig: {} } }),
    /Jobs may not have an update config/,
  ],
  [
    'a job that always restarts',
    service({ task: { RestartPolicy: { Condition: 'any' } }, spec: { Mode: { GlobalJob: {} } } }),
    /RestartPolicy.Condition/,
  ],
  [
    'a negative update delay',
    service({ spec: { UpdateConfig: { Delay: -1 } } }),
    /TaskSpec: update-delay cannot be negative/,
  ],
  [
    'a negative monitor',
    service({ spec: { UpdateConfig: { Monitor: -1 } } }),
    /TaskSpec: update-monitor cannot be negative/,
  ],
  [
    'a failure ratio of two',
    service({ spec: { UpdateConfig: { MaxFailureRatio: 2 } } }),
    /TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1/,
  ],
  ['an unknown failure action', service({ spec: { UpdateConfig: { FailureAction: 'foo' } } }), /FailureAction/],
  [
    'a rollback that rolls back',
    service({ spec: { RollbackConfig: { FailureAction: 'rollback' } } }),
    /unrecognized update failure action rollback \(Spec.RollbackConfig.FailureAction, expected one of pause, continue\)/,
  ],
  ['an unknown order', service({ spec: { UpdateConfig: { Order: 'foo' } } }), /Order/],
  ['an unknown resolution', service({ spec: { EndpointSpec: { Mode: 'foo' } } }), /EndpointSpec.Mode/],
  [
    'dnsrr with ingress ports',
    service({ spec: { EndpointSpec: { Mode: 'dnsrr', Ports: [{ TargetPort: 80, PublishedPort: 80 }] } } }),
    /EndpointSpec: port published with ingress mode can't be used with dnsrr mode/,
  ],
  [
    'a port twice',
    service({
      spec: {
        EndpointSpec: {
          Ports: [
            { TargetPort: 80, PublishedPort: 80 },
            { TargetPort: 81, PublishedPort: 80 },
          ],
        },
      },
    }),
    /EndpointSpec: duplicate published ports provided \(Spec.EndpointSpec.Ports\[1\]\)/,
  ],
  [
    'port zero in the container',
    service({ spec: { EndpointSpec: { Ports: [{ TargetPort: 0, PublishedPort: 80 }] } } }),
    /TargetPort: 0 is not from 1 to 65535/,
  ],
  [
    'a port above all',
    service({ spec: { EndpointSpec: { Ports: [{ TargetPort: 80, PublishedPort: 65536 }] } } }),
    /PublishedPort: 65536/,
  ],
  [
    'an unknown protocol',
    service({ spec: { EndpointSpec: { Ports: [{ TargetPort: 80, Protocol: 'foo' }] } } }),
    /Protocol/,
  ],
  [
    'two megabytes',
    service({ container: { Args: ['x'.repeat(2_000_000)] } }),
    /^Spec: \d+ bytes are above the limit of 1048576 bytes a service$/,
  ],
];

describe('validation of services', () => {
  for (const [name, body, words] of refusals) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => validate(body),
        (thrown) => {
          assert.ok(thrown instanceof ShoalError, String(thrown));
          assert.equal(thrown.code, 'invalid-argument', thrown.message);
          assert.match(thrown.message, words);
          assert.ok(thrown.message.length < 1000);
          return true;
        },
      );
    });
  }

  it('says of what it does not support that it does not', () => {
    for (const body of [
      service({ container: { Mounts: [{ Type: 'cluster', Source: 'v', Target: '/x' }] } }),
      { Name: 'p', TaskTemplate: { Runtime: 'plugin', PluginSpec: { Name: 'x' } } },
      service({ spec: { EndpointSpec: { Ports: [{ TargetPort: 1, Protocol: 'sctp' }] } } }),
    ]) {
      assert.throws(
        () => validate(body),
        (thrown) => thrown instanceof ShoalError && thrown.code === 'not-supported',
      );
    }
  });

  it('takes what Docker takes', () => {
    for (const Image of [
      'nginx',
      'library/nginx:1.25-alpine',
      'registry.example.com:5000/a/b_c/d.e:v1_2',
      'localhost:5000/x',
      `nginx@sha256:${'a'.repeat(64)}`,
      `nginx:1@sha256:${'0'.repeat(64)}`,
      '[::1]:5000/x',
      'sha256:0123',
    ]) {
      validate(service({ container: { Image } }));
    }
    validate(
      service({
        container: {
          Env: ['A=', 'B', 'C={{.Node.Hostname}}'],
          Labels: { multi: 'line\nline\ttab' },
          Hostname: '{{.Service.Name}}-{{.Task.Slot}}-{{.Node.Hostname}}-and-much-more-text-than-a-host-name-may-have',
          Dir: '/app',
          StopSignal: 'SIGRTMIN+3',
          StopGracePeriod: 0,
          Mounts: [
            { Type: 'volume', Target: '/anonymous' },
            { Type: 'volume', Source: 'data-{{.Task.Slot}}', Target: '/data' },
            { Type: 'bind', Source: '/etc', Target: '/host', ReadOnly: true, BindOptions: { Propagation: 'rslave' } },
            { Type: 'tmpfs', Target: '/tmp', TmpfsOptions: { SizeBytes: 1000, Mode: 0o1777 } },
          ],
          Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 1e9, Timeout: 1e9, Retries: 3 },
          Hosts: ['10.0.0.1 db db.local', '::1 six'],
          DNSConfig: {
            Nameservers: ['8.8.8.8', '2001:4860:4860::8888'],
            Search: ['example.com'],
            Options: ['ndots:2'],
          },
          Secrets: [{ SecretID: 'a', SecretName: 'b', File: { Name: '/run/x', UID: '0', GID: '0', Mode: 0o444 } }],
          Sysctls: { 'net.core.somaxconn': '1024' },
          CapabilityAdd: ['CAP_NET_ADMIN', 'ALL'],
          Ulimits: [{ Name: 'nofile', Soft: 1024, Hard: -1 }],
        },
        task: {
          Resources: { Limits: { NanoCPUs: 5e8, MemoryBytes: 64 << 20, Pids: 10 }, Reservations: { NanoCPUs: 1e8 } },
          RestartPolicy: { Condition: 'on-failure', Delay: 0, MaxAttempts: 3, Window: 1e9 },
          Placement: {
            Constraints: ['node.labels.zone == west', 'node.role!=manager'],
            Preferences: [{ Spread: { SpreadDescriptor: 'node.labels.zone' } }],
          },
          LogDriver: { Name: 'json-file', Options: { 'max-size': '1m' } },
        },
        spec: {
          EndpointSpec: {
            Ports: [
              { TargetPort: 53, PublishedPort: 53, Protocol: 'udp' },
              { TargetPort: 53, PublishedPort: 53, Protocol: 'tcp' },
              { TargetPort: 90, Protocol: 'sctp', PublishMode: 'host' },
            ],
          },
          UpdateConfig: { Parallelism: 2, Order: 'start-first', FailureAction: 'rollback', MaxFailureRatio: 0.5 },
        },
      }),
    );
  });

  it('never fails but by refusing, and takes no time over it, whatever the text', () => {
    const texts = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.string({ unit: 'grapheme' }),
      fc.constant('a-'.repeat(5000)),
      fc.constant('/'.repeat(9000)),
      fc.constant('a.'.repeat(9000)),
    );
    fc.assert(
      fc.property(
        texts,
        fc.constantFrom('Image', 'Hostname', 'Dir', 'User', 'StopSignal', 'Isolation'),
        (text, field) => {
          const body = service({
            container: { [field]: text.replaceAll('\0', '') },
            spec: { Name: text.replaceAll('\0', '') },
          });
          try {
            validate(body);
          } catch (thrown) {
            assert.ok(thrown instanceof ShoalError, String(thrown));
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('defaults of services', () => {
  it('are stored as Docker stores them', () => {
    const stored = toJSON('ServiceSpec', withStoredDefaults(fromJSON('ServiceSpec', service())));
    assert.deepEqual(stored, {
      Name: 'web',
      Labels: {},
      TaskTemplate: {
        ContainerSpec: { Image: 'nginx:1.25', Isolation: 'default' },
        ForceUpdate: 0,
        Runtime: 'container',
      },
      Mode: { Replicated: { Replicas: 1 } },
    });
    const job = withStoredDefaults(
      fromJSON('ServiceSpec', service({ spec: { Mode: { ReplicatedJob: { MaxConcurrent: 3 } } } })),
    );
    assert.deepEqual(toJSON('ServiceSpec', job).Mode, { ReplicatedJob: { MaxConcurrent: 3, TotalCompletions: 3 } });
  });

  it('are shown on request as Docker 20.10 shows them', () => {
    const shown = toJSON('ServiceSpec', withShownDefaults(withStoredDefaults(fromJSON('ServiceSpec', service()))));
    const update = { Parallelism: 1, FailureAction: 'pause', Monitor: 5e9, MaxFailureRatio: 0, Order: 'stop-first' };
    assert.deepEqual(shown, {
      Name: 'web',
      Labels: {},
      TaskTemplate: {
        ContainerSpec: { Image: 'nginx:1.25', StopGracePeriod: 1e10, DNSConfig: {}, Isolation: 'default' },
        Resources: {},
        RestartPolicy: { Condition: 'any', Delay: 5e9, MaxAttempts: 0 },
        Placement: {},
        ForceUpdate: 0,
        Runtime: 'container',
      },
      Mode: { Replicated: { Replicas: 1 } },
      UpdateConfig: update,
      RollbackConfig: update,
    });
  });
});

describe('validation of the other objects', () => {
  const fails = (call: () => void, words: RegExp) => assert.throws(call, words);

  it('holds nodes to their roles and availabilities', () => {
    const node = (body: unknown) => () => validateNodeSpec(fromJSON('NodeSpec', body, 'Spec'));
    node({ Role: 'worker', Availability: 'drain', Labels: { zone: 'a' } })();
    fails(node({}), /invalid Role: ""/);
    fails(
      node({ Role: 'king', Availability: 'active' }),
      /invalid Role: "king" \(Spec.Role, expected one of worker, manager\)/,
    );
    fails(node({ Role: 'worker', Availability: 'x' }), /Spec.Availability/);
  });

  it('holds secrets and configs to their names and sizes', () => {
    const secret = (body: unknown) => () => validateSecretSpec(fromJSON('SecretSpec', body, 'Spec'));
    const base64 = (size: number) => Buffer.alloc(size, 1).toString('base64');
    secret({ Name: 'a.b-c_d', Data: base64(511_999) })();
    fails(secret({ Name: 's' }), /secret data must be larger than 0 and less than 512000 bytes \(Spec.Data\)/);
    fails(secret({ Name: 's', Data: base64(512_000) }), /less than 512000/);
    fails(secret({ Name: 's x', Data: 'aGk=' }), /invalid name, only 64/);
    fails(secret({ Name: '../x', Data: 'aGk=' }), /invalid name/);
    fails(secret({ Name: 'd', Driver: { Name: 'vault' } }), /drivers are not supported/);
    const config = (body: unknown) => () => validateConfigSpec(fromJSON('ConfigSpec', body, 'Spec'));
    config({ Name: 'c', Data: base64(1_023_999), Templating: { Name: 'golang' } })();
    fails(
      config({ Name: 'c', Data: base64(1_024_000) }),
      /config data must be larger than 0 and less than 1024000 bytes/,
    );
    fails(config({ Name: 'c', Data: 'aGk=', Templating: { Name: 'jinja' } }), /Spec.Templating.Name/);
  });

  it('holds the swarm to Docker’s bounds', () => {
    const swarm = (body: unknown) => () => validateSwarmSpec(fromJSON('SwarmSpec', body, 'Spec'));
    swarm({ Name: 'default', CAConfig: { NodeCertExpiry: 3600e9 } })();
    fails(swarm({ Name: 'foo' }), /swarm spec must be named "default"/);
    fails(swarm({ Dispatcher: { HeartbeatPeriod: -1 } }), /heartbeat time period cannot be a negative duration/);
    fails(swarm({ CAConfig: { NodeCertExpiry: 1 } }), /minimum certificate expiry time is: 1h0m0s/);
    fails(swarm({ Orchestration: { TaskHistoryRetentionLimit: -1 } }), /TaskHistoryRetentionLimit/);
    fails(swarm({ Raft: { ElectionTick: 1, HeartbeatTick: 5 } }), /ElectionTick/);
    swarm({ EncryptionConfig: { AutoLockManagers: true } })();
  });
});
