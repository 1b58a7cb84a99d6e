import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect as tlsConnect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { once } from 'node:events';
import type { RunningGateway } from '../support/gateway.ts';
import { startGateway } from '../support/gateway.ts';
import { swaks } from '../support/peers.ts';
import { run, temporaryFolder, waitFor } from '../support/processes.ts';
import { dial, Dialogue, eventId, greeted } from './dialogue.ts';

/** A new key and self-signed certificate for `name`, in one PEM file as qmail's servercert.pem. */
async function certificate(name: string): Promise<string> {
  await using folder = await temporaryFolder();
  const [key, cert] = [join(folder.path, 'key.pem'), join(folder.path, 'cert.pem')];
  const what = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=${name}`;
  const done = await run('openssl', [...what.split(' '), '-keyout', key, '-out', cert]);
  assert.equal(done.code, 0, done.stderr.toString());
  return (await readFile(cert, 'latin1')) + (await readFile(key, 'latin1'));
}

const files = async (name = 'mx.example.com') => ({
  tlscert: 'servercert.pem\n',
  'servercert.pem': await certificate(name),
});

/** Speaks until TLS is on. */
async function secured(port: number): Promise<{ socket: TLSSocket; dialogue: Dialogue }> {
  const plain = await greeted(port);
  assert.match(await plain.say('EHLO client.example'), /^250[- ]STARTTLS$/m);
  assert.match(await plain.say('STARTTLS'), /^220 /);
  plain.socket.removeAllListeners('data');
  const socket = tlsConnect({ socket: plain.socket, rejectUnauthorized: false });
  const dialogue = new Dialogue(socket);
  await once(socket, 'secureConnect');
  return { socket, dialogue };
}

async function servedName(gateway: RunningGateway): Promise<string> {
  const { socket } = await secured(gateway.port);
  const name = String(socket.getPeerCertificate().subject.CN);
  socket.destroy();
  return name;
}

test('swaks delivers over TLS; the record and Received know it', async () => {
  await using gateway = await startGateway(await files());
  const sent = await swaks(gateway.port, ['--tls', '--from', 'a@example.net', '--to', 'me@example.com']);
  assert.equal(sent.code, 0, sent.stdout.toString());
  const id = /<~ {2}250 2\.0\.0 ok.*\[(\S+)\]/.exec(sent.stdout.toString())?.[1] ?? '';
  const record = await gateway.record(id);
  assert.equal(record.tls?.protocol, 'TLSv1.3');
  assert.match(String((await gateway.maildir())[0]), /^Received: [^\n]*(\n\s[^\n]*)* with ESMTPS/m);
});

test('after STARTTLS all begins anew: HELO is forgotten, STARTTLS is not offered again', async () => {
  await using gateway = await startGateway({ ...(await files()), requirehelo: 'yes\n' });
  const { dialogue } = await secured(gateway.port);
  await using secure = dialogue;
  assert.match(await secure.say('MAIL FROM:<a@example.net>'), /^503 /);
  assert.doesNotMatch(await secure.say('EHLO client.example'), /STARTTLS/);
  assert.match(await secure.say('STARTTLS'), /^503 5\.5\.1 TLS is in use already/);
  assert.match(await secure.envelope(), /^250 /);
  const reply = await secure.message();
  assert.ok((await gateway.record(eventId(reply))).tls);
});

test('commands in the clear behind STARTTLS are refused and never done (CVE-2011-0411)', async () => {
  await using gateway = await startGateway(await files());
  await using client = await greeted(gateway.port);
  await client.say('EHLO client.example');
  client.write('STARTTLS\r\nMAIL FROM:<injected@example.net>\r\nRCPT TO:<me@example.com>\r\n');
  assert.match(await client.reply(), /^503 5\.5\.1 nothing may follow STARTTLS/);
  await client.end();
  assert.equal(client.unread, '');
});

test('without a certificate there is no STARTTLS', async () => {
  await using gateway = await startGateway();
  await using client = await greeted(gateway.port);
  assert.doesNotMatch(await client.say('EHLO client.example'), /STARTTLS/);
  assert.match(await client.say('STARTTLS'), /^502 /);
  assert.match(await client.envelope(), /^250 /);
});

test('a new certificate on the disk is served without a restart; a broken one leaves the old in use', async () => {
  await using gateway = await startGateway(await files('first.example'));
  assert.equal(await servedName(gateway), 'first.example');
  await gateway.write('servercert.pem', await certificate('second.example'));
  await waitFor('the new certificate', async () => (await servedName(gateway)) === 'second.example');

  await gateway.write('servercert.pem', '-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n');
  const refused = await gateway.logged('certificate-refused');
  assert.match(
    String(refused['text']),
    /servercert\.pem: no usable certificate and key: .*the one before it stays/,
  );
  assert.equal(await servedName(gateway), 'second.example');

  await writeFile(join(gateway.control, 'servercert.pem'), await certificate('third.example'));
  await waitFor('the third certificate', async () => (await servedName(gateway)) === 'third.example');
  assert.equal(gateway.log('certificate-refused').length, 1, 'said once, not every second');
});

test('a handshake that fails or never comes ends the session', async () => {
  await using gateway = await startGateway({ ...(await files()), timeoutsmtpd: '1\n' });
  await using broken = await greeted(gateway.port);
  await broken.say('EHLO client.example');
  await broken.say('STARTTLS');
  broken.write('EHLO this is no handshake\r\n');
  await broken.end();
  await using silent = await greeted(gateway.port);
  await silent.say('EHLO client.example');
  await silent.say('STARTTLS');
  await silent.end();
  await using half = await dial(gateway.port);
  await half.say('EHLO client.example');
  await half.say('STARTTLS');
  half.socket.destroy();
  await gateway.stop();
  assert.deepEqual(gateway.program.exit, { code: 0, signal: null });
});
