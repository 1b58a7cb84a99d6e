import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dns } from '../../src/model/dns.ts';
import { createResolver } from '../../src/dns/resolver.ts';
import type { Zone } from '../support/dns-server.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { testKeys, withArc, withDkim } from '../support/signed-mail.ts';
import { clientFrom, findingsOf, letter, sendFrom, startVerifying, unfolded } from './authentication.ts';
import { eventId } from './dialogue.ts';

const KEY = [{ TXT: testKeys().record }];

/** bank.example asks that mail which is not its own be refused; it sends from 192.0.2.0/24. */
const ZONE: Zone = {
  'bank.example': [{ TXT: 'v=spf1 ip4:192.0.2.0/24 ?all' }],
  '_dmarc.bank.example': [{ TXT: 'v=DMARC1; p=reject' }],
  's._domainkey.bank.example': KEY,
  's._domainkey.news.bank.example': KEY,
  's._domainkey.other.example': KEY,
  'other.example': [{ TXT: 'v=spf1 +all' }],
  '_dmarc.soft.example': [{ TXT: 'v=DMARC1; p=quarantine' }],
  '_dmarc.watching.example': [{ TXT: 'v=DMARC1; p=none' }],
  '_dmarc.failing.example': ['SERVFAIL'],
  's._domainkey.lists.example': KEY,
  's._domainkey.relay.example': KEY,
};

