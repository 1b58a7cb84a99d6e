import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Cdb, CdbError } from '../../src/control/cdb.ts';
import { writeCdb } from '../support/cdb-writer.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');

test('writes the bytes that tcprules writes', () => {
  const cdb = writeCdb([
    [bytes('1.2.3.4'), bytes('D\0')],
    [bytes('127.'), bytes('+R=\0')],
  ]);
  assert.equal(cdb.length, 2113);
  assert.equal(
    cdb.subarray(2048).toString('hex'),
    '0700000002000000312e322e332e344400' +
      '04000000040000003132372e2b523d00' +
      'cffa4c3c000800000000000000000000' +
      'df06547c110800000000000000000000',
  );
});

test('finds keys, the empty one too, and the first of several equal ones', () => {
  const cdb = Cdb.parse(
    writeCdb([
      [bytes('a'), bytes('1')],
      [bytes('a'), bytes('2')],
      [bytes(''), bytes('default')],
      [bytes('\xe9'), bytes('')],
    ]),
  );
  assert.equal(cdb.find('a')?.toString(), '1');
  assert.equal(cdb.find('')?.toString(), 'default');
  assert.equal(cdb.find('\xe9')?.length, 0);
  assert.equal(cdb.find(bytes('b')), null);
  assert.equal([...cdb.entries()].map(([key]) => key.toString('latin1')).join(','), 'a,a,,\xe9');
});

test('an empty cdb has no records', () => {
  const cdb = Cdb.parse(writeCdb([]));
  assert.equal(cdb.find(''), null);
  assert.deepEqual([...cdb.entries()], []);
});

test('a file shorter than its header is refused with its size', () => {
  assert.throws(() => Cdb.parse(Buffer.alloc(2047)), { name: 'CdbError', message: /2047 bytes/ });
});

test('offsets outside of the file end in CdbError', () => {
  const whole = writeCdb([[bytes('key'), bytes('value')]]);
  const damaged: readonly [string, (file: Buffer) => void][] = [
    ['table beyond the end', file => forTables(file, at => file.writeUInt32LE(0xffff_fff0, at))],
    ['too many slots', file => forTables(file, at => file.writeUInt32LE(0xffff_ffff, at + 4))],
    ['table in the header', file => forTables(file, at => file.writeUInt32LE(8, at))],
    ['key too long', file => file.writeUInt32LE(0xffff_ffff, 2048)],
    ['value too long', file => file.writeUInt32LE(1000, 2052)],
    ['record beyond the end', file => forTables(file, (_, slots) => pointTo(file, slots, 5000))],
    ['record in the header', file => forTables(file, (_, slots) => pointTo(file, slots, 1))],
  ];
  for (const [name, damage] of damaged) {
    const file = Buffer.from(whole);
    damage(file);
    assert.throws(() => Cdb.parse(file).find('key'), CdbError, name);
  }
  const cut = whole.subarray(0, whole.length - 1);
  assert.throws(() => Cdb.parse(cut).find('key'), CdbError);
  assert.throws(() => [...Cdb.parse(cut).entries()], CdbError);
});

/** Calls `change` with the offset of the header entry of each table that has slots, and with that of the table. */
function forTables(file: Buffer, change: (entry: number, table: number) => void): void {
  for (let at = 0; at < 2048; at += 8) if (file.readUInt32LE(at + 4) > 0) change(at, file.readUInt32LE(at));
}

/** Points both slots of a table to byte `record`. */
function pointTo(file: Buffer, table: number, record: number): void {
  file.writeUInt32LE(record, table + 4);
  file.writeUInt32LE(record, table + 12);
}

test('a full table without the key is searched once and no more', () => {
  const file = writeCdb([[bytes('a'), bytes('1')]]);
  forTables(file, (entry, table) => {
    pointTo(file, table, 2048);
    for (let other = 0; other < 2048; other += 8) file.copy(file, other, entry, entry + 8);
  });
  assert.equal(Cdb.parse(file).find('nobody'), null);
});

const record = fc.tuple(
  fc.uint8Array({ maxLength: 12 }).map(key => Buffer.from(key)),
  fc.uint8Array({ maxLength: 20 }).map(value => Buffer.from(value)),
);

test('property: what is written is read back, first record first', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 60 }), records => {
      const cdb = Cdb.parse(writeCdb(records));
      assert.deepEqual([...cdb.entries()], records);
      for (const [key] of records) {
        const first = records.find(([other]) => other.equals(key));
        assert.deepEqual(cdb.find(key), first?.[1]);
      }
    }),
  );
});

test('property: a damaged file gives an answer or a CdbError, nothing else', () => {
  const change = fc.tuple(fc.nat({ max: 5000 }), fc.nat({ max: 255 }));
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 1, maxLength: 20 }),
      fc.array(change, { minLength: 1, maxLength: 40 }),
      fc.nat({ max: 3000 }),
      (records, changes, length) => {
        const file = writeCdb(records);
        for (const [at, byte] of changes) file[at % file.length] = byte;
        const cut = length % 3 === 0 ? file.subarray(0, length) : file;
        onlyCdbErrors(() => {
          const cdb = Cdb.parse(cut);
          for (const [key] of records) onlyCdbErrors(() => cdb.find(key));
          onlyCdbErrors(() => Array.from(cdb.entries()));
        });
      },
    ),
    { numRuns: 500 },
  );
});

function onlyCdbErrors(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof CdbError, String(error));
  }
}

test('100,000 records', () => {
  const records = Array.from({ length: 100_000 }, (_, i) => [bytes(`key${i}`), bytes(`${i}`)] as const);
  const cdb = Cdb.parse(writeCdb(records));
  assert.equal(Array.from(cdb.entries()).length, 100_000);
  assert.equal(cdb.find('key99999')?.toString(), '99999');
});
