import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { writeCdb } from '../support/cdb-writer.ts';
import { Complaints } from '../../src/control/complaints.ts';
import { parseSimcontrol, simcontrolFromCdb } from '../../src/control/simcontrol.ts';
import { address } from '../../src/model/address.ts';

function read(text: string) {
  const complaints = new Complaints();
  const simcontrol = parseSimcontrol(text, 'f', complaints);
  return { simcontrol, errors: complaints.errors, said: complaints.list.map(c => `${c.line}: ${c.text}`) };
}

const FILE = `postmaster@example.com:clam=yes,spam=no,attach=.txt:.com
example.com:clam=no,spam=yes,attach=.mp3
:clam=yes,spam=yes,trophie=yes,spam_hits=20.1
`;

test('keys and settings', () => {
  const { simcontrol, said } = read(FILE);
  assert.deepEqual(said, []);
  assert.deepEqual(Array.from(simcontrol.entries()), [
    {
      key: 'postmaster@example.com',
      settings: [
        ['clam', 'yes'],
        ['spam', 'no'],
        ['attach', '.txt:.com'],
      ],
      place: 'f:1',
    },
    {
      key: 'example.com',
      settings: [
        ['clam', 'no'],
        ['spam', 'yes'],
        ['attach', '.mp3'],
      ],
      place: 'f:2',
    },
    {
      key: '',
      settings: [
        ['clam', 'yes'],
        ['spam', 'yes'],
        ['trophie', 'yes'],
        ['spam_hits', '20.1'],
      ],
      place: 'f:3',
    },
  ]);
  assert.equal(simcontrol.find('EXAMPLE.com')?.place, 'f:2');
  assert.equal(simcontrol.find('example.org'), null);
});

test('lookup: default, domain, then the local part piece by piece', () => {
  const keys = ['', 'd', 'a@d', 'a-b@d', 'a-b-c@d', 'b-c@d', 'x@d', 'local@', 'y"z@w', '@d', 'v@d@e', 'v@d'];
  const { simcontrol } = read(keys.map(key => `${key}:k=v\n`).join(''));
  const table: readonly [string, readonly string[]][] = [
    ['a-b-c@d', ['', 'd', 'a@d', 'a-b@d', 'a-b-c@d']],
    ['A-B-C@D', ['', 'd', 'a@d', 'a-b@d', 'a-b-c@d']],
    ['a-x@d', ['', 'd', 'a@d']],
    ['a-@d', ['', 'd', 'a@d']],
    ['-a@d', ['', 'd', '@d']],
    ['x@d', ['', 'd', 'x@d']],
    ['x@other', ['']],
    ['local', ['', 'local@']],
    ['"y\\"z"@w', ['', 'y"z@w']],
    ['v@d@e', ['', 'v@d@e']],
    ['', ['']],
  ];
  for (const [who, wanted] of table) {
    assert.deepEqual(
      simcontrol.lookup(address(who)).map(entry => entry.key),
      wanted,
      who,
    );
  }
  assert.deepEqual(read('').simcontrol.lookup(address('a@b')), []);
});

test('how simscanmk reads a line: case, indentation, comments', () => {
  const table: readonly [text: string, key: string | null, value: string | null, said: RegExp | null][] = [
    ['Example.COM:Clam=YES', 'example.com', 'yes', null],
    [':Clam=YES', '', 'YES', null],
    ['  example.com:clam=yes', 'example.com', 'yes', null],
    ['\texample.com:clam=yes \t\r', 'example.com', 'yes', null],
    ['  :clam=yes', '', 'yes', /^1: an indented default line, which makes simscanmk crash/],
    ['example.com:clam=yes,', 'example.com', 'yes', null],
    ['# a comment', null, null, null],
    ['# see http://x.example/?a=b for more', null, null, null],
    ['# :clam=yes', null, null, null],
    ['#', null, null, null],
    [
      '#off.example:clam=no',
      'off.example',
      'no',
      /^1: # is no comment sign for simscanmk: this line defines off\.example$/,
    ],
    ['# off.example:clam=no', 'off.example', 'no', /defines off\.example/],
    ['   ', null, null, null],
    ['\r', null, null, null],
  ];
  for (const [text, key, value, warning] of table) {
    const { simcontrol, errors, said } = read(`${text}\n`);
    const [entry] = simcontrol.entries();
    assert.equal(errors, 0, text);
    assert.equal(entry?.key ?? null, key, text);
    assert.equal(entry?.settings[0]?.[1] ?? null, value, text);
    if (warning === null) assert.deepEqual(said, [], text);
    else assert.match(said.join(), warning);
  }
  assert.deepEqual(Array.from(read(':\n').simcontrol.entries()), [{ key: '', settings: [], place: 'f:1' }]);
});

