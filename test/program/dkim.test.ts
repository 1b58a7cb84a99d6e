import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mailDkimSign } from '../support/mail-dkim.ts';
import { testKeys, withDkim, withDomainKeys } from '../support/signed-mail.ts';
import { clientFrom, findingsOf, letter, sendFrom, startVerifying, unfolded } from './authentication.ts';
import { eventId } from './dialogue.ts';

const STRANGER = '203.0.113.9';
const { record } = testKeys();

test('DKVERIFY’s letters: a revoked key is refused, DNS trouble deferred, and the status stands on top of the rest', async () => {
  await using setUp = await startVerifying(
    {
      'good._domainkey.example.com': [{ TXT: record }],
      'revoked._domainkey.example.com': [{ TXT: 'k=rsa; p=' }],
      'failing._domainkey.example.com': ['SERVFAIL'],
      'refusing._domainkey.example.com': ['REFUSED'],
      'broken._domainkey.example.com': [{ TXT: 'p=%%%' }],
    },
    { 'tcp.smtp': '203.0.113.7:allow,DKVERIFY="DEGIJKfh"\n203.0.113.8:allow,DKVERIFY=""\n:allow\n' },
  );
  const { gateway } = setUp;
  const text = letter('joe@example.com');
  const table: readonly (readonly [selector: string, reply: RegExp, status: string])[] = [
    ['good', /^250 /, 'good        '],
    ['revoked', /^554 5\.7\.20 DomainKeys verification failed: revoked \(#5\.7\.20\) \[/, 'revoked     '],
    [
      'failing',
      /^451 4\.7\.20 DomainKeys verification failed for now: no key \(#4\.7\.20\) \[/,
      'no key      ',
    ],
    ['refusing', /^451 4\.7\.20 /, 'no key      '],
    ['missing', /^554 5\.7\.20 DomainKeys verification failed: no key/, 'no key      '],
    ['broken', /^554 5\.7\.20 DomainKeys verification failed: bad key/, 'bad key     '],
  ];
  for (const [selector, wanted, status] of table) {
    const signed = await withDomainKeys(text, 'example.com', selector);
    const reply = await sendFrom(gateway, '203.0.113.7', signed);
    assert.match(reply, wanted, selector);
    assert.match(
      await gateway.explain(eventId(reply)),
      new RegExp(`DOMAINKEYS .*asked: TXT ${selector}\\._domainkey\\.example\\.com: `),
    );
    const before = (await gateway.maildir()).length;
    assert.match(await sendFrom(gateway, '203.0.113.8', signed), /^250 /, 'no letters: only told');
    const mails = (await gateway.maildir()).map(mail => mail.toString('latin1'));
    assert.equal(mails.length, before + 1);
    const found = mails.filter(mail => mail.includes(` s=${selector};`));
    const field = `DomainKey-Status: ${status}\n`;
    for (const mail of found)
      assert.ok(mail.indexOf(field) > 0 && mail.indexOf(field) < mail.indexOf('\nDomainKey-Signature'), mail);
  }
  assert.match(await sendFrom(gateway, '203.0.113.7', text), /^250 /, 'C is not among the letters');
});

test('qmail-dk’s early exits, where they are asked for: whatever the letters', async () => {
  await using setUp = await startVerifying(
    {
      'failing._domainkey.example.com': ['SERVFAIL'],
      'broken._domainkey.example.com': [{ TXT: 'p=%%%' }],
      'revoked._domainkey.example.com': [{ TXT: 'k=rsa; p=' }],
    },
    { dkearlyexits: 'yes\n', dkverify: '\n' },
  );
  const { gateway } = setUp;
  const text = letter('joe@example.com');
  const table: readonly (readonly [mail: string, reply: RegExp])[] = [
    [text, /^250 /],
    [await withDomainKeys(text, 'example.com', 'revoked'), /^250 /],
    [await withDomainKeys(text, 'example.com', 'failing'), /^451 4\.7\.20 /],
    [await withDomainKeys(text, 'example.com', 'broken'), /^451 4\.7\.20 /],
    [text.replace(/^From: .*\r\n/, ''), /^554 5\.7\.20 DomainKeys verification failed: bad format/],
  ];
  for (const [mail, wanted] of table) assert.match(await sendFrom(gateway, STRANGER, mail), wanted);
});

test('DKIMVERIFY’s letters, with what Mail::DKIM signs', async () => {
  await using setUp = await startVerifying(
    {
      'good._domainkey.example.com': [{ TXT: record }],
      'revoked._domainkey.example.com': [{ TXT: 'v=DKIM1; p=' }],
      'failing._domainkey.example.com': ['SERVFAIL'],
    },
    { dkimverify: 'GNUp\n' },
  );
  const text = letter('joe@example.com');
  const message = Buffer.from(text, 'latin1');
  const base = { kind: 'dkim', message, algorithm: 'rsa-sha256', domain: 'example.com' } as const;
  const key = testKeys().rsa;
  const [good = '', simple = '', revoked = '', failing = ''] = await mailDkimSign([
    { ...base, key, method: 'relaxed/relaxed', selector: 'good' },
    { ...base, key, method: 'simple/simple', selector: 'good' },
    { ...base, key, method: 'relaxed/simple', selector: 'revoked' },
    { ...base, key, method: 'relaxed', selector: 'failing' },
  ]);
  const table: readonly (readonly [mail: string, reply: RegExp])[] = [
    [good + text, /^250 /],
    [simple + text, /^250 /],
    [`${good}${text}more\r\n`, /^554 5\.7\.20 DKIM verification failed: example\.com: /],
    [revoked + text, /^554 5\.7\.20 DKIM verification failed: example\.com: .*revoked/],
    [failing + text, /^451 4\.7\.20 DKIM verification failed for now: example\.com: /],
    [text, /^250 /],
  ];
  for (const [mail, wanted] of table) assert.match(await sendFrom(setUp.gateway, STRANGER, mail), wanted);
});

test('Authentication-Results: forged ones with our name go, others stay, ours comes on top', async () => {
  await using setUp = await startVerifying({ 'good._domainkey.example.com': [{ TXT: record }] });
  const { gateway } = setUp;
  const signed = await withDkim(letter('joe@example.com'), 'example.com', 'good');
  const theirs = 'Authentication-Results: mx.elsewhere.example; dkim=fail\r\n';
  const forged =
    'Authentication-Results: MX.example.com; dkim=pass header.d=bank.example\r\n' +
    'Authentication-Results: (a comment) "mx.example.com" 1;\r\n\tdmarc=pass header.from=bank.example\r\n';
  const reply = await sendFrom(gateway, STRANGER, forged + theirs + signed);
  assert.match(reply, /^250 /);
  const [mail = Buffer.alloc(0)] = await gateway.maildir();
  const text = mail.toString('latin1');
  assert.ok(!text.includes('bank.example'), text);
  const rest = (theirs + signed).replaceAll('\r\n', '\n');
  assert.ok(text.endsWith(`\n${rest}`));
  const ours = text.slice(0, text.length - rest.length);
  assert.match(
    unfolded(ours),
    /\nAuthentication-Results: mx\.example\.com; spf=none smtp\.mailfrom=sender\.example; dkim=pass header\.d=example\.com header\.s=good header\.a=rsa-sha256 header\.b=\S+; dmarc=none [^\n]*\n/,
  );
});

test('500 signatures cost ten look-ups, and the mail gets its answer', async () => {
  const names = Array.from({ length: 500 }, (_, i) => `s${i}._domainkey.signer${i}.example`);
  await using setUp = await startVerifying(Object.fromEntries(names.map(name => [name, [{ TXT: record }]])));
  const { gateway, dns } = setUp;
  const text = letter('joe@example.com');
  const signatures = names.map((_, i) => {
    const own = `DKIM-Signature: v=1; a=rsa-sha256; d=signer${i}.example; s=s${i}; `;
    return `${own}h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n`;
  });
  const first = await withDkim(text, 'signer0.example', 's0');
  const field = first.slice(0, first.length - text.length);
  const reply = await sendFrom(gateway, STRANGER, field + signatures.slice(1).join('') + text);
  assert.match(reply, /^250 /);
  assert.equal(
    names.reduce((sum, name) => sum + dns.queries(name), 0),
    10,
  );
  const found = await gateway.record(eventId(reply));
  assert.equal(findingsOf(found, 'DKIM').length, 10);
  assert.match(findingsOf(found, 'DKIM')[0]?.detail ?? '', /^pass: s=s0 /);
  assert.match(findingsOf(found, 'DKIM_MANY')[0]?.detail ?? '', /^500 signatures, 490 of them ignored$/);
});

test('a DNS that never answers: within authtime the mail is taken, the record says temperror, and others are not kept waiting', async () => {
  const silent = ['TIMEOUT'] as const;
  await using setUp = await startVerifying(
    {
      's._domainkey.example.com': silent,
      't._domainkey.example.com': silent,
      '_dmarc.example.com': silent,
      'example.com': silent,
    },
    // One question alone would outlast the patience of this test; `authtime` has the last word.
    { dnstimeout: '60000\n', authtime: '3\n', 'tcp.smtp': '203.0.113.9:allow,DKVERIFY=""\n:allow\n' },
  );
  const { gateway } = setUp;
  const text = letter('joe@example.com');
  const dk = await withDomainKeys(text, 'example.com', 't');
  await using slow = await clientFrom(gateway, STRANGER);
  await slow.envelope('a@sender.example');
  const signed = await withDkim(dk, 'example.com', 's');
  assert.match(await slow.say('DATA'), /^354 /);
  slow.write(`${signed}.\r\n`);
  assert.match(await sendFrom(gateway, '203.0.113.8', letter('ann@other.example')), /^250 /);
  assert.equal(slow.unread, '', 'the other has been answered first');
  const reply = await slow.reply();
  assert.match(reply, /^250 /);
  const found = await gateway.record(eventId(reply));
  assert.deepEqual(
    ['DKIM', 'DOMAINKEYS', 'DMARC'].map(rule => {
      const [one] = findingsOf(found, rule);
      return `${rule} ${one?.state} ${one?.authResult?.split(' ', 1)[0]}`;
    }),
    ['DKIM error dkim=temperror', 'DOMAINKEYS error domainkeys=temperror', 'DMARC error dmarc=temperror'],
  );
  assert.match(
    findingsOf(found, 'DKIM')[0]?.detail ?? '',
    /asked: TXT s\._domainkey\.example\.com: .*TIMEOUT/,
  );
  const [mail] = (await gateway.maildir()).filter(one => one.includes('temperror'));
  assert.match(mail?.toString('latin1') ?? '', /^DomainKey-Status: no key {6}$/m);
  assert.deepEqual(
    await gateway.stop(),
    { code: 0, signal: null },
    'questions that are open hold nothing up',
  );
});

test('a DNS that answers nothing at all: SPF too, each for its own time, and the mail is taken', async () => {
  const silent = ['TIMEOUT'] as const;
  await using setUp = await startVerifying(
    { 'sender.example': silent, 's._domainkey.example.com': silent, '_dmarc.example.com': silent },
    { dnstimeout: '200\n', authtime: '2\n', spfbehavior: '1\n' },
  );
  const { gateway } = setUp;
  const signed = await withDkim(letter('joe@example.com'), 'example.com', 's');
  const reply = await sendFrom(gateway, STRANGER, signed);
  assert.match(reply, /^250 /);
  const [mail] = await gateway.maildir();
  assert.match(
    unfolded(mail?.toString('latin1') ?? ''),
    /Authentication-Results: mx\.example\.com; spf=temperror [^\n]*; dkim=temperror [^\n]*; dmarc=temperror /,
  );
});

test('what several checks want to know is asked once, and not again for the next mail', async () => {
  await using setUp = await startVerifying(
    {
      's._domainkey.example.com': [{ TXT: record }],
      '_dmarc.example.com': [{ TXT: 'v=DMARC1; p=reject' }],
      'example.com': [{ TXT: 'v=spf1 -all' }],
    },
    { dkverify: '\n', spfbehavior: '1\n' },
  );
  const { gateway, dns } = setUp;
  const text = await withDomainKeys(letter('joe@example.com'), 'example.com', 's');
  const twice = await withDkim(await withDkim(text, 'example.com', 's'), 'example.com', 's');
  for (let i = 0; i < 3; i++) {
    assert.match(await sendFrom(gateway, STRANGER, twice, 'joe@example.com'), /^250 /);
    const asked = ['s._domainkey.example.com', '_dmarc.example.com', 'example.com'].map(name =>
      dns.queries(name),
    );
    assert.deepEqual(asked, [1, 1, 1]);
  }
});
