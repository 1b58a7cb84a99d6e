import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startDnsServer } from '../support/dns-server.ts';
import type { RunningGateway } from '../support/gateway.ts';
import { startGateway } from '../support/gateway.ts';
import { run, waitFor } from '../support/processes.ts';
import { dial, eventId, greeted } from './dialogue.ts';

/** The first thing a client at `from` is told: the banner, a refusal, or nothing. */
async function firstWord(gateway: RunningGateway, from: string): Promise<string> {
  await using client = await dial(gateway.port, { from });
  return await client.reply();
}

/** Compiles rules with the real tcprules, which moves the cdb into its place when it is whole. */
async function tcprules(control: string, text: string): Promise<void> {
  const args = [join(control, 'tcp.smtp.cdb'), join(control, 'tcp.smtp.tmp')];
  const done = await run('tcprules', args, { input: text });
  assert.equal(done.code, 0, done.stderr.toString());
}

test('deny closes without a word; with `deny` as banner it answers 554; both leave a record', async () => {
  for (const [file, wanted] of [
    ['close\n', /^$/],
    ['banner\n', /^554 /],
  ] as const) {
    await using gateway = await startGateway({ deny: file, 'tcp.smtp': '127.0.0.20:deny\n:allow\n' });
    assert.match(await firstWord(gateway, '127.0.0.20'), wanted);
    assert.match(await firstWord(gateway, '127.0.0.21'), /^220 mx\.example\.com ESMTP$/);
    const line = await gateway.logged('connection-refused');
    assert.equal(line['client'], '127.0.0.20');
    const record = await gateway.record(String(line['id']));
    assert.equal(record.rule, 'TCPRULES_DENY');
    assert.equal(record.findings.at(-1)?.detail, `${gateway.control}/tcp.smtp:1`);
  }
});

test('an edited tcp.smtp counts for the next connection, without a signal', async () => {
  await using gateway = await startGateway({ 'tcp.smtp': ':allow\n' });
  await using before = await greeted(gateway.port, { from: '127.0.0.20' });
  await gateway.write('tcp.smtp', '127.0.0.20:deny\n:allow\n');
  await waitFor('the edit to count', async () => (await firstWord(gateway, '127.0.0.20')) === '');
  assert.match(await before.envelope(), /^250 /, 'the open session keeps its settings');
  await gateway.remove('tcp.smtp');
  await waitFor('no rules at all', async () => (await firstWord(gateway, '127.0.0.20')).startsWith('220'));
});

test('a cdb of the real tcprules replaced under the gateway counts for the next connection', async () => {
  await using gateway = await startGateway({
    'tcp.smtp': '127.0.0.20:allow,RELAYCLIENT="@relay.example.com"\n',
  });
  await tcprules(gateway.control, '127.0.0.30:deny\n127.0.0.31:allow,RELAYCLIENT=""\n:allow\n');
  await waitFor('the cdb', async () => (await firstWord(gateway, '127.0.0.30')) === '');
  await using relay = await greeted(gateway.port, { from: '127.0.0.31' });
  assert.match(await relay.envelope('a@example.com', 'b@anywhere.example'), /^250 /);
  await using other = await greeted(gateway.port, { from: '127.0.0.20' });
  assert.match(
    await other.envelope('a@example.com', 'b@anywhere.example'),
    /^553 /,
    'the cdb wins over the text',
  );
  await tcprules(gateway.control, ':allow\n');
  await waitFor('the next cdb', async () => (await firstWord(gateway, '127.0.0.30')).startsWith('220'));
});

test('RELAYCLIENT’s suffix is appended to the recipient that is delivered', async () => {
  await using gateway = await startGateway({ 'tcp.smtp': '127.:allow,RELAYCLIENT="@relay.example.com"\n' });
  await using client = await greeted(gateway.port);
  await client.envelope('a@example.com', 'b@anywhere.example');
  assert.match(await client.message(), /^250 /);
  assert.match(
    String((await gateway.maildir())[0]),
    /^Delivered-To: b@anywhere\.example@relay\.example\.com$/m,
  );
});

test('a broken edit keeps the rules in force, says file:line once, and heals with the next edit', async () => {
  await using gateway = await startGateway({ 'tcp.smtp': '127.0.0.20:deny\n:allow\n' });
  await gateway.write('tcp.smtp', ':allow\n127.0.0.20:dney\n');
  const line = await gateway.logged('configuration');
  assert.match(String(line['text']), /control\/tcp\.smtp:2: unable to parse this line: 127\.0\.0\.20:dney/);
  assert.equal(await firstWord(gateway, '127.0.0.20'), '', 'still denied');
  assert.match(await firstWord(gateway, '127.0.0.21'), /^220/);

  // A damaged cdb is no better.
  await writeFile(join(gateway.control, 'new.cdb'), Buffer.alloc(2048, 0xff));
  await rename(join(gateway.control, 'new.cdb'), join(gateway.control, 'tcp.smtp.cdb'));
  await gateway.logged('configuration', l => String(l['text']).includes('tcp.smtp.cdb: '));
  assert.equal(await firstWord(gateway, '127.0.0.20'), '');

  await tcprules(gateway.control, ':allow\n');
  await waitFor('healing', async () => (await firstWord(gateway, '127.0.0.20')).startsWith('220'));
  const faults = gateway.log('configuration').filter(l => String(l['text']).includes('dney'));
  assert.equal(faults.length, 1, 'a fault is said once, not every second');
});

test('settings of a broken line: the variable’s fault is found as well', async () => {
  await using gateway = await startGateway({ 'tcp.smtp': ':allow,HARDERRORS="2"\n' });
  await gateway.write('tcp.smtp', ':allow,HARDERRORS="lots"\n');
  const line = await gateway.logged('configuration');
  assert.match(String(line['text']), /control\/tcp\.smtp:1: harderrors: "lots" is not a number/);
  await using client = await greeted(gateway.port);
  assert.equal(await client.codes('one', 'two'), '502 502');
  assert.match(await client.reply(), /^421 4\.7\.0 too many errors/);
});

test('=host lines go by the reverse name, which is asked for only when a line needs it', async () => {
  const dns = await startDnsServer({
    '40.0.0.127.in-addr.arpa': [{ PTR: 'mail.partner.example.' }],
    '41.0.0.127.in-addr.arpa': ['SERVFAIL'],
  });
  try {
    await using gateway = await startGateway({
      dnsservers: `${dns.address}\n`,
      'tcp.smtp': '=.partner.example:allow,RELAYCLIENT=""\n=:allow\n:deny\n',
    });
    await using partner = await greeted(gateway.port, { from: '127.0.0.40' });
    const reply = await partner.envelope('a@partner.example', 'b@anywhere.example');
    assert.match(reply, /^250 /);
    const record = await gateway.record(eventId(await partner.message()));
    assert.equal(record.client?.reverseName, 'mail.partner.example');
    assert.equal(await firstWord(gateway, '127.0.0.41'), '', 'no name could be found: the default line');

    await gateway.write('tcp.smtp', '127.0.0.41:deny\n:allow\n');
    await waitFor('the edit', async () => (await firstWord(gateway, '127.0.0.42')).startsWith('220'));
    const before = dns.queries();
    assert.match(await firstWord(gateway, '127.0.0.43'), /^220/);
    assert.equal(dns.queries(), before, 'nobody is looked up without need');
  } finally {
    await dns.close();
  }
});
