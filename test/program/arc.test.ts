import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DnsServer } from '../support/dns-server.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { dkimpy, mailDkim } from '../support/arc-peers.ts';
import type { ControlFiles, RunningGateway } from '../support/gateway.ts';
import { postern, startGateway } from '../support/gateway.ts';
import { startRecordingSink } from '../support/recording-sink.ts';
import { envelope, RECEIVED, startQueueRig } from '../support/qmail-rig.ts';
import { testKeys, withDkim } from '../support/signed-mail.ts';
import { asShipped, clientFrom, findingsOf, keyFolder, letter, sendFrom, toCrlf } from './authentication.ts';
import { eventId } from './dialogue.ts';

const STRANGER = '203.0.113.9';
const KEY = [{ TXT: testKeys().record }];
const ZONE = {
  's._domainkey.author.example': KEY,
  'seal._domainkey.first.example': KEY,
  'seal._domainkey.second.example': KEY,
  '_dmarc.author.example': [{ TXT: 'v=DMARC1; p=reject' }],
};

/** The peers’ verdicts on a message with CRLF line ends. */
async function verdicts(message: Buffer, dns: DnsServer): Promise<string[]> {
  const all = [dkimpy, mailDkim].map(async peer => (await peer.verify([message], dns.port))[0]?.result);
  return (await Promise.all(all)).map(String);
}

/** What `postern probe` makes of its chain. */
async function probed(message: Buffer, dns: DnsServer): Promise<string> {
  const request = { id: '1', op: 'arc', message: message.toString('base64'), dns: dns.address };
  const done = await postern(['probe'], { input: `${JSON.stringify(request)}\n` });
  return (JSON.parse(done.stdout.toString()) as { readonly result: string }).result;
}

/** A gateway that seals as `domain`. */
function sealing(dns: DnsServer, domain: string, path: string, files: ControlFiles): Promise<RunningGateway> {
  const own = { me: `mx.${domain}\n`, arcseal: `${domain}:${path}\n`, proxyfrom: '127.0.0.1\n' };
  return startGateway({ ...asShipped(dns), ...own, ...files });
}

test('two gateways in a row: each seals, the chain is valid, and not a byte below is changed', async () => {
  await using stack = new AsyncDisposableStack();
  const keys = stack.use(await keyFolder());
  const dns = await startDnsServer(ZONE);
  stack.defer(() => dns.close());
  const sink = stack.use(await startRecordingSink());
  const second = stack.use(
    await sealing(dns, 'second.example', await keys.put('second.example', 'seal'), {
      smtproutes: `:[127.0.0.1]:${sink.port}\n`,
    }),
  );
  const first = stack.use(await sealing(dns, 'first.example', await keys.put('first.example', 'seal'), {}));
  const body = 'caf\xe9  \r\n\r\n.dot\r\n \r\n\r\n';
  const plain = await withDkim(letter('a@author.example', body), 'author.example', 's');
  const reply = await sendFrom(first, STRANGER, stuffed(plain));
  assert.match(reply, /^250 /);
  const [stored = Buffer.alloc(0)] = await first.maildir();
  const once = toCrlf(stored);
  assert.ok(once.toString('latin1').endsWith(plain), 'the message as it came');
  assert.match(
    once.toString('latin1'),
    /\r\nARC-Seal: i=1;[^]*\r\nARC-Message-Signature: i=1;[^]*\r\nARC-Authentication-Results: i=1; mx\.first\.example;[^]*dkim=pass[^]*dmarc=pass[^]*\r\nAuthentication-Results: mx\.first\.example;/,
  );
  assert.deepEqual(await verdicts(once, dns), ['pass', 'pass']);
  assert.equal(await probed(once, dns), 'pass');
  const [sealed] = findingsOf(await first.record(eventId(reply)), 'ARC').slice(-1);
  assert.equal(sealed?.detail, 'sealed: d=first.example');

  const on = await sendFrom(second, '198.51.100.1', stuffed(once.toString('latin1')));
  assert.match(on, /^250 /);
  const twice = sink.messages[0]?.bytes ?? assert.fail();
  assert.ok(twice.subarray(twice.length - once.length).equals(once), 'the message as it came');
  const added = twice.toString('latin1', 0, twice.length - once.length);
  assert.match(
    added,
    /\r\nARC-Seal: i=2;[^]*cv=pass[^]*\r\nARC-Authentication-Results: i=2; mx\.second\.example;[^]*arc=pass/,
  );
  assert.deepEqual(await verdicts(twice, dns), ['pass', 'pass']);
  assert.equal(await probed(twice, dns), 'pass');
  assert.match(
    await second.explain(eventId(on)),
    /ARC +pass .*pass: 1 seals, .*asked: TXT seal\._domainkey\.first\.example: "/,
  );
});

test('without its key mail goes on unsealed, and the record says so', async () => {
  await using stack = new AsyncDisposableStack();
  const keys = stack.use(await keyFolder());
  const dns = await startDnsServer(ZONE);
  stack.defer(() => dns.close());
  const garbage = await keys.put('first.example', 'garbage', 'no key\n');
  for (const path of [`${keys.path}/first.example/missing`, garbage]) {
    await using gateway = await sealing(dns, 'first.example', path, {});
    const reply = await sendFrom(gateway, STRANGER, letter('a@other.example'));
    assert.match(reply, /^250 /);
    const [mail] = await gateway.maildir();
    assert.ok(mail && !mail.includes('ARC-'));
    const told = findingsOf(await gateway.record(eventId(reply)), 'ARC').at(-1);
    assert.equal(told?.state, 'error');
    assert.ok(told.detail?.startsWith('not sealed: ') && told.detail.includes(path), told.detail);
  }
});

