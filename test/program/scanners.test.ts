import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeScanner } from '../support/fake-scanner.ts';
import { sampleMail } from '../support/sample-mail.ts';
import { scannerCases } from './scanner-cases.ts';
import { at, startRig } from './scanner-rig.ts';

scannerCases('relay');

test('SpamAssassin sees the message as it will be delivered, without what was forged', async () => {
  const end = 'the last words';
  const forged = 'X-Spam-Status: No, score=-100\r\n';
  const message = sampleMail({ headers: [forged.trim()], body: `${end}\n` });
  await using spamd = await fakeScanner({
    when: heard => heard.includes(`${end}\r\n`),
    say: 'SPAMD/1.1 0 EX_OK\r\nContent-length: 3\r\nSpam: False ; -0.1 / 5.0\r\n\r\nA,B',
    next: 'end',
  });
  await using rig = await startRig('relay', { spamd: at(spamd), scannertest: 'no\n' });
  const { delivered } = await rig.send(message, { from: 'a@example.net', to: ['b@example.com'] });
  const heard = spamd.heard[0]?.toString('latin1') ?? '';
  const [, length = '', seen = ''] =
    /^SYMBOLS SPAMC\/1\.5\r\nContent-length: (\d+)\r\n\r\n(.*)$/s.exec(heard) ?? [];
  assert.equal(Number(length), seen.length);
  const head = seen.slice(0, seen.length - message.length + forged.length);
  assert.equal(seen.slice(head.length), message.toString('latin1').replace(forged, ''));
  assert.match(
    head,
    /^Return-Path: <a@example\.net>\r\nReceived: from client\.example\.net \(unknown \[127\.0\.0\.1\]\)\r\n by mx\.example\.com with ESMTP id [\w.]+\r\n for <b@example\.com>;\r\n .*\r\n$/,
  );
  // The same Received field, then ours about it.
  const [, received = ''] = /^.*\r\n(Received: [^]*)$/.exec(head) ?? [];
  const [got = ''] = delivered;
  const ours = got.slice(got.indexOf('Received: ')).replaceAll('\n', '\r\n');
  assert.ok(
    ours.startsWith(
      `${received}X-Spam-Score: -0.1\r\nX-Spam-Level: \r\nX-Spam-Status: No, score=-0.1 required=5.0 tests=A,B`,
    ),
    ours,
  );
});
