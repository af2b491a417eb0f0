import type { Scenario } from './scenario.js';

const of = (kind: 'secret' | 'config'): Scenario => ({
  name: `${kind}s`,
  files: { data: 'the data', empty: '', 'template.txt': '{{.Node.Hostname}}' },
  lines: [
    `${kind} create --label a=b --label c ${kind}-one data`,
    `${kind} create -l x=y --template-driver golang ${kind}-two template.txt`,
    `${kind} create ${kind}-one data`,
    `${kind} create ${kind}-empty empty`,
    `${kind} create 'bad name' data`,
    `${kind} create -nonsense x data`,
    `${kind} create ${kind}-missing missing`,
    ...(kind === 'secret' ? [`secret create --driver nothing 'bad name'`] : []),
    `${kind} ls`,
    `${kind} ls -q --filter name=${kind}-one`,
    `${kind} ls --filter label=a=b --format '{{.Name}}:{{.Label "a"}}'`,
    `${kind} ls --filter id=nothing`,
    `${kind} ls --filter nonsense=1`,
    `${kind} inspect ${kind}-one ${kind}-two`,
    `${kind} inspect ${kind}-one nothing`,
    `${kind} inspect --pretty ${kind}-one`,
    `${kind} inspect --format {{.Spec.Name}}/{{.Spec.Labels}}/{{.Spec.Templating}} ${kind}-two`,
    `${kind} rm ${kind}-one nothing`,
    `${kind} rm ${kind}-two`,
    `${kind} ls --format {{json .}}`,
  ],
});

export const storedFiles: readonly Scenario[] = [of('secret'), of('config')];
