import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import { Cdb } from '../../src/control/cdb.ts';
import { writeCdb } from '../support/cdb-writer.ts';
import { Complaints } from '../../src/control/complaints.ts';
import type { TcpRules } from '../../src/control/tcprules.ts';
import { parseTcpRules, tcpRulesFromCdb } from '../../src/control/tcprules.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'tcprules-'));
});
after(() => rmSync(folder, { recursive: true }));

interface Client {
  readonly ip: string;
  readonly host: string | null;
  readonly info: string | null;
}

const client = (ip: string, host: string | null = null, info: string | null = null): Client => ({
  ip,
  host,
  info,
});

function fromText(text: string) {
  const complaints = new Complaints();
  const rules = parseTcpRules(text, 'tcp.smtp', complaints);
  return { rules, errors: complaints.errors, said: complaints.list.map(c => `${c.line}: ${c.text}`) };
}

function fromCdb(bytes: Buffer) {
  const complaints = new Complaints();
  const rules = tcpRulesFromCdb(bytes, 'tcp.smtp.cdb', complaints);
  return { rules, errors: complaints.errors, said: complaints.list.map(c => c.text) };
}

/** What Debian's tcprules makes of `text`: the cdb, or its last words. */
function compile(text: string): { cdb: Buffer } | { fatal: string } {
  const cdb = join(folder, 'rules.cdb');
  const run = spawnSync('tcprules', [cdb, join(folder, 'rules.tmp')], { input: Buffer.from(text, 'latin1') });
  assert.equal(run.error, undefined);
  return run.status === 0 ? { cdb: readFileSync(cdb) } : { fatal: run.stderr.toString('latin1').trimEnd() };
}

/** What Debian's tcprulescheck says of the file that `compile` made last, in the form of `answer`. */
function ask(who: Client): string {
  const env = {
    TCPREMOTEIP: who.ip,
    ...(who.host === null ? {} : { TCPREMOTEHOST: who.host }),
    ...(who.info === null ? {} : { TCPREMOTEINFO: who.info }),
  };
  const run = spawnSync('tcprulescheck', [join(folder, 'rules.cdb')], {
    env: { PATH: process.env['PATH'], ...env },
  });
  assert.equal(run.error, undefined);
  return run.stdout.toString('latin1');
}

function answer(rules: TcpRules, who: Client): string {
  const rule = rules.find(who);
  const head = rule === null ? 'default:\n' : `rule ${rule.key}:\n`;
  const variables = (rule?.variables ?? []).map(
    ([name, value]) => `set environment variable ${name}=${value}\n`,
  );
  return `${head}${variables.join('')}${rule?.action ?? 'allow'} connection\n`;
}

const EXAMPLE = `127.0.0.1:allow,RELAYCLIENT="",QMAILQUEUE="/var/qmail/bin/qmail-scanner-queue"
1.2.3.4:deny
10.1-3.:allow,RBLSMTPD=""
=mail.example.com:allow,A="1"
=.example.com:allow,B=/x"y/
bob@10.9.8.7:allow,RELAYCLIENT="@bobgw"
192.168.:allow,RELAYCLIENT=""
=:allow,NAMED="1"
:allow,QMAILQUEUE="/var/qmail/bin/simscan"
`;

const CLIENTS: readonly [Client, string | null][] = [
  [client('127.0.0.1'), '127.0.0.1'],
  [client('10.2.200.1'), '10.2.'],
  [client('5.5.5.5', 'mail.example.com'), '=mail.example.com'],
  [client('5.5.5.5', 'a.b.example.com'), '=.example.com'],
  [client('5.5.5.5', 'Mail.Example.COM'), '='],
  [client('5.5.5.5', 'example.com'), '='],
  [client('10.9.8.7', null, 'bob'), 'bob@10.9.8.7'],
  [client('10.9.8.7', 'x', 'ann'), '='],
  [client('1.2.3.4', 'mail.example.com'), '1.2.3.4'],
  [client('192.168.1.1', 'x.example.com'), '192.168.'],
  [client('192.168.1.1', 'mail.example.com'), '=mail.example.com'],
  [client('5.5.5.5'), ''],
  [client('::ffff:1.2.3.4'), '1.2.3.4'],
];

