import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { BatchedJournal } from '../../src/journal/batcher.ts';
import { createJournal } from '../../src/journal/batcher.ts';
import { sampleRecord } from '../store/sample-record.ts';

/** A journal that flushes by itself only when asked to (or when a batch is full), and what it sent. */
function journal(options: { answer?: () => void | boolean; flushMs?: number; maxWaiting?: number } = {}) {
  const sent: string[][] = [];
  const journal = createJournal({
    send: batch => {
      const answer = options.answer?.();
      sent.push(batch.map(text => (JSON.parse(text) as { id: string }).id));
      return answer;
    },
    flushMs: options.flushMs ?? 3_600_000,
    maxBatch: 3,
    maxWaiting: options.maxWaiting ?? 100,
  });
  return { journal, sent };
}

function writeMany(journal: BatchedJournal, count: number): string[] {
  const ids = Array.from({ length: count }, (_, n) => `s.${n}`);
  for (const id of ids) journal.write(sampleRecord({ id }));
  return ids;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'waited in vain');
    await delay(5);
  }
}

describe('the journal of a worker process', () => {
  it('does nothing in write but to take the record', () => {
    const { journal: one, sent } = journal();
    writeMany(one, 10);
    assert.deepEqual(sent, []);
  });

  it('sends by itself what did not fill a batch', async () => {
    const { journal: one, sent } = journal({ flushMs: 1 });
    const ids = writeMany(one, 2);
    await until(() => sent.length > 0);
    assert.deepEqual(sent, [ids]);
    writeMany(one, 1);
    await until(() => sent.length > 1);
  });

  it('sends full batches soon, one in a turn', async () => {
    const { journal: one, sent } = journal();
    const ids = writeMany(one, 7);
    const atTurn: number[] = [];
    const watch = () => {
      atTurn.push(sent.length);
      if (sent.length < 2) setImmediate(watch);
    };
    setImmediate(watch);
    await until(() => sent.length === 2);
    assert.deepEqual(sent.flat(), ids.slice(0, 6));
    for (const [turn, batches] of atTurn.entries()) assert.ok(batches <= turn + 1, 'two batches in one turn');
    one.flush();
    assert.deepEqual(sent.flat(), ids);
  });

  it('waits when told to, and has lost nothing', async () => {
    let full = true;
    const { journal: one, sent } = journal({ answer: () => !full, flushMs: 20 });
    const ids = writeMany(one, 9);
    await until(() => sent.length === 1);
    full = false;
    await until(() => sent.flat().length === 9);
    assert.deepEqual(sent.flat(), ids);
  });

  it('offers a batch again that was not taken, and drops what is too much', async () => {
    let broken = true;
    const answer = () => {
      if (broken) throw new Error('channel closed');
    };
    const { journal: one, sent } = journal({ answer, flushMs: 1, maxWaiting: 5 });
    const ids = writeMany(one, 8);
    one.flush();
    assert.equal(one.dropped, 3);
    broken = false;
    await until(() => sent.flat().length === 5);
    assert.deepEqual(sent.flat(), ids.slice(0, 5));
  });

  it('takes no more once closed, and says what was lost', () => {
    const { journal: one, sent } = journal();
    writeMany(one, 4);
    one.close();
    assert.equal(sent.flat().length, 4);
    writeMany(one, 2);
    assert.equal(one.dropped, 2);
    const { journal: broken } = journal({
      answer: () => {
        throw new Error('channel closed');
      },
    });
    writeMany(broken, 4);
    broken.close();
    assert.equal(broken.dropped, 4);
  });

  it('drops a record that cannot be JSON, and sends the others', () => {
    const { journal: one, sent } = journal();
    one.write(sampleRecord({ id: 'a', size: 1n as unknown as number }));
    one.write(sampleRecord({ id: 'b' }));
    one.flush();
    assert.deepEqual(sent, [['b']]);
    assert.equal(one.dropped, 1);
  });

  it('does not keep the process alive', () => {
    const program = `
      import { createJournal } from ${JSON.stringify(new URL('../../src/journal/batcher.ts', import.meta.url).href)};
      createJournal({ send: () => undefined, flushMs: 3600000 }).write({});
    `;
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 30_000 });
    assert.equal(run.status, 0, String(run.stderr));
  });
});
