import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Complaints } from '../../src/control/complaints.ts';
import { parseDnsblList, parseDnsLists, parseRblsmtpdArguments } from '../../src/control/dns-lists.ts';
import type { DnsListSource } from '../../src/control/dns-lists.ts';
import { complaintText } from '../../src/model/origin.ts';

/** A source in one line, with what differs from a plain `-r`. */
function shown(source: DnsListSource): string {
  const words = [source.kind === 'block' ? '-r' : '-a', source.zone];
  if (source.bounce) words.push('bounce');
  if (source.failClosed) words.push('closed');
  if (source.codes)
    words.push(source.codes.map(c => `${c.first.toString(16)}-${c.last.toString(16)}`).join(','));
  if (source.text !== null) words.push(`text=${source.text}`);
  if (source.score !== null) words.push(`score=${source.score}`);
  if (source.observe) words.push('observe');
  return `${words.join(' ')} @${source.place}`;
}

function read(parse: typeof parseDnsLists, text: string) {
  const complaints = new Complaints();
  const { sources } = parse(text, 'rbl', complaints);
  return { sources: sources.map(shown), complaints: complaints.list.map(complaintText) };
}

const RBL: readonly (readonly [what: string, text: string, sources: readonly string[]])[] = [
  ['nothing', '', []],
  ['comments and blank lines', '# -r x.test\n\n   \n\t# y\n', []],
  ['one a line', '-r one.test\n-r two.test\n', ['-r one.test @rbl:1', '-r two.test @rbl:2']],
  [
    'a whole run script',
    '-t 30 -b -a white.test -r bl.test -C -r rbl.test',
    ['-a white.test bounce @rbl:1', '-r bl.test bounce @rbl:1', '-r rbl.test bounce @rbl:1'],
  ],
  [
    'options hold for what follows, over lines',
    '-r a.test -b\n-r b.test -B -c -r c.test\n-C\n-r d.test',
    ['-r a.test @rbl:1', '-r b.test bounce @rbl:2', '-r c.test closed @rbl:2', '-r d.test @rbl:4'],
  ],
  [
    'clusters and attached arguments, as getopt',
    '-bcrbl.test -ra.test -Ba w.test',
    ['-r bl.test bounce closed @rbl:1', '-r a.test bounce closed @rbl:1', '-a w.test closed @rbl:1'],
  ],
  [
    'a line that goes on',
    '-b -r a.test \\\n  -r b.test \\\n  -r c.test\n',
    ['-r a.test bounce @rbl:1', '-r b.test bounce @rbl:2', '-r c.test bounce @rbl:3'],
  ],
  ['the final dot is no part of a zone', '-r a.test.', ['-r a.test @rbl:1']],
  [
    'codes',
    '-r a.test codes=127.0.0.2-11,127.0.1.4',
    ['-r a.test 7f000002-7f00000b,7f000104-7f000104 @rbl:1'],
  ],
  [
    'codes from one address to another',
    '-a a.test codes=127.0.0.2-127.0.1.0',
    ['-a a.test 7f000002-7f000100 @rbl:1'],
  ],
  ['text', '-r a.test text="Go away, %IP%: see \'x\'"', ["-r a.test text=Go away, %IP%: see 'x' @rbl:1"]],
  [
    'text in single quotes, quoted as a whole',
    '-r a.test \'text=no "entry"\' score=1',
    ['-r a.test text=no "entry" score=1 @rbl:1'],
  ],
  ['an empty text', '-r a.test text=', ['-r a.test text= @rbl:1']],
  [
    'scores',
    '-r a.test score=2.5 -r b.test score=-1',
    ['-r a.test score=2.5 @rbl:1', '-r b.test score=-1 @rbl:1'],
  ],
  ['CRLF line ends', '-b\r\n-r a.test\r\n', ['-r a.test bounce @rbl:2']],
];

for (const [what, text, sources] of RBL) {
  test(`rbl: ${what}`, () => {
    const result = read(parseDnsLists, text);
    assert.deepEqual(result.sources, sources);
    assert.deepEqual(
      result.complaints.filter(c => !c.includes('warning')),
      [],
    );
  });
}

const RBL_ERRORS: readonly (readonly [text: string, complaint: string])[] = [
  ['-r', 'rbl:1: option requires an argument -- r (known: -b -B -c -C -t -r -a)'],
  ['\n-x', 'rbl:2: illegal option -- x (known: -b -B -c -C -t -r -a)'],
  ['-bi', 'rbl:1: illegal option -- i (known: -b -B -c -C -t -r -a)'],
  ['bl.test', 'rbl:1: "bl.test" is neither an option of rblsmtpd nor a word after a list'],
  ['-r a.test -b score=1', 'rbl:1: "score=1" is neither an option of rblsmtpd nor a word after a list'],
  ['-r a.test:message', 'rbl:1: "a.test:message" is no zone of a DNS list, such as bl.example.org'],
  ['-r a..test', 'rbl:1: "a..test" is no zone of a DNS list, such as bl.example.org'],
  ['-r ""', 'rbl:1: "" is no zone of a DNS list, such as bl.example.org'],
  [
    `-r ${'a.'.repeat(100)}test`,
    `rbl:1: "${'a.'.repeat(100)}test" is no zone of a DNS list, such as bl.example.org`,
  ],
  ['-r a.test codes=127.0.0.300', 'rbl:1: "127.0.0.300" are no return codes such as 127.0.0.2-11,127.0.1.2'],
  ['-r a.test codes=127.0.0.9-2', 'rbl:1: "127.0.0.9-2" are no return codes such as 127.0.0.2-11,127.0.1.2'],
  ['-r a.test codes=', 'rbl:1: "" are no return codes such as 127.0.0.2-11,127.0.1.2'],
  ['-r a.test score=high', 'rbl:1: score "high" is not a number such as 2 or 2.5'],
  ['-r a.test weight=2', 'rbl:1: "weight=2" after a list: wanted codes=, text= or score='],
  ['-a a.test score=2', 'rbl:1: "score=2" after the anti-list a.test: only codes= may stand there'],
  ['-r a.test text="oops', 'rbl:1: the quote " is not closed'],
  ['-t 30 -r a.test', 'rbl:1: warning: -t means nothing here: refused clients stay in the ordinary session'],
];