test('what simscan would lose is an error', () => {
  const table: readonly [string, RegExp][] = [
    ['plain.example', /^1: plain\.example has no settings, which makes simscanmk crash/],
    ['plain.example:', /has no settings/],
    ['a.example :clam=yes', /wanted a colon directly after a\.example/],
    ['a.example clam=yes', /wanted a colon directly after a\.example/],
    [
      'a:clam=yes, spam=no',
      /^1: simscan would lose "spam … no"; wanted name=value,name=value without blanks and quotes$/,
    ],
    ['a: clam=yes', /would lose "clam … yes"/],
    ['a:spam_hits="5"', /would lose "5"/],
    ['a:clam=yes,spam', /would lose "spam"/],
    ['a:clam=yes=no', /would lose "no"/],
    ['a:attach=.exe,.com,.pif', /would lose "\.com … \.pif"/],
    ['a::clam=yes', /would lose ":clam … yes"/],
    ['a:attach=', /attach= has an empty pattern/],
    ['a:attach=.exe::.com', /attach= has an empty pattern/],
    ['a:attach=:.exe', /attach= has an empty pattern/],
    [`a:attach=${'.exe:'.repeat(800)}.com`, /longer than 3999 bytes/],
  ];
  for (const [text, wanted] of table) {
    const { errors, said } = read(`${text}\n`);
    assert.equal(errors, 1, text);
    assert.match(said.join('\n'), wanted);
  }
  const { simcontrol } = read('a:clam=yes, spam=no,x=y\n');
  assert.deepEqual(simcontrol.find('a')?.settings, [['clam', 'yes']]);
});

test('duplicates and dead patterns are warned of', () => {
  const { simcontrol, errors, said } = read('a:clam=yes\nA:clam=no\n:attach=.EXE\n:clam=no\n');
  assert.equal(errors, 0);
  assert.equal(simcontrol.find('a')?.settings[0]?.[1], 'yes');
  assert.deepEqual(said, [
    '2: a has settings already, at f:1, so these are never used',
    '3: capital letters in attach= of the default line never match; wanted lower case',
    '4: the default has settings already, at f:3, so these are never used',
  ]);
});

test('capital letters: lost in all but the default line', () => {
  const table: readonly [string, RegExp | null][] = [
    [
      'a.example:regex=[A-Z]{9}',
      /^1: simscanmk turns the capital letters of regex=\[A-Z\]\{9\} into small ones/,
    ],
    ['a.example:clam=yes,REGEX=Free', /regex=Free into small ones/],
    ['a.example:regex=free', null],
    [':regex=[A-Z]{9}', null],
    ['a.example:attach=.EXE', null],
    ['A.Example:clam=YES', null],
  ];
  for (const [text, wanted] of table) {
    const { errors, said } = read(`${text}\n`);
    assert.equal(errors, 0, text);
    if (wanted === null) assert.deepEqual(said, [], text);
    else assert.match(said.join(), wanted);
  }
});

test('patterns and keys that can never match are warned of', () => {
  const table: readonly [string, RegExp][] = [
    ['a.example:attach=*.exe', /"\*\.exe" is compared as it stands, so that it matches no file/],
    ['a.example:attach=dir/a.exe', /a name has no folder in it/],
    ['a.example:attach=.exe,attach=.com', /attach stands twice in this line; the last one counts/],
    ['a.example:clam=yes,clam=no', /clam stands twice/],
    ['@a.example:clam=yes', /@a\.example is never looked up: for the domain write a\.example/],
    ['.a.example:clam=yes', /\.a\.example is never looked up: .*wanted a\.example/],
    ['*.a.example:clam=yes', /is never looked up: there are no wildcards/],
    ['joe@:clam=yes', /joe@ is looked up only for recipients without a domain/],
    ['joe@b@a.example:clam=yes', /only for addresses with as many @/],
  ];
  for (const [text, wanted] of table) {
    const { errors, said } = read(`${text}\n`);
    assert.equal(errors, 0, text);
    assert.equal(said.length, 1, said.join('\n'));
    assert.match(said[0] ?? '', wanted);
  }
  assert.deepEqual(read('a.example:regex=a,regex=b\n').said, [], 'regex adds');
});

