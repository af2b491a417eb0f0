import type { Scenario } from './scenario.js';

/** What Debian's client does not have yet. */
export const newer: Scenario = {
  name: 'what only newer clients can say',
  files: {
    'stack.yml': `services: {web: {image: "127.0.0.1:9/web:\${TAG:-1}", deploy: {placement: {constraints: [node.labels.nowhere == yes]}}}}\n`,
  },
  lines: [
    'stack config --compose-file stack.yml',
    'stack config -c stack.yml --skip-interpolation',
    'stack deploy --detach --quiet -c stack.yml --resolve-image never shop',
    'stack deploy --detach=false -c stack.yml --resolve-image never nothing-runs --nonsense',
    'stack rm --detach shop',
    'network rm --force none',
    'service create -d --oom-score-adj 5 {IMAGE}',
    'service create -d --health-start-interval 1s {IMAGE}',
    'service update -d --oom-score-adj 5 none',
    'service update -d --health-start-interval 1s none',
    'network connect --gw-priority 1 bridge none',
    'network create --ipv4=false nothing',
  ],
};
