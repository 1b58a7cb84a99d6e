// Exits 0 when an SMTP server on this machine greets: `node bin/healthcheck.mjs [PORT]`, port 25 by default.
// For a container's HEALTHCHECK; longer than any sane greetdelay, shorter than its --timeout.
import { connect } from 'node:net';
import process from 'node:process';

const TIMEOUT = 8_000;
const socket = connect(Number(process.argv[2] ?? 25), '127.0.0.1');
const end = text => {
  console.error(`healthcheck: ${text}`);
  process.exit(1);
};
setTimeout(end, TIMEOUT, 'no greeting').unref();
socket.on('error', error => end(error.message));
socket.on('close', () => end('closed without a greeting'));
let greeting = '';
socket.setEncoding('latin1').on('data', text => {
  greeting += text;
  if (!greeting.includes('\n')) return;
  if (!greeting.startsWith('220')) end(greeting.trim());
  socket.end('QUIT\r\n', () => process.exit(0));
});
