import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { headerFields } from '../../src/mail/header.ts';
import { forgedTrustHeaders, withoutCuts } from '../../src/mail/trust-headers.ts';
import { temporaryFolder } from '../support/processes.ts';
import { pieces } from '../smtp/splits.ts';
import { bytesOf, storedMessage } from './stored.ts';

const FOLDER = await temporaryFolder();
after(() => FOLDER[Symbol.asyncDispose]());

const US = 'mx.example.com';

/** The names of the fields that would not go on. */
const forged = (text: string) =>
  forgedTrustHeaders(headerFields(Buffer.from(text, 'latin1'), 100), US).map(cut => cut.name);

const CASES: readonly [field: string, ours: boolean][] = [
  ['X-Postern-Tag: a', true],
  ['x-postern-anything : a', true],
  ['X-Posternal: a', false],
  ['Subject: X-Postern-Tag: a', false],
  ['Authentication-Results: mx.example.com; spf=pass', true],
  ['Authentication-Results: MX.Example.COM; spf=pass', true],
  ['Authentication-Results: mx.example.com.; spf=pass', true],
  ['Authentication-Results: mx.example.com 1; spf=pass', true],
  ['Authentication-Results:mx.example.com; none', true],
  ['Authentication-Results:\r\n\tmx.example.com; none', true],
  ['Authentication-Results: (a comment) mx.example.com; none', true],
  ['Authentication-Results: (nested (comment)) mx.example.com; none', true],
  ['Authentication-Results: (with \\) in it) mx.example.com; none', true],
  [`Authentication-Results: ${'(c)'.repeat(50)} mx.example.com; none`, true],
  ['Authentication-Results: mx.example.com(comment); none', true],
  ['Authentication-Results: "mx.example.com"; none', true],
  ['Authentication-Results: "mx.exa\\mple.com"; none', true],
  [`Authentication-Results: ${' '.repeat(2000)}mx.example.com; none`, true],
  ['Authentication-Results: (no end mx.example.com; none', true],
  ['Authentication-Results: ; spf=pass', true],
  ['Authentication-Results: mx.example.net; spf=pass', false],
  ['Authentication-Results: mx.example.com.evil.example; spf=pass', false],
  ['Authentication-Results: (mx.example.com) other.example; none', false],
  ['ARC-Authentication-Results: i=1; mx.example.com; none', false],
];

for (const [field, ours] of CASES) {
  const name = field.length > 90 ? `${field.slice(0, 60)}…` : field;
  test(`${ours ? 'does not go on' : 'goes on'}: ${name.replaceAll('\r\n', '↵')}`, () => {
    assert.equal(forged(`From: a\r\n${field}\r\nTo: b\r\n`).length, ours ? 1 : 0);
  });
}

const FORGED = 'X-Postern-Score: 0\r\n folded\r\n';

test('cut out wherever it stands, in memory and from the spool, in pieces of any size', async () => {
  const fields = ['From: a\r\n', 'To: b\r\n', 'Subject: c\r\n'];
  for (let at = 0; at <= fields.length; at++) {
    for (const twice of [false, true]) {
      const before = fields.slice(0, at).join('');
      const behind = fields.slice(at).join('');
      const text = `${before}${FORGED}${behind}${twice ? FORGED : ''}\r\nbody\r\nX-Postern-Tag: body\r\n`;
      const expected = Buffer.from(`${before}${behind}\r\nbody\r\nX-Postern-Tag: body\r\n`);
      for (const memoryBytes of [0, 1_000_000]) {
        for (const size of [1, 2, 5, 13, 1000, 100_000]) {
          const message = await storedMessage(pieces(Buffer.from(text), [size]), {
            memoryBytes,
            folder: FOLDER.path,
            headerBytes: 65_536,
          });
          const cuts = forgedTrustHeaders(headerFields(message.header, 100), US);
          const clean = await withoutCuts(message, cuts);
          const bytes = await bytesOf(clean);
          assert.equal(bytes.toString(), expected.toString(), `${at} ${memoryBytes} ${size}`);
          assert.equal(clean.size, expected.length);
          assert.equal(clean.lines, expected.toString().split('\r\n').length - 1);
          assert.equal(clean.crc32, crc32(expected));
          assert.equal(clean.header.toString(), before + behind);
          assert.ok((await bytesOf(clean)).equals(expected), 'a second time');
          clean.release();
        }
      }
    }
  }
});

test('a message that is nothing but forged fields', async () => {
  const limits = { memoryBytes: 1000, folder: FOLDER.path, headerBytes: 65_536 };
  const message = await storedMessage([Buffer.from(FORGED)], limits);
  const clean = await withoutCuts(message, forgedTrustHeaders(headerFields(message.header, 100), US));
  assert.equal((await bytesOf(clean)).length, 0);
  assert.deepEqual([clean.size, clean.lines, clean.crc32, clean.header.length], [0, 0, 0, 0]);
});

test('fields that we tell ourselves are cut by their beginnings, and only when we do', () => {
  const header = headerFields(Buffer.from('X-Spam-Flag: NO\r\nX-Spam-Status: No\r\nX-Spammer: 1\r\n'), 100);
  assert.deepEqual(forgedTrustHeaders(header, US), []);
  assert.deepEqual(
    forgedTrustHeaders(header, US, ['x-spam-', 'domainkey-status']).map(cut => cut.name),
    ['x-spam-flag', 'x-spam-status'],
  );
});
