import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { postern } from '../support/gateway.ts';
import { mailDkimVerify } from '../support/mail-dkim.ts';
import { dkimpyVerify } from '../support/dkimpy-dkim.ts';
import { waitFor } from '../support/processes.ts';
import { startRecordingSink } from '../support/recording-sink.ts';
import { testKeys, withDomainKeys } from '../support/signed-mail.ts';
import { findingsOf, keyFolder, letter, sendFrom, startVerifying, toCrlf } from './authentication.ts';
import { eventId } from './dialogue.ts';

const DEFAULT_KEY = { 'default._domainkey.example.com': [{ TXT: testKeys().record }] };
const HOST = '10.0.0.2';
const STRANGER = '203.0.113.9';

for (const more of ['', ',QMAILQUEUE="bin/qmail-dk"']) {
  test(`the HOWTO’s lines of tcp.smtp${more === '' ? '' : ', with its QMAILQUEUE'}: the relay client’s mail is signed, and verified when it comes in`, async () => {
    await using keys = await keyFolder();
    const key = await keys.put('example.com', 'default');
    await using sink = await startRecordingSink();
    await using setUp = await startVerifying(DEFAULT_KEY, {
      smtproutes: `:[127.0.0.1]:${sink.port}\n`,
      'tcp.smtp': `10.0.0.2:allow,RELAYCLIENT="",DKSIGN="${key}"${more}\n:allow,DKVERIFY="DEGIJKfh"${more}\n`,
    });
    const { gateway, dns } = setUp;
    const text = letter('Joe <joe@example.com>', 'one  two\t\r\n\r\n..dots\r\n\r\n\r\n');
    const out = await sendFrom(gateway, HOST, text, 'joe@example.com', 'ann@elsewhere.example');
    assert.match(out, /^250 /);
    const signed = sink.messages[0]?.bytes ?? assert.fail();
    const [field] = /^DomainKey-Signature: [^]*?\r\n(?![ \t])/m.exec(signed.toString('latin1')) ?? [''];
    assert.match(field, /a=rsa-sha1;[^]*\sc=nofws;[^]*\ss=default;[^]*\sd=example\.com;/);
    const [theirs] = await mailDkimVerify([signed], dns.port);
    assert.deepEqual(
      theirs?.signatures.map(({ kind, domain, selector, result }) => [kind, domain, selector, result]),
      [['domainkeys', 'example.com', 'default', 'pass']],
    );
    const record = await gateway.record(eventId(out));
    assert.match(findingsOf(record, 'SIGN')[0]?.detail ?? '', /^DomainKeys: d=example\.com s=default/);

    const wire = sink.messages[0]?.wire?.toString('latin1') ?? '';
    const back = await sendFrom(gateway, STRANGER, wire, 'joe@example.com', 'me@example.com');
    assert.match(back, /^250 /);
    const arrived = sink.messages[1]?.bytes?.toString('latin1') ?? '';
    assert.ok(arrived.endsWith(signed.toString('latin1')), 'not a byte is changed below');
    const added = arrived.slice(0, arrived.length - signed.length);
    assert.match(added, /^DomainKey-Status: good {8}\r\n/m);
    assert.match(added, /^\tdomainkeys=pass header\.d=example\.com/m);
    assert.match(
      await gateway.explain(eventId(back)),
      /DOMAINKEYS +pass .*pass: s=default .*asked: TXT default\._domainkey\.example\.com: "v=DKIM1; k=rsa; p=/,
    );
  });
}

