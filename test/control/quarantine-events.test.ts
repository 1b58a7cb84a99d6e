import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Complaints } from '../../src/control/complaints.ts';
import type { EventRule } from '../../src/control/quarantine-events.ts';
import { parseQuarantineEvents } from '../../src/control/quarantine-events.ts';
import { ROOT } from '../support/processes.ts';

function read(text: string) {
  const complaints = new Complaints();
  const rules = parseQuarantineEvents(text, 'f', complaints);
  return { rules, errors: complaints.errors, said: complaints.list.map(c => `${c.line}: ${c.text}`) };
}

const columns = ({ pattern, type, description }: EventRule) => [pattern, type, description];
const places = (rules: readonly EventRule[]) => rules.map(rule => rule.place);

/** The example of seed 003 (qmail-scanner.md 2.4). */
const SEED = [
  ['.mp3', 'SIZE=-1', 'mp3 disallowed'],
  ['.doc', 'SIZE=0', 'Zero-length corrupt viruses - ignore'],
  ['Happy99.exe', 'SIZE=10000', 'Happy99 Trojan virus'],
  ['.*viagra.*', 'Policy-Subject:', 'Spam Viagra'],
  ['.*duma.gov.ru', 'Policy-MAILFROM:', 'Virus Dumaru'],
  ['127.0.0.5', 'Policy-REMOTEIPADDR:', 'Blocked IP from 127.0.0.5 blocked'],
  ['.*Bat.*', 'Policy-X-Mailer:', 'Spammailer sender'],
] as const;

const WAYS: Readonly<Record<string, (row: readonly string[]) => string>> = {
  'one TAB': row => row.join('\t'),
  'several TABs': row => row.join('\t\t\t'),
  'blanks in place of TABs': row => row.join('     '),
  'one blank in place of a TAB': row => row.join(' '),
  'TABs and blanks': row => row.join('  \t '),
  'indented by two blanks': row => `  ${row.join('\t')}`,
  'indented, and blanks in place of TABs': row => `  ${row.join('   ')}`,
  CRLF: row => `${row.join('\t')}\r`,
};

for (const [way, write] of Object.entries(WAYS)) {
  test(`the example of the old handbook, ${way}`, () => {
    const { rules, errors, said } = read(`# comment\n\n${SEED.map(write).join('\n')}\n`);
    assert.equal(errors, 0);
    assert.deepEqual(
      rules.rules.map(columns),
      SEED.map(row => [...row]),
    );
    assert.deepEqual(
      rules.rules.map(rule => rule.place),
      SEED.map((_, i) => `f:${i + 3}`),
    );
    assert.equal(said.length > 0, /indented|in place/.test(way), said.join('\n'));
    // What qmail-scanner.md says about these rules.
    assert.deepEqual(places(rules.file('song.mp3', 5)), ['f:3']);
    assert.deepEqual(places(rules.file('song.mp3', null)), ['f:3']);
    assert.deepEqual(places(rules.file('song.mp3.txt', 5)), []);
    assert.deepEqual(places(rules.file('letter.doc', 0)), ['f:4']);
    assert.deepEqual(places(rules.file('letter.doc', 1)), []);
    assert.deepEqual(places(rules.file('letter.doc', null)), []);
    assert.deepEqual(places(rules.file('happy99.exe', 10_000)), ['f:5']);
    assert.deepEqual(places(rules.file('happy99.exe', 10_001)), []);
    assert.deepEqual(places(rules.file('xhappy99.exe', 10_000)), []);
    const field = (name: string, text: string) => places(rules.field(name, text, text));
    assert.deepEqual(field('subject', 'buy viagra now'), ['f:6']);
    assert.deepEqual(field('subject', 'buy VIAGRA now'), []);
    assert.deepEqual(field('x-mailer', 'The Bat! 1.0'), ['f:9']);
    assert.deepEqual(
      field('mailfrom', 'x@duma.gov.ru'),
      [],
      'a field of that name is not the virtual header',
    );
    assert.deepEqual(places(rules.virtual('mailfrom', 'x@duma.gov.ru', '')), ['f:7']);
    assert.deepEqual(places(rules.virtual('mailfrom', 'x@duma.gov.ru.example', '')), []);
    assert.deepEqual(places(rules.virtual('remoteipaddr', '127.0.0.5', '')), ['f:8']);
    assert.deepEqual(places(rules.virtual('remoteipaddr', '127.0.0.55', '')), []);
  });
}

