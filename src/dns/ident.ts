import { connect } from 'node:net';

/** The longest answer that is read (RFC 1413 6: user ids of up to 512 bytes). */
const MAX_ANSWER = 1000;

/**
 * Asks a client's host who owns the connection from its `port` to our `localPort` (RFC 1413). null: no answer within
 * `ms`, an error, or nothing that makes sense. The answer is a byte string without control characters.
 */
export function askIdent(
  ip: string,
  port: number,
  localPort: number,
  ms: number,
  identPort = 113,
): Promise<string | null> {
  return new Promise(resolve => {
    const socket = connect({ host: ip, port: identPort });
    let text = '';
    const done = (answer: string | null) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => done(null), ms);
    socket.setEncoding('latin1');
    socket.once('connect', () => socket.write(`${port} , ${localPort}\r\n`));
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\n') || text.length > MAX_ANSWER) done(identAnswer(text));
    });
    socket.once('error', () => done(null));
    socket.once('end', () => done(identAnswer(text)));
  });
}

/** The user id in `PORT , PORT : USERID : OS : NAME`, or null. */
export function identAnswer(line: string): string | null {
  const match = /^[ \t]*[0-9]+[ \t]*,[ \t]*[0-9]+[ \t]*:[ \t]*USERID[ \t]*:[^:\r\n]*:[ \t]?([^\r\n]*)/i.exec(
    line.slice(0, MAX_ANSWER),
  );
  const name = match?.[1]?.replace(/[\x00-\x1f\x7f]/g, '?') ?? '';
  return name === '' ? null : name;
}
