import assert from 'node:assert/strict';
import fc from 'fast-check';
import { dockerFunctions, Template, TemplateError } from '../../../src/template/index.js';

const run = (text: string, data: unknown = {}) => new Template(text, dockerFunctions).run(data);

const service = {
  Name: 'web',
  Replicas: 3,
  Ratio: 0.25,
  Empty: '',
  Nothing: null,
  Labels: new Map([
    ['b', '2'],
    ['a', '1'],
  ]),
  Ports: [{ Published: 8080 }, { Published: 8081 }],
  Args: ['x', 'y'],
  Label: (name: unknown) => `label ${String(name)}`,
};

// Every output here is what Go's text/template gives for the same template and value.
const outputs: [string, string][] = [
  ['plain', 'plain'],
  ['{{.Name}}', 'web'],
  ['<{{ .Name }}>', '<web>'],
  ['a {{- .Name -}} b', 'awebb'],
  ['a\n  {{- /* gone */ -}}\n b', 'ab'],
  ['{{/* gone */}}x', 'x'],
  ['{{.Replicas}} {{.Ratio}} {{true}}', '3 0.25 true'],
  ['{{.Nothing}}', '<no value>'],
  ['{{.Labels}}', 'map[a:1 b:2]'],
  ['{{.Labels.a}}{{.Labels.zzz}}', '1<no value>'],
  ['{{.Args}}', '[x y]'],
  ['{{index .Args 1}}{{index .Labels "a"}}{{index .Labels "zzz"}}', 'y1'],
  ['{{(index .Ports 0).Published}}', '8080'],
  ['{{range .Ports}}{{.Published}} {{end}}', '8080 8081 '],
  ['{{range $i, $p := .Ports}}{{$i}}:{{$p.Published}} {{end}}', '0:8080 1:8081 '],
  ['{{range $k, $v := .Labels}}{{$k}}{{$v}}{{end}}', 'a1b2'],
  ['{{range .Empty}}x{{else}}none{{end}}'.replace('.Empty', '.Nothing'), 'none'],
  ['{{range 3}}{{.}}{{end}}', '012'],
  ['{{range .Args}}{{if eq . "y"}}{{break}}{{end}}{{.}}{{end}}', 'x'],
  ['{{range .Args}}{{if eq . "x"}}{{continue}}{{end}}{{.}}{{end}}', 'y'],
  ['{{if .Name}}y{{else}}n{{end}}{{if .Empty}}y{{else}}n{{end}}', 'yn'],
  ['{{if .Empty}}a{{else if .Nothing}}b{{else if .Name}}c{{else}}d{{end}}', 'c'],
  ['{{with .Ports}}{{len .}}{{end}}{{with .Empty}}x{{else}}-{{end}}', '2-'],
  ['{{with $x := .Name}}{{$x}}{{$.Replicas}}{{end}}', 'web3'],
  ['{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}', '2'],
  ['{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}', '1'],
  ['{{.Name | upper | printf "%-6s|"}}', 'WEB   |'],
  ['{{printf "%05.2f %d %q %v %t %x %%" 3.14159 7 "a" .Args true 255}}', '03.14 7 "a" [x y] true ff %'],
  ['{{printf "%d" "a"}}', '%!d(string=a)'],
  ['{{printf "%s"}}', '%!s(MISSING)'],
  ['{{println "a" 1}}', 'a 1\n'],
  ['{{print "a" 1 2 "b"}}', 'a1 2b'],
  [
    '{{eq 1 1}} {{eq "a" "b" "a"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt "b" "a"}} {{ge 1 2}}',
    'true true true true true true false',
  ],
  ['{{and 1 0 2}} {{or 0 "" "x"}} {{not .Empty}}', '0 x true'],
  ['{{and .Empty (index .Args 9)}}', ''],
  ['{{len "héllo"}} {{slice "hello" 1 3}} {{slice .Args 1}}', '6 el [y]'],
  ['{{json .Args}} {{json .Labels}} {{json .Name}}', '["x","y"] {"b":"2","a":"1"} "web"'],
  ['{{join .Args "-"}} {{split "a,b" ","}} {{title "hello world"}} {{lower "ABC"}}', 'x-y [a b] Hello World abc'],
  ['{{pad "a" 1 2}}| {{truncate "hello" 2}}', ' a  | he'],
  ['{{.Label "zone"}}', 'label zone'],
  ['{{"zone" | .Label}}', 'label zone'],
  ['{{"a\\tb\\u00e9\\x41"}}{{`raw\\n`}}{{\'A\'}}', 'a\tbéAraw\\n65'],
  ['{{0x1F}} {{-3}} {{1e3}} {{0b11}} {{017}}', '31 -3 1000 3 15'],
  ['{{html "<a&b>"}} {{urlquery "a b&c"}}', '&lt;a&amp;b&gt; a+b%26c'],
  ['{{100000000.5}} {{0.00001}} {{1000000.0}}', '1.000000005e+08 1e-05 1000000'],
  [`{{title "it's ünder-way_2"}}`, `It'S Ünder-Way_2`],
  ['}} is text', '}} is text'],
];

