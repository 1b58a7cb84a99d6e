import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { uuencodeConsumer } from '../../../src/mail/mime/uuencode.ts';
import type { PartConsumer } from '../../../src/mail/mime/consumer.ts';
import { consume, memberNames, nobody } from '../../support/consuming.ts';
import { uuencode } from '../../support/uuencode-writer.ts';

const read = (text: string, size?: number) =>
  consume(uuencodeConsumer(nobody), Buffer.from(text, 'latin1'), size);
const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

const BYTES = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 7) & 255));
const ENCODED = uuencode(BYTES, 'e.exe');
const DAMAGED = ['MIME_UUENCODE_UNREADABLE'];

/** Made by Python 3.11's binascii. */
const PYTHON = 'begin 644 hello.txt\n/2&5L;&\\@=V]R;&0L(&AI\n \nend\n';

const CASES: readonly [
  name: string,
  text: string,
  members: readonly string[],
  anomalies: readonly string[],
][] = [
  ['no file', 'Hello,\nthis is text.\n', [], []],
  ['nothing', '', [], []],
  ['a file alone', ENCODED, ['e.exe'], []],
  ['a file in text', `Hello,\n\n${ENCODED}\nRegards\n`, ['e.exe'], []],
  ['CRLF', `Hello,\r\n${ENCODED.replaceAll('\n', '\r\n')}`, ['e.exe'], []],
  ['CR alone', ENCODED.replaceAll('\n', '\r'), ['e.exe'], []],
  ['no line end at the end', ENCODED.trimEnd(), ['e.exe'], []],
  ['two files', `${ENCODED}\n${uuencode(Buffer.from('x'), 'f.scr')}`, ['e.exe', 'f.scr'], []],
  ['blanks for zero bits', uuencode(BYTES, 'e.exe', ' '), ['e.exe'], []],
  ['blanks lost', uuencode(BYTES, 'e.exe', ' ').replace(/ +\n/g, '\n'), ['e.exe'], []],
  ['an empty file', 'begin 644 e.exe\n`\nend\n', ['e.exe'], []],
  ['an empty file without its line', 'begin 644 e.exe\nend\n', ['e.exe'], []],
  ['blanks in the name', uuencode(BYTES, 'my e.exe'), ['my e.exe'], []],
  ['a long mode', ENCODED.replace('644', '100755'), ['e.exe'], []],
  ['blanks in the line', ENCODED.replace('begin 644 ', 'begin  0644\t'), ['e.exe'], []],
  ['UTF-8 in the name', uuencode(BYTES, '\xed\x95\x9c.exe'), ['한.exe'], []],
  ['blank lines within', ENCODED.replaceAll('\n', '\n\n'), ['e.exe'], []],
  ['begin-base64', 'begin-base64 644 e.exe\nTVqQAAMA\nAAAE\n====\n', ['e.exe'], []],
  ['begin-base64-encoded', 'begin-base64-encoded 644 ZS5leGU=\nTVqQ\n====\n', ['e.exe'], []],
  ['prose', 'begin the day\nwith a smile\nbegin 644 years ago, they said\nand so on, they lived.\n', [], []],
  ['no octal mode', ENCODED.replace('644', '998'), [], []],
  ['no name', ENCODED.replace(' e.exe', ''), [], []],
  ['not at the start of a line', ENCODED.replace('begin', ' begin'), [], []],
  ['breaks off', ENCODED.slice(0, 300), ['e.exe'], DAMAGED],
  ['breaks off after its first line', 'text\nbegin 644 e.exe\n', ['e.exe'], DAMAGED],
  ['another one before the end', `${ENCODED.slice(0, 400)}\n${ENCODED}`, ['e.exe', 'e.exe'], DAMAGED],
  ['a damaged line', ENCODED.replace(/\nM..../, '\nMabcd'), ['e.exe'], DAMAGED],
  ['a long line', ENCODED.replace(/\n(M.*)\nM/, `\n$1\n${'x'.repeat(5000)}\nM`), ['e.exe'], DAMAGED],
  ['junk before its lines', ENCODED.replace('\nM', '\njunk, and more junk\nM'), ['e.exe'], DAMAGED],
  ['a file behind prose that begins alike', `begin 644 times\n${ENCODED}`, ['e.exe'], []],
];

for (const [name, text, members, anomalies] of CASES) {
  test(name, () => {
    const consumed = read(text);
    assert.deepEqual(memberNames(consumed), members);
    assert.deepEqual(
      consumed.anomalies.map(it => it.rule),
      anomalies,
    );
    for (const size of [1, 2, 7, 64]) assert.deepEqual(read(text, size), consumed, `pieces of ${size}`);
  });
}

