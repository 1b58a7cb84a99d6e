import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { JournalWriter } from '../../src/journal/writer.ts';
import { openSqliteJournal, openSqliteJournalReadOnly } from '../../src/store/sqlite/journal.ts';
import { sampleRecord } from '../store/sample-record.ts';

const folder = mkdtempSync(join(tmpdir(), 'postern-journal-'));
let files = 0;
const newFile = () => join(folder, `${++files}.sqlite`);
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 6, 31);

interface Running {
  readonly writer: JournalWriter;
  readonly problems: string[];
}

function start(file: string, options: { retentionDays?: number; maxRecords?: number } = {}): Running {
  const problems: string[] = [];
  const writer = new JournalWriter({
    file,
    retentionDays: 0,
    now: () => NOW,
    onProblem: text => problems.push(text),
    reportEveryMs: 3_600_000,
    ...options,
  });
  return { writer, problems };
}

function texts(...ids: readonly string[]): string[] {
  return ids.map(id => JSON.stringify(sampleRecord({ id, sessionId: id })));
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, 'waited in vain');
    await delay(10);
  }
}

async function idsIn(file: string): Promise<string[]> {
  const store = openSqliteJournalReadOnly(file);
  try {
    return (await store.recent(100_000)).map(record => record.id).toSorted();
  } finally {
    await store.close();
  }
}

describe('the journal writer', () => {
  it('writes what it is given without being asked again', async () => {
    const file = newFile();
    const { writer, problems } = start(file);
    writer.write(texts('a', 'b'));
    await until(() => writer.waiting === 0);
    assert.deepEqual(await idsIn(file), ['a', 'b']);
    await writer.close();
    assert.deepEqual(problems, []);
  });

  it('drains on close, many batches as well as few', async () => {
    const file = newFile();
    const { writer, problems } = start(file);
    for (let n = 0; n < 300; n++) writer.write(texts(...Array.from({ length: 20 }, (_, m) => `${n}.${m}`)));
    await writer.close();
    assert.equal((await idsIn(file)).length, 6000);
    assert.deepEqual([problems, writer.waiting, writer.dropped], [[], 0, 0]);
    writer.write(texts('late'));
    assert.equal(writer.dropped, 1);
    await writer.close();
  });

  it('keeps a record once that is sent twice, and counts what is no record', async () => {
    const file = newFile();
    const { writer, problems } = start(file);
    writer.write([...texts('a'), 'garbage']);
    writer.write(texts('a', 'b'));
    await writer.close();
    assert.deepEqual(await idsIn(file), ['a', 'b']);
    assert.equal(writer.dropped, 1);
    assert.match(problems.join('\n'), /not readable/);
  });

  it('removes what is too old at the start, and when retention is shortened', async () => {
    const file = newFile();
    const store = openSqliteJournal(file);
    await store.append(
      Array.from({ length: 1200 }, (_, n) => sampleRecord({ id: `old.${n}`, time: NOW - 31 * DAY_MS })),
    );
    await store.append([
      sampleRecord({ id: 'ten', time: NOW - 10 * DAY_MS }),
      sampleRecord({ id: 'one', time: NOW - DAY_MS }),
    ]);
    await store.close();
    const { writer, problems } = start(file, { retentionDays: 30 });
    await until(async () => (await idsIn(file)).length === 2);
    writer.setRetention(0);
    writer.setRetention(9);
    await until(async () => (await idsIn(file)).join() === 'one');
    writer.setRetention(0.5);
    await until(async () => (await idsIn(file)).length === 0);
    await writer.close();
    assert.deepEqual(problems, []);
  });

  it('drops what there is no room for, reports it once, and goes on', async () => {
    const file = newFile();
    const { writer, problems } = start(file, { maxRecords: 3 });
    writer.write(texts('a', 'b'));
    writer.write(texts('c', 'd'));
    writer.write(texts('e', 'f'));
    assert.equal(writer.dropped, 4);
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? '', /faster than they can be written; 2 records waiting, 2 dropped/);
    await until(() => writer.waiting === 0);
    writer.write(texts('g'));
    await writer.close();
    assert.deepEqual(await idsIn(file), ['a', 'b', 'g']);
  });

  it('says at once when the file cannot be made, keeps trying, and loses nothing', async () => {
    const parent = join(folder, 'later');
    const file = join(parent, 'j.sqlite');
    const { writer, problems } = start(file);
    await until(() => problems.length > 0);
    writer.write(texts('a'));
    mkdirSync(parent);
    await until(() => writer.waiting === 0);
    await until(() => problems.length > 1);
    await writer.close();
    assert.deepEqual(await idsIn(file), ['a']);
    assert.equal(problems.length, 2, problems.join('\n'));
    assert.match(problems[0] ?? '', /later\/j\.sqlite: .*ENOENT.*0 dropped/);
    assert.match(problems[1] ?? '', /writing again; 0 records dropped/);
  });

  it('waits for a broken file to be moved away', async () => {
    const file = newFile();
    writeFileSync(file, 'x'.repeat(10_000));
    const { writer, problems } = start(file);
    writer.write(texts('a'));
    await until(() => problems.length > 0);
    assert.match(problems[0] ?? '', /not a database/);
    renameSync(file, `${file}.broken`);
    await until(() => writer.waiting === 0);
    assert.deepEqual(await idsIn(file), ['a']);
    await writer.close();
  });

  it('begins a new file when the old one is moved away under it', async () => {
    const file = newFile();
    const { writer } = start(file);
    writer.write(texts('a'));
    await until(() => writer.waiting === 0);
    for (const suffix of ['', '-wal', '-shm']) renameSync(file + suffix, `${file}.old${suffix}`);
    writer.write(texts('b'));
    await until(() => writer.waiting === 0);
    await writer.close();
    assert.deepEqual(await idsIn(file), ['b']);
  });

  it('gives up on close when nothing can be written, and says what is lost', async () => {
    const { writer, problems } = start(join(folder, 'never', 'j.sqlite'));
    writer.write(texts('a', 'b'));
    await writer.close();
    assert.equal(writer.dropped, 2);
    assert.match(problems.at(-1) ?? '', /2 records were lost/);
  });
});

