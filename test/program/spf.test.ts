import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startDnsServer } from '../support/dns-server.ts';
import type { ControlFiles } from '../support/gateway.ts';
import { startGateway } from '../support/gateway.ts';
import { clientFrom } from './authentication.ts';
import { eventId } from './dialogue.ts';

const ZONE = {
  'good.example': [{ TXT: 'v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all exp=why.good.example' }],
  'why.good.example': [{ TXT: '%{i} does not send for %{d}' }],
  'soft.example': [{ TXT: 'v=spf1 ~all' }],
  'down.example': ['SERVFAIL'],
} as const;

const withoutId = (reply: string) => reply.replaceAll(/ \[[\w.]+\]$/gm, '');

async function set(files: ControlFiles = {}) {
  const dns = await startDnsServer(ZONE);
  const usual = { dnsservers: `${dns.address}\n`, proxyfrom: '127.0.0.1\n', spfbehavior: null };
  const gateway = await startGateway({ ...usual, ...files });
  return {
    dns,
    gateway,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await dns.close();
    },
  };
}

test('as shipped: a fail is refused at RCPT with the domain’s words, and explain shows record and questions', async () => {
  await using setUp = await set();
  const { gateway } = setUp;
  await using client = await clientFrom(gateway, '203.0.113.9');
  await client.say('EHLO spam.example');
  assert.match(await client.say('MAIL FROM:<a@good.example>'), /^250 /);
  const reply = await client.say('RCPT TO:<me@example.com>');
  assert.equal(withoutId(reply), '550 5.7.1 203.0.113.9 does not send for good.example (#5.7.1)');
  const text = await gateway.explain(eventId(reply));
  assert.match(
    text,
    /^> +rcpt +SPF_FAIL +hit .*rules\/spfbehavior .*good\.example.*fail: -all \(record of good\.example\)/m,
  );
  assert.match(
    text,
    /mail +SPF +pass .*asked: TXT good\.example: "v=spf1 ip4:192\.0\.2\.0\/24[^;]*; TXT why\.good\.example: /,
  );
});

test('a pass is delivered with the field below ours, IPv4 or IPv6', async () => {
  await using setUp = await set();
  const { gateway } = setUp;
  for (const [i, ip] of ['192.0.2.9', '2001:db8::9'].entries()) {
    await using client = await clientFrom(gateway, ip);
    assert.match(await client.envelope('a@good.example'), /^250 /);
    assert.match(await client.message(), /^250 /);
    const mails = (await gateway.maildir()).map(mail => mail.toString('latin1'));
    assert.equal(mails.length, i + 1);
    const field = `Received-SPF: pass (mx.example.com: SPF record at good.example designates ${ip} as permitted sender)\n`;
    const mail = mails.find(one => one.includes(field)) ?? assert.fail(mails.join('\n'));
    assert.match(
      mail,
      /^(?:Return-Path: [^\n]*\n|Delivered-To: [^\n]*\n)*Received: [^\n]*\n(?:[ \t][^\n]*\n)*Authentication-Results: [^\n]*\n(?:[ \t][^\n]*\n)*Received-SPF: /,
    );
  }
});

test('a DNS that fails: 451, and the next spfbehavior down lets it in', async () => {
  await using setUp = await set({ 'tcp.smtp': '203.0.113.1:allow,SPFBEHAVIOR="1"\n:allow\n' });
  const { gateway } = setUp;
  await using client = await clientFrom(gateway, '203.0.113.9');
  assert.equal(withoutId(await client.envelope('a@down.example')), '451 4.3.0 SPF lookup failure (#4.3.0)');
  await using other = await clientFrom(gateway, '203.0.113.1');
  assert.match(await other.envelope('a@down.example'), /^250 /);
});

test('spoken at MAIL with refuseat=stage', async () => {
  await using setUp = await set({ refuseat: 'stage\n', spfbehavior: '4\n', spfexp: 'ask %{xR}\n' });
  await using client = await clientFrom(setUp.gateway, '203.0.113.9');
  await client.say('EHLO client.example');
  assert.equal(
    withoutId(await client.say('MAIL FROM:<a@soft.example>')),
    '550 5.7.1 ask mx.example.com (#5.7.1)',
  );
  assert.equal(
    withoutId(await client.say('MAIL FROM:<a@down.example>')),
    '451 4.3.0 SPF lookup failure (#4.3.0)',
  );
});

test('relay clients are not asked about', async () => {
  await using setUp = await set({ 'tcp.smtp': '203.0.113.:allow,RELAYCLIENT=""\n:allow\n' });
  const { gateway, dns } = setUp;
  await using client = await clientFrom(gateway, '203.0.113.9');
  assert.match(await client.envelope('a@good.example'), /^250 /);
  assert.match(await client.message(), /^250 /);
  assert.doesNotMatch((await gateway.maildir())[0]?.toString('latin1') ?? '', /Received-SPF/);
  assert.equal(dns.queries('good.example'), 0);
});