const mistakes: [string, string][] = [
  ['{{', ':1: unclosed action'],
  ['{{.Name', ':1: unclosed action'],
  ['\n\n{{.Name', ':3: unclosed action'],
  ['{{/* x', ':1: unclosed comment'],
  ['{{"x}}', ':1: unterminated quoted string'],
  ['{{}}', ':1: missing value for command'],
  ['{{if}}x{{end}}', ':1: missing value for if'],
  ['{{if .Name}}x', ':1: unexpected EOF'],
  ['{{end}}', ':1: unexpected {{end}}'],
  ['{{else}}', ':1: unexpected {{else}}'],
  ['{{if .Name}}{{else}}{{else}}{{end}}', ':1: expected end; found {{else}}'],
  ['{{nope}}', ':1: function "nope" not defined'],
  ['{{$x}}', ':1: undefined variable "$x"'],
  ['{{nil}}', ':1: nil is not a command'],
  ['{{break}}', ':1: {{break}} outside {{range}}'],
  ['{{define "x"}}{{end}}', ':1: {{define}} is not supported'],
  ['{{.Name | 3}}', ':1: non executable command in pipeline stage 2'],
  ['{{3x}}', ':1: bad number syntax: "3x"'],
  ['{{"\\q"}}', ':1: malformed constant: "\\q"'],
  ['{{.Name !}}', ':1: unrecognized character in action: "!"'],
  ['{{(.Name}}', ':1: unclosed left paren'],
  ['{{.Nope}}', ':1:2: executing "" at <.Nope>: map has no entry for key "Nope"'],
  ['{{.Name.More}}', `:1:7: executing "" at <.Name.More>: can't evaluate field More in type string`],
  ['{{.Nothing.More}}', ':1:10: executing "" at <.Nothing.More>: nil data; no entry for key "More"'],
  ['{{index .Args 9}}', ':1:2: executing "" at <index>: error calling index: index out of range: 9'],
  ['{{eq 1 "a"}}', ':1:2: executing "" at <eq>: error calling eq: incompatible types for comparison'],
  ['{{len 3}}', ':1:2: executing "" at <len>: error calling len: len of type int'],
  ['{{.Name 3}}', ':1:2: executing "" at <.Name>: Name is not a method but has arguments'],
  [
    '{{upper 3}}',
    ':1:2: executing "" at <upper>: error calling upper: wrong type for value; upper takes a string, not int',
  ],
  ['{{range 0.5}}{{end}}', ':1:8: executing "" at <0.5>: range can\'t iterate over 0.5'],
];

