import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { address } from '../../src/model/address.ts';
import type { Delivery } from '../../src/model/delivery.ts';
import { createRelay } from '../../src/relay/router.ts';
import { envelopeOf, messageOf } from './messages.ts';
import { ADDED, ask, BODY, shown } from './relay-to.ts';
import { dnsOf } from './zone.ts';

function temporary(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'maildir-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function open(base: string, where: string, sender: string | null = 's@example.net'): Delivery {
  const relay = createRelay({ dns: dnsOf({}), ourName: 'gate.example', maildirBase: base });
  const router = relay.router(() => ({ kind: 'maildir', path: where, place: 'test' }));
  return router.route(address('a@example.com')).open(envelopeOf(sender));
}

function files(maildir: string): string[] {
  return readdirSync(path.join(maildir, 'new')).map(name =>
    readFileSync(path.join(maildir, 'new', name), 'latin1'),
  );
}

test('one file for each recipient, with LF line ends', async t => {
  const base = temporary(t);
  const body = 'Subject: x\r\n\r\n.dot\r\ncaf\xc3\xa9\r\n';
  for (const piece of [undefined, 1]) {
    const maildir = path.join(base, `deep/Maildir${piece ?? ''}`);
    const delivery = open(base, `deep/Maildir${piece ?? ''}`);
    await ask(delivery, 'a', 'b');
    const answers = await delivery.send(ADDED, messageOf(body, {}, piece));
    assert.deepEqual(
      answers.map(shown),
      Array.from({ length: 2 }, () => 'accepted 250 2.0.0 ok, stored'),
    );
    assert.equal(answers[0]?.hop, `maildir deep/Maildir${piece ?? ''}`);
    const expected = ['a', 'b'].map(
      r =>
        `Return-Path: <s@example.net>\nDelivered-To: ${r}@example.com\nReceived: from test\n${body.replaceAll('\r\n', '\n')}`,
    );
    assert.deepEqual(files(maildir).toSorted(), expected);
    assert.deepEqual(readdirSync(path.join(maildir, 'tmp')), []);
    assert.deepEqual(readdirSync(path.join(maildir, 'cur')), []);
    assert.equal(statSync(maildir).mode & 0o777, 0o700);
    for (const name of readdirSync(path.join(maildir, 'new'))) {
      assert.match(name, /^\d+\.M\d+P\d+Q\d+R[0-9a-f]{8}\.[^/:]+$/);
      assert.equal(statSync(path.join(maildir, 'new', name)).mode & 0o777, 0o600);
    }
  }
});

test('deliveries that are the first ones at the same time all arrive', async t => {
  const where = 'a/b/c/d/e/f/Maildir';
  const base = temporary(t);
  // One after the other by a turn of the event loop or more: some come while the folders are being made.
  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      const delivery = open(base, where);
      await ask(delivery, `r${n}`);
      for (let turn = 0; turn < n; turn++) await new Promise(resolve => setImmediate(resolve));
      return await delivery.send(ADDED, messageOf(BODY));
    }),
  );
  assert.deepEqual(new Set(answers.flat().map(shown)), new Set(['accepted 250 2.0.0 ok, stored']));
  assert.equal(files(path.join(base, where)).length, 20);
});

test('null sender, empty message, a hundred deliveries at once', async t => {
  const base = temporary(t);
  await Promise.all(
    Array.from({ length: 100 }, async () => {
      const delivery = open(base, 'Maildir', null);
      await ask(delivery, 'a');
      assert.equal((await delivery.send(ADDED, messageOf('')))[0]?.kind, 'accepted');
    }),
  );
  const all = files(path.join(base, 'Maildir'));
  assert.equal(all.length, 100);
  assert.equal(all[0], 'Return-Path: <>\nDelivered-To: a@example.com\nReceived: from test\n');
});

const BROKEN: readonly [string, (base: string) => void, RegExp][] = [
  [
    'a file in place of the folder',
    base => writeFileSync(path.join(base, 'Maildir'), ''),
    /^failed 451 4\.3\.0 .*\((ENOTDIR|EEXIST)\)/,
  ],
  [
    'a file in place of new',
    base => {
      mkdirSync(path.join(base, 'Maildir/tmp'), { recursive: true });
      writeFileSync(path.join(base, 'Maildir/new'), '');
    },
    /^failed 451 4\.3\.0 message could not be stored \(ENOTDIR\)/,
  ],
  [
    'new is missing',
    base => mkdirSync(path.join(base, 'Maildir/tmp'), { recursive: true }),
    /^failed 451 4\.3\.0 message could not be stored \(ENOENT\)/,
  ],
];

for (const [name, prepare, expected] of BROKEN) {
  test(`${name}: temporary, and nothing is left`, async t => {
    const base = temporary(t);
    prepare(base);
    const delivery = open(base, 'Maildir');
    await ask(delivery, 'a');
    assert.match((await delivery.send(ADDED, messageOf(BODY))).map(shown).join(), expected);
    const tmp = path.join(base, 'Maildir/tmp');
    if (name !== BROKEN[0]?.[0]) assert.deepEqual(readdirSync(tmp), []);
  });
}

test('no space left', async t => {
  const base = temporary(t);
  const delivery = open(base, 'Maildir');
  await ask(delivery, 'a');
  const full = messageOf(BODY, {
    chunks: () => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    },
  });
  assert.deepEqual((await delivery.send(ADDED, full)).map(shown), [
    'failed 452 4.3.1 no space left to store the message',
  ]);
  assert.deepEqual(readdirSync(path.join(base, 'Maildir/tmp')), []);
});

test('a damaged message is not delivered', async t => {
  const base = temporary(t);
  const delivery = open(base, 'Maildir');
  await ask(delivery, 'a');
  assert.deepEqual((await delivery.send(ADDED, messageOf(BODY, { crc32: 1 }))).map(shown), [
    'failed 451 4.3.0 message could not be read back intact',
  ]);
  assert.deepEqual(files(path.join(base, 'Maildir')), []);
  assert.deepEqual(readdirSync(path.join(base, 'Maildir/tmp')), []);
});

test('given up while it is written', async t => {
  const base = temporary(t);
  const delivery = open(base, 'Maildir');
  await ask(delivery, 'a');
  const sent = delivery.send(ADDED, messageOf(BODY));
  delivery.abort();
  assert.deepEqual((await sent).map(shown), ['failed 451 4.3.0 delivery given up']);
  assert.deepEqual(files(path.join(base, 'Maildir')), []);
});

test('an address that would add a header is refused', async t => {
  const delivery = open(temporary(t), 'Maildir');
  assert.equal((await delivery.addRecipient(address('a@b\r\nX: y'))).kind, 'refused');
  assert.deepEqual(await delivery.send(ADDED, messageOf(BODY)), []);
});
