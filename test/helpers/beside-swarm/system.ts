import type { Scenario } from './scenario.js';

export const system: readonly Scenario[] = [
  {
    name: 'the system and its events',
    files: { data: 'the data' },
    lines: [
      'info --format {{json .Swarm.Cluster.Spec}}',
      'info --format {{.Swarm.LocalNodeState}}/{{.Swarm.ControlAvailable}}/{{.Swarm.Nodes}}/{{.Swarm.Managers}}/{{.Swarm.NodeAddr}}',
      'system info --format {{.Swarm.Cluster.RootRotationInProgress}}/{{.Swarm.Cluster.DataPathPort}}/{{.Swarm.Cluster.SubnetSize}}',
      'secret create noted-{RUN} data',
      'config create noted-{RUN} data',
      'service create -d -q --name noted-{RUN} --no-resolve-image --constraint node.labels.nowhere==yes {IMAGE}',
      'service update -d -q --no-resolve-image --label-add a=b noted-{RUN}',
      'service rm noted-{RUN}',
      'config rm noted-{RUN}',
      'secret rm noted-{RUN}',
      // Up to a moment that is to come: the client cuts the present one down to its second, and what was in that would be missing.
      "events --since 10m --until=-1s --filter scope=swarm --filter type=secret --filter secret=noted-{RUN} --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}'",
      "events --since 10m --until=-1s --filter config=noted-{RUN} --format '{{.Type}} {{.Action}} {{.Scope}}'",
      "system events --since 10m --until=-1s --filter type=service --filter event=create --filter service=noted-{RUN} --format '{{json .Actor.Attributes}}'",
      "system events --since 10m --until=-1s --filter type=service --filter event=remove --filter service=noted-{RUN} --format '{{json .Actor.Attributes}}'",
      'events --since nonsense',
      'events --since 0s --until 0s --filter nonsense=1',
      'system df --format {{.Type}}',
      'system df --verbose --format {{len .Images}}',
      'system prune --force --filter until=1h',
      'system prune --all --volumes --force --filter label=nothing',
    ],
  },
];
