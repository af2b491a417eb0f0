import assert from 'node:assert/strict';
import { containerName } from '../../../src/model/task-names.js';
import type { ContainerSpecInit, TaskInit, TaskSpecInit } from '../../../src/model/types.js';
import type { ContainerConfig } from '../../../src/worker/container.js';
import { containerConfig, stopGrace_ms } from '../../../src/worker/container-config.js';
import { pullReference } from '../../../src/worker/image-reference.js';
import { containerLabels, labelNames, specHash } from '../../../src/worker/labels.js';
import { taskID, taskOf } from '../../helpers/node-under-test.js';

const node = 'node0000000000000000000001';
const description = { Hostname: 'host-a', Platform: { OS: 'linux', Architecture: 'x86_64' } };

/** What is sent of a config: the engine is not told what is undefined. */
const sent = (config: ContainerConfig) => JSON.parse(JSON.stringify(config)) as ContainerConfig;
const ofTask = (container: ContainerSpecInit, init: TaskInit = {}) =>
  sent(containerConfig(taskOf(1, node, container, init), { address: '10.0.0.1', description }, [], []));
const ofSpec = (spec: TaskSpecInit) =>
  ofTask({}, { Spec: { ...spec, ContainerSpec: { Image: 'web', ...spec.ContainerSpec } } });

