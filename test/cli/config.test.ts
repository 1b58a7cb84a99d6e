import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configCheck, configOrigin, configShow } from '../../src/cli/config.ts';
import type { ConfigOptions } from '../../src/cli/options.ts';
import type { ControlFiles } from '../support/gateway.ts';
import { controlFolder, postern } from '../support/gateway.ts';

const FILES: ControlFiles = {
  databytes: '1000\n',
  'tcp.smtp': '10.:allow,DATABYTES="2000"\n=.partner.example:allow,MAXRCPT="7",DATABYTES="3000"\n:allow\n',
  simcontrol:
    ':observe=HOPS\nexample.com:rejectscore=9\njoe@example.com:rejectscore=5,observe=RBL_REJECT:BADHELO\n',
};

type Command = (print: (line: string) => void, places: { control: string; state: string }) => Promise<number>;

/** Runs a command on a control folder; its exit code and what it prints, places shortened. */
async function run(command: Command, files: ControlFiles = FILES) {
  await using folder = await controlFolder(files);
  const lines: string[] = [];
  const code = await command(line => lines.push(line.replaceAll(folder.control, 'control')), folder);
  return { code, lines };
}

const origin = (name: string, options: ConfigOptions = {}) =>
  run((print, places) => configOrigin(name, { ...places, ...options }, print));

test('origin names the value, the file and line, and the layer', async () => {
  const cases: readonly [string, ConfigOptions, readonly string[]][] = [
    ['maxrcpt', {}, ['maxrcpt is 1000', 'from built in (the shipped default)']],
    ['databytes', {}, ['databytes is 1000', 'from control/databytes (the control directory)']],
    [
      'DATABYTES',
      { client: '10.1.2.3' },
      ['DATABYTES is 2000', 'from control/tcp.smtp:1 (the client’s line in tcp.smtp)'],
    ],
    [
      'databytes',
      { client: '11.1.2.3' },
      ['databytes is 1000', 'from control/databytes (the control directory)'],
    ],
    [
      'maxrcpt',
      { client: '192.0.2.1', host: 'mx.partner.example' },
      ['maxrcpt is 7', 'from control/tcp.smtp:2 (the client’s line in tcp.smtp)'],
    ],
    [
      'observe',
      { rcpt: 'x@other.example' },
      ['observe is HOPS', 'from control/simcontrol:1 (the recipient’s line in simcontrol)'],
    ],
    [
      'rejectscore',
      { rcpt: 'x@Example.COM' },
      ['rejectscore is 9', 'from control/simcontrol:2 (the recipient’s line in simcontrol)'],
    ],
    [
      'rejectscore',
      { rcpt: 'joe@example.com' },
      ['rejectscore is 5', 'from control/simcontrol:3 (the recipient’s line in simcontrol)'],
    ],
  ];
  for (const [name, options, wanted] of cases) {
    const { code, lines } = await origin(name, options);
    assert.equal(code, 0);
    // simcontrol is lower case throughout (simscanmk).
    assert.deepEqual(
      lines.map(line => line.toLowerCase()),
      wanted.map(line => line.toLowerCase()),
    );
  }
});

test('an unknown setting is told so, with the nearest one', async () => {
  const { code, lines } = await origin('databyte');
  assert.equal(code, 1);
  assert.deepEqual(lines, ['databyte is not a setting (did you mean databytes?)']);
});

test('a client that is no address is told so', async () => {
  const { code, lines } = await origin('databytes', { client: 'mx.example.net' });
  assert.deepEqual([code, lines], [1, ['mx.example.net (--client) is not an IP address']]);
});

test('show prints what is set and where; --all everything', async () => {
  const some = await run((print, places) => configShow(null, places, print));
  assert.equal(some.code, 0);
  assert.ok(some.lines.includes('databytes: 1000  [control/databytes]'));
  assert.ok(some.lines.includes('rcpthosts: 1 entries  [control/rcpthosts]'), some.lines.join('\n'));
  assert.ok(!some.lines.some(line => line.startsWith('maxrcpt:')));
  const all = await run((print, places) => configShow(null, { ...places, all: true }, print));
  assert.ok(all.lines.includes('maxrcpt: 1000  [built in]'));
  const one = await run((print, places) => configShow('databytes', { ...places, client: '10.9.9.9' }, print));
  assert.deepEqual(one.lines, ['databytes: 2000  [control/tcp.smtp:1]']);
});

test('check counts errors and warnings, and exits 1 with an error', async () => {
  const good = await run((print, places) => configCheck(places, print));
  assert.equal(good.code, 0, good.lines.join('\n'));
  assert.match(good.lines.at(-1) ?? '', /^no errors, 0 warnings; configuration [0-9a-f]{8}$/);
  const odd = await run((print, places) => configCheck(places, print), {
    ...FILES,
    databites: '1\n',
    databytes: '5 MB\n',
  });
  assert.equal(odd.code, 0);
  assert.deepEqual(odd.lines.slice(0, -1).toSorted(), [
    'control/databites: warning: nothing reads this file (did you mean databytes?)',
    'control/databytes:1: warning: "5 MB" counts as 5',
  ]);
  const bad = await run((print, places) => configCheck(places, print), {
    ...FILES,
    rcpthosts: null,
    databites: '1\n',
  });
  assert.equal(bad.code, 1);
  assert.equal(bad.lines.at(-1), '1 errors, 1 warnings: this configuration would be refused');
});

test('the commands of the program do the same', async () => {
  await using folder = await controlFolder(FILES);
  const places = ['--control', folder.control, '--state', folder.state];
  const check = await postern(['config', 'check', ...places]);
  assert.deepEqual([check.code, check.stderr.toString()], [0, '']);
  const show = await postern(['config', 'show', 'databytes', '--client', '10.0.0.1', ...places]);
  assert.match(show.stdout.toString(), /^databytes: 2000 {2}\[.*tcp\.smtp:1\]\n$/);
  const from = await postern(['config', 'origin', 'rejectscore', '--rcpt', 'joe@example.com', ...places]);
  assert.match(from.stdout.toString(), /^rejectscore is 5\nfrom .*simcontrol:3 /);
  const bare = await postern(['config', 'check', '--state', folder.state]);
  assert.equal(bare.code, 0, 'the shipped rules are right');
  const unknown = await postern(['confg']);
  assert.notEqual(unknown.code, 0);
  assert.match(unknown.stderr.toString(), /unknown command 'confg'[\s\S]*config/);
});
