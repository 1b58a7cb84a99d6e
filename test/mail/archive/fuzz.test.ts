import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import yauzl from 'yauzl';
import type { ZipWish } from '../../support/zip-writer.ts';
import { zip } from '../../support/zip-writer.ts';
import { consumed, seen } from './reading.ts';
import { tar } from './tar-writer.ts';

/** What the next change of a file is; places are taken modulo its length. */
type Change =
  | { readonly kind: 'set'; readonly at: number; readonly byte: number }
  | { readonly kind: 'cut'; readonly at: number; readonly length: number }
  | { readonly kind: 'copy'; readonly at: number; readonly from: number; readonly length: number };

const place = fc.nat(100_000);
const length = fc.nat(300);
const changes: fc.Arbitrary<readonly Change[]> = fc.array(
  fc.oneof(
    { arbitrary: fc.record({ kind: fc.constant('set' as const), at: place, byte: fc.nat(255) }), weight: 4 },
    { arbitrary: fc.record({ kind: fc.constant('cut' as const), at: place, length }), weight: 1 },
    {
      arbitrary: fc.record({ kind: fc.constant('copy' as const), at: place, from: place, length }),
      weight: 1,
    },
  ),
  { minLength: 1, maxLength: 12 },
);

function changed(file: Buffer, list: readonly Change[]): Buffer {
  let bytes = Buffer.from(file);
  for (const change of list) {
    if (bytes.length === 0) break;
    const at = change.at % bytes.length;
    if (change.kind === 'set') bytes[at] = change.byte;
    else {
      const from = change.kind === 'copy' ? change.from % bytes.length : 0;
      const put = change.kind === 'copy' ? bytes.subarray(from, from + change.length) : Buffer.alloc(0);
      const rest = change.kind === 'copy' ? at : at + change.length;
      bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(rest)]);
    }
  }
  return bytes;
}

const name = fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme' });

const wish: fc.Arbitrary<ZipWish> = fc.record({
  name,
  data: fc.uint8Array({ maxLength: 400 }).map(bytes => Buffer.from(bytes)),
  method: fc.constantFrom<'stored' | 'deflated'>('stored', 'deflated'),
  descriptor: fc.constantFrom<boolean | 'unsigned'>(false, true, 'unsigned'),
  zip64: fc.boolean(),
});

const TEXT: ZipWish = { name: 'a.txt', data: 'text '.repeat(100), method: 'deflated' };

/** Good files of every kind, with others inside. */
const SEEDS: readonly Buffer[] = [
  zip([TEXT, { name: 'b.zip', data: zip([TEXT, { ...TEXT, descriptor: true }]), method: 'deflated' }], {
    comment: Buffer.from('comment'),
  }),
  zip(
    [
      { ...TEXT, zip64: true },
      { name: 'b.zip', data: zip([TEXT]) },
    ],
    { zip64: true, before: Buffer.from('junk') },
  ),
  tar([
    { name: 'a.txt', data: 'text' },
    { name: 'b.zip', data: zip([TEXT]).toString('latin1') },
  ]),
  gzipSync(tar([{ name: 'x'.repeat(150), data: 'text' }, { name: 'b' }])),
];

/** What yauzl lists before it stops for the first thing it does not like; byte strings. */
async function listed(file: Buffer): Promise<string[]> {
  const names: string[] = [];
  try {
    const reader = await yauzl.fromBufferPromise(file, { decodeStrings: false, validateEntrySizes: false });
    for await (const entry of reader.eachEntry()) names.push(entry.fileNameRaw.toString('latin1'));
  } catch {
    // What it has listed so far counts.
  }
  return names;
}

test('every name of an honest zip is found, under every way of writing one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(wish, { maxLength: 6 }), fc.boolean(), async (entries, large) => {
      const found = await consumed(zip(entries, { zip64: large }));
      const own = found?.members.filter(member => member.within.length === 1) ?? [];
      assert.deepEqual(
        own.map(member => member.names[0]?.text),
        entries.map(entry => entry.name),
      );
      assert.equal(found?.archives[0]?.state, 'read', found?.archives[0]?.detail);
    }),
    { numRuns: 150 },
  );
});

test('a damaged file ends with an answer, in which is every name that yauzl lists', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...SEEDS), changes, async (seed, list) => {
      const file = changed(seed, list);
      const found = await consumed(file);
      assert.ok(found !== null && found.archives.length > 0);
      const raw = new Set(found.members.flatMap(member => member.names.map(one => one.raw)));
      for (const one of await listed(file)) assert.ok(raw.has(one), `yauzl lists ${JSON.stringify(one)}`);
    }),
    { numRuns: 2000 },
  );
});

test('noise ends with an answer', async () => {
  const signature = fc.constantFrom('PK\x03\x04', 'PK\x01\x02', 'PK\x05\x06', 'PK\x06\x06', 'PK\x06\x07');
  const piece = fc.oneof(
    signature.map(text => Buffer.from(text, 'latin1')),
    fc.uint8Array({ maxLength: 60 }).map(bytes => Buffer.from(bytes)),
    fc.nat(40).map(count => Buffer.alloc(count)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async pieces => {
      assert.ok(await consumed(Buffer.concat(pieces)));
    }),
    { numRuns: 500 },
  );
});

test('byte by byte is the same as at once', async () => {
  for (const file of SEEDS) assert.deepEqual(await seen(file, { piece: 1 }), await seen(file));
});