describe('the container of a task', () => {
  it('says no more than it must when nothing is asked for', () => {
    const { Labels, ...rest } = ofTask({});
    assert.deepEqual(rest, {
      Image: 'web',
      Env: [],
      StopTimeout: 10,
      ExposedPorts: {},
      HostConfig: { Mounts: [], PortBindings: {} },
    });
    assert.deepEqual(Object.keys(Labels).sort(), Object.values(labelNames).sort());
  });

  const cases: [field: string, container: ContainerSpecInit, expected: Partial<ContainerConfig>][] = [
    ['Env', { Env: ['A=1', 'B=ü=2'] }, { Env: ['A=1', 'B=ü=2'] }],
    ['Command', { Command: ['sh', '-c'], Args: ['exit'] }, { Entrypoint: ['sh', '-c'], Cmd: ['exit'] }],
    ['Args', { Args: ['--fast'] }, { Cmd: ['--fast'] }],
    ['Dir', { Dir: '/srv' }, { WorkingDir: '/srv' }],
    ['User', { User: 'web:users' }, { User: 'web:users' }],
    ['Hostname', { Hostname: 'one' }, { Hostname: 'one' }],
    ['TTY', { TTY: true }, { Tty: true }],
    ['OpenStdin', { OpenStdin: true }, { OpenStdin: true }],
    ['StopSignal', { StopSignal: 'SIGQUIT' }, { StopSignal: 'SIGQUIT' }],
    ['StopGracePeriod', { StopGracePeriod: 2.5e9 }, { StopTimeout: 3 }],
    ['StopGracePeriod 0', { StopGracePeriod: 0 }, { StopTimeout: 0 }],
    [
      'Healthcheck',
      {
        Healthcheck: {
          Test: ['CMD', 'ok'],
          Interval: 1e9,
          Timeout: 2e9,
          StartPeriod: 3e9,
          StartInterval: 4e9,
          Retries: 5,
        },
      },
      {
        Healthcheck: {
          Test: ['CMD', 'ok'],
          Interval: 1e9,
          Timeout: 2e9,
          StartPeriod: 3e9,
          StartInterval: 4e9,
          Retries: 5,
        },
      },
    ],
    ['Healthcheck none', { Healthcheck: { Test: ['NONE'] } }, { Healthcheck: { Test: ['NONE'] } }],
  ];
  for (const [field, container, expected] of cases) {
    it(`has ${field}`, () => {
      const config = ofTask(container);
      for (const [name, value] of Object.entries(expected)) {
        assert.deepEqual(config[name as keyof ContainerConfig], value);
      }
    });
  }

  const hostCases: [field: string, container: ContainerSpecInit, expected: Partial<ContainerConfig['HostConfig']>][] = [
    ['Groups', { Groups: ['10', 'disk'] }, { GroupAdd: ['10', 'disk'] }],
    ['Init true', { Init: true }, { Init: true }],
    ['Init false', { Init: false }, { Init: false }],
    ['Init unset', {}, { Init: undefined }],
    ['ReadOnly', { ReadOnly: true }, { ReadonlyRootfs: true }],
    ['CapabilityAdd', { CapabilityAdd: ['CAP_NET_ADMIN'] }, { CapAdd: ['CAP_NET_ADMIN'] }],
    ['CapabilityDrop', { CapabilityDrop: ['ALL'] }, { CapDrop: ['ALL'] }],
    [
      'Ulimits',
      { Ulimits: [{ Name: 'nofile', Soft: 10, Hard: -1 }] },
      { Ulimits: [{ Name: 'nofile', Soft: 10, Hard: -1 }] },
    ],
    ['Sysctls', { Sysctls: { 'net.core.somaxconn': '99' } }, { Sysctls: { 'net.core.somaxconn': '99' } }],
    ['OomScoreAdj', { OomScoreAdj: -5 }, { OomScoreAdj: -5 }],
    ['Isolation', { Isolation: 'default' }, { Isolation: 'default' }],
    [
      'Hosts, every alias as host:IP',
      { Hosts: ['10.0.0.9 db database', '  ::1\tsix '] },
      { ExtraHosts: ['db:10.0.0.9', 'database:10.0.0.9', 'six:::1'] },
    ],
    [
      'DNSConfig',
      { DNSConfig: { Nameservers: ['10.0.0.53'], Search: ['example.com'], Options: ['ndots:2'] } },
      { Dns: ['10.0.0.53'], DnsSearch: ['example.com'], DnsOptions: ['ndots:2'] },
    ],
    [
      'a bind mount',
      {
        Mounts: [
          {
            Type: 'bind',
            Source: '/a',
            Target: '/b',
            ReadOnly: true,
            BindOptions: { Propagation: 'rslave', NonRecursive: true },
          },
        ],
      },
      {
        Mounts: [
          {
            Type: 'bind',
            Source: '/a',
            Target: '/b',
            ReadOnly: true,
            BindOptions: { Propagation: 'rslave', NonRecursive: true },
          },
        ],
      },
    ],
    [
      'a volume mount',
      {
        Mounts: [
          {
            Type: 'volume',
            Source: 'data',
            Target: '/data',
            VolumeOptions: {
              NoCopy: true,
              Labels: { a: 'b' },
              DriverConfig: { Name: 'local', Options: { type: 'tmpfs' } },
              Subpath: 'sub',
            },
          },
        ],
      },
      {
        Mounts: [
          {
            Type: 'volume',
            Source: 'data',
            Target: '/data',
            VolumeOptions: {
              NoCopy: true,
              Labels: { a: 'b' },
              DriverConfig: { Name: 'local', Options: { type: 'tmpfs' } },
              Subpath: 'sub',
            },
          },
        ],
      },
    ],
    [
      'a tmpfs mount',
      { Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 4096, Mode: 0o1777 } }] },
      { Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 4096, Mode: 0o1777 } }] },
    ],
    [
      'Privileges',
      {
        Privileges: {
          NoNewPrivileges: true,
          SELinuxContext: { User: 'u', Role: 'r', Type: 't', Level: 's0' },
          Seccomp: { Mode: 'custom', Profile: Buffer.from('{"defaultAction":"SCMP_ACT_ALLOW"}') },
          AppArmor: { Mode: 'disabled' },
        },
      },
      {
        SecurityOpt: [
          'label=user:u',
          'label=role:r',
          'label=type:t',
          'label=level:s0',
          'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',
          'apparmor=unconfined',
          'no-new-privileges',
        ],
      },
    ],
    [
      'Privileges that are let go',
      {
        Privileges: {
          SELinuxContext: { Disable: true },
          Seccomp: { Mode: 'unconfined' },
          AppArmor: { Mode: 'default' },
        },
      },
      { SecurityOpt: ['label=disable', 'seccomp=unconfined'] },
    ],
  ];
  for (const [field, container, expected] of hostCases) {
    it(`has ${field}`, () => {
      const { HostConfig } = ofTask(container);
      for (const [name, value] of Object.entries(expected)) {
        assert.deepEqual(HostConfig[name as keyof typeof HostConfig], value);
      }
    });
  }

  it('has limits and reservations', () => {
    const { HostConfig } = ofSpec({
      Resources: {
        Limits: { NanoCPUs: 5e8, MemoryBytes: 64e6, Pids: 20 },
        Reservations: { NanoCPUs: 1e8, MemoryBytes: 32e6 },
      },
    });
    const { NanoCpus, Memory, PidsLimit, MemoryReservation } = HostConfig;
    assert.deepEqual([NanoCpus, Memory, PidsLimit, MemoryReservation], [5e8, 64e6, 20, 32e6]);
  });

  it('has the log driver', () => {
    const { HostConfig } = ofSpec({ LogDriver: { Name: 'json-file', Options: { 'max-size': '1m' } } });
    assert.deepEqual(HostConfig.LogConfig, { Type: 'json-file', Config: { 'max-size': '1m' } });
  });

  it('is told its generic resources', () => {
    const { Env } = ofTask(
      { Env: ['A=1'] },
      {
        AssignedGenericResources: [
          { NamedResourceSpec: { Kind: 'gpu', Value: 'one' } },
          { NamedResourceSpec: { Kind: 'gpu', Value: 'two' } },
          { DiscreteResourceSpec: { Kind: 'ssd', Value: 3 } },
        ],
      },
    );
    assert.deepEqual(Env, ['A=1', 'DOCKER_RESOURCE_GPU=one,two', 'DOCKER_RESOURCE_SSD=3']);
  });

  it('binds ingress ports to the node’s address and host-mode ports to all', () => {
    const port = (TargetPort: number, PublishedPort: number, PublishMode: string, Protocol = 'tcp') => ({
      TargetPort,
      PublishedPort,
      PublishMode,
      Protocol,
    });
    const config = ofSpec({
      EndpointPorts: [
        port(80, 8080, 'ingress'),
        port(80, 8081, 'ingress'), // another way in to the same place
        port(53, 5353, 'host', 'udp'),
        port(80, 8082, 'host'),
        port(9000, 0, 'host', 'sctp'),
      ],
    });
    assert.deepEqual(config.HostConfig.PortBindings, {
      '80/tcp': [
        { HostIp: '10.0.0.1', HostPort: '' },
        { HostIp: '', HostPort: '8082' },
      ],
      '53/udp': [{ HostIp: '', HostPort: '5353' }],
      '9000/sctp': [{ HostIp: '', HostPort: '' }],
    });
    assert.deepEqual(Object.keys(config.ExposedPorts ?? {}).sort(), ['53/udp', '80/tcp', '9000/sctp']);
  });

  it('has its templates filled in where Docker has them, and its spec stays as it was', () => {
    const container: ContainerSpecInit = {
      Env: [
        'PLAIN={',
        'BARE',
        'A={{.Service.Name}}/{{.Service.ID}}/{{.Service.Labels.tier}}/{{index .Service.Labels "a.b"}}',
        'B={{.Node.ID}}/{{.Node.Hostname}}/{{.Node.Platform.OS}}/{{.Node.Platform.Architecture}}',
        'C={{.Task.ID}}/{{.Task.Name}}/{{.Task.Slot}}',
        'D={{join "-" .Service.Name .Task.Slot}}',
        '{{.Task.Slot}}=the name is no template',
      ],
      Hostname: '{{.Service.Name}}-{{.Task.Slot}}-{{.Node.Hostname}}',
      Args: ['{{.Task.Slot}}'],
      Labels: { label: '{{.Task.Slot}}' },
      Mounts: [
        { Type: 'bind', Source: '/data/{{.Task.Slot}}', Target: '/srv/{{.Service.Name}}' },
        {
          Type: 'volume',
          Source: 'data-{{.Task.Slot}}',
          Target: '/data',
          VolumeOptions: {
            Labels: { slot: '{{.Task.Slot}}' },
            DriverConfig: { Name: 'nfs', Options: { path: '/{{.Node.Hostname}}' } },
          },
        },
      ],
    };
    const config = ofTask(container, { ServiceLabels: { tier: 'front', 'a.b': 'c' } });
    assert.deepEqual(config.Env, [
      'PLAIN={',
      'BARE',
      'A=web/service0000000000000000000/front/c',
      `B=${node}/host-a/linux/x86_64`,
      `C=${taskID(1)}/web.1.${taskID(1)}/1`,
      'D=web-1',
      '{{.Task.Slot}}=the name is no template',
    ]);
    assert.equal(config.Hostname, 'web-1-host-a');
    assert.deepEqual(config.Cmd, ['{{.Task.Slot}}']);
    assert.equal(config.Labels.label, '{{.Task.Slot}}');
    const [bind, volume] = config.HostConfig.Mounts ?? [];
    assert.deepEqual([bind?.Source, bind?.Target], ['/data/1', '/srv/web']);
    assert.equal(volume?.Source, 'data-1');
    assert.deepEqual(volume?.VolumeOptions?.Labels, { slot: '1' });
    assert.deepEqual(volume?.VolumeOptions?.DriverConfig, { Name: 'nfs', Options: { path: '/host-a' } });
    const again = taskOf(1, node, container, { ServiceLabels: { tier: 'other' } });
    assert.equal(config.Labels[labelNames.specHash], specHash(again.Spec)); // what is filled in is no other spec
  });

  it('of a global service knows its node as its slot', () => {
    assert.deepEqual(ofTask({ Env: ['S={{.Task.Slot}}'] }, { Slot: 0 }).Env, [`S=${node}`]);
  });

  it('is refused when a template in it is broken, in Go’s words and with the field', () => {
    const broken: [ContainerSpecInit, RegExp][] = [
      [
        { Env: ['A=1', 'B={{.Service.Nam}}'] },
        /: expanding env failed: expanding env "B=.*: template: expansion:1:\d+: executing "expansion".*Nam.* in type .* \(ContainerSpec\.Env\[1\]\)/,
      ],
      [
        { Hostname: '{{' },
        /: expanding hostname failed: template: expansion:1: unclosed action \(ContainerSpec\.Hostname\)/,
      ],
      [{ Env: ['A={{.Service.Labels.absent}}'] }, /map has no entry for key "absent"/],
      [{ Env: ['A={{secret "x"}}'] }, /function "secret" not defined/],
      [{ Env: ['A={{.constructor}}'] }, /evaluate field constructor/],
      [
        { Mounts: [{ Type: 'volume', Source: '{{.X}}', Target: '/a' }] },
        /: expanding mounts failed: expanding mount source "\{\{\.X\}\}": .*<\.X>: can't evaluate field X in type \*template\.Context \(ContainerSpec\.Mounts\[0\]\.Source\)/,
      ],
      [
        { Mounts: [{ Type: 'volume', Source: 'a', Target: '/a', VolumeOptions: { Labels: { k: '{{end}}' } } }] },
        /expanding volume labels: expanding map entry "k": .* \(ContainerSpec\.Mounts\[0\]\.VolumeOptions\.Labels\)/,
      ],
    ];
    for (const [container, words] of broken) assert.throws(() => ofTask(container), words);
  });

  it('on the host’s network binds nothing', () => {
    const config = ofSpec({ Networks: [{ Target: 'host' }], EndpointPorts: [{ TargetPort: 80, Protocol: 'tcp' }] });
    assert.equal(config.HostConfig.NetworkMode, 'host');
    assert.deepEqual(config.HostConfig.PortBindings, {});
  });

  it('is refused, naming the field, when this node cannot make it', () => {
    assert.throws(() => ofSpec({ Networks: [{ Target: 'backend' }] }), /TaskTemplate\.Networks.*backend/);
    assert.throws(
      () => ofTask({ Privileges: { CredentialSpec: { Config: 'x' } } }),
      /ContainerSpec\.Privileges\.CredentialSpec\.Config/,
    );
  });

  it('carries the user’s labels, none of which takes over one of ours', () => {
    const task = taskOf(3, node, { Labels: { mine: 'x', [labelNames.nodeID]: 'another' } });
    const labels = containerLabels(task);
    assert.equal(labels.mine, 'x');
    assert.equal(labels[labelNames.nodeID], node);
    assert.equal(labels[labelNames.taskName], `web.3.${taskID(3)}`);
    assert.equal(labels[labelNames.serviceName], 'web');
  });

  it('is named after its slot, or its node when it has none', () => {
    assert.equal(containerName(taskOf(3, node, {})), `web.3.${taskID(3)}`);
    assert.equal(containerName(taskOf(3, node, {}, { Slot: 0 })), `web.${node}.${taskID(3)}`);
  });

  it('has a grace of 10 s unless told otherwise', () => {
    assert.equal(stopGrace_ms(taskOf(1, node, {})), 10_000);
    assert.equal(stopGrace_ms(taskOf(1, node, { StopGracePeriod: 0 })), 0);
    assert.equal(stopGrace_ms(taskOf(1, node, { StopGracePeriod: 1.5e9 })), 1_500);
  });
});