describe('a Go template', () => {
  for (const [text, output] of outputs) it(`${text} gives ${output}`, () => assert.equal(run(text, service), output));

  for (const [text, message] of mistakes) {
    it(`${text} is refused as in Go`, () => {
      assert.throws(
        () => run(text, service),
        (thrown) => thrown instanceof TemplateError && thrown.message === `template: ${message}`,
      );
    });
  }

  it('runs any number of times', () => {
    const template = new Template('{{$x := .A}}{{range .B}}{{$x}}{{.}}{{end}}');
    assert.equal(template.run({ A: 1, B: [2, 3] }), '1213');
    assert.equal(template.run({ A: 4, B: [] }), '');
  });

  it('calls functions that it is given', () => {
    assert.equal(new Template('{{env "A"}}', { env: (name) => `${String(name)}!` }).run({}), 'A!');
  });

  it('reaches nothing that an object inherits', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      assert.throws(() => run(`{{.${name}}}`, { a: 1 }), TemplateError);
      assert.throws(() => run(`{{.a.${name}}}`, { a: 'text' }), TemplateError);
      assert.equal(run(`{{index . "${name}"}}`, { a: 1 }), '');
    }
    assert.equal(run('{{.__proto__}}', new Map([['a', 1]])), '<no value>');
  });

  it('is bounded in length, depth, steps and output', () => {
    assert.throws(() => run('x'.repeat(1_050_000)), /longer than 1048576 characters/);
    assert.throws(() => run('{{if 1}}'.repeat(200) + '{{end}}'.repeat(200)), /more than 100 blocks/);
    assert.throws(() => run(`{{${'('.repeat(5_000)}1${')'.repeat(5_000)}}}`), /more than 100 blocks/);
    assert.throws(
      () => run('{{range 1000}}{{range 1000}}{{range 1000}}x{{end}}{{end}}{{end}}'),
      /more than 1000000 steps/,
    );
    assert.throws(() => run('{{range 2000}}{{$.}}{{end}}'.replace('$.', '$'), 'x'.repeat(10_000)), /output is longer/);
    assert.throws(() => run('{{range 2000000}}{{end}}'), /the most is/);
    assert.throws(() => run('{{pad "x" 2000000000 0}}'), TemplateError);
    assert.equal(run('{{printf "%999999999d" 1}}'), '%!(BADWIDTH)');
    let nested: unknown = 1;
    for (let depth = 0; depth < 10_000; depth++) nested = [nested];
    assert.ok(run('{{.}}', nested).length < 1000);
  });

  it('fails in its own way only, whatever the text', () => {
    const piece = fc.constantFrom(
      ...[
        '{{',
        '}}',
        '{{-',
        '-}}',
        '/*',
        '*/',
        '.',
        '.A',
        '$',
        '$x',
        ':=',
        '=',
        '|',
        '(',
        ')',
        ',',
        ' ',
        '\n',
        '"',
        '`',
        "'",
        '\\',
      ],
      ...[
        'if',
        'else',
        'end',
        'range',
        'with',
        'break',
        'continue',
        'define',
        'eq',
        'and',
        'or',
        'index',
        'len',
        'printf',
        'json',
      ],
      ...['slice', 'true', 'nil', '1', '-1', '1.5', '0x', '1e999', '"%d"', '"a"', 'é', '\u0000', '💥'],
    );
    const value = fc.oneof(fc.object(), fc.string(), fc.integer(), fc.constant(null), fc.array(fc.integer()));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), value, (pieces, data) => {
        try {
          assert.equal(typeof run(pieces.join(''), { A: data }), 'string');
        } catch (thrown) {
          assert.ok(thrown instanceof TemplateError, String(thrown));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('leaves text without actions as it is', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('{{')),
        (text) => assert.equal(run(text), text),
      ),
    );
  });

  it('gives back any value through json', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) =>
        assert.deepEqual(JSON.parse(run('{{json .v}}', { v: value })), JSON.parse(JSON.stringify(value))),
      ),
    );
  });
});
