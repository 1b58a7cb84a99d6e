import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { dial, eventId, greeted } from './dialogue.ts';

test('who talks before the banner, even without a newline, is refused at RCPT', async () => {
  await using gateway = await startGateway({ greetdelay: '1\n' });
  for (const first of ['EHLO spam.example\r\n', 'EHLO']) {
    await using client = await dial(gateway.port, { first });
    assert.match(await client.reply(), /^220 /);
    if (first.endsWith('\n')) assert.match(await client.reply(), /^250-mx\.example\.com\n/);
    else assert.match(await client.say(' spam.example'), /^250-mx\.example\.com\n/, 'no byte is lost');
    assert.match(await client.say('MAIL FROM:<a@spam.example>'), /^250 /);
    const reply = await client.say('RCPT TO:<me@example.com>');
    assert.match(reply, /^554 5\.5\.1 SMTP protocol violation \[/);
    const record = await gateway.record(eventId(reply));
    assert.equal(record.rule, 'EARLYTALKER');
    const finding = record.findings.find(f => f.rule === 'EARLYTALKER');
    assert.equal(finding?.detail, `${first.length} bytes before the banner`);
  }
});

test('who waits for the banner is served, and so is a relay client that does not', async () => {
  await using gateway = await startGateway({
    greetdelay: '1\n',
    'tcp.smtp': '127.0.0.9:allow,RELAYCLIENT=""\n127.0.0.8:allow,GREETDELAY="0"\n',
  });
  await using patient = await greeted(gateway.port);
  assert.match(await patient.envelope(), /^250 /);
  const record = await gateway.record(eventId(await patient.message()));
  const finding = record.findings.find(f => f.rule === 'EARLYTALKER');
  assert.deepEqual([finding?.state, finding?.detail], ['pass', 'waited 1 s']);

  await using relay = await greeted(gateway.port, { from: '127.0.0.9' });
  assert.match(await relay.envelope('a@example.com', 'b@anywhere.example'), /^250 /);
  await using unhurried = await greeted(gateway.port, { from: '127.0.0.8' });
  assert.match(await unhurried.envelope(), /^250 /);
});

test('with refuseat=stage the banner of an early talker is the refusal', async () => {
  await using gateway = await startGateway({ greetdelay: '1\n', refuseat: 'stage\n' });
  await using client = await dial(gateway.port, { first: 'HELO spam.example\r\nMAIL FROM:<>\r\n' });
  const banner = await client.reply();
  assert.match(banner, /^554 5\.5\.1 SMTP protocol violation \[/);
  await client.end();
  assert.equal(client.unread, '', 'nothing else is answered');
  assert.equal((await gateway.record(eventId(banner))).event, 'connection-refused');
});

test('clients that hang up during the delay leave nothing behind', async () => {
  await using gateway = await startGateway({ greetdelay: '2\n', concurrencyperclient: '4\n' });
  const gone = await Promise.all(Array.from({ length: 4 }, () => dial(gateway.port)));
  for (const client of gone) client.hangUp();
  await using client = await dial(gateway.port);
  for (let tries = 0; tries < 50; tries++) {
    await using again = await dial(gateway.port);
    if ((await again.reply()).startsWith('220')) return;
  }
  assert.match(await client.reply(), /^220 /);
});