test('one rule for each client: text, cdb and tcprulescheck agree', () => {
  const compiled = compile(EXAMPLE);
  assert.ok('cdb' in compiled);
  const text = fromText(EXAMPLE);
  assert.deepEqual(text.said, []);
  for (const [who, key] of CLIENTS) {
    assert.equal(text.rules.find(who)?.key, key, JSON.stringify(who));
    assert.equal(answer(fromCdb(compiled.cdb).rules, who), answer(text.rules, who));
    if (!who.ip.includes(':')) assert.equal(answer(text.rules, who), ask(who));
  }
});

test('rules carry action, variables in order, and their place', () => {
  const { rules } = fromText('# note\n1.2.3.4:allow,A="1",B=xhellox,A=/2, 3:/\n5.:deny,A="1"\n');
  assert.deepEqual(rules.find(client('1.2.3.4')), {
    key: '1.2.3.4',
    action: 'allow',
    variables: [
      ['A', '1'],
      ['B', 'hello'],
      ['A', '2, 3:'],
    ],
    place: 'tcp.smtp:2',
  });
  assert.deepEqual(rules.find(client('5.6.7.8')), {
    key: '5.',
    action: 'deny',
    variables: [],
    place: 'tcp.smtp:3',
  });
  assert.equal(rules.find(client('9.9.9.9')), null);
  const cdb = fromCdb(writeCdb([[Buffer.from('5.'), Buffer.from('+A=b=c\0junk\0\0+B=lost')]])).rules;
  assert.deepEqual(cdb.find(client('5.1.1.1')), {
    key: '5.',
    action: 'allow',
    variables: [['A', 'b=c']],
    place: 'tcp.smtp.cdb (key "5.")',
  });
});

test('needsHost and needsInfo say what has to be looked up', () => {
  const table: readonly [string, boolean, boolean][] = [
    ['1.2.3.4:deny', false, false],
    ['=x.example:deny', true, false],
    ['=:deny', true, false],
    ['bob@1.2.3.4:deny', false, true],
    ['bob@=x.example:deny', true, true],
    ['1.2.3.4:allow,A="=@"', false, false],
  ];
  for (const [text, host, info] of table) {
    const { rules } = fromText(text);
    assert.deepEqual([rules.needsHost, rules.needsInfo], [host, info], text);
  }
});

test('lines that tcprules refuses are errors in its words, all of them', () => {
  const lines = [
    '1.2.3.4:foo',
    '1.2.3.4:denyX',
    '1.2.3.4: allow',
    '1.2.3.4:allow,A',
    '1.2.3.4:allow,A=',
    '1.2.3.4:allow,A="b',
    '1.2.3.4:allow ,A="b"',
    '1.2.3.4:allow,',
    '1.2.3.4:allow # note',
    '1.2.3.4:ALLOW',
    '1.2.3.4:foo:allow',
    '1.2.3.4::deny',
    'my-host:deny',
    '1.a-3.:deny',
    '1.2-b.:deny',
    '1.2.3-4/8:deny',
    '::allow',
    'x::1y:deny',
    '1.2.3.4:deny\r',
    '1.2.3.4:allow,A="b":deny',
  ];
  const { errors, said, rules } = fromText(`${lines.join('\n')}\n5.5.5.5:deny\n`);
  assert.equal(errors, lines.length);
  for (const [i, line] of lines.entries()) {
    const shown = line.replace('\r', '');
    const compiled = compile(`${line}\n`);
    assert.ok('fatal' in compiled, line);
    assert.ok(
      compiled.fatal.replace('\r', '').endsWith(`unable to parse this line: ${shown}`),
      compiled.fatal,
    );
    assert.ok(said[i]?.startsWith(`${i + 1}: unable to parse this line: ${shown}: `), said[i]);
  }
  assert.equal(rules.find(client('5.5.5.5'))?.action, 'deny');
});

test('what was wanted', () => {
  const table: readonly [string, RegExp][] = [
    ['1.2.3.4:Allow', /wanted allow or deny/],
    ['1.2.3.4:allow x', /wanted a comma or the end of the line after "allow"$/],
    ['1.2.3.4:allow,A="1"B="2"', /wanted a comma or the end of the line after "allow,A="1""$/],
    ['1.2.3.4:allow,A', /wanted NAME="value"/],
    ['1.2.3.4:allow,A=', /wanted a value in quotes after "A="$/],
    ['1.2.3.4:allow,A=/b', /wanted a second \/ at the end of the value of "A"$/],
    ['my-host:deny', /my-host is no range of numbers; wanted 10-20, or = in front/],
    ['1.2.3.4:deny\r', /carriage return/],
    ['1.2.3.4:allow,A="\0"', /NUL/],
  ];
  for (const [line, wanted] of table) assert.match(fromText(line).said.join(), wanted);
});

