import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ArchiveFacts, MimeFacts } from '../../src/model/mime.ts';
import type { MessageFacts } from '../../src/model/message.ts';
import { archives } from '../../src/plugins/archives.ts';

const READ: ArchiveFacts = {
  part: 0,
  within: ['a.zip'],
  type: 'application/zip',
  state: 'read',
  detail: '2 entries',
};

const LIMIT: ArchiveFacts = { ...READ, state: 'limit', detail: '`archivedepth` levels' };

const mimeOf = (list: readonly ArchiveFacts[]): MimeFacts => ({
  parts: [],
  members: [],
  anomalies: [],
  archives: list,
});

/** What the plugin finds, as `RULE state: detail (source)`. */
async function found(mime: MessageFacts['mime']): Promise<string[]> {
  const tools = {
    settings: { archivedepth: 8, archiveentries: 5000, archivebytes: 1, archiveratio: 200 },
    origin: (name: string) => `rules/${name}:1`,
  };
  // Nothing else of either is looked at.
  const findings = await archives.message?.({ mime } as MessageFacts, tools as never);
  return (findings ?? []).map(({ rule, state, detail, source }) =>
    [`${rule} ${state}: ${detail}`, ...(source === undefined ? [] : [`(${source})`])].join(' '),
  );
}

test('archives that were read pass', async () => {
  assert.deepEqual(await found(() => mimeOf([])), ['ARCHIVE_UNREADABLE pass: 0 archives']);
  assert.deepEqual(await found(() => mimeOf([READ, READ])), ['ARCHIVE_UNREADABLE pass: 2 archives']);
});

test('each state is one finding, with the places, and the setting of a limit', async () => {
  const list: readonly ArchiveFacts[] = [
    READ,
    LIMIT,
    { ...READ, state: 'encrypted', within: ['a.zip', 'b.zip'], detail: '1 of 2 entries' },
    { ...READ, state: 'encrypted', within: ['보고서.zip'], detail: '1 of 1 entries' },
    { ...READ, state: 'unreadable', within: [''], part: 3, detail: 'no directory' },
    { ...READ, state: 'unsupported', type: 'application/x-rar', within: ['c.rar'], detail: '' },
  ];
  assert.deepEqual(await found(async () => mimeOf(list)), [
    'ARCHIVE_ENCRYPTED hit: a.zip > b.zip (application/zip): 1 of 2 entries; ' +
      `${Buffer.from('보고서').toString('latin1')}.zip (application/zip): 1 of 1 entries`,
    'ARCHIVE_UNREADABLE hit: part 3 (application/zip): no directory',
    'ARCHIVE_LIMIT hit: a.zip (application/zip): `archivedepth` levels (rules/archivedepth:1)',
    'ARCHIVE_UNSUPPORTED hit: c.rar (application/x-rar)',
  ]);
});

test('many archives with long names make a short detail', async () => {
  const list = Array.from({ length: 500 }, () => ({ ...LIMIT, within: Array(8).fill('x'.repeat(4096)) }));
  const [detail] = await found(() => mimeOf(list));
  assert.match(detail ?? '', /; and 495 more \(rules\/archivedepth:1\)$/);
  assert.ok((detail ?? '').length < 1200);
});

test('a message that could not be read is not clean', async () => {
  await assert.rejects(
    found(() => Promise.reject(new Error('spool file ended'))),
    /spool file ended/,
  );
});
