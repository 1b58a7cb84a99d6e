import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { crc32, deflateRawSync } from 'node:zlib';
import type { ZipWish } from '../../support/zip-writer.ts';
import { zip } from '../../support/zip-writer.ts';
import { consumed, seen, spoolFolder } from './reading.ts';

const EXE: ZipWish = { name: 'e.exe', data: `MZ${'program '.repeat(100)}`, method: 'deflated' };
const TEXT: ZipWish = { name: 'a.txt', data: 'text '.repeat(200), method: 'deflated' };
const NOISE = randomBytes(3000);

const DIFFER = 'unreadable (local headers and directory differ)';
const ENDS = 'unreadable (several ends of directory, local headers and directory differ)';

/** Extra field 0x7075 (APPNOTE 4.6.9): a second name. */
function unicodePath(name: string, plain: string): Buffer {
  const value = Buffer.concat([Buffer.alloc(5, 1), Buffer.from(name)]);
  value.writeUInt32LE(crc32(plain), 1);
  const field = Buffer.alloc(4);
  field.writeUInt16LE(0x7075, 0);
  field.writeUInt16LE(value.length, 2);
  return Buffer.concat([field, value]);
}

/** The same bytes, under a wrong name of a method. */
const lzma: ZipWish = { name: 'in.zip', data: zip([EXE]), methodNumber: 14 };

const honest: readonly [what: string, file: Buffer, names: readonly string[]][] = [
  ['stored and deflated', zip([EXE, { ...TEXT, method: 'stored' }]), ['e.exe', 'a.txt']],
  ['empty', zip([]), []],
  ['an empty file, a folder', zip([{ name: 'empty' }, { name: 'd/' }]), ['empty', 'd/']],
  ['sizes behind the data', zip([{ ...EXE, descriptor: true }, TEXT]), ['e.exe', 'a.txt']],
  [
    'sizes behind stored data, no signature',
    zip([{ name: 'a.bin', data: NOISE, descriptor: 'unsigned' }]),
    ['a.bin'],
  ],
  ['zip64', zip([{ ...EXE, zip64: true }, TEXT], { zip64: true }), ['e.exe', 'a.txt']],
  ['behind junk', zip([EXE], { before: NOISE }), ['e.exe']],
  [
    'behind junk, offsets from the file’s beginning',
    zip([EXE], { before: NOISE, absolute: true }),
    ['e.exe'],
  ],
  ['with a comment', zip([EXE], { comment: Buffer.from('a comment') }), ['e.exe']],
  ['junk behind it', Buffer.concat([zip([EXE]), Buffer.from('\r\n')]), ['e.exe']],
  [
    'backslashes here, slashes there',
    zip([{ ...EXE, name: 'd/e.exe', local: { name: 'd\\e.exe' } }]),
    ['d/e.exe|d\\e.exe'],
  ],
  ['names with a folder above', zip([{ ...EXE, name: '../../e.exe' }]), ['../../e.exe']],
  ['NUL in a name', zip([{ ...EXE, name: 'e.exe\0.txt' }]), ['e.exe\0.txt|e.exe']],
  ['UTF-8 with its flag', zip([{ ...EXE, name: 'ä.exe', flags: 0x800 }]), ['ä.exe']],
  ['UTF-8 without', zip([{ ...EXE, name: '보고서.exe' }]), ['보고서.exe']],
  ['code page 437', zip([{ ...EXE, name: Buffer.from('\x84.exe', 'latin1') }]), ['ä.exe']],
  ['a Unicode path', zip([{ ...EXE, name: 'a.txt', extra: unicodePath('ä.exe', 'a.txt') }]), ['a.txt|ä.exe']],
  [
    'zip in zip in zip, stored',
    zip([{ name: 'b.zip', data: zip([{ name: 'c.zip', data: zip([EXE]) }, TEXT]) }]),
    ['b.zip', 'b.zip > c.zip', 'b.zip > a.txt', 'b.zip > c.zip > e.exe'],
  ],
  [
    'a zip under another name, and sizes behind the data',
    zip([{ name: 'b.dat', data: zip([EXE]), descriptor: true }]),
    ['b.dat', 'b.dat > e.exe'],
  ],
  [
    'a document with a package inside',
    zip([{ name: 'word/embeddings/oleObject.docx', data: zip([EXE]), method: 'deflated' }]),
    ['word/embeddings/oleObject.docx', 'word/embeddings/oleObject.docx > e.exe'],
  ],
  ['a password', zip([{ ...EXE, flags: 1 }, TEXT]), ['e.exe', 'a.txt']],
];