test('what tcprules keeps or drops without a word is warned of', () => {
  const table: readonly [string, RegExp][] = [
    ['1.2.3.4', /no colon, so the line is ignored: 1\.2\.3\.4/],
    [' 1.2.3.4:deny', /begins with a blank/],
    ['1.2.3:deny', /1\.2\.3 never matches: a network needs a final dot, 1\.2\.3\.$/],
    ['mail.example.com:deny', /=mail\.example\.com$/],
    ['300.2.3.4:deny', /300\.2\.3\.4 never matches/],
    ['1-2.3-4.:deny', /only the first range/],
    ['1.5-3.:deny', /range in 1\.5-3\. is empty/],
    ['=Mail.Example:deny', /capital letters/],
    ['joe@1.2.:deny', /joe@1\.2\. never matches/],
    ['joe@=:deny', /never matches/],
    ['10.0.0.0/33:deny', /10\.0\.0\.0\/33 never matches/],
    ['10.1.2.3/8:deny', /10\.1\.2\.3\/8 is read as 10\.0\.0\.0\/8/],
    [
      '1.2.3.4:deny\n1.2.3.4:allow',
      /^2: 1\.2\.3\.4 has a rule already, at tcp\.smtp:1, so this one is never used$/,
    ],
    ['1.2.3.4:deny\n1.2.3.3-4:allow', /^2: 1\.2\.3\.4 has a rule already/],
    [':deny\n:allow', /the default has a rule already/],
    ['2001:db8::1:deny\n2001:DB8:0::1:allow', /2001:db8::1 has a rule already/],
  ];
  for (const [text, warning] of table) {
    const { errors, said } = fromText(text);
    assert.equal(errors, 0, text);
    assert.match(said.join(), warning);
  }
  assert.deepEqual(fromText('\n   \n#x\n# y:foo\n\t\n').said, []);
});

test('ranges', () => {
  const table: readonly [string, readonly string[]][] = [
    ['1.2.3.5-7:deny', ['1.2.3.5', '1.2.3.6', '1.2.3.7']],
    ['10.1-3.:deny', ['10.1.', '10.2.', '10.3.']],
    ['1.2.3.253-300:deny', ['1.2.3.253', '1.2.3.254', '1.2.3.255']],
    ['1.001-002.:deny', ['1.1.', '1.2.']],
    ['1.-1.:deny', ['1.0.', '1.1.']],
    ['1.3-1.:deny', []],
    ['1.256-300.:deny', []],
    ['1.99999999999999999999-3.:deny', []],
    ['1.18446744073709551617-2.:deny', ['1.1.', '1.2.']],
    ['=a-b.example:deny', ['=a-b.example']],
    ['a-b@1.2.3.4:deny', ['a-b@1.2.3.4']],
  ];
  for (const [text, wanted] of table) {
    assert.deepEqual(
      Array.from(fromText(text).rules.rules(), rule => rule.key),
      wanted,
      text,
    );
    const compiled = compile(text);
    assert.ok('cdb' in compiled);
    assert.deepEqual(
      [...Cdb.parse(compiled.cdb).entries()].map(([key]) => key.toString()),
      wanted,
      text,
    );
  }
});