for (const [text, complaint] of RBL_ERRORS) {
  test(`rbl: ${text.trim().slice(0, 40)} is complained of`, () => {
    assert.deepEqual(read(parseDnsLists, text).complaints, [complaint]);
  });
}

test('rbl: everything wrong is told at once, and what is right is kept', () => {
  const { sources, complaints } = read(parseDnsLists, '-x\n-r good.test score=x\n-r\n-r b..ad\n');
  assert.deepEqual(sources, ['-r good.test @rbl:2']);
  assert.equal(complaints.length, 4);
});

const DNSBLLIST: readonly (readonly [text: string, source: string])[] = [
  ['zone.test', '-r zone.test @rbl:1'],
  ['-zone.test', '-r zone.test bounce @rbl:1'],
  ['zone.test:Blocked, see http://x/?%IP%', '-r zone.test text=Blocked, see http://x/?%IP% @rbl:1'],
  ['zone.test:-Blocked', '-r zone.test bounce text=Blocked @rbl:1'],
  ['-zone.test:Blocked', '-r zone.test bounce text=Blocked @rbl:1'],
  ['+zone.test', '-a zone.test @rbl:1'],
  ['=zone.test', '-r zone.test observe @rbl:1'],
  ['# comment\n\n  zone.test  ', '-r zone.test @rbl:3'],
];

for (const [text, source] of DNSBLLIST) {
  test(`dnsbllist: ${text.trim()}`, () => {
    assert.deepEqual(read(parseDnsblList, text), { sources: [source], complaints: [] });
  });
}

test('dnsbllist: what is no list is complained of', () => {
  assert.deepEqual(read(parseDnsblList, 'good.test\nb..ad\n+w.test:text\n-r x.test\n'), {
    sources: ['-r good.test @rbl:1'],
    complaints: [
      'rbl:2: "b..ad" is no zone of a DNS list, such as bl.example.org',
      'rbl:3: "+w.test" takes no text',
      'rbl:4: "r x.test" is no zone of a DNS list, such as bl.example.org',
    ],
  });
});

function command(line: string): string {
  const args = parseRblsmtpdArguments(line.split(' ').filter(word => word !== ''));
  if (args.kind === 'usage') return `usage ${args.problem}`;
  return [...args.sources.map(shown), `t=${args.timeoutSeconds}`, ...args.program].join(' | ');
}

const COMMANDS: readonly (readonly [line: string, result: string])[] = [
  ['', 'usage null'],
  ['-b', 'usage null'],
  ['prog', 't=60 | prog'],
  ['prog -b x', 't=60 | prog | -b | x'],
  [
    '-t 30 -b -a w.test -r r.test prog x',
    '-a w.test bounce @-a w.test | -r r.test bounce @-r r.test | t=30 | prog | x',
  ],
  ['-t5 -t0 prog', 't=0 | prog'],
  ['-t x prog', 't=0 | prog'],
  ['-t 7x prog', 't=7 | prog'],
  ['-bCt5 prog', 't=5 | prog'],
  ['-- prog', 't=60 | prog'],
  ['-b -- -prog', 't=60 | -prog'],
  ['- x', 't=60 | - | x'],
  ['-t', 'usage option requires an argument -- t'],
  ['-r', 'usage option requires an argument -- r'],
  ['-x prog', 'usage illegal option -- x'],
  ['-b- prog', 'usage illegal option -- -'],
  ['--help', 'usage null'],
  ['--help prog', 't=60 | prog'],
  ['-r odd:zone prog', '-r odd:zone @-r odd:zone | t=60 | prog'],
];

for (const [line, result] of COMMANDS) {
  test(`rblsmtpd ${line}`, () => assert.equal(command(line), result));
}

test('no text makes a parser throw, and every place is a line of the file', () => {
  const bits = fc.constantFrom(
    '-r ',
    '-a',
    '-b',
    '\n',
    ' ',
    '"',
    "'",
    '\\\n',
    'codes=',
    'text=',
    'score=',
    'a.test',
    ':',
    '#',
    '127.0.0.2-',
    '\xff',
    '\0',
  );
  fc.assert(
    fc.property(fc.array(bits, { maxLength: 30 }), parts => {
      const text = parts.join('');
      const lines = text.split('\n').length;
      for (const parse of [parseDnsLists, parseDnsblList]) {
        const complaints = new Complaints();
        for (const { place } of parse(text, 'f', complaints).sources) {
          const line = Number(/^f:([0-9]+)$/.exec(place)?.[1]);
          assert.ok(line >= 1 && line <= lines, place);
        }
        for (const { line } of complaints.list) assert.ok(line >= 1 && line <= lines);
      }
      parseRblsmtpdArguments(parts);
    }),
  );
});
