import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { OpenConsumer, PartConsumer } from '../../../src/mail/mime/consumer.ts';
import { tnefConsumer } from '../../../src/mail/mime/tnef.ts';
import { consume, memberNames, nobody } from '../../support/consuming.ts';
import { run, temporaryFolder } from '../../support/processes.ts';
import { attributeOf, tnef } from '../../support/tnef-writer.ts';

const read = (bytes: Buffer, size?: number) => consume(tnefConsumer(nobody), bytes, size);
const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const allNames = (bytes: Buffer) => read(bytes).members.map(it => it.names.map(name => name.text));
const anomalies = (bytes: Buffer) => read(bytes).anomalies.map(it => it.detail);

const DATA = Buffer.from('MZ and so on');
const PLAIN = tnef([{ title: 'e.exe', data: DATA }]);
const FULL = tnef([
  {
    title: 'LONGFI~1.EXE',
    data: DATA,
    shortName: 'short.exe',
    longName: 'long 한글.exe',
    transportName: 't.exe',
  },
  { title: 'two.txt', data: Buffer.from('x') },
]);
const INNER = tnef([{ title: 'in.exe', data: Buffer.from('inner') }]);
const NESTED = tnef([
  { title: 'forwarded', message: INNER },
  { title: 'after.exe', data: Buffer.from('q') },
]);

const CASES: readonly [name: string, bytes: Buffer, members: readonly (readonly string[])[]][] = [
  ['a title', PLAIN, [['e.exe']]],
  [
    'every name, the long one first',
    FULL,
    [['long 한글.exe', 'LONGFI~1.EXE', 't.exe', 'short.exe'], ['two.txt']],
  ],
  ['no attachment', tnef([]), []],
  ['data in the properties', tnef([{ longName: 'e.exe', binary: DATA }]), [['e.exe']]],
  [
    'data in both places',
    tnef([{ title: 'e.exe', data: DATA, binary: Buffer.from('y') }]),
    [['e.exe'], ['e.exe']],
  ],
  ['a name without data', tnef([{ title: 'e.exe' }]), [['e.exe']]],
  ['data without a name', tnef([{ data: DATA }]), [[]]],
  ['no data to begin an attachment with', tnef([{ bare: true, title: 'e.exe', data: DATA }]), [['e.exe']]],
  ['a message within', NESTED, [['in.exe'], ['forwarded'], ['after.exe']]],
  [
    'a title in the code page of the message',
    tnef([{ title: Buffer.from('c7d12e657865', 'hex'), data: DATA }], { codePage: 949 }),
    [['한.exe']],
  ],
  ['a name with a NUL within', tnef([{ title: 'e.exe\0.txt', data: DATA }]), [['e.exe\0.txt']]],
  ['zeros behind the end', Buffer.concat([PLAIN, Buffer.alloc(3)]), [['e.exe']]],
  ['a line end behind the end', Buffer.concat([PLAIN, Buffer.from('\r\n')]), [['e.exe']]],
];

for (const [name, bytes, members] of CASES) {
  test(name, () => {
    assert.deepEqual(allNames(bytes), members);
    assert.deepEqual(anomalies(bytes), []);
    for (const size of [1, 3, 64]) assert.deepEqual(read(bytes, size), read(bytes), `pieces of ${size}`);
  });
}

test('size, hash, and where it lies', () => {
  const [inner, message] = read(NESTED).members;
  assert.deepEqual([inner?.size, inner?.sha256, inner?.container], [5, hash(Buffer.from('inner')), 'tnef']);
  assert.deepEqual(inner?.within, ['forwarded']);
  assert.deepEqual([message?.size, message?.sha256, message?.within], [null, null, []]);
  assert.deepEqual(consume(tnefConsumer(nobody, ['a.zip']), PLAIN).members[0]?.within, ['a.zip']);
});

const DAMAGE: readonly [name: string, bytes: Buffer, members: readonly string[], detail: RegExp][] = [
  ['no bytes', Buffer.alloc(0), [], /^breaks off$/],
  ['no TNEF', Buffer.from('Hello, this is text.'), [], /^no TNEF signature$/],
  ['wrong check sums', tnef([{ title: 'e.exe' }], { wrongSum: 1 }), ['e.exe'], /^check sum of attribute/],
  ['cut in the data', PLAIN.subarray(0, -6), ['e.exe'], /^breaks off$/],
  ['cut in the check sum', PLAIN.subarray(0, -1), ['e.exe'], /^breaks off$/],
  ['junk behind', Buffer.concat([PLAIN, Buffer.from('junk')]), ['e.exe'], /^an attribute of level 106$/],
  [
    'a length beyond the end',
    Buffer.concat([PLAIN, Buffer.from('02108001000000007f', 'hex')]),
    ['e.exe'],
    /^breaks off$/,
  ],
  [
    'properties of a type that nobody defined',
    Buffer.concat([PLAIN, attributeOf(2, 0x00069005, Buffer.from('01000000ff0f0137', 'hex'))]),
    ['e.exe'],
    /property of type fff$/,
  ],
  [
    'four thousand million properties',
    Buffer.concat([PLAIN, attributeOf(2, 0x00069005, Buffer.from('ffffffff03000537', 'hex'))]),
    ['e.exe'],
    /4 bytes wanted where 0 are left$/,
  ],
  [
    'damage in a message within',
    tnef([{ title: 'm', message: INNER.subarray(0, -4) }, { title: 'e.exe' }]),
    ['m > in.exe', 'm', 'e.exe'],
    /^message within/,
  ],
];