test('IPv6 rules, in the three syntaxes in use', () => {
  const { rules, said } = fromText(`::1:allow,A="loop"
2001:DB8:0:0::5:allow,A="1:deny"
2001:db8:1::allow,A="prefix"
2001:db8:2::/48:allow,A="net"
2001:db8:2:3::/64:allow,A="smaller net"
bob@2001:db8::7:allow,A="bob"
::ffff:9.9.9.9:allow,A="mapped"
fe80:00a::allow,A="zeroes"
:allow,A="rest"
`);
  assert.deepEqual(said, []);
  const table: readonly [Client, string][] = [
    [client('::1'), 'loop'],
    [client('0:0:0:0:0:0:0:1'), 'loop'],
    [client('2001:db8::5'), '1:deny'],
    [client('2001:db8:1::9'), 'prefix'],
    [client('2001:db8:1:2::9'), 'prefix'],
    [client('2001:db8:2::9'), 'net'],
    [client('2001:db8:2:3:4::9'), 'smaller net'],
    [client('2001:db8:3::9'), 'rest'],
    [client('2001:DB8::7', null, 'bob'), 'bob'],
    [client('2001:db8::7'), 'rest'],
    [client('9.9.9.9'), 'mapped'],
    [client('::ffff:9.9.9.9'), 'mapped'],
    [client('fe80:a::1%eth0'), 'zeroes'],
    [client('no address'), 'rest'],
  ];
  for (const [who, value] of table)
    assert.equal(rules.find(who)?.variables[0]?.[1], value, JSON.stringify(who));
});

test('an IPv4 line is cut at its first colon, whatever its values hold', () => {
  const { rules, said } = fromText('1.2.3.4:allow,A=":allow"\n1.2.3.5:allow,A="::1:deny"\n');
  assert.deepEqual(said, []);
  assert.equal(rules.find(client('1.2.3.4'))?.variables[0]?.[1], ':allow');
  assert.equal(rules.find(client('1.2.3.5'))?.variables[0]?.[1], '::1:deny');
});

test('networks: after dotted prefixes, longest first, before domain suffixes', () => {
  const { rules } = fromText(`10.0.0.0/8:allow,A="8"
10.1.0.0/16:allow,A="16"
10.1.2.0/23:allow,A="23"
10.1.2.128/25:allow,A="25"
10.1.2.200.:deny
10.9.:allow,A="dotted"
10.9.9.9/32:allow,A="host"
=.example:allow,A="suffix"
=x.example:allow,A="exact"
0.0.0.0/0:allow,A="all"
::/0:allow,A="six"
`);
  const table: readonly [Client, string][] = [
    [client('10.200.1.1'), '8'],
    [client('10.1.200.1'), '16'],
    [client('10.1.3.1'), '23'],
    [client('10.1.2.129'), '25'],
    [client('10.9.9.9'), 'dotted'],
    [client('10.1.2.129', 'y.example'), '25'],
    [client('10.1.2.129', 'x.example'), 'exact'],
    [client('11.1.1.1', 'y.example'), 'all'],
    [client('2001:db8::1'), 'six'],
  ];
  for (const [who, value] of table)
    assert.equal(rules.find(who)?.variables[0]?.[1], value, JSON.stringify(who));
  assert.equal(rules.find(client('10.200.1.1'))?.key, '10.0.0.0/8');
});

test('networks as ucspi-tcp6 compiles them', () => {
  const { rules } = fromCdb(
    writeCdb([
      [Buffer.from('_00001010'), Buffer.from('+A=4\0')],
      [Buffer.from('^00100000000000010000110110111000'), Buffer.from('+A=6\0')],
      [Buffer.from('2001:0db9:0000:0000:0000:0000:0000:0001'), Buffer.from('+A=expanded\0')],
    ]),
  );
  assert.equal(rules.find(client('10.1.2.3'))?.key, '10.0.0.0/8');
  assert.equal(rules.find(client('2001:db8:9::1'))?.key, '2001:db8::/32');
  assert.equal(rules.find(client('2001:db9::1'))?.variables[0]?.[1], 'expanded');
});

test('a damaged cdb is an error', () => {
  const file = writeCdb([[Buffer.from('1.2.3.4'), Buffer.from('D\0')]]);
  for (const bytes of [file.subarray(0, 100), file.subarray(0, file.length - 1)]) {
    const { errors, said } = fromCdb(bytes);
    assert.equal(errors, 1);
    assert.match(said[0] ?? '', /cdb file/);
  }
});

const byte = fc.constantFrom('0', '1', '2', '10', '127', '255');
const ip = fc.tuple(byte, byte, byte, byte).map(parts => parts.join('.'));
const host = fc.constantFrom(
  'example.com',
  'a.example.com',
  'A.b.Example.com',
  '.odd',
  'end.',
  'localhost',
  '',
);
const info = fc.constantFrom('bob', 'a-b', '', 'x@y');
const network = fc.tuple(byte, byte).map(([a, b]) => `${a}.${b}.`);
const range = fc
  .tuple(byte, byte, byte, fc.constantFrom('.', '', '.3-4.'))
  .map(([a, b, c, end]) => `${a}.${b}-${c}${end}`);