test('a broken chain is not continued as if it were whole; mail of relay clients is not sealed', async () => {
  await using stack = new AsyncDisposableStack();
  const keys = stack.use(await keyFolder());
  const dns = await startDnsServer(ZONE);
  stack.defer(() => dns.close());
  const path = await keys.put('first.example', 'seal');
  const gateway = stack.use(
    await sealing(dns, 'first.example', path, { 'tcp.smtp': '10.0.0.2:allow,RELAYCLIENT=""\n:allow\n' }),
  );
  await sendFrom(gateway, STRANGER, letter('a@other.example'));
  const [mail = Buffer.alloc(0)] = await gateway.maildir();
  const broken = toCrlf(mail).toString('latin1').replace('\r\n\r\nhello', '\r\n\r\nHELLO');
  const reply = await sendFrom(gateway, STRANGER, stuffed(broken));
  assert.match(reply, /^250 /);
  const record = await gateway.record(eventId(reply));
  assert.equal(findingsOf(record, 'ARC_FAIL')[0]?.state, 'hit');
  const again = (await gateway.maildir()).find(one => one.includes('HELLO')) ?? assert.fail();
  assert.match(again.toString('latin1'), /\nARC-Seal: i=2;[^]*?cv=fail/);
  assert.ok((await verdicts(toCrlf(again), dns)).every(verdict => verdict !== 'pass'));

  const own = await sendFrom(gateway, '10.0.0.2', letter('joe@first.example', 'ours\r\n'));
  assert.match(own, /^250 /);
  const ours = (await gateway.maildir()).find(one => one.includes('\nours\n'));
  assert.ok(ours && !ours.includes('ARC-'));
});

test('forged results are not sealed, and the seal covers the message without them', async () => {
  await using stack = new AsyncDisposableStack();
  const keys = stack.use(await keyFolder());
  const dns = await startDnsServer(ZONE);
  stack.defer(() => dns.close());
  const gateway = stack.use(await sealing(dns, 'first.example', await keys.put('first.example', 'seal'), {}));
  const forged =
    'X-Postern-Tag: NONE\r\nAuthentication-Results: mx.first.example; dmarc=pass header.from=bank.example\r\n';
  const signed = await withDkim(letter('a@author.example'), 'author.example', 's');
  assert.match(await sendFrom(gateway, STRANGER, forged + signed), /^250 /);
  const [mail = Buffer.alloc(0)] = await gateway.maildir();
  assert.ok(!mail.includes('bank.example') && !mail.includes('X-Postern-Tag'));
  assert.deepEqual(await verdicts(toCrlf(mail), dns), ['pass', 'pass']);
  assert.equal(await probed(toCrlf(mail), dns), 'pass');
});

test('behind qmail: sealed in the queue as well', async () => {
  await using stack = new AsyncDisposableStack();
  const keys = stack.use(await keyFolder());
  const dns = await startDnsServer(ZONE);
  stack.defer(() => dns.close());
  const path = await keys.put('first.example', 'seal');
  const rig = stack.use(await startQueueRig({ ...asShipped(dns), arcseal: `first.example:${path}\n` }));
  const signed = (await withDkim(letter('a@author.example'), 'author.example', 's')).replaceAll('\r\n', '\n');
  const message = RECEIVED + signed;
  const outcome = await rig.bring({ message, envelope: envelope('a@author.example', 'me@example.com') });
  assert.equal(outcome.code, 0);
  assert.ok(outcome.message.toString('latin1').endsWith(message));
  assert.deepEqual(await verdicts(toCrlf(outcome.message), dns), ['pass', 'pass']);
});

test('an ARC chain whose keys cannot be looked up holds nothing up', async () => {
  await using stack = new AsyncDisposableStack();
  const keys = stack.use(await keyFolder());
  const dns = await startDnsServer(ZONE);
  stack.defer(() => dns.close());
  const path = await keys.put('first.example', 'seal');
  const gateway = stack.use(
    await sealing(dns, 'first.example', path, { dnstimeout: '200\n', authtime: '1\n' }),
  );
  await sendFrom(gateway, STRANGER, letter('a@other.example'));
  const [mail = Buffer.alloc(0)] = await gateway.maildir();
  const other = stack.use(
    await sealing(dns, 'second.example', path, { dnstimeout: '200\n', authtime: '1\n' }),
  );
  dns.serve({ 'seal._domainkey.first.example': ['TIMEOUT'] });
  await using client = await clientFrom(other, STRANGER);
  await client.envelope();
  const reply = await client.message(stuffed(toCrlf(mail).toString('latin1')));
  assert.match(reply, /^250 /);
  const record = await other.record(eventId(reply));
  const found = findingsOf(record, 'ARC').map(({ state, detail }) => `${state} ${detail?.split(':', 1)[0]}`);
  assert.deepEqual(found, ['error temperror', 'pass not sealed']);
});

/** Dots doubled, as SMTP has it. */
function stuffed(text: string): string {
  return text.replace(/^\./gm, '..');
}
