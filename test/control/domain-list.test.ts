import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { writeCdb } from '../support/cdb-writer.ts';
import { Complaints } from '../../src/control/complaints.ts';
import { domainListFromCdb, parseDomainList } from '../../src/control/domain-list.ts';

const FILE = 'example.com\n.example.com\nOther.Example\n.b.c\n.c\nexample.com\n';

test('the domain itself, then its tails', () => {
  const list = parseDomainList(FILE, 'rcpthosts', new Complaints());
  const table: readonly [string, string | null][] = [
    ['example.com', 'rcpthosts:6'],
    ['EXAMPLE.Com', 'rcpthosts:6'],
    ['mail.example.com', 'rcpthosts:2'],
    ['a.b.example.com', 'rcpthosts:2'],
    ['badexample.com', null],
    ['other.example', 'rcpthosts:3'],
    ['sub.other.example', null],
    ['a.b.c', 'rcpthosts:4'],
    ['b.c', 'rcpthosts:5'],
    ['c', null],
    ['', null],
    ['.', null],
    ['.example.com', 'rcpthosts:2'],
  ];
  for (const [domain, place] of table) assert.equal(list.find(domain), place, domain);
  assert.equal(list.size, 5);
});

test('an empty file covers nothing', () => {
  const list = parseDomainList('', 'rcpthosts', new Complaints());
  assert.equal(list.find('example.com'), null);
  assert.equal(list.size, 0);
});

test('lines that can never match are warned of', () => {
  const complaints = new Complaints();
  parseDomainList('*.example.com\nuser@example.com\n', 'f', complaints);
  assert.deepEqual(
    complaints.list.map(c => c.line),
    [1, 2],
  );
  assert.equal(complaints.errors, 0);
});

test('the compiled form, and a damaged one', () => {
  const records = ['example.com', '.example.org'].map(key => [Buffer.from(key), Buffer.alloc(0)] as const);
  const file = writeCdb(records);
  const complaints = new Complaints();
  const list = domainListFromCdb(file, 'more.cdb', complaints);
  assert.equal(list.find('Example.COM'), 'more.cdb (key "example.com")');
  assert.equal(list.find('a.example.org'), 'more.cdb (key ".example.org")');
  assert.equal(list.find('example.net'), null);
  assert.deepEqual(complaints.list, []);
});

test('a damaged compiled form is an error', () => {
  const file = writeCdb([[Buffer.from('example.com'), Buffer.alloc(0)]]);
  const complaints = new Complaints();
  domainListFromCdb(file.subarray(0, file.length - 4), 'more.cdb', complaints);
  assert.equal(complaints.errors, 1);
  assert.match(complaints.list[0]?.text ?? '', /damaged cdb file/);
});

test('property: the answer is that of the plain search', () => {
  const label = fc.constantFrom('a', 'B', 'example', 'com', '');
  const domain = fc.array(label, { maxLength: 5 }).map(labels => labels.join('.'));
  fc.assert(
    fc.property(fc.array(domain, { maxLength: 12 }), domain, (entries, wanted) => {
      const list = parseDomainList(entries.join('\n'), 'f', new Complaints());
      const name = wanted.toLowerCase();
      const tails = [name, ...name.split('').flatMap((c, i) => (c === '.' ? [name.slice(i)] : []))];
      const covering = tails.find(tail => tail !== '' && entries.some(entry => entry.toLowerCase() === tail));
      const line = entries.findLastIndex(entry => entry.toLowerCase() === covering) + 1;
      assert.equal(list.find(wanted), covering === undefined ? null : `f:${line}`);
    }),
  );
});

test('100,000 domains', () => {
  const text = Array.from({ length: 100_000 }, (_, i) => `.host${i}.example\n`).join('');
  const list = parseDomainList(text, 'f', new Complaints());
  assert.equal(list.size, 100_000);
  assert.equal(list.find('a.host99999.example'), 'f:100000');
});