for (const [what, file, names] of honest) {
  test(`zip: ${what}`, async () => {
    const found = await seen(file);
    assert.deepEqual(found?.names, names);
    assert.deepEqual(
      [...new Set(found?.states.map(state => state.replace(/^.*: /, '')))],
      [what === 'a password' ? 'encrypted' : 'read'],
    );
  });
}

const hostile: readonly [what: string, file: Buffer, names: readonly string[], states: readonly string[]][] =
  [
    [
      'another name in the local header',
      zip([{ ...EXE, central: { name: 'a.txt' } }]),
      ['a.txt|e.exe'],
      [DIFFER],
    ],
    [
      'an entry that the directory does not list',
      zip([TEXT, { ...EXE, central: null }]),
      ['a.txt', 'e.exe'],
      [DIFFER],
    ],
    ['no entry in the directory', zip([{ ...EXE, central: null }]), ['e.exe'], [DIFFER]],
    [
      'an entry without local header',
      zip([TEXT, { ...EXE, local: null }]),
      ['a.txt', 'e.exe'],
      ['unreadable (an entry without local header)'],
    ],
    ['no directory', zip([EXE, TEXT], { headless: true }), ['e.exe', 'a.txt'], ['unreadable (no directory)']],
    [
      'cut off in the directory',
      zip([EXE, TEXT]).subarray(0, -50),
      ['e.exe', 'a.txt'],
      ['unreadable (no directory)'],
    ],
    [
      'the end record leads nowhere',
      zip([EXE], { end: { offset: 0x1000000, size: 5 } }),
      ['e.exe'],
      ['unreadable (directory is missing, local headers and directory differ)'],
    ],
    [
      'the end record counts less',
      zip([TEXT, EXE], { end: { entries: 1 } }),
      ['a.txt', 'e.exe'],
      ['unreadable (directory has another length than it says)'],
    ],
    [
      'one of several disks',
      zip([EXE], { end: { disk: 1 } }),
      ['e.exe'],
      ['unreadable (one of several disks)'],
    ],
    ['two zips, one behind the other', Buffer.concat([zip([EXE]), zip([TEXT])]), ['a.txt', 'e.exe'], [ENDS]],
    ['a zip in the comment', zip([TEXT], { comment: zip([EXE]) }), ['e.exe', 'a.txt'], [ENDS]],
    [
      'a zip in stored data, whose size the local header does not give',
      zip([
        { name: 'a.txt', data: zip([EXE], { headless: true, before: NOISE }), local: { size: 0, packed: 0 } },
      ]),
      ['a.txt', 'e.exe'],
      [DIFFER],
    ],
    [
      'two names for the same data',
      zip([TEXT, { ...EXE, local: null, central: { offset: 0 } }]),
      ['a.txt', 'e.exe|a.txt'],
      ['unreadable (local headers and directory differ, entries overlap, an entry is damaged)'],
    ],
    [
      'an entry that goes on behind the end',
      zip([{ ...EXE, central: { packed: 100_000 }, local: { packed: 100_000 } }]),
      ['e.exe'],
      ['unreadable (an entry is cut off, an entry is damaged)'],
    ],
    [
      'more data than it says',
      zip([{ ...EXE, central: { size: 5 }, local: { size: 5 } }]),
      ['e.exe'],
      ['unreadable (an entry is damaged)'],
    ],
    [
      'data that ends early, and an entry in the rest',
      zip([
        {
          name: 'a.txt',
          data: Buffer.concat([deflateRawSync('text'), zip([EXE], { headless: true })]),
          methodNumber: 8,
          central: { size: 4, crc: crc32('text') },
          local: { size: 4 },
        },
      ]),
      ['a.txt'],
      ['unreadable (an entry is damaged)'],
    ],
    [
      'a wrong checksum',
      zip([{ ...EXE, central: { crc: 1 } }]),
      ['e.exe'],
      ['unreadable (an entry is damaged)'],
    ],
    [
      'no deflated data',
      zip([{ name: 'e.exe', data: Buffer.alloc(50, 0xff), methodNumber: 8 }]),
      ['e.exe'],
      ['unreadable (an entry is damaged)'],
    ],
    ['an archive packed by LZMA', zip([lzma]), ['in.zip'], ['unsupported (an archive packed by method 14)']],
    [
      'a method that nobody has',
      zip([
        { ...EXE, methodNumber: 100 },
        { ...TEXT, local: { name: 'b.txt' } },
      ]),
      ['e.exe', 'a.txt|b.txt'],
      [DIFFER],
    ],
    ['no zip at all', Buffer.from('<html>not found</html>'), [], ['unreadable (no archive of this type)']],
    ['nothing', Buffer.alloc(0), [], ['unreadable (no archive of this type)']],
  ];

