import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import type { MimeLimits } from '../../../src/model/mime.ts';
import type { ZipWish } from '../../support/zip-writer.ts';
import { zip } from '../../support/zip-writer.ts';
import { consumed, seen, spoolFolder } from './reading.ts';

const MiB = 1024 * 1024;

/** Zips in zips, `wide` in each, `deep` levels, around `core`: 42.zip is 16 wide and 6 deep. */
function nested(core: ZipWish, deep: number, wide: number): Buffer {
  let inner = zip([core]);
  for (let level = 1; level < deep; level++) {
    const data = inner;
    inner = zip(
      Array.from({ length: wide }, (_, i): ZipWish => ({ name: `${i}.zip`, data, method: 'deflated' })),
    );
  }
  return inner;
}

/** Many entries for the same data, each behind the header of the next (D. Fifield, "A better zip bomb", 2019). */
function overlapping(count: number, size: number): Buffer {
  const zeros = Buffer.alloc(size);
  const said = { size, crc: crc32(zeros) };
  const kernel: ZipWish = {
    name: 'k.zip',
    data: deflateRawSync(zeros),
    methodNumber: 8,
    central: said,
    local: said,
  };
  const others = Array.from(
    { length: count },
    (_, i): ZipWish => ({ ...kernel, name: `${i}.zip`, local: null, central: { ...said, offset: 0 } }),
  );
  return zip([kernel, ...others]);
}

const cases: readonly [
  what: string,
  file: () => Buffer,
  limits: Partial<MimeLimits>,
  expected: RegExp,
  members: number,
][] = [
  [
    'zips in zips, wide and deep',
    () => nested({ name: '0.dll', data: Buffer.alloc(MiB), method: 'deflated' }, 5, 16),
    {},
    /limit \(`archiveentries` entries\)/,
    5000,
  ],
  [
    'zips in zips, deeper than allowed',
    () => nested({ name: 'e.exe' }, 10, 1),
    {},
    /0\.zip: limit \(`archivedepth` levels\)/,
    8,
  ],
  [
    'no depth at all',
    () => zip([{ name: 'e.exe' }]),
    { archiveDepth: 0 },
    /^limit \(`archivedepth` levels\)$/,
    0,
  ],
  [
    'zeros, said to be some',
    () => zip([{ name: '0.txt', data: Buffer.alloc(20 * MiB), method: 'deflated' }]),
    {},
    /^limit \(packed tighter than `archiveratio`\)$/,
    1,
  ],
  [
    'zeros in a zip, said to be few',
    () =>
      zip([
        {
          name: '0.zip',
          data: Buffer.alloc(20 * MiB),
          method: 'deflated',
          central: { size: 9 },
          local: { size: 9 },
        },
      ]),
    {},
    /^unreadable \(an entry is (?:damaged|longer than it says)\)/,
    1,
  ],
  [
    'more than may be unpacked',
    () => zip([{ name: 'a.zip', data: Buffer.alloc(2 * MiB, 'abcdefg'), method: 'deflated' }]),
    { archiveBytes: MiB },
    /^limit \(`archivebytes` unpacked\)/,
    1,
  ],
  [
    'more entries than allowed',
    () => zip(Array.from({ length: 20 }, (_, i): ZipWish => ({ name: `${i}` }))),
    { archiveEntries: 10 },
    /^limit \(`archiveentries` entries\)$/,
    10,
  ],
  [
    'as many as allowed',
    () => zip(Array.from({ length: 20 }, (_, i): ZipWish => ({ name: `${i}` }))),
    { archiveEntries: 20 },
    /^read$/,
    20,
  ],
  [
    'long names, many times the memory of the file',
    () =>
      zip(
        Array.from(
          { length: 100 },
          (_, i): ZipWish => ({ name: `${i}${'x'.repeat(65_000)}`, local: { name: 'a' } }),
        ),
      ),
    {},
    /^limit \(`archiveentries` entries\)unreadable/,
    64,
  ],
  [
    'entries for the same data',
    () => overlapping(300, 9 * MiB),
    {},
    /limit \(`archivebytes` unpacked\).*unreadable \(.*entries overlap/,
    301,
  ],
  [
    'gzip in gzip',
    () => gzipSync(gzipSync(gzipSync(Buffer.alloc(50 * MiB)))),
    { archiveDepth: 2 },
    /limit \(`archivedepth` levels\)/,
    2,
  ],
  [
    'a tar of zeros in gzip',
    () => gzipSync(Buffer.alloc(50 * MiB)),
    {},
    /^limit \(packed tighter than `archiveratio`\)/,
    1,
  ],
];

for (const [what, file, limits, expected, members] of cases) {
  test(`a bomb: ${what}`, async t => {
    const folder = await spoolFolder(t);
    const name = what.includes('tar') ? 'a.tar.gz' : 'a.zip';
    const found = await seen(file(), {
      name,
      spoolFolder: folder,
      limits: { ...limits, spoolFolder: folder },
    });
    assert.match(found?.states.join('') ?? '', expected);
    assert.equal(found?.names.length, members);
  });
}

test('signatures by the million', async t => {
  const folder = await spoolFolder(t);
  for (const signature of ['PK\x03\x04', 'PK\x01\x02', 'PK\x05\x06', 'PK']) {
    const found = await consumed(Buffer.alloc(4 * MiB, signature, 'latin1'), { spoolFolder: folder });
    assert.notEqual(found?.archives[0]?.state, 'read', signature);
  }
});
