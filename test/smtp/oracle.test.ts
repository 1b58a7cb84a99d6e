import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import { SMTPServer } from 'smtp-server';
import { DataReader } from '../../src/smtp/data-reader.ts';
import { parsePath } from '../../src/smtp/path.ts';
import { Dialogue } from './dialogue.ts';
import { pieceLengths, pieces } from './splits.ts';

/** smtp-server as it is right: no bare line ends (it repairs them), no quoted local parts, no 8-bit addresses. */
interface Oracle {
  readonly client: Dialogue;
  /** The address of the last MAIL that it accepted. */
  sender: string | null;
  /** The message it got last, dots taken out. */
  message: Buffer;
}

async function oracle(t: TestContext): Promise<Oracle> {
  const seen: { sender: string | null; message: Buffer } = { sender: null, message: Buffer.alloc(0) };
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    maxClients: 10,
    onMailFrom(address, _, done) {
      seen.sender = address.address;
      done();
    },
    onData(stream, _, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        seen.message = Buffer.concat(chunks);
        done();
      });
    },
  });
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const client = await Dialogue.open((server.server.address() as AddressInfo).port);
  t.after(() => {
    // The server waits half a minute for clients that are still there.
    client.destroy();
    return new Promise<void>(resolve => server.close(() => resolve()));
  });
  await client.reply();
  await client.ask('EHLO client.example');
  return Object.assign(seen, { client });
}

test('ordinary addresses are read alike', async t => {
  const peer = await oracle(t);
  const atom = fc.stringMatching(/^[a-zA-Z0-9!#$&'*+/=?^_`{|}~-]{1,12}$/);
  const label = fc.stringMatching(/^[a-z0-9]{1,10}$/);
  const addresses = fc
    .tuple(fc.array(atom, { minLength: 1, maxLength: 3 }), fc.array(label, { minLength: 2, maxLength: 3 }))
    .map(([local, domain]) => `${local.join('.')}@${domain.join('.')}`);
  const framed = fc.constantFrom('<A>', ' <A>', '<A> SIZE=100', '<A> BODY=8BITMIME');
  await fc.assert(
    fc.asyncProperty(addresses, framed, async (address, frame) => {
      const argument = `FROM:${frame.replace('A', () => address)}`;
      const answer = await peer.client.ask(`MAIL ${argument}`);
      assert.match(answer, /^250/, argument);
      await peer.client.ask('RSET');
      const ours = parsePath(argument, 'FROM');
      assert.equal(ours.kind === 'ok' && ours.address?.text, peer.sender);
    }),
    { numRuns: 100 },
  );
});

test('both refuse what is no address', async t => {
  const peer = await oracle(t);
  for (const argument of [
    'FROM:',
    'FROM',
    'FOO:<a@example.com>',
    'FROM:<a b@example.com>',
    'FROM:<a@example.com',
  ]) {
    assert.match(await peer.client.ask(`MAIL ${argument}`), /^5/, argument);
    assert.equal(parsePath(argument, 'FROM').kind, 'bad', argument);
  }
});

test('random messages lose the same dots', async t => {
  const peer = await oracle(t);
  const part = fc.constantFrom('.', '..', 'a', ' ', '\xe9', '.a', 'Subject: x');
  const lines = fc.array(
    fc.array(part, { maxLength: 4 }).map(parts => parts.join('')),
    { minLength: 1, maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(lines, pieceLengths, async (text, lengths) => {
      // Stuffed as it should be: a dot in front of text that nobody has stuffed stays with smtp-server (RFC 5321 4.5.2
      // has it removed).
      const stuffed = text.map(line => `${line.startsWith('.') ? '.' : ''}${line}\r\n`).join('');
      const wire = Buffer.from(`${stuffed}.\r\n`, 'latin1');
      await peer.client.ask('MAIL FROM:<a@example.net>');
      await peer.client.ask('RCPT TO:<b@example.com>');
      await peer.client.ask('DATA');
      peer.client.write(wire.toString('latin1'));
      assert.match((await peer.client.reply()).join(), /^250/);
      const reader = new DataReader();
      const ours = Buffer.concat(pieces(wire, lengths).map(piece => Buffer.from(reader.push(piece).body)));
      assert.equal(ours.toString('latin1'), peer.message.toString('latin1'));
    }),
    { numRuns: 100 },
  );
});
