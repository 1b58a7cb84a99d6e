import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { explain } from '../../src/cli/explain.ts';
import { utf8 } from '../../src/journal/printable.ts';
import type { JournalStore } from '../../src/store/journal-store.ts';
import { openSqliteJournal } from '../../src/store/sqlite/journal.ts';
import { sampleRecipient, sampleRecord } from '../store/sample-record.ts';

const folder = mkdtempSync(join(tmpdir(), 'postern-explain-'));
const file = join(folder, 'journal.sqlite');
let server: JournalStore;

async function run(arg: string, options: { json?: boolean; limit?: number; store?: string } = {}) {
  const lines: string[] = [];
  const code = await explain(arg, { store: file, json: false, limit: 20, ...options }, line =>
    lines.push(line),
  );
  return { code, lines, text: lines.join('\n') };
}

before(async () => {
  // Open for the whole test, as a running server has it.
  server = openSqliteJournal(file);
  await server.append([
    sampleRecord({ id: 'a.1', sessionId: 'a', time: 1000, messageId: '<m1@x>', reply: '451 later' }),
    sampleRecord({ id: 'a.2', sessionId: 'a', time: 2000, messageId: '<m1@x>' }),
    sampleRecord({ id: 'b.1', sessionId: 'b', time: 3000, sender: utf8('müller@bücher.example') }),
    sampleRecord({ id: 'c.1', sessionId: 'c', time: 4000, sender: 'caf\xe9@example.org', recipients: [] }),
    sampleRecord({
      id: 'd.1',
      sessionId: 'd',
      time: 5000,
      sender: null,
      recipients: [sampleRecipient('root')],
      messageId: 'no brackets or at',
    }),
  ]);
});
after(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

describe('postern explain', () => {
  const full: readonly [string, string, string][] = [
    ['an event id', 'a.1', 'a.1'],
    ['an event id with blanks around it', ' a.1\n', 'a.1'],
    ['a session with one event', 'b', 'b.1'],
    ['an address', 'mülLER@BüCHER.example', 'b.1'],
    ['an address in angle brackets', '<müller@bücher.example>', 'b.1'],
    ['a domain', '@bücher.example', 'b.1'],
    ['bytes as records show them', 'caf\\xe9@example.org', 'c.1'],
    ['a local address', 'root', 'd.1'],
    ['an odd Message-ID', '<no brackets or at>', 'd.1'],
  ];
  for (const [what, arg, id] of full) {
    it(`shows one record in full: ${what}`, async () => {
      const { code, text } = await run(arg);
      assert.equal(code, 0);
      assert.match(text, new RegExp(`^A message from .*\\n(.*\\n)*id +${id.replace('.', '\\.')}\\n`));
    });
  }

  const listed: readonly [string, string, readonly string[]][] = [
    ['a session', 'a', ['a.2', 'a.1']],
    ['a Message-ID', '<m1@x>', ['a.2', 'a.1']],
    ['a Message-ID without its brackets', 'm1@x', ['a.2', 'a.1']],
    ['an address', 'Bob@Example.COM', ['b.1', 'a.2', 'a.1']],
    ['a domain', '@example.com', ['b.1', 'a.2', 'a.1']],
  ];
  for (const [what, arg, ids] of listed) {
    it(`lists several, the newest first: ${what}`, async () => {
      const { code, lines } = await run(arg);
      assert.equal(code, 0);
      const end = lines.indexOf('');
      assert.deepEqual(
        lines.slice(0, end).map(line => line.split('  ')[1]),
        ids,
      );
      assert.match(lines.at(-1) ?? '', /postern explain ID/);
    });
  }

  it('shows no more than asked for, and says so', async () => {
    const two = await run('@example.com', { limit: 2 });
    assert.match(
      two.text,
      /^[^ ]+ {2}b\.1 .*\n[^ ]+ {2}a\.2 .*\n\nThese are the newest 2; there are older ones/,
    );
    const one = await run('@example.com', { limit: 1 });
    assert.match(one.text, /^id +b\.1$/m);
    assert.match(one.text, /This is the newest; there are older ones/);
  });

  it('prints JSON, one record on a line', async () => {
    const { code, lines } = await run('a', { json: true });
    assert.equal(code, 0);
    assert.deepEqual(
      lines.map(line => (JSON.parse(line) as { id: string }).id),
      ['a.2', 'a.1'],
    );
    const latin = await run('c', { json: true });
    assert.equal((JSON.parse(latin.text) as { sender: string }).sender, 'caf\xe9@example.org');
    assert.equal((await run('a', { json: true, limit: 1 })).lines.length, 1);
  });

  it('says how far back the records go when it finds nothing', async () => {
    for (const arg of ['zzz', '@nowhere.example', '<>', '', '\x1b[2J', "' OR 1=1 --"]) {
      const { code, text } = await run(arg);
      assert.equal(code, 1, arg);
      assert.match(text, /^nothing found for [ -~]*; the records go back to 1970-01-01T00:00:01\.000Z$/);
    }
    const empty = join(folder, 'empty.sqlite');
    await openSqliteJournal(empty).close();
    const { code, text } = await run('a', { store: empty });
    assert.deepEqual([code, text], [1, 'nothing found for a; there are no records yet']);
  });

  it('says why it cannot read the store', async () => {
    const garbage = join(folder, 'garbage');
    writeFileSync(garbage, 'x'.repeat(5000));
    for (const [store, expected] of [
      [join(folder, 'missing'), /missing: no such file: nothing has been recorded/],
      [garbage, /garbage: file is not a database/],
      [folder, /is not a file/],
    ] as const) {
      const { code, text } = await run('a', { store });
      assert.equal(code, 2);
      assert.match(text, expected);
    }
  });
});
