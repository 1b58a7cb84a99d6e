import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { SecureContext } from 'node:tls';
import { connect as connectTls, createSecureContext } from 'node:tls';
import { temporaryFolder, waitFor } from '../support/processes.ts';
import { Dialogue } from './dialogue.ts';
import type { Listening } from './listening.ts';
import { listening } from './listening.ts';

const ENVELOPE = ['MAIL FROM:<a@example.net>', 'RCPT TO:<b@example.com>', 'DATA'];

async function opened({ port }: Listening): Promise<Dialogue> {
  const client = await Dialogue.open(port);
  assert.match((await client.reply()).join(), /^220 /);
  return client;
}

async function toData(client: Dialogue): Promise<void> {
  for (const command of ENVELOPE) await client.ask(command);
}

const gone = (made: Listening) => waitFor('the end of the sessions', () => made.listener.sessions === 0);

test('a whole session one byte at a time', async t => {
  const made = await listening(t);
  const client = await opened(made);
  const text = [...ENVELOPE, 'Subject: x', '', '..', '.', 'QUIT', ''].join('\r\n');
  for (const byte of text) {
    client.write(byte);
    await new Promise(setImmediate);
  }
  await client.end();
  assert.match(
    client.received,
    /^250 [^\r]*\r\n250 [^\r]*\r\n354 [^\r]*\r\n250 2\.0\.0 ok \[[^\r]*\r\n221 [^\r]*\r\n$/,
  );
  assert.ok(made.hops[0]?.text?.endsWith('-0000\r\nSubject: x\r\n\r\n.\r\n'));
});

test('a client that sends and never reads fills no memory of ours, and is ended by the idle limit', async t => {
  const made = await listening(t, { control: { timeoutsmtpd: '1', harderrors: '0' } });
  const client = await opened(made);
  client.socket.pause();
  const flood = 'NOOP\r\n'.repeat(10_000);
  let accepted = 0;
  let blocked = false;
  while (!blocked && accepted < 200_000_000) {
    blocked = !(await new Promise<boolean>(resolve => {
      const timer = setTimeout(resolve, 500, false);
      client.socket.write(flood, () => {
        clearTimeout(timer);
        resolve(true);
      });
    }));
    accepted += flood.length;
  }
  assert.ok(blocked, 'the server reads on');
  await gone(made);
  client.destroy();
});

test('a client that floods, says QUIT and never reads: the idle limit ends that too', async t => {
  const made = await listening(t, { control: { timeoutsmtpd: '1' } });
  const client = await opened(made);
  client.socket.pause();
  client.write(`${'HELP\r\n'.repeat(200_000)}QUIT\r\n`);
  await gone(made);
  client.destroy();
});

test('a client that says nothing: 451 and the end', async t => {
  const made = await listening(t, { control: { timeoutsmtpd: '1' } });
  const client = await opened(made);
  await client.end();
  assert.match(client.received, /^451 4\.4\.2 timeout/);
});

test('a client that leaves in the middle of a message: nothing is delivered, the hop is given up', async t => {
  const made = await listening(t, { control: { spoolbytes: '0' } });
  const client = await opened(made);
  await toData(client);
  client.write('x'.repeat(300_000));
  client.destroy();
  await gone(made);
  assert.deepEqual(
    made.hops.map(hop => [hop.aborted, hop.text]),
    [[true, null]],
  );
  assert.deepEqual(made.problems, []);
});

test('the spool cannot be written: 451 after the dot, one record, and the session goes on', async t => {
  const made = await listening(t, { control: { spoolbytes: '0' }, spoolFolder: '/nowhere' });
  const client = await opened(made);
  for (const size of [10, 600_000]) {
    await toData(client);
    assert.match(
      await client.ask(`${'x'.repeat(size)}\r\n.`),
      /^451 4\.3\.0 the message could not be stored/,
    );
  }
  assert.deepEqual(
    made.records.map(record => [record.event, record.rule]),
    [
      ['message-refused', 'SPOOL'],
      ['message-refused', 'SPOOL'],
    ],
  );
  assert.match(await client.ask('MAIL FROM:<a@example.net>'), /^250 /);
  assert.deepEqual(made.problems, []);
});

test('a large message is spooled and arrives as it was', async t => {
  const made = await listening(t, { control: { spoolbytes: '1000' } });
  const client = await opened(made);
  const body = `Subject: x\r\n\r\n${`${'0123456789abcdef'.repeat(60)}\r\n.dot\r\n`.repeat(2000)}`;
  await toData(client);
  assert.match(await client.ask(`${body.replaceAll('\r\n.', '\r\n..')}.`), /^250 2\.0\.0 ok/);
  assert.ok(made.hops[0]?.text?.endsWith(`-0000\r\n${body}`));
});

test('drain: quiet sessions end at once, a mail that has begun may finish', async t => {
  let answer: () => void = () => undefined;
  const made = await listening(t, {
    hops: {
      'example.com': {
        send: () =>
          new Promise(resolve => {
            answer = () => resolve(['accepted']);
          }),
      },
    },
  });
  const [quiet, sending] = [await opened(made), await opened(made)];
  await toData(sending);
  sending.write('x\r\n.\r\n');
  await waitFor('the hop', () => made.hops.length > 0);
  const drained = made.listener.drain(20);
  await quiet.end();
  assert.match(quiet.received, /^421 4\.3\.2 /);
  answer();
  await waitFor('the answer', () => sending.received.includes('421'));
  assert.match(sending.received, /^250 2\.0\.0 ok \[[^\r]*\r\n421 4\.3\.2 /);
  await drained;
});

test('early talk: refused at RCPT with what came, and only with `greetdelay`', async t => {
  const made = await listening(t, { control: { greetdelay: '2' } });
  const client = await Dialogue.open(made.port);
  client.write('EHLO client.example\r\n');
  assert.match((await client.reply()).join(), /^220 /);
  assert.match((await client.reply()).join(), /^250-/);
  await client.ask('MAIL FROM:<a@example.net>');
  assert.match(await client.ask('RCPT TO:<b@example.com>'), /^554 5\.5\.1 SMTP protocol violation/);
  assert.equal(made.records[0]?.rule, 'EARLYTALKER');
});

describe('STARTTLS', async () => {
  const secureContext = await selfSigned();
  const start = async (made: Listening) => {
    const client = await opened(made);
    assert.match(await client.ask('EHLO client.example'), /250 STARTTLS$/);
    return client;
  };

  test('the dialogue begins anew: HELO and sender are forgotten', async t => {
    const made = await listening(t, { secureContext, control: { requirehelo: 'yes' } });
    const plain = await start(made);
    await plain.ask('MAIL FROM:<a@example.net>');
    assert.match(await plain.ask('STARTTLS'), /^220 /);
    plain.socket.removeAllListeners('data');
    const socket = connectTls({ socket: plain.socket, rejectUnauthorized: false });
    const client = new Dialogue(socket);
    assert.match(await client.ask('RCPT TO:<b@example.com>'), /^503 /);
    assert.match(await client.ask('MAIL FROM:<a@example.net>'), /^503 5\.5\.1 HELO or EHLO first/);
    assert.doesNotMatch(await client.ask('EHLO client.example'), /STARTTLS/);
    assert.match(await client.ask('STARTTLS'), /^503 5\.5\.1 TLS is in use/);
    await toData(client);
    assert.match(await client.ask('x\r\n.'), /^250 2\.0\.0 ok/);
    assert.match(made.hops.at(-1)?.text ?? '', / with ESMTPS \(TLSv1\.3 /);
    assert.equal(made.records[0]?.tls?.protocol, 'TLSv1.3');
    assert.match(await client.ask('QUIT'), /^221 /);
    await gone(made);
  });

  test('commands behind STARTTLS in the same packet: the end (CVE-2011-0411)', async t => {
    const made = await listening(t, { secureContext });
    const client = await start(made);
    client.write('STARTTLS\r\nMAIL FROM:<a@example.net>\r\n');
    await client.end();
    assert.match(client.received, /^503 5\.5\.1 nothing may follow STARTTLS/);
  });

  test('no handshake after STARTTLS: ended all the same', async t => {
    const made = await listening(t, { secureContext, control: { timeoutsmtpd: '1' } });
    const client = await start(made);
    assert.match(await client.ask('STARTTLS'), /^220 /);
    await client.end();
    await gone(made);
  });

  test('hung up where the handshake should come: ended at once, not at the time limit', async t => {
    const made = await listening(t, { secureContext });
    const client = await start(made);
    assert.match(await client.ask('STARTTLS'), /^220 /);
    const before = performance.now();
    client.socket.end();
    await gone(made);
    assert.ok(performance.now() - before < 15_000, 'the limit for a handshake is 30 s');
  });

  test('garbage in place of a handshake: ended', async t => {
    const made = await listening(t, { secureContext });
    const client = await start(made);
    assert.match(await client.ask('STARTTLS'), /^220 /);
    client.write('MAIL FROM:<a@example.net>\r\n');
    await client.end();
    await gone(made);
    assert.deepEqual(made.problems, []);
  });
});

async function selfSigned(): Promise<SecureContext> {
  await using folder = await temporaryFolder();
  const [key, cert] = [join(folder.path, 'key.pem'), join(folder.path, 'cert.pem')];
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const files = ['-keyout', key, '-out', cert, '-subj', '/CN=mx.example.com'];
  execFileSync('openssl', ['req', '-x509', ...ec, '-nodes', '-days', '2', ...files], { stdio: 'ignore' });
  return createSecureContext({ key: readFileSync(key), cert: readFileSync(cert) });
}
