import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { listening } from './listening.ts';

/** Sends all of it, hangs up, and listens to the end: what `printf … | nc -N` does. */
function sendAll(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true }, () =>
      socket.end(text, 'latin1'),
    );
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      heard += chunk;
    });
    socket.on('error', reject);
    socket.on('end', () => resolve(heard));
  });
}

test('a client that hangs up after its last command hears every answer', async t => {
  const { port } = await listening(t, { control: { rcpthosts: 'example.com\n' } });
  const heard = await sendAll(
    port,
    'HELO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<u@example.com>\r\nRCPT TO:<u@else.example>\r\n',
  );
  assert.deepEqual(
    heard.split('\r\n').map(line => line.slice(0, 3)),
    ['220', '250', '250', '250', '553', ''],
  );
});

test('one that hangs up within a message has sent none', async t => {
  const { port, records } = await listening(t, { control: { rcpthosts: 'example.com\n' } });
  const heard = await sendAll(
    port,
    'HELO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<u@example.com>\r\nDATA\r\nSubject: half\r\n',
  );
  assert.match(heard, /\r\n354 [^\r]*\r\n$/);
  assert.deepEqual(records, []);
});
