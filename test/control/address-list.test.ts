import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { AddressForm } from '../../src/control/address-list.ts';
import { parseAddressList } from '../../src/control/address-list.ts';
import { Complaints } from '../../src/control/complaints.ts';
import { address } from '../../src/model/address.ts';

function read(form: AddressForm, text: string) {
  const complaints = new Complaints();
  const list = parseAddressList(form)(text, 'f', complaints);
  return {
    list,
    said: complaints.list.map(c => `${c.line}: ${c.text}`),
    line: (who: string) => list.find(address(who))?.place ?? null,
  };
}

const FILE = 'user@bad.example\n@Worse.Example\n.wild.example\n^.*@[0-9]+\\.example$\n!@\nplain*\n';

test('each form reads the same lines in its own way', () => {
  const table: readonly [who: string, plain: string | null, auto: string | null, regex: string | null][] = [
    ['user@bad.example', 'f:1', 'f:1', 'f:1'],
    ['USER@Bad.Example', 'f:1', 'f:1', 'f:1'],
    ['other@bad.example', null, null, null],
    ['xuser@bad.example', null, null, 'f:1'],
    ['x@worse.example', 'f:2', 'f:2', 'f:2'],
    ['a@b@worse.example', 'f:2', 'f:2', 'f:2'],
    ['x@sub.worse.example', null, null, null],
    ['x@worsexexample', null, null, 'f:2'],
    ['x@a.wild.example', null, 'f:3', 'f:3'],
    ['x@a.b.wild.example', null, 'f:3', 'f:3'],
    ['x@wild.example', null, null, 'f:3'],
    ['.wild.example', 'f:3', 'f:3', 'f:3'],
    ['x@123.example', null, 'f:4', 'f:4'],
    ['nobody', null, 'f:5', 'f:5'],
    ['plai@x', null, 'f:6', 'f:6'],
    ['', null, null, null],
  ];
  for (const [who, plain, auto, regex] of table) {
    assert.equal(read('plain', FILE).line(who), plain, `plain ${who}`);
    assert.equal(read('auto', FILE).line(who), auto, `auto ${who}`);
    assert.equal(read('regex', FILE).line(who), regex, `regex ${who}`);
  }
  assert.equal(read('auto', FILE).list.size, 6);
});

test('the entry is the line as it stands in the file, plain or a pattern', () => {
  assert.deepEqual(read('auto', '# x\n@Worse.Example \n').list.find(address('a@worse.example')), {
    place: 'f:2',
    entry: '@Worse.Example',
    pattern: false,
  });
  assert.deepEqual(read('auto', 'x\\.').list.find(address('a@x.example')), {
    place: 'f:1',
    entry: 'x\\.',
    pattern: true,
  });
});

test('quotes are taken off before the comparison', () => {
  assert.equal(read('plain', 'a b@x.example').line('"a b"@x.example'), 'f:1');
  assert.equal(read('regex', '^a b@').line('"a\\ b"@x.example'), 'f:1');
});

test('plain lines come first, the more exact before the wider', () => {
  const { line } = read('auto', '^a@\n.example\n@x.example\na@x.example\n');
  assert.equal(line('a@x.example'), 'f:4');
  assert.equal(line('b@x.example'), 'f:3');
  assert.equal(line('b@y.example'), 'f:2');
  assert.equal(line('a@other'), 'f:1');
});

test('lines that cannot do what they seem to are warned of', () => {
  const table: readonly [AddressForm, string, RegExp | null][] = [
    [
      'plain',
      'example.com',
      /^1: example\.com matches only an address without @; did you mean @example\.com\?$/,
    ],
    ['plain', '.example.com', /did you mean @example\.com\?$/],
    ['auto', '.example.com', null],
    ['auto', 'example.com', /did you mean @example\.com\?$/],
    ['auto', '(x', /does not compile/],
    ['regex', 'example.com', null],
    ['plain', '@a\r\n', /carriage return/],
  ];
  for (const [form, text, warning] of table) {
    const { said } = read(form, text);
    if (warning === null) assert.deepEqual(said, [], text);
    else assert.match(said.join(), warning);
  }
});

test('an empty list, read without anybody to complain to', () => {
  for (const form of ['plain', 'regex', 'auto'] as const) {
    assert.equal(read(form, '').line('a@b'), null);
    assert.equal(read(form, '').list.size, 0);
  }
});

test('property: never throws', () => {
  const text = fc.string({ unit: fc.constantFrom(...'a@.*!^$[]()\\"\n\r \xe9'.split('')), maxLength: 40 });
  fc.assert(
    fc.property(
      fc.constantFrom('plain' as const, 'regex' as const, 'auto' as const),
      text,
      text,
      (form, all, who) => {
        read(form, all).line(who);
      },
    ),
    { numRuns: 500 },
  );
});

test('100,000 lines of each form', () => {
  const forms: readonly [AddressForm, (i: number) => string, string][] = [
    ['plain', i => `user${i}@example.com`, 'user99999@example.com'],
    ['auto', i => `.host${i}.example`, 'x@y.host99999.example'],
    ['auto', i => `@host${i}\\.example$`, 'x@host99999.example'],
    ['regex', i => `user${i}@example.com`, 'user99999@example.com'],
  ];
  for (const [form, entry, last] of forms) {
    const { list, line } = read(form, Array.from({ length: 100_000 }, (_, i) => `${entry(i)}\n`).join(''));
    assert.equal(list.size, 100_000);
    assert.equal(line(last), 'f:100000');
  }
});
