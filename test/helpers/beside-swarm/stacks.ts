import type { Scenario } from './scenario.js';

const compose = (replicas: number, more = '') => `version: "3.8"
services:
  web:
    image: "127.0.0.1:9/web:1"
    command: ["sleep", "1000"]
    environment: {A: b}
    secrets: [key]
    configs: [{source: conf, target: /etc/web.conf, mode: 0440}]
    networks: {front: {aliases: [www]}, back: {}}
    healthcheck: {test: ["CMD", "true"], interval: 5s}
    deploy:
      replicas: ${replicas}
      labels: {tier: web}
      placement: {constraints: [node.labels.nowhere == yes], preferences: [{spread: node.labels.zone}], max_replicas_per_node: 2}
      resources: {limits: {cpus: "0.5", memory: 50M}, reservations: {cpus: "0.1", memory: 20M}}
      restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3, window: 120s}
      update_config: {parallelism: 2, delay: 10s, order: start-first, failure_action: rollback, monitor: 5s, max_failure_ratio: 0.1}
      rollback_config: {parallelism: 1, order: stop-first}
${more}
networks: {front: {}, back: {internal: true, attachable: true, labels: {a: b}}}
secrets: {key: {file: key.txt, labels: {s: t}}}
configs: {conf: {file: web.conf}}
`;

export const stacks: readonly Scenario[] = [
  {
    name: 'stacks',
    files: {
      'one.yml': compose(
        2,
        '  agent: {image: "127.0.0.1:9/web:1", networks: [back], deploy: {mode: global, placement: {constraints: [node.labels.nowhere == yes]}}}',
      ),
      'two.yml': compose(3),
      'bad.yml': 'version: "3.8"\nservices: {web: {image: x, nonsense: 1}}\n',
      'key.txt': 'canary',
      'web.conf': 'a: b',
    },
    lines: [
      'stack deploy --compose-file one.yml --resolve-image never --with-registry-auth shop',
      'stack ls',
      'stack ls --format {{.Name}}/{{.Services}}',
      'stack services --format {{.Name}}/{{.Mode}}/{{.Replicas}}/{{.Image}} shop',
      'stack services -q --filter name=shop_web shop',
      'stack services --filter nonsense=1 shop',
      'service inspect shop_web',
      'service inspect shop_agent',
      'until overlay: network inspect --format {{.Driver}} shop_back',
      'network inspect shop_back',
      'secret inspect shop_key',
      'config inspect shop_conf',
      'until Pending: stack ps --filter name=shop_web.1 --format {{.CurrentState}} shop',
      'stack ps --no-resolve --no-trunc --filter desired-state=running --format {{.Name}}/{{.Image}}/{{.DesiredState}} shop',
      'stack ps -q --filter node=self shop',
      'stack deploy -c two.yml --prune --resolve-image never shop',
      'service inspect --format {{.Spec.Mode.Replicated.Replicas}} shop_web',
      'stack services --format {{.Name}} shop',
      'stack deploy -c bad.yml other',
      'stack deploy -c missing.yml other',
      'stack ps nothing',
      'stack services nothing',
      'stack rm shop',
      'until : network ls -q --filter label=com.docker.stack.namespace=shop',
      'stack rm nothing',
      'stack ls',
    ],
  },
];