test('sizes', () => {
  const table: readonly [type: string, shown: string, fits: readonly (number | null)[]][] = [
    ['SIZE=-1', 'SIZE=-1', [null, 0, 9, 10, 11]],
    ['SIZE=0', 'SIZE=0', [0]],
    ['SIZE=10', 'SIZE=10', [10]],
    ['SIZE=<10', 'SIZE=<10', [0, 9]],
    ['SIZE=>10', 'SIZE=>10', [11]],
    ['size=10', 'SIZE=10', [10]],
    ['10', 'SIZE=10', [10]],
    ['-1', 'SIZE=-1', [null, 0, 9, 10, 11]],
    ['0', 'SIZE=0', [0]],
  ];
  for (const [type, shown, fits] of table) {
    const { rules, said } = read(`.exe\t${type}\ttext\n`);
    assert.equal(rules.rules[0]?.type, shown, type);
    assert.deepEqual(
      [null, 0, 9, 10, 11].filter(size => rules.file('a.exe', size).length > 0),
      fits,
      type,
    );
    assert.equal(said.length, /^-?[0-9]/.test(type) ? 1 : 0, type);
  }
});

test('names: the whole name, or an extension; case ignored; UTF-8', () => {
  const utf8 = Buffer.from('Łódź.EXE').toString('latin1');
  const { rules } = read(
    `.EXE\tSIZE=-1\ta\n.tar.gz\tSIZE=-1\tb\nexe\tSIZE=-1\tc\n${utf8}\tSIZE=-1\td\nREADME\tSIZE=-1\te\n`,
  );
  const table: readonly [string, string][] = [
    ['a.exe', 'a'],
    ['.exe', 'a'],
    ['aexe', ''],
    ['exe', 'c'],
    ['x.tar.gz', 'b'],
    ['x.gz', ''],
    ['łódź.exe', 'd a'],
    ['readme', 'e'],
    ['readme.txt', ''],
    ['', ''],
  ];
  for (const [name, hits] of table) {
    assert.equal(
      rules
        .file(name, 1)
        .map(rule => rule.description)
        .join(' '),
      hits,
      name,
    );
  }
});

test('headers: any name, each prefix, raw or decoded', () => {
  const korean = Buffer.from('.*광[고구].*').toString('latin1');
  const { rules, said } = read(
    [
      'a\tPolicy-Subject:\t1',
      'a\tVirus-SUBJECT:\t2',
      `${korean}\tPolicy-Subject:\t3`,
      '.*\\xb1\\xa4.*\tPolicy-Subject:\t4',
      '.*\tPolicy-X-Unknown-Thing:\t5',
      'x\tpolicy-Subject\t6',
    ].join('\n'),
  );
  const hits = (raw: string, decoded: string) =>
    rules
      .field('subject', raw, decoded)
      .map(rule => rule.description)
      .join('');
  assert.deepEqual(
    rules.rules.map(rule => rule.kind),
    ['policy', 'virus', 'policy', 'policy', 'policy', 'policy'],
  );
  assert.equal(hits('a', 'a'), '12');
  assert.equal(hits('=?utf-8?Q?a?=', 'a'), '12');
  assert.equal(hits('a', '=decoded='), '12');
  assert.equal(hits('=?utf-8?B?6rSR6rOg?=', '(광고)'), '3');
  assert.equal(hits(Buffer.from('광고').toString('latin1'), '광고'), '3');
  assert.equal(hits('\xb1\xa4\xb0\xed', '광고'), '34');
  assert.equal(hits('x', 'x'), '6');
  assert.ok(rules.aboutField('x-unknown-thing'));
  assert.ok(!rules.aboutField('x-mailer'));
  assert.deepEqual(said, ['6: the header name has no colon behind it; read as if it had']);
});

test('of a text, 8192 characters are tested', () => {
  const { rules } = read('a{8}.*\tPolicy-Subject:\t1\n.*b\tPolicy-Subject:\t2\n');
  const long = `${'a'.repeat(9000)}b`;
  assert.deepEqual(places(rules.field('subject', long, long)), ['f:1']);
});

