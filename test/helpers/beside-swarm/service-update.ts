import type { Scenario } from './scenario.js';

const create = `service create -d -q --name s --no-resolve-image --constraint node.labels.nowhere==yes`;

/** Every flag of `service update`: what adds, then what takes away again. */
export const serviceUpdate: readonly Scenario[] = [
  {
    name: 'service update: adds and removes',
    files: { key: 'a secret', conf: 'a: b' },
    lines: [
      'secret create key key',
      'config create conf conf',
      'network create -d overlay net',
      `${create} --env OLD=1 {IMAGE} sleep 1`,
      `service update -d -q --no-resolve-image --args 'sleep 2' --cap-add NET_ADMIN --cap-drop SYS_TIME --config-add conf --constraint-add node.role==manager
       --container-label-add c=d --dns-add 10.1.1.1 --dns-option-add ndots:1 --dns-search-add example.org --entrypoint 'sh -c' --env-add OLD=2
       --generic-resource-add gpu=1 --group-add 100 --health-cmd true --health-interval 10s --health-retries 2 --health-start-period 1s
       --health-timeout 2s --host-add db:10.0.0.9 --hostname h --image {IMAGE} --init --isolation default --label-add l=m --limit-cpu 0.5 --limit-memory 64m
       --limit-pids 50 --log-driver json-file --log-opt max-size=1m --replicas 3 --mount-add type=volume,source=vol,target=/v --network-add net
       --placement-pref-add spread=node.labels.zone --publish-add mode=host,target=81,published=8081 --read-only
       --replicas-max-per-node 4 --reserve-cpu 0.1 --reserve-memory 32m --restart-condition on-failure --restart-delay 1s
       --restart-max-attempts 3 --restart-window 1m --rollback-delay 1s --rollback-failure-action continue
       --rollback-max-failure-ratio 0.5 --rollback-monitor 1s --rollback-order start-first --rollback-parallelism 2 --secret-add key
       --stop-grace-period 5s --stop-signal SIGINT --sysctl-add net.core.somaxconn=1024 --tty --ulimit-add nofile=10:20 --update-delay 1s
       --update-failure-action continue --update-max-failure-ratio 0.2 --update-monitor 1s --update-order start-first
       --update-parallelism 2 --user 1:1 --with-registry-auth --workdir /w s`,
      'service inspect s',
      'service inspect --pretty s',
      `service update --detach --quiet --no-resolve-image --cap-drop NET_ADMIN --cap-add SYS_TIME --config-rm conf --constraint-rm node.role==manager
       --container-label-rm c --dns-rm 10.1.1.1 --dns-option-rm ndots:1 --dns-search-rm example.org --env-rm OLD
       --generic-resource-rm gpu --group-rm 100 --no-healthcheck --health-cmd '' --host-rm db:10.0.0.9 --label-rm l --mount-rm /v --network-rm net
       --placement-pref-rm spread=node.labels.zone --publish-rm 81 --secret-rm key --sysctl-rm net.core.somaxconn --ulimit-rm nofile s`,
      `service update --detach --quiet --no-resolve-image --cap-drop NET_ADMIN --config-rm conf --constraint-rm node.role==manager
       --container-label-rm c --dns-rm 10.1.1.1 --dns-option-rm ndots:1 --dns-search-rm example.org --env-rm OLD
       --generic-resource-rm gpu --group-rm 100 --host-rm db:10.0.0.9 --label-rm l --mount-rm /v --network-rm net
       --placement-pref-rm spread=node.labels.zone --publish-rm 81 --secret-rm key --sysctl-rm net.core.somaxconn --ulimit-rm nofile
       --credential-spec '' --endpoint-mode dnsrr s`,
      'service inspect s',
      'service update -d -q --no-resolve-image --force s',
      'service inspect --format {{.Spec.TaskTemplate.ForceUpdate}} s',
      'service update -d -q --no-resolve-image --credential-spec file://x --hostname other s',
      'service update -d -q --no-resolve-image --rollback s',
      'service inspect --format {{json .Spec}} s',
      'service rollback -d -q s',
      'service inspect --format {{json .Spec}} s',
      'service rm s',
      'secret rm key',
      'config rm conf',
      'until : network rm net',
    ],
  },
  {
    name: 'service update: jobs, and what is refused',
    lines: [
      `${create} --mode replicated-job --replicas 4 {IMAGE} true`,
      'service update -d -q --no-resolve-image --replicas 6 --max-concurrent 3 s',
      'service inspect s',
      'service update -d -q --no-resolve-image --rollback s',
      'service scale -d s=2',
      'service rm s',
      `${create} --mode global {IMAGE}`,
      'service update -d --no-resolve-image --replicas 2 s',
      'service scale -d s=2',
      'service rollback -d s',
      'service update -d --no-resolve-image --constraint-add zone s',
      'service update -d --no-resolve-image --secret-add nothing s',
      'service update -d --no-resolve-image --network-add nothing s',
      'service update -d --no-resolve-image --image Upper s',
      'service update -d --no-resolve-image --update-order sideways s',
      'service rm s',
    ],
  },
  {
    name: 'services whose tasks run',
    lines: [
      `service create -d -q --name web --replicas 2 --constraint node.hostname=={NAME_A} --restart-delay 100ms --update-monitor 100ms --no-resolve-image {IMAGE} sh -c 'trap "exit 0" TERM; echo to-out; echo to-err >&2; sleep 1000 & wait'`,
      'until 2/2: service ls --filter name=web --format {{.Replicas}}',
      'service ls',
      'service ps web',
      'service ps -q --filter desired-state=running --filter name=web.1 web',
      'service ps --no-resolve --format {{.Name}}/{{.Node}}/{{.DesiredState}}/{{.Ports}} --filter node={NAME_A} web',
      'service ps --filter id=nothing web',
      'service ps --filter nonsense=1 web',
      'until to-out: service logs --raw --tail 2 web',
      'service logs --raw --tail 0 web',
      'service logs --no-task-ids --no-resolve --no-trunc --details --timestamps --since 1h --tail all $(service ps -q --filter name=web.1 web)',
      'service logs --raw --since 2030-01-01T00:00:00 web',
      'service logs --tail x web',
      'service logs --since y web',
      'service update -q --no-resolve-image --env-add A=b --update-parallelism 0 --stop-grace-period 1s web',
      'service inspect --format {{.UpdateStatus.State}}/{{.UpdateStatus.Message}} web',
      'until 2: service ps -q --filter desired-state=running web',
      'service rollback -q web',
      'service inspect --format {{.UpdateStatus.State}}/{{.UpdateStatus.Message}} web',
      'service update -q --no-resolve-image --replicas 1 web',
      'until 1/1: service ls --filter name=web --format {{.Replicas}}',
      'service rm web',
      'service create -d -q --name job --mode replicated-job --replicas 3 --no-resolve-image {IMAGE} true',
      'until (3/3 completed): service ls --filter name=job --format {{.Replicas}}',
      'service ls --format {{.Name}}/{{.Mode}}/{{.Replicas}}',
      'service ps --format {{.DesiredState}}/{{.CurrentState}} job',
      'service ps --filter name=job.1 --format {{.Name}} job',
      // attached: the client ends once it has seen the run of every number
      'service update -q --force --no-resolve-image job',
      'service ls --format {{.Name}}/{{.Mode}}/{{.Replicas}}',
      'service inspect --pretty job',
      'service create -q --name everywhere --mode global-job --no-resolve-image {IMAGE} true',
      'service ls --filter name=everywhere --format {{.Mode}}/{{.Replicas}}',
      'service inspect --pretty everywhere',
      'service logs --raw --follow nothing',
      'service rm job everywhere',
    ],
  },
];
