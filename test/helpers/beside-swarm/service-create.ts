import type { Scenario } from './scenario.js';

/** Every flag of `service create` in three services of which no task finds a node, and what is shown of them. */
export const serviceCreate: readonly Scenario[] = [
  {
    name: 'service create: everything about the container',
    files: { 'env.txt': 'FROM_FILE=yes\n# a comment\nEMPTY=\n' },
    lines: [
      `service create -d -q --name full --no-resolve-image --constraint node.labels.nowhere==yes --cap-add NET_ADMIN --cap-add SYS_TIME
       --cap-drop ALL --container-label c=d --dns 10.1.1.1 --dns-option ndots:1 --dns-search example.org --entrypoint 'sh -c' --env A=b
       --env-file env.txt --group 100 --health-cmd 'test -e /' --health-interval 10s --health-retries 2 --health-start-period 1s
       --health-timeout 2s --host db:10.0.0.9 --hostname h{{.Task.Slot}} --init --isolation default --label l=m --label only-key
       --log-driver json-file --log-opt max-size=1m --mount type=volume,source=vol,target=/v,volume-label=a=b,volume-nocopy
       --mount type=bind,source=/tmp,target=/b,readonly,bind-propagation=rslave --mount type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770
       --read-only --stop-grace-period 5s --stop-signal SIGINT --sysctl net.core.somaxconn=1024 --tty --ulimit nofile=10:20 --user 1:1
       --workdir /w --with-registry-auth {IMAGE} echo hello`,
      'service inspect full',
      'service inspect --pretty full',
      'service ls',
      'service ls -q --filter name=full',
      'service ls --filter label=l=m --format {{.Name}}/{{.Mode}}/{{.Replicas}}/{{.Image}}',
      'service ls --filter label=nothing',
      'service ls --filter mode=global',
      'service ls --filter id=$(service ls -q --filter name=full)',
      'service ls --filter nonsense=1',
      'until Pending: service ps --format {{.CurrentState}} full',
      'service ps --no-trunc --format {{.Name}}/{{.Image}}/{{.Node}}/{{.DesiredState}}/{{.Error}} full',
      'service rm full',
      'service inspect full',
    ],
  },
  {
    name: 'service create: how many, where, and how they change',
    lines: [
      `service create --detach --quiet --name plan --no-resolve-image --replicas 2 --replicas-max-per-node 3 --constraint node.labels.nowhere==yes
       --constraint node.role!=worker --placement-pref spread=node.labels.zone --limit-cpu 0.5 --limit-memory 64m --limit-pids 50
       --reserve-cpu 0.1 --reserve-memory 32m --generic-resource gpu=1 --restart-condition on-failure --restart-delay 1s
       --restart-max-attempts 3 --restart-window 1m --update-delay 1s --update-failure-action rollback --update-max-failure-ratio 0.2
       --update-monitor 1s --update-order start-first --update-parallelism 2 --rollback-delay 1s --rollback-failure-action continue
       --rollback-max-failure-ratio 0.5 --rollback-monitor 1s --rollback-order start-first --rollback-parallelism 2
       --endpoint-mode dnsrr --publish mode=host,target=81,published=8081,protocol=udp --no-healthcheck {IMAGE}`,
      'service inspect plan',
      'service inspect --pretty plan',
      'service inspect --format {{json .Spec.TaskTemplate.Resources}} plan',
      'service scale -d plan=4',
      'service scale --detach plan=x',
      'service inspect --format {{.Spec.Mode.Replicated.Replicas}} plan',
      'service rm plan none',
    ],
  },
  {
    name: 'service create: global, jobs, secrets, configs, networks',
    files: { key: 'a secret', conf: 'a: b' },
    lines: [
      'secret create key key',
      'config create conf conf',
      'network create -d overlay --attachable net',
      `service create -d --name everywhere --no-resolve-image --mode global --constraint node.labels.nowhere==yes --network net
       --secret source=key,target=k,uid=1,gid=2,mode=0400 --config source=conf,target=/c,uid=1,gid=2,mode=0444 --credential-spec config://x {IMAGE}`,
      `service create -d -q --name everywhere --no-resolve-image --mode global --constraint node.labels.nowhere==yes
       --network name=net,alias=other --secret source=key,target=k,uid=1,gid=2,mode=0400
       --config source=conf,target=/c,uid=1,gid=2,mode=0444 {IMAGE}`,
      'service inspect everywhere',
      'service inspect --pretty everywhere',
      'service create -d --name job --no-resolve-image --mode replicated-job --replicas 5 --max-concurrent 2 --constraint node.labels.nowhere==yes {IMAGE} true',
      'service inspect job',
      'service ls --filter mode=replicated-job',
      'service create -d --name global-job --no-resolve-image --mode global-job --constraint node.labels.nowhere==yes {IMAGE} true',
      'service inspect --format {{json .Spec.Mode}} global-job',
      'secret rm key',
      'config rm conf',
      'service rm everywhere job global-job',
      'secret rm key',
      'config rm conf',
      'until : network rm net',
    ],
  },
  {
    name: 'service create: what is refused',
    lines: [
      'service create',
      'service create -d --name bad! --no-resolve-image {IMAGE}',
      'service create -d --name twice --no-resolve-image --constraint node.labels.nowhere==yes {IMAGE}',
      'service create -d --name twice --no-resolve-image {IMAGE}',
      'service create -d --no-resolve-image --mode sideways {IMAGE}',
      'service create -d --no-resolve-image --mode global --replicas 2 {IMAGE}',
      'service create -d --no-resolve-image --constraint zone {IMAGE}',
      'service create -d --no-resolve-image --secret nothing {IMAGE}',
      'service create -d --no-resolve-image --config nothing {IMAGE}',
      'service create -d --no-resolve-image --network nothing {IMAGE}',
      'service create -d --no-resolve-image --network bridge --constraint node.labels.nowhere==yes --name onbridge {IMAGE}',
      'service create -d --no-resolve-image --limit-memory 1 {IMAGE}',
      'service create -d --no-resolve-image --restart-condition maybe {IMAGE}',
      'service create -d --no-resolve-image --update-order sideways {IMAGE}',
      'service create -d --no-resolve-image --update-failure-action maybe {IMAGE}',
      'service create -d --no-resolve-image --endpoint-mode other {IMAGE}',
      'service create -d --no-resolve-image --endpoint-mode dnsrr -p 80:80 {IMAGE}',
      'service create -d --name relative --no-resolve-image --mount type=bind,source=relative,target=/x {IMAGE}',
      'service create -d --no-resolve-image --mount type=tmpfs,target=/x --mount type=tmpfs,target=/x {IMAGE}',
      'service create -d --no-resolve-image --publish 80:80 --publish 80:81 {IMAGE}',
      'service create -d --no-resolve-image --isolation nothing --constraint node.labels.nowhere==yes --name isolated {IMAGE}',
      'service create -d --name dashes --no-resolve-image --constraint node.labels.nowhere==yes --hostname -- {IMAGE}',
      'service create -d --name hasty --no-resolve-image --stop-grace-period -1s {IMAGE}',
      'service create -d --no-resolve-image --health-interval 1ns {IMAGE}',
      'service create -d --no-resolve-image --no-healthcheck --health-cmd true {IMAGE}',
      'service create -d --no-resolve-image --nonsense {IMAGE}',
      'service create -d --no-resolve-image UPPER',
      'service inspect nothing',
      'service rm nothing',
      'service scale -d nothing=1',
      'service ps nothing',
      'service logs nothing',
      'service update -d nothing',
      'service rollback -d nothing',
      'service inspect onbridge',
      'service rm twice onbridge dashes',
      'service rm isolated relative hasty',
    ],
  },
];
