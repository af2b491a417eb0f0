import type { Scenario } from './scenario.js';

const create = 'service create -d -q --no-resolve-image';
const shown = 'service ps --no-trunc --format {{.Name}}/{{.Node}}/{{.DesiredState}}/{{.Error}}';
const waits = (name: string, words: string) => [
  `until ${words}: service ps --no-trunc --format {{.Error}} ${name}`,
  `${shown} ${name}`,
];
const runs = (name: string, replicas: string) =>
  `until ${replicas}: service ls --filter name=${name} --format {{.Replicas}}`;

/** Where tasks come to be, why others wait, and what is filled into them. */
export const placement: readonly Scenario[] = [
  {
    name: 'placement: what cannot be placed says why',
    lines: [
      'node update --label-add zone=x {NAME_B}',
      `${create} --name nowhere --constraint node.labels.zone==y --constraint node.role==worker {IMAGE}`,
      `${create} --name large --reserve-cpu 64 {IMAGE}`,
      `${create} --name partly --constraint node.labels.zone==x --reserve-memory 500g {IMAGE}`,
      `${create} --name few --replicas 3 --replicas-max-per-node 1 {IMAGE}`,
      `${create} --name ported --replicas 3 -p mode=host,target=80,published=8099 {IMAGE}`,
      `${create} --name costly --generic-resource gpu=3 {IMAGE}`,
      `${create} --name unknown --generic-resource tpu=1 {IMAGE}`,
      `${create} --name stored --mount type=volume,source=vol,target=/v,volume-driver=nosuch {IMAGE}`,
      `${create} --name logged --log-driver nosuch {IMAGE}`,
      `${create} --name everywhere --mode global --reserve-cpu 64 {IMAGE}`,
      `${create} --name beyond --mode global --constraint node.labels.zone==y {IMAGE}`,
      `${create} --name done --mode replicated-job --replicas 2 --constraint node.labels.zone==y {IMAGE} true`,
      `${create} --name done-on-all --mode global-job --constraint node.labels.zone==y {IMAGE} true`,
      ...['nowhere', 'large', 'partly', 'costly', 'unknown'].flatMap((name) => waits(name, 'no suitable node')),
      ...['stored', 'logged', 'done'].flatMap((name) => waits(name, 'no suitable node')),
      // which of nodes that are as good as each other is taken is chance, so these are looked at by node
      'until "no suitable node (max replicas per node limit exceed)": service ps --no-trunc --format {{.Error}} few',
      'until "no suitable node (host-mode port already in use on 2 nodes)": service ps --no-trunc --format {{.Error}} ported',
      'until "insufficient resources on 1 node": service ps --no-trunc --format {{.Error}} everywhere',
      'service ps --no-trunc --filter node={NAME_B} --format {{.Name}}/{{.Node}}/{{.DesiredState}}/{{.Error}} everywhere',
      'service ps beyond',
      'service ps done-on-all',
      runs('few', '2/3'),
      runs('ported', '2/3'),
      'service ls --format {{.Name}}/{{.Mode}}/{{.Replicas}}/{{.Ports}}',
      'service rm nowhere large partly few ported costly unknown stored logged everywhere beyond done done-on-all',
      'node update --label-rm zone {NAME_B}',
    ],
  },
  {
    name: 'placement: tasks follow labels, availability and preferences',
    lines: [
      'node update --label-add zone=x {NAME_B}',
      `${create} --name spread --replicas 6 --placement-pref spread=node.labels.zone --stop-grace-period 1s {IMAGE}`,
      runs('spread', '6/6'),
      'service ps --format {{.DesiredState}}/{{.Error}} --filter node={NAME_A} spread',
      `${create} --name bound --constraint node.labels.zone==x --restart-delay 1s --stop-grace-period 1s {IMAGE}`,
      runs('bound', '1/1'),
      'service ps --format {{.Node}}/{{.DesiredState}} bound',
      `${create} --name all --mode global --stop-grace-period 1s {IMAGE}`,
      runs('all', '2/2'),
      `${create} --name gpus --replicas 2 --generic-resource gpu=2 --generic-resource ssd=1 --stop-grace-period 1s {IMAGE}`,
      runs('gpus', '2/2'),
      'inspect --format {{json .GenericResources}} $(service ps -q --filter node={NAME_A} gpus)',
      'node update --availability drain {NAME_B}',
      runs('spread', '6/6'),
      runs('all', '1/1'),
      `service ps --format {{.Name}}/{{.DesiredState}} --filter desired-state=running all`,
      `service ps --format {{.DesiredState}} --filter node={NAME_B} all`,
      'node update --availability pause {NAME_B}',
      'node ps --format {{.Name}} --filter desired-state=running {NAME_B}',
      'node update --availability active --label-rm zone {NAME_B}',
      runs('all', '2/2'),
      'service rm spread bound all gpus',
    ],
  },
  {
    name: 'templates',
    files: { tpl: '{{.Service.Name}} {{.Task.Slot}} {{env "COLOUR"}}' },
    lines: [
      `${create} --name bad --env 'A={{.Task.Nope}}' {IMAGE}`,
      `${create} --name bad --env 'A={{.Service.Labels.nope}}' --constraint node.labels.zone==y {IMAGE}`,
      `service rm bad`,
      `${create} --name bad --hostname '{{' {IMAGE}`,
      `${create} --name bad --hostname '{{nope}}' {IMAGE}`,
      `${create} --name bad --mount 'type=volume,source={{.Nope}},target=/x' {IMAGE}`,
      'config create --template-driver golang tpl tpl',
      'config inspect tpl',
      `${create} --name filled --replicas 2 --config source=tpl,target=/tpl --env COLOUR=blue
       --env 'E={{.Service.Name}} {{.Node.Hostname}} {{.Task.Slot}}' --hostname '{{.Node.Hostname}}-{{.Task.Slot}}'
       --constraint node.hostname=={NAME_A} --stop-grace-period 1s {IMAGE} sh -c 'hostname; cat /tpl; echo; echo $E; sleep 1000'`,
      'until blue: service logs --raw filled',
      'service logs --raw $(service ps -q --filter name=filled.2 filled)',
      'config rm tpl',
      'service rm filled',
      'until : config rm tpl',
    ],
  },
];