test('nothing is an error: what cannot be used is a warning with its line, and the rule is left out', () => {
  const table: readonly [string, RegExp, number][] = [
    ['.exe', /^1: wanted NAME or EXPRESSION, TAB/, 0],
    ['.exe\tnothing\ttext', /^1: wanted NAME or EXPRESSION, TAB/, 0],
    ['.exe\tSIZE=\ttext', /^1: "SIZE=" is no size; wanted SIZE=-1/, 0],
    ['.exe\tSIZE=1k\ttext', /is no size/, 0],
    ['.exe\tSIZE=-2\ttext', /is no size/, 0],
    ['.exe\tSIZE=<-1\ttext', /is no size/, 0],
    ['a(?=b)\tPolicy-Subject:\ttext', /^1: this expression matches nothing: look-around/, 0],
    ['(a)\\1\tPolicy-Subject:\ttext', /backreference/, 0],
    ['[a\tPolicy-Subject:\ttext', /missing closing \]/, 0],
    ['a\tPolicy-ISSENSITIVEANDNOCRYPTO:\ttext', /virtual header ISSENSITIVEANDNOCRYPTO is not available/, 0],
    ['a\tPolicy-CRYPTODETAILS:\ttext', /virtual header CRYPTODETAILS is not available/, 0],
    ['a\tPolicy-:\ttext', /is no header name/, 0],
    ['a\tPolicy-a b:\ttext', /is no header name/, 0],
    ['.exe\tSIZE=-1', /no description/, 1],
    ['*.exe\tSIZE=-1\ttext', /matches no file; for every \.exe file write \.exe/, 1],
    [
      '.exe\t0\ttext',
      /form of qmail-scanner 1\.0; read as SIZE=0: only empty files; for any size write SIZE=-1/,
      1,
    ],
    ['.exe SIZE=-1 text', /columns are not separated by TABs/, 1],
    ['  .exe\tSIZE=-1\ttext', /begins with blanks, which are left out/, 1],
  ];
  for (const [line, wanted, size] of table) {
    const { rules, errors, said } = read(`${line}\n`);
    assert.equal(errors, 0, line);
    assert.equal(said.length, 1, `${line}: ${said.join(' / ')}`);
    assert.match(said[0] ?? '', wanted);
    assert.equal(rules.size, size, line);
  }
});

test('comments, empty lines and a file without a rule', () => {
  for (const text of ['', '\n', '#.exe\tSIZE=-1\ttext\n', '  # comment\n', '\r\n\t\n', '#']) {
    const { rules, said } = read(text);
    assert.deepEqual([rules.size, rules.aboutFiles, said], [0, false, []], JSON.stringify(text));
  }
});

test('the shipped file has no complaints', () => {
  const { rules, said } = read(readFileSync(join(ROOT, 'quarantine-events.txt'), 'latin1'));
  assert.deepEqual(said, []);
  assert.ok(rules.size > 30);
  for (const rule of rules.rules) assert.match(rule.description, /^[\x20-\x7e]{5,100}$/);
});

test('what the shipped file only suggests would load, too', () => {
  const text = readFileSync(join(ROOT, 'quarantine-events.txt'), 'latin1');
  const suggested = text.split('\n').filter(line => line.startsWith('#') && line.includes('\t'));
  const { rules, said } = read(suggested.map(line => line.slice(1)).join('\n'));
  assert.ok(suggested.length > 5);
  assert.deepEqual([rules.size, said], [suggested.length, []]);
});

test('ten thousand rules: a look at one name or header does not go through them', () => {
  const lines = Array.from({ length: 5000 }, (_, i) => [
    `file${i}.exe\tSIZE=-1\tx`,
    `.e${i}\tSIZE=-1\tx`,
    `.*word${i}\\..*\tPolicy-X-${i}:\tx`,
  ]);
  const { rules } = read(lines.flat().join('\n'));
  assert.equal(rules.size, 15_000);
  assert.deepEqual(places(rules.file('file4999.exe', 1)), ['f:14998']);
  assert.deepEqual(places(rules.file('a.e42', 1)), ['f:128']);
  assert.deepEqual(places(rules.field('x-4999', 'a word4999. b', '')), ['f:15000']);
});

test('property: never throws, never an error, whatever the text', () => {
  const piece = fc.constantFrom(
    '\t',
    ' ',
    '\n',
    '\r\n',
    'SIZE=',
    '-1',
    '<',
    'Policy-',
    'Virus-',
    'Subject',
    ':',
    '.*',
    '[',
    '(',
    '\\',
    '#',
    '.exe',
    'a',
    '\xe9',
    '\0',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.string(), (pieces, subject) => {
      const { rules, errors } = read(pieces.join(''));
      assert.equal(errors, 0);
      rules.file(subject, 1);
      rules.field('subject', subject, subject);
    }),
    { numRuns: 500 },
  );
});