/** A process that writes batches for ever and prints how many records it has handed over and seen written. */
const WRITING_PROCESS = `
  import { JournalWriter } from ${JSON.stringify(new URL('../../src/journal/writer.ts', import.meta.url).href)};
  const writer = new JournalWriter({
    file: process.argv[1],
    retentionDays: 0,
    now: Date.now,
    onProblem: text => console.log('problem ' + text),
    reportEveryMs: 50,
  });
  const record = JSON.parse(process.argv[2]);
  let n = 0;
  setInterval(() => {
    if (writer.waiting > 5000) return;
    writer.write(Array.from({ length: 50 }, () => JSON.stringify({ ...record, id: 'r.' + n++ })));
    console.log('written ' + (n - writer.waiting - writer.dropped));
  }, 5);
`;

describe('the journal of a process in trouble', () => {
  it('is whole after SIGKILL, with everything that was committed', async () => {
    const file = newFile();
    const child = writingProcess(process.execPath, ['--input-type=module', '-e', WRITING_PROCESS], file);
    await until(() => child.written() > 1000);
    child.process.kill('SIGKILL');
    await once(child.process, 'exit');
    const ids = await idsIn(file);
    assert.ok(ids.length >= child.written());
    const numbers = ids.map(id => Number(id.slice(2))).toSorted((a, b) => a - b);
    assert.deepEqual(
      numbers,
      numbers.map((_, n) => n),
      'no gaps',
    );
    const store = openSqliteJournal(file);
    await store.append([sampleRecord({ id: 'after' })]);
    assert.ok(await store.byId('r.0'));
    await store.close();
  });

  it('reports a disk that takes no more, lives, and writes again when there is room', async () => {
    const file = newFile();
    // A file size limit makes the writes fail as a full disk does, and can be lifted from outside without root.
    const limited = 'ulimit -S -f 600; exec "$0" "$@"';
    const args = ['-c', limited, process.execPath, '--input-type=module', '-e', WRITING_PROCESS];
    const child = writingProcess('bash', args, file);
    await until(() => child.lines().some(line => line.startsWith('problem') && line.includes('.sqlite:')));
    const before = child.written();
    const lift = spawn('prlimit', ['--pid', String(child.process.pid), '--fsize=unlimited:'], {
      stdio: 'inherit',
    });
    assert.deepEqual(await once(lift, 'exit'), [0, null]);
    await until(() => child.lines().some(line => line.includes('writing again; 0 records dropped')));
    await until(() => child.written() > before + 1000);
    child.process.kill('SIGKILL');
    await once(child.process, 'exit');
    const numbers = (await idsIn(file)).map(id => Number(id.slice(2))).toSorted((a, b) => a - b);
    assert.ok(numbers.length > before);
    assert.equal(numbers.at(-1), numbers.length - 1, 'no gaps');
  });
});

function writingProcess(program: string, args: readonly string[], file: string) {
  const child = spawn(program, [...args, file, JSON.stringify(sampleRecord())], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const lines = () => output.split('\n');
  return {
    process: child,
    lines,
    written: () =>
      Number(
        lines()
          .findLast(line => /^written \d+$/.test(line))
          ?.slice(8) ?? 0,
      ),
  };
}