const BANK = '192.0.2.9';
const STRANGER = '203.0.113.9';
const REFUSED =
  /^550 5\.7\.26 sorry, neither SPF nor DKIM stand behind bank\.example, whose policy is to reject \(#5\.7\.26\) \[[\w.]+\]$/;

test('p=reject: refused with 550 5.7.26 and the event id, and explain shows records and questions', async () => {
  await using setUp = await startVerifying(ZONE);
  const { gateway } = setUp;
  const signed = await withDkim(letter('Bank <support@bank.example>'), 'other.example', 's');
  const reply = await sendFrom(gateway, STRANGER, signed, 'a@other.example');
  assert.match(reply, REFUSED, 'SPF and DKIM pass, for somebody else');
  const text = await gateway.explain(eventId(reply));
  for (const line of [
    /^ .*SPF +pass .*other\.example.*pass: \+all \(record of other\.example\); asked: TXT other\.example: "v=spf1 \+all"/m,
    /^ .*DKIM +pass .*other\.example.*pass: s=s .*asked: TXT s\._domainkey\.other\.example: "v=DKIM1; k=rsa; p=/m,
    /^ .*DMARC +pass .*bank\.example.*fail: p=reject \(_dmarc\.bank\.example\).*asked: TXT _dmarc\.bank\.example: "v=DMARC1; p=reject"/m,
    /^> .*DMARC_REJECT +hit .*bank\.example/m,
  ])
    assert.match(text, line);
});

test('what is aligned passes: by SPF, by DKIM, of a domain below; an `l=` signature with text behind it does not', async () => {
  await using setUp = await startVerifying(ZONE);
  const { gateway } = setUp;
  const text = letter('support@bank.example');
  const partly = await withDkim(text, 'bank.example', 's', { l: 'whole' });
  const table: readonly (readonly [
    what: string,
    ip: string,
    sender: string,
    mail: string,
    passes: boolean,
  ])[] = [
    ['SPF', BANK, 'bounce@bank.example', text, true],
    ['SPF of somebody else', BANK, 'a@other.example', text, false],
    ['DKIM', STRANGER, 'a@other.example', await withDkim(text, 'bank.example', 's'), true],
    ['DKIM of a domain below', STRANGER, '', await withDkim(text, 'news.bank.example', 's'), true],
    ['DKIM that is broken', STRANGER, '', `${await withDkim(text, 'bank.example', 's')}more\r\n`, false],
    ['l= of the whole body', STRANGER, '', partly, true],
    ['l= and more text', STRANGER, '', `${partly}click here\r\n`, false],
    ['l=0', STRANGER, '', await withDkim(text, 'bank.example', 's', { l: '0' }), false],
  ];
  for (const [what, ip, sender, mail, passes] of table) {
    const reply = await sendFrom(gateway, ip, mail, sender);
    assert.match(reply, passes ? /^250 / : REFUSED, what);
    const [found] = findingsOf(await gateway.record(eventId(reply)), 'DMARC');
    assert.match(found?.authResult ?? '', passes ? /^dmarc=pass / : /^dmarc=fail /, what);
  }
});

test('the other policies: quarantine tags, none is only told, and a DNS that fails refuses nobody', async () => {
  await using setUp = await startVerifying(ZONE);
  const { gateway } = setUp;
  for (const [domain, result, rule] of [
    ['soft.example', 'fail', 'DMARC_QUARANTINE'],
    ['watching.example', 'fail', 'DMARC_NONE'],
    ['failing.example', 'temperror', null],
    ['nothing.example', 'none', 'DMARC_NO_POLICY'],
  ] as const) {
    const reply = await sendFrom(gateway, STRANGER, letter(`a@${domain}`), '');
    assert.match(reply, /^250 /, domain);
    const record = await gateway.record(eventId(reply));
    assert.match(findingsOf(record, 'DMARC')[0]?.authResult ?? '', new RegExp(`^dmarc=${result} `), domain);
    if (rule !== null) assert.equal(findingsOf(record, rule)[0]?.state, 'hit', domain);
  }
  const tagged = (await gateway.maildir()).filter(mail => mail.includes('X-Postern-Tag: DMARC_QUARANTINE\n'));
  assert.equal(tagged.length, 1);
  assert.ok(tagged[0]?.includes('From: a@soft.example'));
});

/** The message after a mailing list has had it: another subject, a footer, and the list's seal on top. */
async function fromList(text: string, dns: Dns): Promise<string> {
  const signed = await withDkim(text, 'bank.example', 's');
  const results = 'dkim=pass header.d=bank.example; dmarc=pass header.from=bank.example';
  // The list verifies, changes, and seals what it sends.
  const changed = `${signed.replace('Subject: ', 'Subject: [list] ')}-- \r\nA list\r\n`;
  return withArc(changed, 'lists.example', 's', results, dns);
}

test('a mailing list: refused, but passes visibly where all who have sealed it are trusted', async () => {
  const dns = await startDnsServer(ZONE);
  const resolver = createResolver({ servers: [dns.address] });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => dns.close());
  stack.defer(() => resolver.close());
  const once = await fromList(letter('support@bank.example'), resolver);
  const twice = await withArc(once, 'relay.example', 's', 'arc=pass', resolver);
  const forged = twice.replace('dkim=pass header.d=bank.example', 'dkim=pass header.d=Bank.example');
  await using setUp = await startVerifying(ZONE, { arctrusted: 'lists.example\nrelay.example\n' });
  const { gateway } = setUp;
  for (const mail of [once, twice]) {
    const reply = await sendFrom(gateway, STRANGER, mail, 'list@lists.example');
    assert.match(reply, /^250 /);
    const record = await gateway.record(eventId(reply));
    const [override] = findingsOf(record, 'DMARC_OVERRIDE');
    assert.equal(override?.detail, 'policy reject not applied: lists.example saw DMARC pass (ARC)');
    assert.match(override?.source ?? '', /control\/arctrusted/);
    const text = await gateway.explain(eventId(reply));
    assert.match(text, /ARC +pass .*pass: [12] seals, .*asked: TXT s\._domainkey\.lists\.example: "v=DKIM1/);
    assert.match(text, /DMARC_OVERRIDE +hit /);
  }
  const [mail] = await gateway.maildir();
  assert.match(
    unfolded(mail?.toString('latin1') ?? ''),
    / dmarc=fail \(p=reject dis=none\) header\.from=bank\.example/,
  );
  assert.match(await sendFrom(gateway, STRANGER, forged, ''), REFUSED, 'the chain is broken');

  await using less = await startVerifying(ZONE, { arctrusted: 'lists.example\n' });
  assert.match(await sendFrom(less.gateway, STRANGER, once, ''), /^250 /);
  assert.match(await sendFrom(less.gateway, STRANGER, twice, ''), REFUSED, 'one of them is not trusted');
  await using nobody = await startVerifying(ZONE);
  assert.match(await sendFrom(nobody.gateway, STRANGER, once, ''), REFUSED);
});

test('dmarc=no in simcontrol is for one recipient; the others stay protected', async () => {
  await using setUp = await startVerifying(ZONE, {
    simcontrol: 'free@example.com:dmarc=no\n:dmarc=yes\n',
  });
  const { gateway } = setUp;
  const text = letter('support@bank.example');
  assert.match(await sendFrom(gateway, STRANGER, text, '', 'me@example.com'), REFUSED);
  assert.match(await sendFrom(gateway, STRANGER, text, '', 'free@example.com'), /^250 /);
  await using client = await clientFrom(gateway, STRANGER);
  await client.envelope('', 'free@example.com', 'me@example.com');
  const reply = await client.message(text);
  const record = await gateway.record(eventId(reply));
  const outcomes = record.recipients.map(({ address, outcome }) => `${address} ${outcome}`);
  assert.deepEqual(
    [reply.slice(0, 3), outcomes],
    ['250', ['free@example.com delivered', 'me@example.com held']],
  );
});