describe('the hash of a specification', () => {
  const hash = (spec: TaskSpecInit) => specHash(taskOf(1, node, {}, { Spec: spec }).Spec);

  it('is the same for the same container', () => {
    const one = hash({ ContainerSpec: { Image: 'web', Labels: { a: '1', b: '2' } } });
    assert.equal(one, hash({ ContainerSpec: { Labels: { b: '2', a: '1' }, Image: 'web', Env: [], User: '' } }));
    assert.equal(
      one,
      hash({ ContainerSpec: { Image: 'web', Labels: { a: '1', b: '2' } }, ForceUpdate: 3, Placement: {} }),
    );
  });

  it('differs for another one', () => {
    const specs: TaskSpecInit[] = [
      { ContainerSpec: { Image: 'web' } },
      { ContainerSpec: { Image: 'web', Env: ['A=1'] } },
      { ContainerSpec: { Image: 'web', Env: ['A=1', 'B=2'] } },
      { ContainerSpec: { Image: 'web', Env: ['B=2', 'A=1'] } },
      { ContainerSpec: { Image: 'web', Args: ['A=1'] } },
      { ContainerSpec: { Image: 'web' }, EndpointPorts: [{ TargetPort: 80 }] },
      { ContainerSpec: { Image: 'web', Privileges: { Seccomp: { Mode: 'custom', Profile: Buffer.from('a') } } } },
      { ContainerSpec: { Image: 'web', Privileges: { Seccomp: { Mode: 'custom', Profile: Buffer.from('b') } } } },
    ];
    assert.equal(new Set(specs.map(hash)).size, specs.length);
  });
});

describe('what is pulled', () => {
  for (const [image, fromImage, tag] of [
    ['web', 'web', 'latest'],
    ['web:2', 'web', '2'],
    ['registry:5000/team/web', 'registry:5000/team/web', 'latest'],
    ['registry:5000/team/web:2', 'registry:5000/team/web', '2'],
    ['web@sha256:ab', 'web', 'sha256:ab'],
    ['registry:5000/web:2@sha256:ab', 'registry:5000/web', 'sha256:ab'],
  ] as const) {
    it(`for ${image} is ${fromImage} at ${tag}`, () => assert.deepEqual(pullReference(image), { fromImage, tag }));
  }
});
