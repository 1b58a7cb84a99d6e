import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { address } from '../../src/model/address.ts';
import type { Message } from '../../src/model/message.ts';
import { HeldFileError } from '../../src/quarantine/format.ts';
import { HeldFile } from '../../src/quarantine/held-file.ts';
import { hold } from '../../src/quarantine/hold.ts';
import { bytesOf } from '../mail/stored.ts';
import { messageOf } from '../relay/messages.ts';
import { sampleRecord } from '../store/sample-record.ts';
import { heldCopy, heldRecipient, temporary } from './copies.ts';

const ADDED = Buffer.from('Received: by mx\r\n\tid x\r\nX-Postern-Tag: y\r\n');
const BODY = 'Subject: x\r\nFrom: a@example.net\r\n\r\n.\r\ncaf\xc3\xa9\r\r\n\rtail';

const files = (folder: string) =>
  ['tmp', 'new', 'cur'].flatMap(sub =>
    existsSync(path.join(folder, sub))
      ? readdirSync(path.join(folder, sub)).map(name => `${sub}/${name}`)
      : [],
  );

test('copies that are the first ones at the same time are all held', async t => {
  for (let round = 0; round < 5; round++) {
    const folder = path.join(temporary(t), 'a/b/c/d/e/f/quarantine');
    const ids = Array.from({ length: 20 }, (_, n) => `id${n}.1`);
    // One after the other by a turn of the event loop or more: some come while the folders are being made.
    await Promise.all(
      ids.map(async (id, n) => {
        for (let turn = 0; turn < n; turn++) await new Promise(resolve => setImmediate(resolve));
        await hold(folder, heldCopy(id), ADDED, messageOf(BODY));
      }),
    );
    assert.equal(files(folder).length, ids.length);
  }
});

test('a held copy is a mail in a Maildir, and comes back as it was', async t => {
  const folder = path.join(temporary(t), 'deep/quarantine');
  for (const piece of [undefined, 1, 3]) {
    const id = `id${piece ?? ''}.1.refused`;
    const held = heldCopy(id, {
      sender: null,
      parameters: { size: 99, body: '8BITMIME', smtputf8: true },
      recipients: [
        heldRecipient('j\xc3\xb6rg@example.com', { forwarded: address('j\xc3\xb6rg@example.com.hub') }),
        heldRecipient('"a b; to=<x>"@example.com', { rule: 'NEXT_HOP_REFUSED', verdict: 'hop-refused' }),
      ],
    });
    await hold(folder, held, ADDED, messageOf(BODY, {}, piece));
    const place = path.join(folder, 'new', id);
    const text = readFileSync(place, 'latin1');
    assert.ok(text.startsWith(`X-Postern-Held: id=${id}; version=1; length=0000`));
    assert.ok(text.endsWith(`${ADDED.toString()}${BODY}`.replaceAll('\r\n', '\n')));
    const [header = ''] = text.split('\n\n');
    for (const line of header.split('\n'))
      assert.match(line, /^(?:[\w-]+: ?|[ \t])/, 'a header that tools can read');
    await using file = await HeldFile.open(place, id);
    assert.deepEqual(file.head.record, held.record);
    assert.deepEqual(
      { ...file.head, record: null, content: null },
      {
        id,
        time: held.record.time,
        sender: null,
        parameters: held.parameters,
        clientIp: '192.0.2.7',
        helo: 'mail.example.net',
        recipients: held.recipients.map(r => ({
          address: r.address.text,
          forwarded: r.forwarded.text,
          rule: r.rule,
          verdict: r.verdict,
          state: 'held',
          since: held.record.time,
        })),
        record: null,
        content: null,
      },
    );
    assert.equal(await file.subject(), 'x');
    const { added, message } = await file.message();
    assert.deepEqual(added, ADDED);
    assert.equal((await bytesOf(message)).toString('latin1'), BODY);
    const { size, lines, eightBit, dotLines } = messageOf(BODY);
    assert.deepEqual(
      [message.size, message.lines, message.eightBit, message.dotLines],
      [size, lines, eightBit, dotLines],
    );
  }
});