test('DKIM beside DomainKeys: both verify after delivery into a Maildir, here and there', async () => {
  await using keys = await keyFolder();
  await keys.put('example.com', 'default');
  await keys.put('example.com', 'mail');
  await using setUp = await startVerifying(
    { ...DEFAULT_KEY, 'mail._domainkey.example.com': [{ TXT: testKeys().record }] },
    {
      'tcp.smtp': `10.0.0.2:allow,RELAYCLIENT="",DKSIGN="${keys.path}/%/default",DKIMSIGN="${keys.path}/%/mail"\n:allow\n`,
    },
  );
  const { gateway, dns } = setUp;
  const text = letter('Joe <joe@example.com>', 'caf\xe9\r\n\r\n..dot\r\n \r\n\r\n');
  assert.match(await sendFrom(gateway, HOST, text, 'joe@example.com'), /^250 /);
  const [mail] = await gateway.maildir();
  assert.ok(mail && !mail.includes('\r'));
  const [theirs] = await mailDkimVerify([toCrlf(mail)], dns.port);
  assert.deepEqual(
    theirs?.signatures.map(({ kind, selector, result }) => `${kind} ${selector} ${result}`).toSorted(),
    ['dkim mail pass', 'domainkeys default pass'],
  );
  assert.deepEqual(await dkimpyVerify([toCrlf(mail)], dns.port), [[true]]);
});

test('DKSIGN as qmail-dk had it: by Sender before From, with its comment, never twice, and nothing without a key', async () => {
  await using keys = await keyFolder();
  await keys.put('example.com', 'default');
  await using setUp = await startVerifying(DEFAULT_KEY, {
    'tcp.smtp': `:allow,RELAYCLIENT="",DKCOMMENT="1",DKSIGN="${keys.path}/%/default"\n`,
  });
  const { gateway, dns } = setUp;
  const text = letter('joe@elsewhere.example');
  const bySender = `Sender: list@example.com\r\n${text}`;
  const already = await withDomainKeys(letter('joe@example.com'), 'example.com', 'default');
  const table: readonly (readonly [mail: string, said: RegExp])[] = [
    [bySender, /^DomainKeys: d=example\.com s=default/],
    [text, /^DomainKeys: not signed, there is no key for elsewhere\.example /],
    [already, /^DomainKeys: not signed, /],
    [text.replace(/^From: .*\r\n/, ''), /^DomainKeys: /],
    [text.replace(/^From: .*\r\n/, 'From: a@example.com, b@x.example\r\n'), /^DomainKeys: /],
    [text.replace(/^From: .*\r\n/, 'From: a@../../etc/passwd\r\n'), /^DomainKeys: /],
  ];
  for (const [mail, wanted] of table) {
    const reply = await sendFrom(gateway, HOST, mail, 'joe@example.com');
    assert.match(reply, /^250 /);
    const record = await gateway.record(eventId(reply));
    const found = [...findingsOf(record, 'SIGN'), ...findingsOf(record, 'SIGN_MALFORMED')];
    assert.match(found[0]?.detail ?? '', wanted);
  }
  const mails = (await gateway.maildir()).filter(mail => mail.includes('DomainKey-Signature'));
  const results = await mailDkimVerify(mails.map(toCrlf), dns.port);
  assert.ok(results.every(({ result }) => result === 'pass'));
  const [signed] = mails.filter(mail => mail.includes('Sender: list'));
  assert.match(
    signed?.toString() ?? '',
    /\nComment: DomainKeys\? See http:\/\/antispam\.yahoo\.com\/domainkeys\nDomainKey-Signature: /,
  );
});

test('a stranger is not signed for, whatever From says and whatever stands in the control directory', async () => {
  await using keys = await keyFolder();
  await keys.put('example.com', 'default');
  await using setUp = await startVerifying(DEFAULT_KEY, {
    dkimsign: `${keys.path}/%/default\n`,
    dksign: `${keys.path}/%/default\n`,
    'tcp.smtp': `10.0.0.2:allow,RELAYCLIENT=""\n10.0.0.3:allow,DKIMSIGN="${keys.path}/example.com/default"\n:allow\n`,
  });
  const { gateway } = setUp;
  for (const ip of [STRANGER, '10.0.0.3', HOST]) {
    const reply = await sendFrom(gateway, ip, letter('joe@example.com'), 'joe@sender.example');
    assert.match(reply, /^250 /, reply);
    const record = await gateway.record(eventId(reply));
    const said = findingsOf(record, 'SIGN').map(({ state, detail }) => `${state} ${detail ?? ''}`);
    if (ip === HOST) assert.match(said.join('\n'), /^pass DKIM: d=example\.com s=default/);
    else assert.deepEqual(said, ['skipped not a relay client']);
  }
  const signed = (await gateway.maildir()).filter(mail =>
    /^(?:DKIM|DomainKey)-Signature/m.test(mail.toString()),
  );
  assert.equal(signed.length, 1, 'the relay client’s alone');
});