for (const [name, bytes, members, detail] of DAMAGE) {
  test(`damage: ${name}`, () => {
    const consumed = read(bytes);
    assert.deepEqual(memberNames(consumed), members);
    assert.equal(consumed.anomalies[0]?.rule, 'MIME_TNEF_UNREADABLE');
    assert.match(consumed.anomalies[0]?.detail ?? '', detail);
  });
}

test('messages within messages: eight are read, and the rest is said', () => {
  let bytes = tnef([{ title: 'e.exe' }]);
  for (let i = 0; i < 20; i++) bytes = tnef([{ title: 'm', message: bytes }]);
  assert.equal(read(bytes).members.length, 8);
  assert.deepEqual(anomalies(bytes), ['messages nested deeper than 8']);
});

test('two thousand attachments: a thousand are read, and the rest is said', () => {
  const bytes = tnef(Array.from({ length: 2000 }, () => ({ title: 'e.exe', data: DATA })));
  assert.equal(read(bytes).members.length, 1000);
  assert.deepEqual(anomalies(bytes), ['more than 1000 attachments']);
});

test('what lies inside is asked about with the names that come behind it, and gets every byte', () => {
  const zip = Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(100_000, 7)]);
  const got: Buffer[] = [];
  const asked: unknown[] = [];
  const inner: PartConsumer = {
    write: bytes => got.push(Buffer.from(bytes)),
    end: () => ({ members: [], archives: [], anomalies: [{ rule: 'MIME_DEPTH', detail: 'x' }] }),
  };
  const open: OpenConsumer = ({ names, leading }, within) => {
    asked.push(
      names.map(it => it.text),
      leading.length,
      within,
    );
    return inner;
  };
  const consumed = consume(
    tnefConsumer(open),
    tnef([{ title: 'A~1.ZIP', data: zip, longName: 'a b.zip' }]),
    5000,
  );
  assert.deepEqual(asked, [['a b.zip', 'A~1.ZIP'], 512, []]);
  assert.deepEqual(Buffer.concat(got), zip);
  assert.equal(consumed.members[0]?.magic, 'application/zip');
  assert.equal(consumed.anomalies[0]?.rule, 'MIME_DEPTH');
});

test("Debian's tnef reads our test files as we do", async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'winmail.dat');
  for (const bytes of [PLAIN, FULL, tnef([{ longName: 'e.exe', binary: DATA }])]) {
    await writeFile(file, bytes);
    const done = await run('tnef', ['--overwrite', '-C', folder.path, file]);
    assert.equal(done.code, 0, done.stderr.toString());
    for (const { names, sha256 } of read(bytes).members) {
      assert.equal(hash(await readFile(join(folder.path, names[0]?.text ?? ''))), sha256);
    }
  }
});

test('any attachments come back, whatever the pieces', () => {
  const text = fc.stringMatching(/^[a-z]{1,20}\.exe$/);
  const attachment = fc.record(
    { title: text, longName: text, data: fc.uint8Array({ maxLength: 300 }).map(it => Buffer.from(it)) },
    { requiredKeys: ['title'] },
  );
  fc.assert(
    fc.property(fc.array(attachment, { maxLength: 5 }), fc.integer({ min: 1, max: 100 }), (list, size) => {
      const consumed = read(tnef(list), size);
      assert.deepEqual(
        memberNames(consumed),
        list.map(it => it.longName ?? it.title),
      );
      assert.deepEqual(consumed, read(tnef(list)));
      assert.deepEqual(consumed.anomalies, []);
    }),
    { numRuns: 300 },
  );
});

test('any damage: never throws, pieces make no difference', () => {
  const change = fc.tuple(fc.nat(10_000), fc.integer({ min: 0, max: 255 }));
  const changes = fc.array(change, { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(
      fc.constantFrom(PLAIN, FULL, NESTED),
      changes,
      fc.integer({ min: 1, max: 90 }),
      (good, list, size) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of list) bytes[at % bytes.length] = value;
        assert.deepEqual(read(bytes, size), read(bytes));
      },
    ),
    { numRuns: 2000 },
  );
});