for (const text of [
  ENCODED,
  uuencode(BYTES, 'e.exe', ' ').replace(/ +\n/g, '\n'),
  ENCODED.replaceAll('\n', '\r\n'),
]) {
  test(`size and hash of ${text.length} characters`, () => {
    const [member] = read(text).members;
    assert.equal(member?.size, BYTES.length);
    assert.equal(member?.sha256, hash(BYTES));
    assert.equal(member?.container, 'uuencode');
  });
}

test('what Python writes', () => {
  assert.equal(read(PYTHON).members[0]?.sha256, hash(Buffer.from('Hello world, hi')));
});

test('base64', () => {
  const { members } = read('begin-base64 644 e.exe\nTVqQAAMA\nAAAE\n====\n');
  assert.equal(members[0]?.sha256, hash(Buffer.from('TVqQAAMAAAAE', 'base64')));
});

test('what lies inside is asked about, gets every byte and is in the answer', () => {
  const got: Buffer[] = [];
  const inner: PartConsumer = {
    write: bytes => got.push(Buffer.from(bytes)),
    end: () => ({
      members: [],
      archives: [{ type: 'application/zip', within: ['a.zip'], state: 'read', detail: '' }],
      anomalies: [],
    }),
  };
  const zip = Buffer.concat([Buffer.from('PK\x03\x04'), BYTES]);
  const asked: unknown[] = [];
  const consumer = uuencodeConsumer(
    ({ names, types, leading, magic, place }, within) => {
      asked.push(names[0]?.text, types, leading.length, magic, place, within);
      return inner;
    },
    ['outer'],
  );
  const consumed = consume(consumer, Buffer.from(uuencode(zip, 'a.zip')), 10);
  assert.deepEqual(asked, ['a.zip', ['application/octet-stream'], 512, 'application/zip', null, ['outer']]);
  assert.deepEqual(Buffer.concat(got), zip);
  assert.equal(consumed.archives.length, 1);
  assert.equal(consumed.members[0]?.magic, 'application/zip');
  assert.deepEqual(consumed.members[0]?.within, ['outer']);
});

test('who looks inside may take time', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const inner: PartConsumer = {
    write: () => {},
    end: async () => {
      await promise;
      return { members: [], archives: [], anomalies: [{ rule: 'MIME_DEPTH', detail: 'x' }] };
    },
  };
  const consumer = uuencodeConsumer(() => inner);
  consumer.write(Buffer.from(`${ENCODED}text\n`));
  assert.ok(consumer.pending instanceof Promise);
  const consumed = consumer.end();
  assert.ok(consumed instanceof Promise);
  resolve();
  assert.equal((await consumed).anomalies[0]?.rule, 'MIME_DEPTH');
  assert.equal(consumer.pending, null);
});

test('a thousand files: five hundred are read, and the rest is said', () => {
  const { members, anomalies } = read(uuencode(Buffer.from('x'), 'e.exe').repeat(1000));
  assert.equal(members.length, 500);
  assert.deepEqual(
    anomalies.map(it => it.detail),
    ['more than 500 files in one text'],
  );
});

test('any text round a file: it is found, whatever the pieces', () => {
  const line = fc.constantFrom(
    'begin',
    'begin 644',
    'text',
    'end',
    '',
    'M',
    'beginning',
    '`',
    'x'.repeat(3000),
  );
  const around = fc.array(line, { maxLength: 6 }).map(lines => lines.map(it => `${it}\n`).join(''));
  fc.assert(
    fc.property(
      around,
      fc.uint8Array({ maxLength: 200 }),
      around,
      fc.integer({ min: 1, max: 50 }),
      (a, bytes, b, size) => {
        const text = a + uuencode(Buffer.from(bytes), 'e.exe') + b;
        const consumed = read(text);
        assert.deepEqual(memberNames(consumed), ['e.exe']);
        assert.equal(consumed.members[0]?.sha256, hash(Buffer.from(bytes)));
        assert.deepEqual(read(text, size), consumed);
      },
    ),
    { numRuns: 300 },
  );
});

test('any damage: never throws, pieces make no difference', () => {
  const text = Buffer.from(`a\n${ENCODED}b\n${ENCODED}begin-base64 644 x\nTVqQ\n====\n`);
  const change = fc.tuple(fc.nat(text.length - 1), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 90 }),
      (changes, size) => {
        const bytes = Buffer.from(text);
        for (const [at, value] of changes) bytes[at] = value;
        assert.deepEqual(
          consume(uuencodeConsumer(nobody), bytes, size),
          consume(uuencodeConsumer(nobody), bytes),
        );
      },
    ),
    { numRuns: 500 },
  );
});