test('keygen, the record it prints, check, and a signature of each kind that others verify', async () => {
  await using keys = await keyFolder();
  const records: Record<string, readonly { readonly TXT: string }[]> = {};
  for (const args of [['rsa'], ['ed', '--ed25519']]) {
    const made = await postern(['dkim', 'keygen', 'example.com', ...args, '--out', keys.path]);
    assert.equal(made.code, 0, made.stderr.toString());
    const [, name = '', record = ''] = /^plain:\n(\S+) TXT (.*)$/m.exec(made.stdout.toString()) ?? [];
    records[name] = [{ TXT: record }];
  }
  await using setUp = await startVerifying(records, {
    dkimsign: `${keys.path}/%/rsa\n`,
    dkimsignextra: `${keys.path}/%/ed\n`,
    'tcp.smtp': '10.0.0.2:allow,RELAYCLIENT=""\n:allow\n',
  });
  const { gateway, dns } = setUp;
  for (const selector of ['rsa', 'ed']) {
    const done = await postern(['dkim', 'check', '--control', gateway.control, 'example.com', selector]);
    assert.equal(done.code, 0, `${done.stdout.toString()}${done.stderr.toString()}`);
    assert.match(done.stdout.toString(), /: agree: /);
  }
  assert.match(await sendFrom(gateway, HOST, letter('joe@example.com'), 'joe@example.com'), /^250 /);
  const [mail] = await gateway.maildir();
  const bytes = toCrlf(mail ?? assert.fail());
  assert.deepEqual(await dkimpyVerify([bytes], dns.port), [[true, true]]);

  const text = bytes.toString('latin1').replace(/^\./gm, '..');
  const back = await sendFrom(gateway, STRANGER, text, 'joe@example.com');
  const found = findingsOf(await gateway.record(eventId(back)), 'DKIM');
  assert.deepEqual(
    found.map(({ detail }) => detail?.split(' ', 2).join(' ')),
    ['pass: s=rsa', 'pass: s=ed'],
  );
  assert.match(await gateway.explain(eventId(back)), /asked: TXT rsa\._domainkey.*; TXT ed\._domainkey/);
});

test('a key that is replaced signs from the next second on, without a reload', async () => {
  await using keys = await keyFolder();
  await keys.put('example.com', 'default');
  const next = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const record = `v=DKIM1; p=${next.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`;
  await using setUp = await startVerifying(
    { 'default._domainkey.example.com': [{ TXT: record }] },
    {
      dkimsign: `${keys.path}/%/default\n`,
      dksign: `${keys.path}/%/default\n`,
      'tcp.smtp': ':allow,RELAYCLIENT=""\n',
    },
  );
  const { gateway, dns } = setUp;
  const results = async () => {
    const before = new Set((await gateway.maildir()).map(String));
    assert.match(await sendFrom(gateway, HOST, letter('joe@example.com')), /^250 /);
    const mail = (await gateway.maildir()).find(one => !before.has(String(one))) ?? assert.fail();
    const [theirs] = await mailDkimVerify([toCrlf(mail)], dns.port);
    return theirs?.signatures.map(one => one.result).join(' ');
  };
  assert.equal(await results(), 'fail fail', 'the old key');
  await keys.put(
    'example.com',
    'default',
    next.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
  );
  await waitFor('signatures of the new key', async () => (await results()) === 'pass pass');
  assert.equal(gateway.log('settings-in-force').length, 0);
});

