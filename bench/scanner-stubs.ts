import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { eicar, gtube } from '../src/cli/telling-messages.ts';

/** What is refused, and what SpamAssassin needs to call something spam. */
const SCORES = { spam: 20, clean: 1.2, threshold: 5 };

/** As many and as long as SpamAssassin gives for an ordinary message. */
const RULES = ['HTML_MESSAGE', 'MIME_HTML_MOSTLY', 'NO_RELAYS', 'RCVD_NUMERIC_HELO', 'T_SCC_BODY_TEXT_LINE'];

const MAX_HEAD = 1024;

/**
 * Stands in for clamd at the Unix socket `path`: takes INSTREAM and PING (clamd(8), clamd 1.4), and finds nothing but EICAR
 * anywhere in the stream.
 */
export function startClamdStub(path: string): Promise<Server> {
  const virus = Buffer.from(eicar(), 'latin1');
  return listen(path, socket => {
    let heard: Buffer = Buffer.alloc(0);
    let answered = false;
    socket.on('data', (bytes: Buffer) => {
      if (answered) return;
      heard = heard.length === 0 ? bytes : Buffer.concat([heard, bytes]);
      const answer = clamdAnswer(heard, virus);
      if (answer === null) return;
      answered = true;
      socket.end(answer, 'latin1');
    });
  });
}

/**
 * Stands in for spamd at the Unix socket `path`: answers PING at once, and SYMBOLS and HEADERS when the client has shut down
 * its side (SpamAssassin 4.0.1, spamd/PROTOCOL). Every message scores 1.2, one with GTUBE 20.
 */
export function startSpamdStub(path: string): Promise<Server> {
  const spam = Buffer.from(gtube(), 'latin1');
  return listen(path, socket => {
    const heard: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => {
      // A question that is whole without the end of the connection.
      if (heard.push(bytes) === 1 && bytes.toString('latin1', 0, 5) === 'PING ')
        socket.end('SPAMD/1.5 0 PONG\r\n');
    });
    socket.on('end', () => {
      if (!socket.writableEnded) socket.end(spamdAnswer(Buffer.concat(heard), spam), 'latin1');
    });
  });
}

/** Null while there is more to come. */
function clamdAnswer(heard: Buffer, virus: Buffer): string | null {
  const end = heard.indexOf(0);
  if (end < 0) return heard.length > MAX_HEAD ? 'UNKNOWN COMMAND\0' : null;
  const command = heard.toString('latin1', 0, end);
  if (command === 'zPING') return 'PONG\0';
  if (command !== 'zINSTREAM') return 'UNKNOWN COMMAND\0';
  const chunks: Buffer[] = [];
  let at = end + 1;
  while (at + 4 <= heard.length) {
    const length = heard.readUInt32BE(at);
    at += 4;
    if (length === 0)
      return Buffer.concat(chunks).includes(virus) ? 'stream: Eicar-Test.UNOFFICIAL FOUND\0' : 'stream: OK\0';
    chunks.push(heard.subarray(at, at + length));
    at += length;
  }
  return null;
}

function spamdAnswer(heard: Buffer, spam: Buffer): string {
  const end = heard.indexOf('\r\n\r\n');
  const verb = heard.toString('latin1', 0, heard.indexOf(' '));
  if (end < 0 || (verb !== 'SYMBOLS' && verb !== 'HEADERS')) return 'SPAMD/1.0 76 Bad header line\r\n';
  const message = heard.subarray(end + 4);
  const found = message.includes(spam);
  const body = verb === 'SYMBOLS' ? RULES.join() : markedHeader(message, found);
  const verdict = `${found ? 'True' : 'False'} ; ${scoreOf(found)} / ${SCORES.threshold.toFixed(1)}`;
  return `SPAMD/1.1 0 EX_OK\r\nContent-length: ${body.length}\r\nSpam: ${verdict}\r\n\r\n${body}`;
}

/** The header block with the fields that SpamAssassin puts on top of it (`report_safe 0`). */
function markedHeader(message: Buffer, found: boolean): string {
  const score = scoreOf(found);
  const fields = [
    'X-Spam-Checker-Version: SpamAssassin 4.0.1 (2024-03-25) on bench.example',
    ...(found ? ['X-Spam-Flag: YES'] : []),
    `X-Spam-Level: ${'*'.repeat(Number.parseInt(score, 10))}`,
    `X-Spam-Status: ${found ? 'Yes' : 'No'}, score=${score} required=${SCORES.threshold.toFixed(1)}`,
    `\ttests=${RULES.join()}`,
    '\tautolearn=disabled version=4.0.1',
  ];
  return `${fields.join('\r\n')}\r\n${message.toString('latin1', 0, message.indexOf('\r\n\r\n') + 4)}`;
}

function scoreOf(found: boolean): string {
  return (found ? SCORES.spam : SCORES.clean).toFixed(1);
}

function listen(path: string, serve: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => socket.destroy());
    serve(socket);
  });
  return new Promise((listening, failed) => {
    server.once('error', failed).listen(path, () => listening(server));
  });
}

// A program of its own, so that its cost is nobody's: node bench/scanner-stubs.ts CLAMD-SOCKET SPAMD-SOCKET
if (import.meta.main) {
  const [clamd = '', spamd = ''] = process.argv.slice(2);
  await startClamdStub(clamd);
  await startSpamdStub(spamd);
}
