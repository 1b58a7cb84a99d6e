import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Consumed } from '../../../src/mail/mime/consumer.ts';
import { consumersFor } from '../../../src/mail/mime/consumers.ts';
import { fileType } from '../../../src/mail/mime/file-type.ts';
import { consume, memberNames } from '../../support/consuming.ts';
import { tnef } from '../../support/tnef-writer.ts';
import { uuencode } from '../../support/uuencode-writer.ts';
import { LIMITS } from './reading.ts';

/** A part with these bytes, its type unknown. */
function read(bytes: Buffer): Consumed {
  const leading = bytes.subarray(0, 512);
  const head = {
    names: [],
    types: ['application/octet-stream'],
    leading,
    magic: fileType(leading),
    place: '1',
  };
  const consumer = consumersFor(LIMITS)(head, []);
  assert.ok(consumer);
  return consume(consumer, bytes, 65_536);
}

const inTnef = (bytes: Buffer, title: string) => tnef([{ title, data: bytes }]);
const inText = (bytes: Buffer, name: string) => Buffer.from(uuencode(bytes, name), 'latin1');
const FILE = Buffer.from('MZ and so on');

const NESTS: readonly (readonly [name: string, bytes: Buffer, members: readonly string[]])[] = [
  ['TNEF in TNEF', inTnef(inTnef(FILE, 'e.exe'), 'w.dat'), ['w.dat', 'w.dat > e.exe']],
  ['uuencode in TNEF', inTnef(inText(FILE, 'e.exe'), 'a.txt'), ['a.txt', 'a.txt > e.exe']],
  ['TNEF in uuencode', inText(inTnef(FILE, 'e.exe'), 'w.dat'), ['w.dat', 'w.dat > e.exe']],
  ['uuencode in uuencode', inText(inText(FILE, 'e.exe'), 'a.uue'), ['a.uue', 'a.uue > e.exe']],
  [
    'uuencode in TNEF in uuencode',
    inText(inTnef(inText(FILE, 'e.exe'), 'a.txt'), 'w.dat'),
    ['w.dat', 'w.dat > a.txt', 'w.dat > a.txt > e.exe'],
  ],
];

for (const [name, bytes, members] of NESTS) {
  test(`what lies in what: ${name}`, () => {
    const consumed = read(bytes);
    assert.deepEqual(memberNames(consumed), members);
    assert.deepEqual(consumed.anomalies, []);
  });
}

const TOWERS: readonly (readonly [
  name: string,
  wrap: (bytes: Buffer, level: number) => Buffer,
  detail: RegExp,
])[] = [
  ['TNEF', bytes => inTnef(bytes, 'w'), /^TNEF nested deeper than 8$/],
  ['uuencoded text', bytes => inText(bytes, 'w'), /^uuencoded text nested deeper than 8$/],
  [
    'both in turn',
    (bytes, level) => (level % 2 === 0 ? inText : inTnef)(bytes, 'w'),
    / nested deeper than 8$/,
  ],
];

for (const [name, wrap, detail] of TOWERS) {
  test(`forty levels of ${name}: eight are read, and the rest is said`, () => {
    let bytes = wrap(FILE, 0);
    // Uuencode grows by a third each time.
    for (let level = 1; level < 40 && bytes.length < 4_000_000; level++) bytes = wrap(bytes, level);
    const { members, anomalies } = read(bytes);
    assert.equal(members.length, 8);
    assert.deepEqual(
      members.at(-1)?.within,
      Array.from({ length: 7 }, () => 'w'),
    );
    assert.deepEqual(
      anomalies.map(it => it.rule),
      ['MIME_DEPTH'],
    );
    assert.match(anomalies[0]?.detail ?? '', detail);
  });
}