test('a key that cannot be used: 451 in the words of `actions`, and log and record name the file', async () => {
  await using keys = await keyFolder();
  const path = await keys.put('example.com', 'default', 'no key\n');
  const secret = await keys.put('example.com', 'secret', testKeys().pem.replace('BEGIN', 'BEGUN'));
  await using setUp = await startVerifying(
    {},
    {
      'tcp.smtp': `10.0.0.2:allow,RELAYCLIENT="",DKSIGN="${path}"\n10.0.0.3:allow,RELAYCLIENT="",DKIMSIGN="${secret}"\n10.0.0.4:allow,RELAYCLIENT="",DKIMSIGN="${keys.path}/example.com/missing"\n10.0.0.5:allow,RELAYCLIENT="",DKIMSIGN="${keys.path}/%/none"\n`,
    },
  );
  const { gateway } = setUp;
  for (const [ip, file] of [
    ['10.0.0.2', path],
    ['10.0.0.3', secret],
    ['10.0.0.4', `${keys.path}/example.com/missing`],
  ] as const) {
    const reply = await sendFrom(gateway, ip, letter('joe@example.com'), 'joe@example.com');
    assert.match(
      reply,
      /^451 4\.3\.5 the key to sign this message with cannot be used; please tell the postmaster \(#4\.3\.5\) \[/,
    );
    const id = eventId(reply);
    const [found] = findingsOf(await gateway.record(id), 'SIGN_KEY');
    const detail = found?.detail ?? '';
    assert.ok(found?.state === 'hit' && detail.includes(file), detail);
    assert.ok(!detail.includes(testKeys().pem.slice(100, 120)));
    const line = await gateway.logged('message-refused', one => one['id'] === id);
    assert.ok(JSON.stringify(line).includes(file), JSON.stringify(line));
  }
  const unsigned = await sendFrom(gateway, '10.0.0.5', letter('joe@example.com'), 'joe@example.com');
  assert.match(unsigned, /^250 /, 'a pattern with % and no file');
  const [said] = findingsOf(await gateway.record(eventId(unsigned)), 'SIGN');
  assert.match(said?.detail ?? '', /^DKIM: not signed, there is no key for example\.com/);
});

test('mail that is held is signed when it is released, and line ends that were put right are signed as they go out', async () => {
  await using keys = await keyFolder();
  await keys.put('example.com', 'default');
  await using setUp = await startVerifying(DEFAULT_KEY, {
    dkimsign: `${keys.path}/%/default\n`,
    dksign: `${keys.path}/%/default\n`,
    linebreaks: 'normalise\n',
    'tcp.smtp': '10.0.0.2:allow,RELAYCLIENT=""\n',
    actions: 'BADMAILFROM:quarantine\n',
    badmailfrom: 'joe@example.com\n',
  });
  const { gateway, dns } = setUp;
  const text = letter('joe@example.com', 'one\n.two\rthree\r\n\0 four  \r\n\n\r\n');
  const reply = await sendFrom(gateway, HOST, text, 'joe@example.com');
  assert.match(reply, /^250 /);
  assert.deepEqual(await gateway.maildir(), []);
  const places = ['--control', gateway.control, '--state', gateway.state];
  const released = await waitFor('the release', async () => {
    const done = await postern(['quarantine', 'release', eventId(reply), ...places]);
    return done.code === 0 && done;
  });
  assert.equal(released.code, 0, released.stderr.toString());
  const [mail = Buffer.alloc(0)] = await gateway.maildir();
  const [theirs] = await mailDkimVerify([toCrlf(mail)], dns.port);
  assert.deepEqual(theirs?.signatures.map(({ kind, result }) => `${kind} ${result}`).toSorted(), [
    'dkim pass',
    'domainkeys pass',
  ]);
});
