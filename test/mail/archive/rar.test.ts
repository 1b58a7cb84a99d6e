import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { zip } from '../../support/zip-writer.ts';
import { consumed, seen } from './reading.ts';

const RAR4 = Buffer.from('Rar!\x1a\x07\0', 'latin1');
const RAR5 = Buffer.from('Rar!\x1a\x07\x01\0', 'latin1');

interface RarWish {
  readonly name: string | Buffer;
  /** Stored, unless `packed` is set. */
  readonly data?: Buffer | string;
  readonly packed?: boolean;
  readonly encrypted?: boolean;
  readonly split?: boolean;
  /** RAR 5: records of the extra area. */
  readonly extra?: Buffer;
  /** RAR 4: the name is followed by one in Unicode. */
  readonly unicode?: boolean;
}

/** A block of RAR 4 (technote.txt of RAR 4.20). */
function block4(kind: number, flags: number, fields: Buffer, data = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(7);
  header.writeUInt8(kind, 2);
  header.writeUInt16LE(flags, 3);
  header.writeUInt16LE(7 + fields.length, 5);
  const all = Buffer.concat([header, fields]);
  all.writeUInt16LE(crc32(all.subarray(2)) & 0xffff, 0);
  return Buffer.concat([all, data]);
}

function rar4(entries: readonly RarWish[], archiveFlags = 0): Buffer {
  const files = entries.map(entry => {
    const name = Buffer.from(entry.name);
    const data = Buffer.from(entry.data ?? '');
    const fields = Buffer.alloc(25);
    fields.writeUInt32LE(data.length, 0);
    fields.writeUInt32LE(data.length, 4);
    fields.writeUInt8(entry.packed === true ? 0x33 : 0x30, 18);
    fields.writeUInt16LE(name.length, 19);
    const flags =
      0x8000 |
      (entry.encrypted === true ? 4 : 0) |
      (entry.split === true ? 2 : 0) |
      (entry.unicode === true ? 0x200 : 0);
    return block4(0x74, flags, Buffer.concat([fields, name]), data);
  });
  return Buffer.concat([
    RAR4,
    block4(0x73, archiveFlags, Buffer.alloc(6)),
    ...files,
    block4(0x7b, 0x4000, Buffer.alloc(0)),
  ]);
}

/** A number of RAR 5. */
function number(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 0x80);
  }
}

function block5(kind: number, flags: number, ...rest: Buffer[]): Buffer {
  const body = Buffer.concat([number(kind), number(flags), ...rest]);
  const summed = Buffer.concat([number(body.length), body]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(summed), 0);
  return Buffer.concat([sum, summed]);
}

function rar5(entries: readonly RarWish[]): Buffer {
  const files = entries.flatMap(entry => {
    const name = Buffer.from(entry.name);
    const data = Buffer.from(entry.data ?? '');
    const lock = entry.encrypted === true ? Buffer.from([2, 1, 0]) : Buffer.alloc(0);
    const extra = Buffer.concat([entry.extra ?? Buffer.alloc(0), lock]);
    const fields = [
      number(0),
      number(data.length),
      number(0),
      number(entry.packed === true ? 0x180 : 0),
      number(1),
    ];
    const flags = 2 | (extra.length > 0 ? 1 : 0) | (entry.split === true ? 0x10 : 0);
    const sizes = extra.length > 0 ? [number(extra.length), number(data.length)] : [number(data.length)];
    return [block5(2, flags, ...sizes, ...fields, number(name.length), name, extra), data];
  });
  return Buffer.concat([RAR5, block5(1, 0, number(0)), ...files, block5(5, 0, number(0))]);
}

const EXE: RarWish = { name: 'd/e.exe', data: 'MZ', packed: true };
const TEXT: RarWish = { name: 'a.txt', data: 'text' };
const IN = { name: 'in.zip', data: zip([{ name: 'f.exe' }]) };

