import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { VerdictRecord } from '../../src/model/record.ts';
import type { JournalStore } from '../../src/store/journal-store.ts';
import { sampleRecipient, sampleRecord } from './sample-record.ts';

/** What every driver of the journal must do. `open` makes a new, empty journal; the contract closes it. */
export function journalContract(driver: string, open: () => Promise<JournalStore>): void {
  async function withStore(work: (store: JournalStore) => Promise<void>): Promise<void> {
    const store = await open();
    try {
      await work(store);
    } finally {
      await store.close();
    }
  }

  describe(`journal contract: ${driver}`, () => {
    it('gives a record back as it was, by its id alone', () =>
      withStore(async store => {
        const record = sampleRecord();
        await store.append([record]);
        assert.deepEqual(await store.byId('s1.1'), record);
        for (const id of ['s1', 's1.10', 'S1.1', '']) assert.equal(await store.byId(id), null);
      }));

    it('keeps the first of two records with one id', () =>
      withStore(async store => {
        await store.append([sampleRecord({ size: 1 })]);
        await store.append([sampleRecord({ size: 2 }), sampleRecord({ id: 's1.2' })]);
        assert.equal((await store.byId('s1.1'))?.size, 1);
        assert.deepEqual(ids(await store.byAddress('bob@example.com', 10)), ['s1.2', 's1.1']);
      }));

    it('is empty before the first record', () =>
      withStore(async store => {
        assert.equal(await store.byId('x'), null);
        assert.deepEqual(await store.recent(10), []);
        assert.equal(await store.oldest(), null);
        assert.equal(await store.purge(Number.MAX_SAFE_INTEGER, 10), 0);
        await store.append([]);
      }));

    it('finds a Message-ID with and without its angle brackets, and by case', () =>
      withStore(async store => {
        await store.append([sampleRecord(), sampleRecord({ id: 's1.2', messageId: 'm1@example.net' })]);
        await store.append([sampleRecord({ id: 's1.3', messageId: null })]);
        assert.deepEqual(ids(await store.byMessageId('<m1@example.net>', 10)).toSorted(), ['s1.1', 's1.2']);
        assert.deepEqual(ids(await store.byMessageId('m1@example.net', 10)).toSorted(), ['s1.1', 's1.2']);
        assert.deepEqual(await store.byMessageId('M1@example.net', 10), []);
      }));

    it('finds sender and recipients whatever their ASCII case, and domains', () =>
      withStore(async store => {
        await store.append([
          sampleRecord({ id: 'a.1', sender: 'Alice@Example.NET', recipients: [] }),
          sampleRecord({
            id: 'b.1',
            sender: null,
            recipients: ['bob@example.com', 'BOB@example.com', 'eve@sub.example.com', 'postmaster'].map(
              sampleRecipient,
            ),
          }),
          withoutSender(sampleRecord({ id: 'c.1', recipients: [] })),
          sampleRecord({ id: 'd.1', sender: 'm\xdcller@b\xfccher.example', recipients: [] }),
          sampleRecord({ id: 'e.1', sender: 'a"@"b\0@odd.example', recipients: [] }),
        ]);
        const cases: readonly [string, readonly string[]][] = [
          ['alice@example.net', ['a.1']],
          ['ALICE@EXAMPLE.NET', ['a.1']],
          ['bob@example.com', ['b.1']],
          ['Postmaster', ['b.1']],
          ['@example.com', ['b.1']],
          ['@EXAMPLE.net', ['a.1']],
          ['@com', []],
          ['ob@example.com', []],
          ['bob@example.co_', []],
          ['M\xdcller@B\xfccher.example', ['d.1']],
          ['m\xfcller@b\xfccher.example', []],
          ['@b\xfccher.example', ['d.1']],
          ['a"@"b\0@odd.example', ['e.1']],
          ['a"@"b', []],
        ];
        for (const [address, expected] of cases) {
          assert.deepEqual(ids(await store.byAddress(address, 10)), expected, address);
        }
      }));

    it('finds a session, and no other that begins alike', () =>
      withStore(async store => {
        await store.append([
          sampleRecord({ id: 's1.1', time: 1 }),
          sampleRecord({ id: 's1.2', time: 2 }),
          sampleRecord({ id: 's12.1', sessionId: 's12' }),
        ]);
        assert.deepEqual(ids(await store.bySession('s1', 10)), ['s1.2', 's1.1']);
        assert.deepEqual(ids(await store.bySession('s12', 10)), ['s12.1']);
        assert.deepEqual(await store.bySession('s', 10), []);
      }));

    it('lists the newest first by time, whatever the order of arrival, and no more than asked', () =>
      withStore(async store => {
        const times = [5, 1, 4, 2, 3, 3];
        await store.append(times.map((time, n) => sampleRecord({ id: `s1.${n}`, time })));
        const expected = ['s1.0', 's1.2', 's1.5', 's1.4'];
        assert.deepEqual(ids(await store.recent(4)), expected);
        assert.deepEqual(ids(await store.byAddress('bob@example.com', 4)), expected);
        assert.deepEqual(ids(await store.byAddress('@example.com', 4)), expected);
        assert.deepEqual(ids(await store.byMessageId('<m1@example.net>', 4)), expected);
        assert.deepEqual(ids(await store.bySession('s1', 4)), expected);
        assert.equal(await store.oldest(), 1);
      }));

    it('lists a record once for a domain of which it has several addresses', () =>
      withStore(async store => {
        const recipients = ['a', 'b', 'c'].map(local => sampleRecipient(`${local}@example.com`));
        await store.append([sampleRecord({ recipients }), sampleRecord({ id: 's1.2', recipients, time: 1 })]);
        assert.deepEqual(ids(await store.byAddress('@example.com', 2)), ['s1.1', 's1.2']);
      }));

    it('reads the records of shadow mode, the oldest first, whatever lies between them', () =>
      withStore(async store => {
        const all = Array.from({ length: 1203 }, (_, n) => {
          const record = sampleRecord({ id: `s1.${n}`, time: 10 + Math.floor(n / 7) });
          return n % 2 === 0 ? { ...record, shadow: 'exit 0' } : record;
        });
        const told = sampleRecord({
          id: 's2.1',
          sender: '"shadow":',
          reply: '","shadow":"exit 1"',
          time: 11,
        });
        const odd = { ...sampleRecord({ id: 's2.2', time: 11 }), shadow: 7 as unknown as string };
        await store.append([...all.toReversed(), told, odd]);
        const read = async (from: number) => {
          const found: VerdictRecord[] = [];
          for await (const record of store.shadowRecords(from)) found.push(record);
          return found;
        };
        const shadowed = all.filter(record => 'shadow' in record);
        const found = await read(0);
        assert.deepEqual(ids(found).toSorted(), ids(shadowed).toSorted());
        assert.deepEqual(
          found.map(record => record.time),
          shadowed.map(record => record.time),
        );
        assert.deepEqual(found[0]?.shadow, 'exit 0');
        const later = shadowed.filter(record => record.time >= 100);
        assert.deepEqual(ids(await read(100)).toSorted(), ids(later).toSorted());
        assert.deepEqual(ids(await read(99.5)).toSorted(), ids(await read(99)).toSorted());
        assert.deepEqual(await read(10_000), []);
      }));

    it('purges what is older, the oldest first, so many at a time', () =>
      withStore(async store => {
        await store.append([3, 1, 2, 9].map(time => sampleRecord({ id: `s1.${time}`, time })));
        assert.equal(await store.purge(9, 2), 2);
        assert.deepEqual(ids(await store.recent(10)), ['s1.9', 's1.3']);
        assert.deepEqual(ids(await store.byAddress('bob@example.com', 10)), ['s1.9', 's1.3']);
        assert.equal(await store.purge(9, 2), 1);
        assert.equal(await store.purge(9, 2), 0);
        assert.deepEqual(ids(await store.byAddress('@example.net', 10)), ['s1.9']);
        assert.equal(await store.oldest(), 9);
      }));

    it('keeps texts as they are, wherever their keys stand, and passes over what is no record', () =>
      withStore(async store => {
        const { findings, ...rest } = sampleRecord({ sender: 'x","findings":[@example.net' });
        const { sender, ...noSender } = sampleRecord({ id: 's1.3' });
        const texts = [
          JSON.stringify({ ...rest, findings }),
          JSON.stringify({ findings, ...rest, id: 's1.2' }),
          JSON.stringify({ ...noSender, sender: 'late@example.net' }),
          '{"half',
          'null',
          '{}',
          JSON.stringify({ ...rest, time: 'noon' }),
        ];
        assert.ok(sender !== undefined);
        assert.equal(await store.appendJson(texts), 4);
        assert.equal((await store.recent(10)).length, 3);
        assert.deepEqual(ids(await store.byAddress('x","findings":[@example.net', 10)), ['s1.2', 's1.1']);
        assert.deepEqual(ids(await store.byAddress('late@example.net', 10)), ['s1.3']);
      }));

    it('keeps all of a batch or nothing', () =>
      withStore(async store => {
        const broken = [sampleRecord(), { ...sampleRecord({ id: 's1.2' }), size: 1n as unknown as number }];
        await assert.rejects(store.append(broken));
        assert.deepEqual(await store.recent(10), []);
      }));

    it('finds keys of any length by their beginning', () =>
      withStore(async store => {
        const local = 'x'.repeat(100_000);
        await store.append([sampleRecord({ sender: `${local}@example.net`, messageId: `<${local}@e>` })]);
        assert.equal((await store.byAddress(`${local}@example.net`, 1)).length, 1);
        assert.equal((await store.byMessageId(`${local}@e`, 1)).length, 1);
      }));

    it('gives back and finds any bytes at all (property)', () =>
      withStore(async store => {
        const bytes = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map(c => String.fromCharCode(c)) });
        let n = 0;
        await fc.assert(
          fc.asyncProperty(
            bytes,
            bytes,
            bytes,
            fc.string({ unit: 'binary' }),
            async (local, domain, text, any) => {
              const sender = `${local}@${domain}`;
              const record = sampleRecord({
                id: `p.${n++}`,
                sender,
                recipients: [{ ...sampleRecipient(text), hopReply: any }],
                messageId: text,
                helo: { verb: 'HELO', name: text },
                reply: any,
              });
              await store.append([record]);
              assert.deepEqual(await store.byId(record.id), record);
              assert.ok(ids(await store.byAddress(sender, 1000)).includes(record.id));
              assert.ok(ids(await store.byMessageId(text, 1000)).includes(record.id));
              if (text !== '') assert.ok(ids(await store.byAddress(text, 1000)).includes(record.id));
            },
          ),
          { numRuns: 200 },
        );
      }));
  });
}

function ids(records: readonly VerdictRecord[]): string[] {
  return records.map(record => record.id);
}

function withoutSender(record: VerdictRecord): VerdictRecord {
  const { sender: _, ...rest } = record;
  return rest;
}
