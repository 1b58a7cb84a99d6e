import assert from 'node:assert/strict';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startClamdStub, startSpamdStub } from '../../bench/scanner-stubs.ts';
import { eicar, gtube, plainMessage } from '../../src/cli/telling-messages.ts';
import { createClamd } from '../../src/scanners/clamd.ts';
import { createSpamd } from '../../src/scanners/spamd.ts';
import { temporaryFolder } from '../support/processes.ts';
import { exchange } from '../../src/scanners/stream-client.ts';

const folder = await temporaryFolder();
const clamdPath = join(folder.path, 'clamd');
const spamdPath = join(folder.path, 'spamd');
const clamd = createClamd({ addresses: [{ kind: 'unix', path: clamdPath }] });
const spamd = createSpamd({ addresses: [{ kind: 'unix', path: spamdPath }] });
let servers: readonly Server[] = [];

before(async () => {
  servers = [await startClamdStub(clamdPath), await startSpamdStub(spamdPath)];
});

after(async () => {
  clamd.close();
  spamd.close();
  for (const server of servers) await new Promise(closed => server.close(closed));
  await folder[Symbol.asyncDispose]();
});

/** In pieces of a few bytes, so that the test strings are cut in the middle. */
function inPieces(message: Buffer, bytes = 11): Parameters<typeof clamd.scan>[0] {
  return {
    size: message.length,
    *chunks() {
      for (let at = 0; at < message.length; at += bytes) yield message.subarray(at, at + bytes);
    },
  };
}

test('the stub of clamd finds EICAR and nothing else, however the stream is cut', async () => {
  assert.equal(await clamd.ping(), null);
  const clean = await clamd.scan(inPieces(plainMessage('hello', 'a\0b')));
  assert.equal(clean.kind, 'clean');
  const found = await clamd.scan(inPieces(plainMessage('hello', eicar())));
  assert.equal(found.kind === 'infected' && found.name, 'Eicar-Test.UNOFFICIAL');
});

test('the stub of spamd scores GTUBE 20 and everything else 1.2', async () => {
  assert.equal((await spamd.ping()).kind, 'alive');
  const ham = await spamd.score(inPieces(plainMessage('hello', 'text')), { user: null });
  assert.ok(ham.kind === 'scored');
  assert.deepEqual([ham.spam, ham.score, ham.threshold, ham.rules.length], [false, 1.2, 5, 5]);
  const spam = await spamd.score(inPieces(plainMessage('hello', gtube())), { user: null });
  assert.ok(spam.kind === 'scored');
  assert.deepEqual([spam.spam, spam.score], [true, 20]);
});

test('HEADERS, as Haraka asks, is answered with the header block and the fields of SpamAssassin on top', async () => {
  const ask = async (text: string): Promise<string> => {
    const request = [Buffer.from('HEADERS SPAMC/1.4\r\nUser: default\r\n\r\n'), plainMessage('hello', text)];
    const answer = await exchange([request], {
      address: { kind: 'unix', path: spamdPath },
      connectMs: 5000,
      timeoutMs: 5000,
      maxAnswer: 10_000,
      halfClose: true,
    });
    return answer.kind === 'answer' ? answer.bytes.toString('latin1') : answer.why;
  };
  const ham = await ask('text');
  assert.match(
    ham,
    /^SPAMD\/1\.1 0 EX_OK\r\nContent-length: (\d+)\r\nSpam: False ; 1\.2 \/ 5\.0\r\n\r\nX-Spam-/,
  );
  assert.match(ham, /\r\nX-Spam-Level: \*\r\nX-Spam-Status: No, score=1\.2 required=5\.0\r\n\ttests=/);
  assert.ok(ham.endsWith('us-ascii\r\n\r\n'), 'the message without its body');
  const length = Number(/Content-length: (\d+)/.exec(ham)?.[1]);
  assert.equal(ham.length - ham.indexOf('\r\n\r\n') - 4, length);
  const spam = await ask(gtube());
  assert.match(spam, /\r\nSpam: True ; 20\.0 \/ 5\.0\r\n/);
  assert.match(spam, /\r\nX-Spam-Flag: YES\r\n/);
});
