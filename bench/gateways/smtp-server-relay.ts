import type { Transform } from 'node:stream';
import { Transform as TransformStream } from 'node:stream';
import { SMTPServer } from 'smtp-server';
import type { SMTPServerDataStream } from 'smtp-server';
import { ClientConnection } from '../client.ts';

// Usage: smtp-server-relay.ts LISTEN-PORT SINK-PORT
const [listenPort = 0, sinkPort = 0] = process.argv.slice(2).map(Number);

/** Connections to the sink that wait for their next message. */
const idle: ClientConnection[] = [];

async function upstream(): Promise<ClientConnection> {
  for (let kept = idle.pop(); kept; kept = idle.pop()) if (!kept.ended) return kept;
  const connection = new ClientConnection({ host: '127.0.0.1', port: sinkPort }, 60_000);
  await connection.reply();
  connection.send('EHLO bench.example\r\n');
  await connection.reply();
  return connection;
}

async function relay(
  stream: SMTPServerDataStream,
  sender: string,
  recipients: readonly string[],
): Promise<void> {
  const connection = await upstream();
  const commands = [`MAIL FROM:<${sender}>`, ...recipients.map(address => `RCPT TO:<${address}>`), 'DATA'];
  connection.send(`${commands.join('\r\n')}\r\n`);
  for (const _ of commands) await connection.reply();
  for await (const bytes of stream.pipe(dotStuffing())) connection.send(bytes as Buffer);
  connection.send('.\r\n');
  const reply = await connection.reply();
  if (reply.code !== 250) throw new Error(reply.text);
  idle.push(connection);
}

/** Doubles a dot at the beginning of a line (RFC 5321 4.5.2). */
function dotStuffing(): Transform {
  let atLineStart = true;
  return new TransformStream({
    transform(bytes: Buffer, _encoding, done) {
      let from = 0;
      if (atLineStart && bytes[0] === 0x2e) this.push('.');
      for (let at = bytes.indexOf('\n.'); at >= 0; at = bytes.indexOf('\n.', at + 2)) {
        this.push(bytes.subarray(from, at + 2));
        from = at + 1;
      }
      this.push(bytes.subarray(from));
      atLineStart = bytes.at(-1) === 0x0a;
      done();
    },
  });
}

const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ['AUTH', 'STARTTLS'],
  disableReverseLookup: true,
  size: 50 * 1024 * 1024,
  onData(stream, session, done) {
    const sender = session.envelope.mailFrom ? session.envelope.mailFrom.address : '';
    const recipients = session.envelope.rcptTo.map(({ address }) => address);
    relay(stream, sender, recipients).then(
      () => done(),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    );
  },
});
server.on('error', error => console.error(error));
server.listen(listenPort, '127.0.0.1');
process.once('SIGTERM', () => process.exit(0));
