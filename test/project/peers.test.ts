import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { Resolver } from 'node:dns/promises';
import { startDnsServer } from '../support/dns-server.ts';
import { mailDkimSign, mailDkimVerify } from '../support/mail-dkim.ts';
import { smtpSource, startRbldnsd, startSmtpSink, sunkMail, swaks } from '../support/peers.ts';
import { answers, freePort, run, start, waitFor } from '../support/processes.ts';

// The other tests believe these; so they are tested themselves.

test('smtp-sink keeps what swaks sent, dots included', async () => {
  await using sink = await startSmtpSink();
  const data = 'From: a@example.org\nSubject: x\n\n.dot\n..two\n';
  const envelope = ['--helo', 'me.example', '--from', 'a@example.org', '--to', 'b@example.com,c@example.com'];
  const sent = await swaks(sink.port, [...envelope, '--data', data.replaceAll('\n', '\\n')]);
  assert.equal(sent.code, 0, sent.stdout.toString());
  const [mail, ...more] = await sink.mails();
  assert.equal(more.length, 0);
  assert.ok(mail);
  assert.equal(mail.helo, 'me.example');
  assert.equal(mail.sender, '<a@example.org>');
  assert.deepEqual(mail.recipients, ['<b@example.com>', '<c@example.com>']);
  assert.equal(mail.message.toString('latin1').trimEnd(), data.trimEnd());
});

test('smtp-sink speaks LMTP and refuses on demand', async () => {
  await using lmtp = await startSmtpSink({ lmtp: true });
  const sent = await swaks(lmtp.port, ['--protocol', 'LMTP', '--to', 'b@example.com']);
  assert.equal(sent.code, 0, sent.stdout.toString());
  assert.equal((await lmtp.mails())[0]?.protocol, 'LMTP');
  await using refusing = await startSmtpSink({ args: ['-f', 'RCPT'] });
  assert.equal((await swaks(refusing.port, ['--to', 'b@example.com'])).code, 24);
  assert.deepEqual(await refusing.mails(), []);
});

test('smtp-source sends many', async () => {
  await using sink = await startSmtpSink();
  const sent = await smtpSource(sink.port, ['-m', '20', '-s', '4', '-l', '1000']);
  assert.equal(sent.code, 0, sent.stderr.toString());
  assert.equal((await sink.mails()).length, 20);
});

test('a capture file is taken apart', () => {
  const file =
    'X-Client-Addr: ::1\nX-Mail-Args: <>\nX-Rcpt-Args: <a@b>\nReceived: 1\n\t2\n\t3\nX-Rcpt-Args: mine\n\nbody\n\n';
  const mail = sunkMail(Buffer.from(file));
  assert.equal(mail.sender, '<>');
  assert.deepEqual(mail.recipients, ['<a@b>']);
  assert.equal(mail.message.toString(), 'X-Rcpt-Args: mine\n\nbody\n');
});

test('rbldnsd answers for its zones', async () => {
  await using list = await startRbldnsd({
    'bl.test': { type: 'ip4set', data: ':127.0.0.2:Blocked $\n192.0.2.1\n' },
    'names.test': { type: 'dnset', data: ':127.0.0.3:Bad name\nspam.example\n' },
  });
  const resolver = new Resolver();
  resolver.setServers([list.server]);
  assert.deepEqual(await resolver.resolve4('1.2.0.192.bl.test'), ['127.0.0.2']);
  assert.deepEqual(await resolver.resolveTxt('1.2.0.192.bl.test'), [['Blocked 192.0.2.1']]);
  assert.deepEqual(await resolver.resolve4('spam.example.names.test'), ['127.0.0.3']);
  await assert.rejects(resolver.resolve4('2.2.0.192.bl.test'), { code: 'ENOTFOUND' });
});

test('a program is stopped by its id, by force if it does not listen, and its port is free again', async () => {
  const port = await freePort();
  const script = `
    process.on('SIGTERM', () => console.log('no'));
    require('node:net').createServer().listen(${port}, '127.0.0.1', () => console.log('up'));`;
  const deaf = await start('node', ['-e', script]);
  await deaf.output(/^up$/m);
  assert.equal(await answers(port), true);
  assert.deepEqual(await deaf.stop(100), { code: null, signal: 'SIGKILL' });
  assert.match(deaf.stdout, /^no$/m);
  assert.equal(await answers(port), false);
});

test('waiting says what did not come, and gives up when the program is gone', async () => {
  await assert.rejects(
    waitFor('rain', () => false, 30),
    /waited 30 ms for rain/,
  );
  await using program = await start('sh', ['-c', 'echo so long >&2; exit 3']);
  await assert.rejects(program.output(/never/), /sh ended \(3\) before [^]*so long/);
});

test('run hands over input, output and exit code', async () => {
  const done = await run('sh', ['-c', 'cat; echo "$WORD" >&2; exit 7'], {
    input: 'in\xe9',
    env: { WORD: 'err' },
  });
  assert.deepEqual([done.code, done.stdout.toString(), done.stderr.toString()], [7, 'in\xe9', 'err\n']);
  await assert.rejects(start('no-such-program'), /not installed/);
  await assert.rejects(start('./no-such-program'), { code: 'ENOENT' });
});

test('Mail::DKIM verifies what Mail::DKIM has signed, and sees what was changed', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const p = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  const server = await startDnsServer({ 's._domainkey.example.com': [{ TXT: `k=rsa; p=${p}` }] });
  const message = Buffer.from('From: a@example.com\r\nSubject: x\r\n\r\nHello\r\n');
  const common = { message, key: privateKey, domain: 'example.com', selector: 's' };
  try {
    const fields = await mailDkimSign([
      { ...common, kind: 'dkim', algorithm: 'rsa-sha256', method: 'relaxed/relaxed' },
      { ...common, kind: 'domainkeys', algorithm: 'rsa-sha1', method: 'nofws' },
      { ...common, kind: 'domainkeys', algorithm: 'rsa-sha1', method: 'simple', fields: 'from:subject' },
    ]);
    const mails = fields.flatMap(field => [
      Buffer.concat([Buffer.from(field), message]),
      Buffer.concat([Buffer.from(field), message, Buffer.from('more\r\n')]),
    ]);
    const verdicts = await mailDkimVerify([message, ...mails], server.port);
    const results = ['none', 'pass', 'fail', 'pass', 'fail', 'pass', 'fail'];
    assert.deepEqual(
      verdicts.map(({ result }) => result),
      results,
    );
    const kinds = verdicts.flatMap(({ signatures }) => signatures.map(({ kind }) => kind));
    assert.deepEqual(kinds, ['dkim', 'dkim', 'domainkeys', 'domainkeys', 'domainkeys', 'domainkeys']);
  } finally {
    await server.close();
  }
  await assert.rejects(
    mailDkimSign([{ ...common, kind: 'dkim', algorithm: 'x', method: 'simple' }]),
    /unsupported/,
  );
});