for (const [what, file, names, states] of hostile) {
  test(`zip that lies: ${what}`, async () => {
    assert.deepEqual(await seen(file), { names, states });
  });
}

test('what is known of an entry', async () => {
  const found = await consumed(zip([EXE, { name: 'b.zip', data: zip([TEXT]) }, { ...TEXT, flags: 1 }]), {
    name: 'mail.zip',
  });
  const [exe, inner, secret, text] = found?.members ?? [];
  assert.equal(exe?.size, 802);
  assert.match(exe?.sha256 ?? '', /^[0-9a-f]{64}$/);
  assert.equal(inner?.magic, 'application/zip');
  assert.equal(secret?.encrypted, true);
  assert.equal(secret?.sha256, null);
  assert.deepEqual(exe?.within, ['mail.zip']);
  assert.deepEqual(text?.within, ['mail.zip', 'b.zip']);
  assert.deepEqual(
    found?.archives.map(({ within, type, state, detail }) => [within.join(' '), type, state, detail]),
    [
      ['mail.zip', 'application/zip', 'encrypted', '1 of 3 entries'],
      ['mail.zip b.zip', 'application/zip', 'read', '1 entries'],
    ],
  );
});

test('a program is an archive only with a directory behind it', async () => {
  // The start of a DOS program as compilers write it (PE/COFF, section 2).
  const program = Buffer.alloc(512);
  program.write('MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff', 0, 'latin1');
  program.writeUInt32LE(0x80, 0x3c);
  program.write('PE\0\0', 0x80, 'latin1');
  program.write('PK\x03\x04 in its code, and PK\x01\x02', 0x100, 'latin1');
  assert.deepEqual(await seen(program, { name: 'setup.exe' }), { names: [], states: [] });
  assert.deepEqual(await seen(zip([EXE], { before: program }), { name: 'setup.exe' }), {
    names: ['e.exe'],
    states: ['read'],
  });
});

test('text is no archive, nor is a document that Office has encrypted', async () => {
  assert.equal(await seen(Buffer.from('text'), { name: 'a.txt' }), null);
  assert.equal(await seen(Buffer.from('text'), { name: '' }), null);
  const ole = Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(504)]);
  assert.equal(await seen(ole, { name: 'a.docx' }), null);
});

test('a large one waits in a file, and is read as from memory', async t => {
  const folder = await spoolFolder(t);
  const large = randomBytes(3_000_000);
  const file = zip([
    { name: 'a.bin', data: large },
    {
      name: 'b.zip',
      data: zip([
        { ...EXE, descriptor: true },
        { name: 'c', data: large },
      ]),
      method: 'deflated',
    },
  ]);
  const found = await seen(file, { spoolFolder: folder, piece: 57_000 });
  assert.deepEqual(found, {
    names: ['a.bin', 'b.zip', 'b.zip > e.exe', 'b.zip > c'],
    states: ['read', 'b.zip: read'],
  });
});

test('a large one that cannot be kept is a finding', async () => {
  const found = await seen(zip([{ name: 'a.bin', data: randomBytes(2_000_000) }]));
  assert.deepEqual(found?.names, []);
  assert.match(found?.states.join('') ?? '', /^unreadable \(not read: ENOENT/);
});