test('any bytes and any addresses come back (property)', async t => {
  const folder = temporary(t);
  const bytes = (maxLength: number) =>
    fc.string({ unit: fc.integer({ min: 0, max: 255 }).map(c => String.fromCharCode(c)), maxLength });
  const body = fc
    .array(fc.oneof(bytes(40), fc.constantFrom('\r\n', '\r', '.', '\r\n.\r\n', '\r\r\n')), { maxLength: 30 })
    .map(pieces => pieces.join('').replace(/(?<!\r)\n/g, '\r\n'));
  let n = 0;
  await fc.assert(
    fc.asyncProperty(
      body,
      fc.option(bytes(60)),
      fc.array(bytes(60), { minLength: 1, maxLength: 5 }),
      fc.option(bytes(60)),
      fc.string({ unit: 'binary' }),
      fc.integer({ min: 1, max: 50 }),
      async (text, sender, recipients, helo, detail, piece) => {
        const id = `p${++n}`;
        const record = sampleRecord({
          id,
          helo: helo === null ? null : { verb: 'HELO', name: helo },
          reply: detail,
        });
        const held = heldCopy(id, {
          sender: sender === null ? null : address(sender),
          recipients: recipients.map(r => heldRecipient(r, { forwarded: address(`${r}x`) })),
          record,
        });
        await hold(folder, held, ADDED, messageOf(text, {}, piece));
        const place = path.join(folder, 'new', id);
        await using file = await HeldFile.open(place, id, 'r+');
        assert.equal(file.head.sender, sender);
        assert.equal(file.head.helo, helo);
        assert.deepEqual(
          file.head.recipients.map(r => [r.address, r.forwarded]),
          recipients.map(r => [r, `${r}x`]),
        );
        assert.deepEqual(file.head.record, record);
        const { added, message } = await file.message();
        assert.deepEqual(added, ADDED);
        assert.equal((await bytesOf(message)).toString('latin1'), text);
        const { eightBit, dotLines } = messageOf(text);
        assert.deepEqual([message.eightBit, message.dotLines], [eightBit, dotLines]);
        // A change of state leaves all the rest alone.
        const before = readFileSync(place, 'latin1');
        const last = recipients.length - 1;
        await file.setState([last], 'released', 1_800_000_000_000);
        assert.equal(readFileSync(place).length, before.length);
        await using again = await HeldFile.open(place, id);
        const changed = { state: 'released', since: 1_800_000_000_000 };
        assert.deepEqual(
          again.head.recipients,
          file.head.recipients.map((r, i) => (i === last ? { ...r, ...changed } : r)),
        );
        assert.equal((await bytesOf((await again.message()).message)).toString('latin1'), text);
      },
    ),
    { numRuns: 100 },
  );
});

test('when it fails, it says so and nothing is left', async t => {
  const folder = temporary(t);
  const broken: readonly [RegExp, Message][] = [
    [/CRC-32/, messageOf(BODY, { crc32: 1 })],
    [/LF without CR/, messageOf('a\r\nb\nc\r\n')],
    [/LF without CR/, messageOf('a\r\nb\r\n', { lines: 1 })],
    [
      /EIO/,
      messageOf(BODY, {
        chunks: () => {
          throw new Error('EIO');
        },
      }),
    ],
  ];
  for (const [wanted, message] of broken) {
    await assert.rejects(hold(folder, heldCopy('x'), ADDED, message), wanted);
    assert.deepEqual(files(folder), []);
  }
  mkdirSync(path.join(folder, 'tmp/x'));
  await assert.rejects(hold(folder, heldCopy('x'), ADDED, messageOf(BODY)), Error);
  assert.deepEqual(files(folder), ['tmp/x']);
  rmSync(path.join(folder, 'tmp/x'), { recursive: true });

  writeFileSync(path.join(folder, 'file'), '');
  await assert.rejects(
    hold(path.join(folder, 'file'), heldCopy('x'), ADDED, messageOf(BODY)),
    /EEXIST|ENOTDIR/,
  );
});