const suffix = fc.constantFrom('=', '=.com', '=.example.com', '=.odd', '=.');
const address = fc.oneof(
  ip,
  network,
  range,
  suffix,
  fc.constant(''),
  host.map(name => `=${name}`),
  fc.tuple(info, ip).map(parts => parts.join('@')),
  fc.tuple(info, host).map(parts => parts.join('@=')),
  fc.constantFrom('x', '1.2.3', ' 1.2.3.4', 'a-b'),
);
const instruction = fc
  .array(
    fc.constantFrom(
      ',A="1"',
      ',B=/x, "y"/',
      ',A=:2:',
      ',=""',
      ',C==3=',
      ' ',
      ',',
      'x',
      ',A="',
      '\r',
      ',D="\xe9"',
    ),
    {
      maxLength: 3,
    },
  )
  .chain(tail => fc.constantFrom('allow', 'deny', 'allow', 'alow').map(action => action + tail.join('')));
const line = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(address, instruction).map(parts => parts.join(':')) },
  { weight: 1, arbitrary: fc.constantFrom('', '# note', '1.2.3.4', ':', '   ') },
);
const someone = fc.record({
  ip,
  host: fc.option(host, { nil: null }),
  info: fc.option(info, { nil: null }),
});

test('property: text and cdb give the answers of tcprulescheck, and refuse what tcprules refuses', () => {
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 12 }),
      fc.array(someone, { minLength: 2, maxLength: 4 }),
      (all, clients) => {
        for (const text of [all.join('\n'), all.filter(each => 'cdb' in compile(each)).join('\n')]) {
          const { rules, errors } = fromText(text);
          const compiled = compile(text);
          assert.equal('fatal' in compiled, errors > 0);
          if ('fatal' in compiled) continue;
          const cdb = fromCdb(compiled.cdb);
          assert.equal(cdb.errors, 0);
          assert.ok(writeCdb(Cdb.parse(compiled.cdb).entries()).equals(compiled.cdb));
          for (const who of clients) {
            assert.equal(answer(rules, who), ask(who));
            assert.equal(answer(cdb.rules, who), ask(who));
          }
        }
      },
    ),
    { numRuns: 30 },
  );
});

test('property: no text and no client makes the parser throw', () => {
  const piece = fc.constantFrom(
    'allow',
    'deny',
    ':',
    ',',
    '=',
    '"',
    '-',
    '.',
    '/',
    '@',
    '1',
    '32',
    '::',
    'ff',
    ' ',
    '\n',
    '\r',
    '#',
    '\0',
  );
  const text = fc.array(piece, { maxLength: 40 }).map(pieces => pieces.join(''));
  fc.assert(
    fc.property(text, text, (rules, who) => {
      fromText(rules).rules.find({ ip: who, host: who, info: who });
    }),
    { numRuns: 500 },
  );
});

test('100,000 rules of each form', () => {
  const forms: readonly [string, (i: number) => string, Client][] = [
    ['whole IP', i => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, client('10.1.134.159')],
    ['network', i => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`, client('10.1.134.159')],
    [
      'IPv6',
      i => `2001:db8:${(i >> 8).toString(16)}:${(i & 255).toString(16)}::1`,
      client('2001:db8:186:9f::1'),
    ],
    ['host', i => `=host${i}.example`, client('1.1.1.1', 'host99999.example')],
  ];
  for (const [name, key, last] of forms) {
    const text = Array.from({ length: 100_000 }, (_, i) => `${key(i)}:allow,RELAYCLIENT=""\n`).join('');
    const { rules, said } = fromText(text);
    assert.deepEqual(said, [], name);
    assert.equal(Array.from(rules.rules()).length, 100_000, name);
    assert.equal(rules.find(last)?.place, 'tcp.smtp:100000', name);
  }
});

test('ranges cannot ask for more keys than there is memory', () => {
  const text = Array.from({ length: 2000 }, (_, i) => `0-255.${i >> 8}.${i & 255}.:deny\n`).join('');
  const { errors, said } = fromText(text);
  assert.equal(errors, 1);
  assert.match(said.join(), /^\d+: more than 500000 addresses/);
});
