import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startDnsServer } from '../support/dns-server.ts';
import { postern } from '../support/gateway.ts';
import { testKeys, withDkim } from '../support/signed-mail.ts';

const MAIL = 'From: joe@example.net\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\n\r\nbody\r\n';
const base64 = (text: string) => Buffer.from(text, 'latin1').toString('base64');

test('the op auth: SPF, DKIM, DMARC and ARC of one message', async t => {
  const dns = await startDnsServer({
    'example.net': [{ TXT: 'v=spf1 ip4:192.0.2.1 -all' }, { A: '192.0.2.1' }],
    'sel._domainkey.example.net': [{ TXT: testKeys().record }],
    '_dmarc.example.net': [{ TXT: 'v=DMARC1; p=reject; sp=none' }],
  });
  t.after(() => dns.close());
  const signed = await withDkim(MAIL, 'example.net', 'sel');
  const ask = { op: 'auth', helo: 'h.example', sender: 'joe@example.net', dns: dns.address };
  const requests = [
    { ...ask, ip: '192.0.2.1', message: base64(MAIL) },
    { ...ask, ip: '192.0.2.2', message: base64(signed) },
    { ...ask, ip: '192.0.2.2', message: base64(`${signed}more\r\n`) },
    { ...ask, ip: '192.0.2.2' },
    { ...ask, message: base64(MAIL) },
  ].map((request, id) => ({ id, ...request }));
  const input = requests.map(request => `${JSON.stringify(request)}\n`).join('');
  const done = await postern(['probe'], { input });
  const answers = done.stdout
    .toString()
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as Record<string, unknown>)
    .toSorted((a, b) => Number(a['id']) - Number(b['id']));
  const shown = answers.map(({ spf, dkim, dmarc, policy, disposition, arc, error }) =>
    error === undefined
      ? [spf, (dkim as { result: string }[]).map(one => one.result), dmarc, policy, disposition, arc]
      : error,
  );
  assert.deepEqual(shown, [
    ['pass', [], 'pass', 'reject', 'none', 'none'],
    ['fail', ['pass'], 'pass', 'reject', 'none', 'none'],
    ['fail', ['fail'], 'fail', 'reject', 'reject', 'none'],
    'message is missing',
    'ip is missing',
  ]);
});
