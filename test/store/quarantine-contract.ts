import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type {
  HeldEntry,
  HeldEntryRecipient,
  HeldFilter,
  HeldPlace,
  HeldRow,
  QuarantineIndex,
} from '../../src/store/quarantine-index.ts';

export function sampleHeldRecipient(
  address: string,
  change: Partial<HeldEntryRecipient> = {},
): HeldEntryRecipient {
  return { address, rule: 'ATTACHMENT', verdict: 'quarantine', state: 'held', since: 100, ...change };
}

export function sampleHeld(id: string, change: Partial<HeldEntry> = {}): HeldEntry {
  return {
    id,
    time: 100,
    sender: 'alice@example.net',
    clientIp: '192.0.2.7',
    messageId: '<m1@example.net>',
    subject: 'hello',
    size: 4711,
    hasContent: true,
    recipients: [sampleHeldRecipient('bob@example.com')],
    ...change,
  };
}

/** What every driver of the quarantine index must do. `open` makes a new, empty one; the contract closes it. */
export function quarantineContract(driver: string, open: () => Promise<QuarantineIndex>): void {
  async function withIndex(work: (index: QuarantineIndex) => Promise<void>): Promise<void> {
    const index = await open();
    try {
      await work(index);
    } finally {
      await index.close();
    }
  }

  describe(`quarantine index contract: ${driver}`, () => {
    it('gives a copy back as it was; the first of two with one id stays', () =>
      withIndex(async index => {
        const entry = sampleHeld('a.1', {
          sender: null,
          clientIp: null,
          messageId: null,
          hasContent: false,
          recipients: [
            sampleHeldRecipient('b@example.com', { state: 'released', since: 7 }),
            sampleHeldRecipient('a@example.com'),
          ],
        });
        await index.add([entry, sampleHeld('a.1', { subject: 'other' })]);
        await index.add([sampleHeld('a.1', { recipients: [] })]);
        assert.deepEqual(await index.byId('a.1'), entry);
        for (const id of ['', 'a', 'A.1', 'a.10']) assert.equal(await index.byId(id), null);
      }));

    it('is empty before the first copy', () =>
      withIndex(async index => {
        assert.deepEqual(await index.list({}, null, 10), []);
        assert.deepEqual(await index.counts(), {});
        assert.deepEqual(await index.ids('', 10), []);
        assert.deepEqual(await index.older(true, 1e15, null, 10), []);
        assert.deepEqual(await index.move({ id: 'x', n: null, from: 'held', to: 'deleted', now: 1 }), []);
        await index.remove(['x']);
        await index.dropContent('x');
        await index.add([]);
      }));

    it('finds by recipient, sender, rule, state and age, and by all of them together', () =>
      withIndex(async index => {
        await index.add([
          sampleHeld('a', { time: 10 }),
          sampleHeld('b', { time: 20, sender: null, recipients: [sampleHeldRecipient('Bob@Example.COM')] }),
          sampleHeld('c', {
            time: 30,
            sender: 'Carol@example.org',
            recipients: [
              sampleHeldRecipient('eve@sub.example.com', { rule: 'CLSID' }),
              sampleHeldRecipient('bob@example.com', { state: 'released' }),
            ],
          }),
          sampleHeld('d', { time: 40, recipients: [sampleHeldRecipient('postmaster')] }),
        ]);
        const cases: readonly [HeldFilter, string][] = [
          [{}, 'd0 c1 c0 b0 a0'],
          [{ recipient: 'BOB@example.com' }, 'c1 b0 a0'],
          [{ recipient: '@example.com' }, 'c1 b0 a0'],
          [{ recipient: '@SUB.example.com' }, 'c0'],
          [{ recipient: 'postmaster' }, 'd0'],
          [{ recipient: 'ob@example.com' }, ''],
          [{ sender: 'carol@EXAMPLE.org' }, 'c1 c0'],
          [{ sender: '@example.net' }, 'd0 a0'],
          [{ sender: '<>' }, 'b0'],
          [{ rule: 'CLSID' }, 'c0'],
          [{ rule: 'clsid' }, ''],
          [{ state: 'released' }, 'c1'],
          [{ state: 'expired' }, ''],
          [{ before: 30 }, 'b0 a0'],
          [{ from: 30 }, 'd0 c1 c0'],
          [{ from: 20, before: 21 }, 'b0'],
          [{ recipient: '@example.com', state: 'held' }, 'b0 a0'],
          [{ recipient: 'bob@example.com', sender: '<>' }, 'b0'],
          [{ sender: '@example.org', rule: 'CLSID', state: 'held', before: 31 }, 'c0'],
          [{ rule: 'ATTACHMENT', recipient: '@sub.example.com' }, ''],
        ];
        for (const [filter, wanted] of cases) {
          const rows = await index.list(filter, null, 10);
          assert.equal(names(rows), wanted, JSON.stringify(filter));
        }
        assert.deepEqual(await index.list({ sender: '<>' }, null, 1), [
          {
            id: 'b',
            n: 0,
            time: 20,
            sender: null,
            clientIp: '192.0.2.7',
            messageId: '<m1@example.net>',
            subject: 'hello',
            size: 4711,
            ...sampleHeldRecipient('Bob@Example.COM'),
          },
        ]);
        assert.deepEqual(await index.counts(), { held: 4, released: 1 });
      }));

    it('gives a list page by page, each row once, whatever the size of the pages', () =>
      withIndex(async index => {
        const times = [5, 1, 5, 2, 5, 3];
        await index.add(
          times.map((time, i) =>
            sampleHeld(`h${i}`, {
              time,
              recipients: ['a', 'b', 'c'].map(local => sampleHeldRecipient(`${local}@example.com`)),
            }),
          ),
        );
        const all = names(await index.list({ state: 'held' }, null, 100));
        assert.equal(all.split(' ').length, 18);
        for (const size of [1, 2, 7, 17, 18]) {
          const rows: HeldRow[] = [];
          let after: HeldPlace | null = null;
          for (;;) {
            const page: HeldRow[] = await index.list({ state: 'held' }, after, size);
            rows.push(...page);
            after = page.at(-1) ?? null;
            if (after === null) break;
          }
          assert.equal(names(rows), all);
        }
      }));

    it('moves a copy once, and only from the state that it is in', () =>
      withIndex(async index => {
        const recipients = ['a', 'b', 'c'].map(local => sampleHeldRecipient(`${local}@example.com`));
        await index.add([sampleHeld('x', { recipients }), sampleHeld('y', { recipients })]);
        const claim = { id: 'x', from: 'held', to: 'releasing', now: 200 } as const;
        assert.deepEqual(await index.move({ ...claim, n: 1 }), [1]);
        assert.deepEqual(await index.move({ ...claim, n: 1 }), []);
        assert.deepEqual(await index.move({ ...claim, n: 9 }), []);
        assert.deepEqual(await index.move({ ...claim, n: null, now: 300 }), [0, 2]);
        assert.deepEqual(await index.move({ ...claim, n: null }), []);
        assert.equal(names(await index.list({ state: 'held' }, null, 10)), 'y2 y1 y0');
        const back = { id: 'x', n: null, from: 'releasing', to: 'held', now: 400 } as const;
        assert.deepEqual(await index.move({ ...back, sinceBefore: 200 }), []);
        assert.deepEqual(await index.move({ ...back, sinceBefore: 300 }), [1]);
        assert.deepEqual(
          (await index.byId('x'))?.recipients.map(r => [r.state, r.since]),
          [
            ['releasing', 300],
            ['held', 400],
            ['releasing', 300],
          ],
        );
      }));

    it('takes over what a file says, but not that it is held while it is being released', () =>
      withIndex(async index => {
        const entry = sampleHeld('x', {
          recipients: ['a', 'b'].map(local => sampleHeldRecipient(`${local}@example.com`)),
        });
        await index.set(entry, 0);
        assert.deepEqual(await index.byId('x'), entry);
        await index.move({ id: 'x', n: 0, from: 'held', to: 'releasing', now: 500 });
        await index.move({ id: 'x', n: 1, from: 'held', to: 'deleted', now: 500 });
        await index.set({ ...entry, hasContent: false, subject: '' }, 500);
        const states = async () =>
          (await index.byId('x'))?.recipients.map(r => `${r.state} ${r.since}`).join(', ');
        assert.equal(await states(), 'releasing 500, held 100');
        assert.equal((await index.byId('x'))?.hasContent, false);
        await index.set(entry, 501);
        assert.equal(await states(), 'held 100, held 100');
        await index.move({ id: 'x', n: 0, from: 'held', to: 'releasing', now: 500 });
        const recipients = entry.recipients.map(r => ({ ...r, state: 'released' as const, since: 600 }));
        await index.set({ ...entry, recipients }, 0);
        assert.equal(await states(), 'released 600, released 600');
      }));

    it('lists the old ones, drops contents and forgets', () =>
      withIndex(async index => {
        await index.add([3, 1, 2, 9].map(time => sampleHeld(`h${time}`, { time })));
        await index.dropContent('h2');
        assert.equal((await index.byId('h2'))?.subject, '');
        const old = async (hasContent: boolean, limit = 10, after: HeldPlace | null = null) =>
          (await index.older(hasContent, 9, after, limit)).map(o => o.id).join(' ');
        assert.equal(await old(true), 'h1 h3');
        assert.equal(await old(true, 1), 'h1');
        assert.equal(await old(true, 10, { time: 1, id: 'h1', n: 0 }), 'h3');
        assert.equal(await old(false), 'h2');
        assert.deepEqual(await index.ids('', 2), ['h1', 'h2']);
        assert.deepEqual(await index.ids('h2', 10), ['h3', 'h9']);
        await index.remove(['h2', 'h3', 'none']);
        assert.equal(names(await index.list({}, null, 10)), 'h90 h10');
        assert.equal(await index.byId('h2'), null);
      }));

    it('gives back and finds any bytes at all (property)', () =>
      withIndex(async index => {
        const bytes = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map(c => String.fromCharCode(c)) });
        let n = 0;
        await fc.assert(
          fc.asyncProperty(bytes, bytes, bytes, async (local, domain, subject) => {
            const text = `${local}@${domain}`;
            const entry = sampleHeld(`p${n++}`, {
              sender: text,
              subject,
              recipients: [sampleHeldRecipient(text)],
            });
            await index.add([entry]);
            assert.deepEqual(await index.byId(entry.id), entry);
            for (const filter of [{ recipient: text }, { sender: text }]) {
              const found = await index.list(filter, null, 1000);
              assert.ok(found.some(row => row.id === entry.id));
            }
          }),
          { numRuns: 200 },
        );
      }));
  });
}

/** Rows as `ID` and number. */
function names(rows: readonly HeldRow[]): string {
  return rows.map(row => `${row.id}${row.n}`).join(' ');
}
