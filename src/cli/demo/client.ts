import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { DemoLetter } from './letters.ts';

/** The gateway waits for scanners; longer than this they are not waited for. Milliseconds. */
const PATIENCE_MS = 150_000;

/**
 * Brings one message to the gateway at `port` of this host, behind a PROXY header that says which client it comes from. Resolves to the
 * last answer, its lines joined by LF: to the final dot, or to the command that was refused. Rejects when the connection breaks, and
 * when `signal` says so.
 */
export async function deliver(port: number, letter: DemoLetter, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, signal });
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('the gateway does not answer')));
  try {
    await once(socket, 'connect');
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    const said = async (): Promise<string> => {
      const reply: string[] = [];
      for (;;) {
        const { value, done } = await lines.next();
        if (done === true) throw new Error('the gateway has closed the connection');
        reply.push(value);
        if (!/^\d{3}-/.test(value)) return reply.join('\n');
      }
    };
    socket.write(`PROXY TCP4 ${letter.client} 192.0.2.1 40000 25\r\n`);
    let reply = await said();
    for (const command of [
      `EHLO ${letter.helo}`,
      `MAIL FROM:<${letter.sender}>`,
      `RCPT TO:<${letter.recipient}>`,
      'DATA',
    ]) {
      if (/^[45]/.test(reply)) return reply;
      socket.write(`${command}\r\n`);
      reply = await said();
    }
    if (!reply.startsWith('3')) return reply;
    // Dots are stuffed (RFC 5321 4.5.2).
    socket.write(letter.message.toString('latin1').replace(/^\./gm, '..'), 'latin1');
    socket.write('.\r\n');
    reply = await said();
    socket.end('QUIT\r\n');
    return reply;
  } finally {
    socket.destroy();
  }
}
