import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readInstreamReply } from '../../src/scanners/clamd-reply.ts';
import type { Answer } from '../../src/scanners/stream-client.ts';

const answer = (text: string, sentAll = true): Answer => ({
  kind: 'answer',
  bytes: Buffer.from(text, 'latin1'),
  sentAll,
  broken: false,
});

const CASES: readonly [string, string][] = [
  ['stream: OK\0', 'clean'],
  ['stream: Eicar-Test.UNOFFICIAL FOUND\0', 'infected Eicar-Test.UNOFFICIAL'],
  // ExtendedDetectionInfo.
  [
    'stream: Eicar-Test(44d88612fea8a8f36de82e1278abb02f:68) FOUND\0',
    'infected Eicar-Test(44d88612fea8a8f36de82e1278abb02f:68)',
  ],
  ['stream: A FOUND FOUND\0', 'infected A FOUND'],
  ['stream: \x1b[2J\xff\\ FOUND\0', 'infected \\x1b[2J\\xff\\x5c'],
  ['INSTREAM size limit exceeded. ERROR\0', 'limit'],
  ['COMMAND READ TIMED OUT\n', 'timeout'],
  ["stream: Can't allocate memory ERROR\0", 'failed'],
  ['stream: Heuristics.Something ERROR\0', 'failed'],
  ['UNKNOWN COMMAND\0', 'garbage'],
  ['stream: OK', 'cut'],
  ['stream: ', 'cut'],
  ['COMMAND READ TIMED OUT', 'cut'],
  ['stream: OK\n', 'garbage'],
  ['stream: OK\n\0', 'garbage'],
  ['\nstream: OK\0', 'garbage'],
  ['stream: OK\0stream: OK\0', 'garbage'],
  ['stream: OK\0\0', 'garbage'],
  ['\0', 'garbage'],
  ['stream:  FOUND\0', 'garbage'],
  ['stream: OK \0', 'garbage'],
  ['Stream: OK\0', 'garbage'],
  ['1: stream: OK\0', 'garbage'],
  ['stream: ok\0', 'garbage'],
  ['HTTP/1.1 400 Bad Request\r\n\r\n\0', 'garbage'],
];

test('what clamd says', () => {
  for (const [text, expected] of CASES) {
    const verdict = readInstreamReply(answer(text));
    const told =
      verdict.kind === 'error'
        ? verdict.fault
        : verdict.kind === 'infected'
          ? `infected ${verdict.name}`
          : verdict.kind;
    assert.equal(told, expected, JSON.stringify(text));
  }
});

test('what it says before it has the whole message may be bad news only', () => {
  const early = readInstreamReply(answer('stream: OK\0', false));
  assert.equal(early.kind === 'error' && early.fault, 'garbage');
  assert.equal(readInstreamReply(answer('stream: X FOUND\0', false)).kind, 'infected');
});

test('nothing but one answer is clean, and whatever is shown is short and printable', () => {
  const part = fc.oneof(
    fc.constantFrom('stream: ', 'OK', ' FOUND', ' ERROR', '\0', '\n', 'Eicar', ' '),
    fc.string({ unit: fc.integer({ min: 0, max: 255 }).map(n => String.fromCharCode(n)), maxLength: 300 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), fc.boolean(), (parts, sentAll) => {
      const text = parts.join('');
      const verdict = readInstreamReply(answer(text, sentAll));
      assert.equal(verdict.kind === 'clean', text === 'stream: OK\0' && sentAll);
      const shown = verdict.kind === 'infected' ? verdict.name : verdict.kind === 'error' ? verdict.why : '';
      assert.match(shown, /^[ -~]{0,300}$/);
      if (verdict.kind === 'infected') assert.ok(text.endsWith(' FOUND\0'));
    }),
    { numRuns: 2000 },
  );
});