test('a held copy is not overwritten', async t => {
  const folder = temporary(t);
  await hold(folder, heldCopy('x'), ADDED, messageOf(BODY));
  const before = readFileSync(path.join(folder, 'new/x'));
  await assert.rejects(hold(folder, heldCopy('x'), ADDED, messageOf('other\r\n')), /held already/);
  assert.deepEqual(readFileSync(path.join(folder, 'new/x')), before);
});

test('an id that is no file name is refused', async t => {
  const folder = temporary(t);
  for (const id of ['', '.', '..', '../x', 'a/b', '.hidden', 'a\0b', 'a b', 'a:2,S', 'x'.repeat(300)]) {
    await assert.rejects(hold(path.join(folder, 'q'), heldCopy(id), ADDED, messageOf(BODY)), /file name/);
  }
  assert.ok(!existsSync(path.join(folder, 'q')));
});

test('every damaged byte is noticed before the copy could be used', async t => {
  const folder = temporary(t);
  const held = heldCopy('x');
  await hold(folder, held, ADDED, messageOf(BODY));
  const whole = readFileSync(path.join(folder, 'new/x'));
  const place = path.join(folder, 'damaged');
  const changing = whole.indexOf('state=held') + 'state='.length;
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] as number) ^ 0x20;
    writeFileSync(place, damaged);
    const read = async () => {
      await using file = await HeldFile.open(place, 'x');
      await file.message();
      return file.head.recipients[0];
    };
    if (at >= changing && at < changing + 41) {
      // A state nobody can read: not sent without a word. Its time says only how old it is.
      const got = await read();
      assert.ok(got?.state === 'releasing' || at >= changing + 9, `byte ${at}: ${got?.state}`);
    } else await assert.rejects(read(), HeldFileError, `byte ${at} of ${whole.length}`);
  }
  for (const [bytes, wanted] of [
    [whole.subarray(0, whole.length - 1), /bytes in place of/],
    [Buffer.concat([whole, Buffer.from('x')]), /bytes in place of/],
    [whole.subarray(0, 200), /cut short/],
    [Buffer.alloc(0), /does not begin/],
    [Buffer.from('From: x\n\n'), /does not begin/],
    [Buffer.from(whole.toString('latin1').replace('version=1', 'version=2'), 'latin1'), /format version 2/],
    [Buffer.from(whole.toString('latin1').replace('id=x', 'id=y'), 'latin1'), /under another name/],
  ] as const) {
    writeFileSync(place, bytes);
    await assert.rejects(HeldFile.open(place, 'x'), wanted);
  }
});

test('without its contents it still says whose it was', async t => {
  const folder = temporary(t);
  await hold(folder, heldCopy('x'), ADDED, messageOf(BODY));
  const place = path.join(folder, 'new/x');
  {
    await using file = await HeldFile.open(place, 'x', 'r+');
    await file.setState([0], 'deleted', 1_800_000_000_000);
    await file.dropContent();
  }
  await using file = await HeldFile.open(place, 'x');
  assert.equal(file.hasContent, false);
  assert.equal(file.head.recipients[0]?.state, 'deleted');
  assert.equal(await file.subject(), '');
  await assert.rejects(file.message(), /contents were removed/);
  assert.ok(!readFileSync(place, 'latin1').includes('Subject'));
});

test('the sum of a message is that of the bytes that were received', async t => {
  const folder = temporary(t);
  await hold(folder, heldCopy('x'), ADDED, messageOf(BODY));
  await using file = await HeldFile.open(path.join(folder, 'new/x'), 'x');
  assert.equal(file.head.content.crc32, crc32(Buffer.from(BODY, 'latin1')));
  assert.equal(file.head.content.size, BODY.length);
});
