import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VerdictRecord } from '../../src/model/record.ts';
import { startGateway } from '../support/gateway.ts';
import { dial, eventId, greeted } from './dialogue.ts';

const TRUSTED = { proxyfrom: '127.0.0.7\n127.0.1.0/24\n' };

/** A version 2 header (proxy-protocol.txt 2.2): PROXY over TCP from `from`, or LOCAL. */
function version2(from: readonly number[], to: readonly number[], command = 1): Buffer {
  const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
  const addresses = Buffer.from([...from, ...to, 0x30, 0x39, 0, 25]);
  const family = from.length === 4 ? 0x11 : 0x21;
  const head = Buffer.from([0x20 | command, family, addresses.length >> 8, addresses.length & 255]);
  return Buffer.concat([signature, head, addresses]);
}

const V6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];

test('the client that a trusted proxy names is the client: v1 and v2, IPv4 and IPv6', async () => {
  await using gateway = await startGateway({
    ...TRUSTED,
    'tcp.smtp': '192.0.2.9:allow,RELAYCLIENT=""\n:allow\n',
  });
  const cases: readonly [string, string | Buffer, string, string][] = [
    ['127.0.0.7', 'PROXY TCP4 192.0.2.9 192.0.2.1 12345 25\r\n', '192.0.2.9', '192.0.2.1'],
    ['127.0.1.200', 'PROXY TCP6 2001:DB8::9 2001:db8::1 12345 25\r\n', '2001:db8::9', '2001:db8::1'],
    ['127.0.0.7', version2([192, 0, 2, 9], [192, 0, 2, 1]), '192.0.2.9', '192.0.2.1'],
    ['127.0.0.7', version2(V6, V6), '2001:db8::9', '2001:db8::9'],
    ['127.0.0.7', 'PROXY UNKNOWN\r\n', '127.0.0.7', '127.0.0.1'],
    ['127.0.0.7', version2([0, 0, 0, 0], [0, 0, 0, 0], 0), '127.0.0.7', '127.0.0.1'],
  ];
  for (const [from, first, ip, localIp] of cases) {
    await using client = await greeted(gateway.port, { from, first });
    const relays = (await client.envelope('a@example.com', 'b@anywhere.example')).startsWith('250');
    assert.equal(relays, ip === '192.0.2.9', 'tcp.smtp sees the client, not the proxy');
    await client.say('RCPT TO:<me@example.com>');
    const record: VerdictRecord = await gateway.record(eventId(await client.message()));
    assert.equal(record.client?.ip, ip);
    assert.equal(record.client?.localIp, localIp);
    if (ip !== '127.0.0.7') assert.deepEqual([record.client?.port, record.client?.localPort], [12_345, 25]);
    const mails = await gateway.maildir();
    assert.ok(
      mails.some(mail => mail.includes(`[${ip.includes(':') ? 'IPv6:' : ''}${ip}]`)),
      'Received names it',
    );
  }
});

test('commands right behind the header count as early talk and are not lost', async () => {
  await using gateway = await startGateway({ ...TRUSTED });
  await using client = await dial(gateway.port, {
    from: '127.0.0.7',
    first:
      'PROXY TCP4 192.0.2.9 192.0.2.1 12345 25\r\nEHLO x\r\nMAIL FROM:<a@spam.example>\r\nRCPT TO:<me@example.com>\r\n',
  });
  const codes = [];
  for (let i = 0; i < 4; i++) codes.push((await client.reply()).slice(0, 3));
  assert.deepEqual(codes, ['220', '250', '250', '554']);
});

test('from anybody else the header is a bad command, and changes nothing', async () => {
  await using gateway = await startGateway({
    ...TRUSTED,
    'tcp.smtp': '192.0.2.9:allow,RELAYCLIENT=""\n:allow\n',
  });
  await using client = await greeted(gateway.port, { from: '127.0.0.8' });
  assert.match(await client.say('PROXY TCP4 192.0.2.9 192.0.2.1 12345 25'), /^502 /);
  assert.match(await client.envelope('a@example.com', 'b@anywhere.example'), /^553 /);
  await client.say('RCPT TO:<me@example.com>');
  const record = await gateway.record(eventId(await client.message()));
  assert.equal(record.client?.ip, '127.0.0.8');
});

test('a trusted proxy without a valid header gets 421', async () => {
  await using gateway = await startGateway(TRUSTED);
  for (const first of ['EHLO client.example\r\n', 'PROXY TCP4 192.0.2.9\r\n', `PROXY ${'x'.repeat(200)}`]) {
    await using client = await dial(gateway.port, { from: '127.0.0.7', first });
    const reply = await client.reply();
    assert.match(reply, /^421 4\.7\.0 a PROXY header was expected/);
    await client.end();
    const record = await gateway.record(eventId(reply));
    assert.deepEqual([record.event, record.rule], ['connection-refused', 'PROXY_HEADER']);
  }
  // Nothing at all, then gone: nobody to tell.
  await using silent = await dial(gateway.port, { from: '127.0.0.7' });
  silent.socket.end();
  await silent.end();
});

test('the header may come in pieces', async () => {
  await using gateway = await startGateway(TRUSTED);
  for (const header of [
    'PROXY TCP4 192.0.2.9 192.0.2.1 12345 25\r\n',
    version2([192, 0, 2, 9], [192, 0, 2, 1]),
  ]) {
    await using client = await dial(gateway.port, { from: '127.0.0.7' });
    client.socket.setNoDelay();
    for (const byte of Buffer.from(header)) {
      client.write(Buffer.from([byte]));
      await new Promise(resolve => setImmediate(resolve));
    }
    assert.match(await client.reply(), /^220 /);
    await client.envelope();
    const record = await gateway.record(eventId(await client.message()));
    assert.equal(record.client?.ip, '192.0.2.9');
  }
});