// `보고서.exe` in Unicode, `a.txt` for everybody else: three characters of two bytes each, then four of one.
const TWO_NAMES = Buffer.concat([
  Buffer.from('a.txt\0', 'latin1'),
  Buffer.from([0, 0b10101000]),
  Buffer.from('보고서', 'utf16le'),
  Buffer.from('.', 'latin1'),
  Buffer.from([0]),
  Buffer.from('exe', 'latin1'),
]);

const both: readonly [
  what: string,
  entries: readonly RarWish[],
  names: readonly string[],
  states: readonly string[],
][] = [
  ['packed and stored', [EXE, TEXT], ['d/e.exe', 'a.txt'], ['read']],
  ['nothing', [], [], ['read']],
  ['a stored zip', [IN, TEXT], ['in.zip', 'a.txt', 'in.zip > f.exe'], ['read', 'in.zip: read']],
  ['a packed zip', [{ ...IN, packed: true }], ['in.zip'], ['unsupported (an archive packed by RAR)']],
  ['a password', [{ ...EXE, encrypted: true }, TEXT], ['d/e.exe', 'a.txt'], ['encrypted']],
  ['one of several volumes', [{ ...EXE, split: true }], ['d/e.exe'], ['unreadable (one of several volumes)']],
];

for (const [what, entries, names, states] of both) {
  test(`rar 4: ${what}`, async () =>
    assert.deepEqual(await seen(rar4(entries), { name: 'a.rar' }), { names, states }));
  test(`rar 5: ${what}`, async () =>
    assert.deepEqual(await seen(rar5(entries), { name: 'a.rar' }), { names, states }));
}

const others: readonly [what: string, file: Buffer, names: readonly string[], states: readonly string[]][] = [
  ['4: two names', rar4([{ ...TEXT, name: TWO_NAMES, unicode: true }]), ['a.txt|보고서.exe'], ['read']],
  ['4: names need a password', rar4([EXE], 0x80), [], ['encrypted']],
  ['5: names need a password', Buffer.concat([RAR5, block5(4, 0), Buffer.alloc(99, 7)]), [], ['encrypted']],
  [
    '4: cut off',
    rar4([EXE, { ...EXE, data: 'x'.repeat(99) }]).subarray(0, -50),
    ['d/e.exe', 'd/e.exe'],
    ['unreadable (an entry is cut off)'],
  ],
  [
    '5: cut off in a header',
    rar5([TEXT, EXE]).subarray(0, -20),
    ['a.txt'],
    ['unreadable (a damaged header)'],
  ],
  ['5: a link', rar5([{ ...TEXT, extra: Buffer.from([3, 5, 4, 0]) }]), ['a.txt'], ['read']],
  ['no rar', Buffer.from('text'), [], ['unreadable (no archive of this type)']],
];

for (const [what, file, names, states] of others) {
  test(`rar ${what}`, async () => assert.deepEqual(await seen(file, { name: 'a.rar' }), { names, states }));
}

test('a wrong checksum does not hide a name', async () => {
  for (const file of [rar4([EXE]), rar5([EXE])]) {
    const at = file.indexOf('e.exe');
    file.writeUInt8(0x66, at);
    assert.deepEqual(await seen(file, { name: 'a.rar' }), {
      names: ['d/f.exe'],
      states: ['unreadable (a damaged header)'],
    });
  }
});

test('damage ends with an answer', async () => {
  const seeds = [rar4([EXE, TEXT, IN]), rar5([EXE, TEXT, IN])];
  const change = fc.record({ at: fc.nat(1000), byte: fc.nat(255) });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...seeds), fc.array(change, { maxLength: 8 }), async (seed, changes) => {
      const file = Buffer.from(seed);
      for (const { at, byte } of changes) file[at % file.length] = byte;
      const found = await consumed(file, { name: 'a.rar' });
      assert.ok(found !== null && found.archives.length > 0);
    }),
    { numRuns: 1000 },
  );
});
