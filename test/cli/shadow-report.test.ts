import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { shadowReport } from '../../src/cli/shadow-report.ts';
import type { JournalStore } from '../../src/store/journal-store.ts';
import { openSqliteJournal } from '../../src/store/sqlite/journal.ts';
import { sampleRecord } from '../store/sample-record.ts';

const DAY_MS = 86_400_000;

const folder = mkdtempSync(join(tmpdir(), 'postern-shadow-'));
const [control, state, empty] = ['control', 'state', 'empty'].map(name => join(folder, name)) as [
  string,
  string,
  string,
];
let server: JournalStore;

before(async () => {
  for (const name of [control, state, empty]) mkdirSync(name);
  writeFileSync(join(control, 'me'), 'mx.example.com\n');
  writeFileSync(join(control, 'rcpthosts'), 'example.com\n');
  writeFileSync(join(control, 'smtproutes'), ':127.0.0.1:25\n');
  // Open for the whole test, as a running server has it.
  server = openSqliteJournal(join(state, 'postern.db'));
  const now = Date.now();
  const shadow = (n: number, told: string, change = {}) => ({
    ...sampleRecord({ id: `s${n}.1`, sessionId: `s${n}`, edge: 'shadow', time: now - n * DAY_MS, ...change }),
    shadow: told,
    addedByTomorrow: { any: ['thing'] },
  });
  const refused = { event: 'message-refused', reply: '554 5.7.1 no', rule: 'ATTACH' };
  await server.append([
    shadow(9, 'exit 31'),
    shadow(8, 'exit 0'),
    shadow(3, 'exit 0', refused),
    shadow(2, 'exit 82', refused),
    shadow(1, 'not told'),
    sampleRecord({ id: 'other.1', time: now }),
  ]);
});
after(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

async function run(options: { since?: string; json?: boolean; state?: string } = {}) {
  const lines: string[] = [];
  const code = await shadowReport({ control, state, json: false, ...options }, line => lines.push(line));
  return { code, lines };
}

describe('postern shadow report', () => {
  it('compares all that is recorded', async () => {
    const { code, lines } = await run();
    assert.equal(code, 0);
    assert.match(lines[0] ?? '', /^5 messages from \S+Z to \S+Z$/);
    assert.deepEqual(lines.slice(1, 4), [
      'agreed        2 (50.0 %)',
      'disagreed     2 in 2 groups',
      'not compared  1: what the old filter said was not told',
    ]);
    assert.equal(lines.filter(line => /^ +s[39]\.1$/.test(line)).length, 2);
  });

  it('leaves out what is older than --since', async () => {
    const { lines } = await run({ since: '7d' });
    assert.match(lines[0] ?? '', /^3 messages /);
    assert.doesNotMatch(lines.join('\n'), /s9\.1/);
  });

  it('gives the same as JSON', async () => {
    const { code, lines } = await run({ json: true, since: '1w' });
    assert.equal(code, 0);
    assert.equal(lines.length, 1);
    const { groups, from, to, ...counts } = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    assert.deepEqual(counts, { messages: 3, agreed: 1, disagreed: 1, notCompared: 1 });
    assert.ok(typeof from === 'number' && typeof to === 'number' && from < to);
    assert.deepEqual(groups, [
      {
        cause: 'ATTACH',
        ours: 'refused',
        old: 'passed',
        meaning: 'Postern refuses it for good; the old filter passed it, or dropped it by its own design',
        count: 1,
        ids: ['s3.1'],
      },
    ]);
  });

  it('says when there is nothing, and how to begin', async () => {
    const { code, lines } = await run({ since: '1s' });
    assert.equal(code, 1);
    assert.match(lines.join('\n'), /POSTERN_SHADOW="\/var\/qmail\/bin\/simscan"/);
    const { code: asJson, lines: json } = await run({ since: '1s', json: true });
    assert.equal(asJson, 1);
    assert.deepEqual(JSON.parse(json.join('')).groups, []);
  });

  it('fails when there is no store, or the age is none', async () => {
    assert.deepEqual(await run({ state: empty }), { code: 2, lines: [] });
    assert.deepEqual(await run({ since: 'soon' }), { code: 2, lines: [] });
  });
});
