import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { holdMessage } from '../../src/quarantine/hold.ts';
import type { HeldEnvelope } from '../../src/quarantine/hold.ts';
import { messageOf } from '../relay/messages.ts';

const ADDED = Buffer.from('X-Held: yes\r\n');
const BODY = 'Subject: x\r\n\r\n.\r\ncaf\xc3\xa9\r\n';
const ENVELOPE: HeldEnvelope = {
  id: 'k3x9-1.2_a',
  sender: null,
  recipients: ['a@example.com', 'j\xc3\xb6rg@example.com'],
  reason: 'attachment',
  clientIp: '192.0.2.1',
  helo: 'mail.example.net',
  time: 1_700_000_000_000,
};

function temporary(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'hold-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('message and envelope, as they came', async t => {
  const folder = path.join(temporary(t), 'deep/quarantine');
  for (const piece of [undefined, 3]) {
    const id = `id${piece ?? ''}`;
    await holdMessage(folder, { ...ENVELOPE, id }, ADDED, messageOf(BODY, {}, piece));
    assert.equal(readFileSync(path.join(folder, `${id}.eml`), 'latin1'), `X-Held: yes\r\n${BODY}`);
    assert.deepEqual(JSON.parse(readFileSync(path.join(folder, `${id}.json`), 'utf8')), { ...ENVELOPE, id });
  }
  assert.deepEqual(readdirSync(folder).toSorted(), ['id.eml', 'id.json', 'id3.eml', 'id3.json']);
});

test('when it fails, it says so and there is no envelope', async t => {
  const folder = temporary(t);
  await assert.rejects(holdMessage(folder, ENVELOPE, ADDED, messageOf(BODY, { crc32: 1 })), /CRC-32/);
  await assert.rejects(
    holdMessage(
      folder,
      ENVELOPE,
      ADDED,
      messageOf(BODY, {
        chunks: () => {
          throw new Error('EIO');
        },
      }),
    ),
    /EIO/,
  );
  assert.deepEqual(readdirSync(folder), []);

  for (const inTheWay of [`${ENVELOPE.id}.eml`, `${ENVELOPE.id}.json.tmp`]) {
    mkdirSync(path.join(folder, inTheWay));
    await assert.rejects(holdMessage(folder, ENVELOPE, ADDED, messageOf(BODY)), Error);
    assert.deepEqual(readdirSync(folder), [inTheWay]);
    rmSync(path.join(folder, inTheWay), { recursive: true });
  }

  writeFileSync(path.join(folder, 'file'), '');
  await assert.rejects(
    holdMessage(path.join(folder, 'file'), ENVELOPE, ADDED, messageOf(BODY)),
    /EEXIST|ENOTDIR/,
  );
});

test('a held message is not overwritten', async t => {
  const folder = temporary(t);
  await holdMessage(folder, ENVELOPE, ADDED, messageOf(BODY));
  await assert.rejects(holdMessage(folder, ENVELOPE, ADDED, messageOf('other\r\n')), /held already/);
  assert.equal(readFileSync(path.join(folder, `${ENVELOPE.id}.eml`), 'latin1'), `X-Held: yes\r\n${BODY}`);
});

test('an id that is no file name is refused', async t => {
  const folder = temporary(t);
  for (const id of ['', '.', '..', '../x', 'a/b', '.hidden', 'a\0b', 'a b', 'x'.repeat(300)]) {
    await assert.rejects(
      holdMessage(path.join(folder, 'q'), { ...ENVELOPE, id }, ADDED, messageOf(BODY)),
      /file name/,
    );
  }
  assert.ok(!existsSync(path.join(folder, 'q')));
});
