import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Complaints } from '../../src/control/complaints.ts';
import { parsePatternList } from '../../src/control/pattern.ts';

function read(text: string) {
  const complaints = new Complaints();
  const list = parsePatternList(text, 'badhelo', complaints);
  return { list, errors: complaints.errors, said: complaints.list.map(c => `${c.line}: ${c.text}`) };
}

test('the first line that matches decides, wherever it is kept', () => {
  const { list } = read('# note\nx[0-9]\nspam\n^spam$\n!\\.\nlocal$\n');
  const table: readonly [string, string | null][] = [
    ['x1.example', 'badhelo:2 x[0-9]'],
    ['x1.spam', 'badhelo:2 x[0-9]'],
    ['SPAM', 'badhelo:3 spam'],
    ['nodots', 'badhelo:5 !\\.'],
    ['a.local', 'badhelo:6 local$'],
    ['a.example', null],
    ['', 'badhelo:5 !\\.'],
  ];
  for (const [subject, wanted] of table) {
    const hit = list.find(subject);
    assert.equal(hit === null ? null : `${hit.place} ${hit.line}`, wanted, subject);
  }
  assert.equal(list.size, 5);
});

test('lines with ! are no exceptions: one alone covers everything else', () => {
  const { list } = read('!@example\\.com$\n');
  assert.equal(list.find('a@example.com'), null);
  assert.equal(list.find('a@example.org')?.place, 'badhelo:1');
});

test('a line that does not compile matches nothing, with ! or without, and is a warning', () => {
  const { list, errors, said } = read('good\n(bad\n!(bad\n\\1\n(a{1000}){1000}\n!\n');
  assert.equal(errors, 0);
  assert.deepEqual(
    said.map(each => each.slice(0, 2)),
    ['2:', '3:', '4:', '5:', '6:'],
  );
  assert.match(said[0] ?? '', /does not compile, so the line matches nothing: a \( without its \)/);
  assert.match(said[2] ?? '', /back-references/);
  assert.match(said[3] ?? '', /too large/);
  assert.equal(list.find('anything'), null);
  assert.equal(list.find('good')?.place, 'badhelo:1');
});

test('an overlong line and an overlong subject', () => {
  const { said } = read('a'.repeat(5000));
  assert.match(said.join(), /longer than 4096 bytes/);
  const { list } = read('b$\n^a+$\n');
  assert.equal(list.find('b'.repeat(2048))?.place, 'badhelo:1');
  assert.equal(list.find(`${'a'.repeat(2048)}b`)?.place, 'badhelo:2');
});

test('expressions that would hang a backtracking engine answer at once', () => {
  const { list } = read('^(a+)+$\n^(a|a?)+b$\n(.*)*x\n');
  assert.equal(list.find(`${'a'.repeat(2000)}!`), null);
});

test('an empty list', () => {
  assert.equal(read('').list.find('x'), null);
  assert.equal(read('').list.size, 0);
});

test('property: the index of literals changes nothing', () => {
  const line = fc.constantFrom(
    'a',
    '^a',
    'a$',
    '^a$',
    'ab',
    '^ab',
    'b$',
    'b\\.',
    '!a',
    '!^b$',
    '.b',
    '[ab]b',
    'a|\\.',
    '^$',
    '!.',
    '(',
    '\\.a',
  );
  const subject = fc.string({ unit: fc.constantFrom('a', 'B', '.', 'b'), maxLength: 5 });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), subject, (all, who) => {
      const alone = all.findIndex(each => read(each).list.find(who) !== null);
      assert.equal(
        read(all.join('\n')).list.find(who)?.place,
        alone < 0 ? undefined : `badhelo:${alone + 1}`,
      );
    }),
    { numRuns: 500 },
  );
});

test('property: no list and no subject makes it throw', () => {
  const text = fc.string({
    unit: fc.constantFrom(...'ab.*+?()[]{}|^$\\!,-:1=\n\xe9'.split('')),
    maxLength: 40,
  });
  fc.assert(
    fc.property(text, text, (all, who) => {
      read(all).list.find(who);
    }),
    { numRuns: 1000 },
  );
});

test('100,000 lines of each form', () => {
  const forms: readonly ((i: number) => string)[] = [
    i => `^user${i}@example\\.com$`,
    i => `user${i}@example\\.com$`,
    i => `user${i}@exam`,
    i => `user${i}@.xample.com`,
    i => `^user${i}@[a-z]+\\.com`,
  ];
  for (const form of forms) {
    const { list, said } = read(Array.from({ length: 100_000 }, (_, i) => `${form(i)}\n`).join(''));
    assert.deepEqual(said, []);
    assert.equal(list.size, 100_000);
    assert.equal(list.find('user99999@example.com')?.place, 'badhelo:100000');
    assert.equal(list.find('user100000@example.org.invalid'), null);
  }
});