test('an empty expression would match every line', () => {
  for (const text of ['a:regex=', 'a:regex=x::y']) {
    const { errors, said } = read(`${text}\n`);
    assert.equal(errors, 1, text);
    assert.match(said.join(), /regex= has an empty pattern, which matches every line/);
  }
});

test('a key with capital letters in the compiled form is never found', () => {
  const complaints = new Complaints();
  const bytes = writeCdb([[Buffer.from('Example.com'), Buffer.from('clam=yes')]]);
  const simcontrol = simcontrolFromCdb(bytes, 's.cdb', complaints);
  assert.deepEqual(simcontrol.lookup(address('a@example.com')), []);
  assert.match(
    complaints.list[0]?.text ?? '',
    /Example\.com is never looked up: addresses are compared in lower case/,
  );
});

test('the compiled form', () => {
  const complaints = new Complaints();
  const file = writeCdb([
    [Buffer.from('example.com'), Buffer.from('clam=yes,spam=no')],
    [Buffer.from(''), Buffer.from('clam=no, spam=yes')],
    [Buffer.from('example.com'), Buffer.from('clam=no')],
  ]);
  const simcontrol = simcontrolFromCdb(file, 's.cdb', complaints);
  assert.deepEqual(simcontrol.find('example.com'), {
    key: 'example.com',
    settings: [
      ['clam', 'yes'],
      ['spam', 'no'],
    ],
    place: 's.cdb (key "example.com")',
  });
  assert.deepEqual(
    complaints.list.map(c => `${c.severity} ${c.file}:${c.line} ${c.text}`),
    [
      'error s.cdb:0 key "": simscan would lose "spam … yes"; wanted name=value,name=value without blanks and quotes',
      'warning s.cdb:0 example.com has settings already, at s.cdb (key "example.com"), so these are never used',
    ],
  );
});

test('a damaged compiled form is an error', () => {
  const complaints = new Complaints();
  simcontrolFromCdb(Buffer.alloc(10), 's.cdb', complaints);
  assert.equal(complaints.errors, 1);
});

test('property: never throws, and the text says what its compiled form says', () => {
  const piece = fc.constantFrom(
    'a',
    'B',
    '@',
    ':',
    '=',
    ',',
    '.',
    ' ',
    '-',
    '"',
    '#',
    '\n',
    '\r',
    'clam=yes',
    'attach=',
    '\xe9',
  );
  const text = fc.array(piece, { maxLength: 30 }).map(pieces => pieces.join(''));
  fc.assert(
    fc.property(text, text, (all, who) => {
      const { simcontrol } = read(all);
      const entries = Array.from(simcontrol.entries());
      const compiled = simcontrolFromCdb(
        writeCdb(
          entries.map(({ key, settings }) => [
            Buffer.from(key, 'latin1'),
            Buffer.from(settings.map(pair => pair.join('=')).join(','), 'latin1'),
          ]),
        ),
        'f',
        new Complaints(),
      );
      const settings = (from: typeof simcontrol) => from.lookup(address(who)).map(entry => entry.settings);
      assert.deepEqual(settings(compiled), settings(simcontrol));
    }),
    { numRuns: 500 },
  );
});

test('100,000 entries', () => {
  const { simcontrol } = read(
    Array.from({ length: 100_000 }, (_, i) => `host${i}.example:clam=yes,spam=no\n`).join(''),
  );
  assert.equal(Array.from(simcontrol.entries()).length, 100_000);
  assert.equal(simcontrol.lookup(address('x@host99999.example'))[0]?.place, 'f:100000');
});
