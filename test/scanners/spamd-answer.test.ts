import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  readSpamdPong,
  readSpamdTold,
  readSpamdVerdict,
  spamdRules,
} from '../../src/scanners/spamd-answer.ts';
import type { SpamdScanVerb } from '../../src/scanners/spamd-request.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Answer of spamd 4.0.1, `spam score threshold | body`. */
const VERDICTS: readonly [SpamdScanVerb, string, string][] = [
  ['CHECK', 'SPAMD/1.1 0 EX_OK\r\nSpam: True ; 1000.0 / 5.0\r\n\r\n', 'true 1000 5 | '],
  ['CHECK', 'SPAMD/1.1 0 EX_OK\r\nSpam: False ; -1.9 / 5.0\r\n\r\n', 'false -1.9 5 | '],
  ['CHECK', 'SPAMD/1.1 0 EX_OK\r\nSpam: False ; -0.0 / -3.0\r\n\r\n', 'false 0 -3 | '],
  // Versions, letter case, blanks, LF alone, order: whatever else speaks the protocol.
  ['CHECK', 'SPAMD/1.5 0 EX_OK\nspam: yes;15/5\nX-Other: 1\n\n', 'true 15 5 | '],
  ['CHECK', 'SPAMD/1.0 0 \r\nSpam: No ; 0.1 / 5.0\r\n\r\n\r\n', 'false 0.1 5 | '],
  [
    'SYMBOLS',
    'SPAMD/1.1 0 EX_OK\r\nContent-length: 3\r\nSpam: True ; 15.0 / 5.0\r\n\r\nA,B',
    'true 15 5 | A,B',
  ],
  ['SYMBOLS', 'SPAMD/1.1 0 EX_OK\r\nContent-length: 0\r\nSpam: False ; 0.0 / 5.0\r\n\r\n', 'false 0 5 | '],
  [
    'REPORT',
    'SPAMD/1.1 0 EX_OK\r\nSpam: True ; 5.0 / 5.0\r\nContent-length: 4\r\n\r\n\r\n\r\n',
    'true 5 5 | \r\n\r\n',
  ],
];

test('verdicts', () => {
  for (const [verb, answer, wanted] of VERDICTS) {
    const read = readSpamdVerdict(bytes(answer), verb);
    assert.equal(read.kind, 'scored', JSON.stringify([answer, read]));
    if (read.kind !== 'scored') continue;
    assert.equal(`${read.spam} ${read.score} ${read.threshold} | ${read.body.toString('latin1')}`, wanted);
    assert.ok(!Object.is(read.score, -0));
  }
});

test('an answer that is cut anywhere is no verdict', () => {
  for (const [verb, answer] of VERDICTS) {
    // What CHECK and an LF alone may leave out at the end.
    const whole = verb === 'CHECK' ? answer.replace(/(\r?\n\r?\n)\r\n$/, '$1') : answer;
    for (let length = 0; length < whole.length; length++) {
      const read = readSpamdVerdict(bytes(whole.slice(0, length)), verb);
      assert.equal(
        read.kind === 'error' && read.fault,
        'cut',
        JSON.stringify([whole.slice(0, length), read]),
      );
    }
  }
});

const OK = 'SPAMD/1.1 0 EX_OK\r\n';
const SPAM = 'Spam: True ; 15.0 / 5.0\r\n';

const FAULTS: readonly [SpamdScanVerb, string, string, RegExp][] = [
  ['SYMBOLS', '', 'cut', /without an answer/],
  ['SYMBOLS', `${OK}${SPAM}\r\nA,B`, 'cut', /without Content-length/],
  ['SYMBOLS', `${OK}Content-length: 4\r\n${SPAM}\r\nA,B`, 'cut', /1 bytes .* missing/],
  ['SYMBOLS', `${OK}Content-length: 2\r\n${SPAM}\r\nA,B`, 'garbage', /1 bytes more/],
  ['SYMBOLS', `${OK}Content-length: -3\r\n${SPAM}\r\nA,B`, 'garbage', /Content-length: -3/],
  ['SYMBOLS', `${OK}Content-length: 0x3\r\n${SPAM}\r\nA,B`, 'garbage', /Content-length/],
  ['SYMBOLS', `${OK}Content-length: 3\r\ncontent-LENGTH: 3\r\n${SPAM}\r\nA,B`, 'garbage', /two headers/],
  ['SYMBOLS', `${OK}Content-length: 3\r\n\r\nA,B`, 'garbage', /without a Spam header/],
  ['CHECK', `${OK}${SPAM}\r\nSPAMD/1.1 0 EX_OK`, 'garbage', /too many/],
  ['CHECK', `${OK}Spam True\r\n\r\n`, 'garbage', /header line "Spam True"/],
  ...[
    'Maybe ; 1 / 5',
    'True ; nan / 5',
    'True ; 1',
    'True',
    'True ; 1e5 / 5',
    'True ; 1. / 5',
    'True ; 1 / 5 / 6',
  ].map((value): [SpamdScanVerb, string, string, RegExp] => [
    'CHECK',
    `${OK}Spam: ${value}\r\n\r\n`,
    'garbage',
    /answered "Spam: /,
  ]),
  [
    'CHECK',
    'SPAMD/1.0 76 Bad header line: FOO SPAMC/1.2\r\n',
    'failed',
    /^said 76 Bad header line: FOO SPAMC\/1\.2$/,
  ],
  ['CHECK', 'SPAMD/1.0 79 Timeout: (30 second timeout)\r\n', 'failed', /79 Timeout/],
  ['CHECK', 'SPAMD/1.0 75 EX_TEMPFAIL\r\n\r\nwhatever', 'failed', /75/],
  ['CHECK', 'SPAMD/1.0 070 EX_SOFTWARE\r\n', 'failed', /70/],
  ['CHECK', 'SPAMD/1.0 64 \x1b[2J\xff\r\n', 'failed', /^said 64 \?\[2J\?$/],
  ['CHECK', '220 mail.example.com ESMTP\r\n', 'garbage', /no spamd: .*220 mail/],
  ['CHECK', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'garbage', /no spamd/],
  ['CHECK', 'SPAMD/1.1 0\r\n\r\n', 'garbage', /Spam header/],
  ['CHECK', 'SPAMD/1.1 -1 EX\r\n', 'garbage', /no spamd/],
  ['CHECK', 'SPAMD/1.1 EX_OK\r\n', 'garbage', /no spamd/],
  ['CHECK', 'x'.repeat(5000), 'garbage', /endless/],
  ['CHECK', `SPAMD/1.1 0 ${'x'.repeat(5000)}`, 'garbage', /endless/],
  ['CHECK', `${OK}X: ${'x'.repeat(5000)}\r\n`, 'garbage', /endless/],
  [
    'CHECK',
    `${OK}${Array.from({ length: 3000 }, (_, n) => `X${n}: 1\r\n`).join('')}${SPAM}\r\n`,
    'garbage',
    /endless/,
  ],
];

test('faults', () => {
  for (const [verb, answer, fault, why] of FAULTS) {
    const read = readSpamdVerdict(bytes(answer), verb);
    assert.equal(read.kind === 'error' && read.fault, fault, JSON.stringify([answer.slice(0, 100), read]));
    if (read.kind === 'error') assert.match(read.why, why);
  }
});

test('any bytes are read without an exception, and what is said of them can be printed', () => {
  const piece = fc.constantFrom(
    'SPAMD/1.1 0 EX_OK',
    'Content-length: ',
    'Spam: True ; 1 / 5',
    '\r\n',
    '\n',
    ':',
    '3',
    'ABC',
    '\xff\0',
  );
  const anything = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 20 }).map(pieces => pieces.join('')),
  );
  fc.assert(
    fc.property(anything, text => {
      for (const read of [
        readSpamdVerdict(bytes(text), 'CHECK'),
        readSpamdVerdict(bytes(text), 'SYMBOLS'),
        readSpamdTold(bytes(text)),
        readSpamdPong(bytes(text)),
      ])
        if (read !== null && read.kind === 'error') assert.match(read.why, /^[ -~]+$/);
    }),
  );
});

test('scores of any size and sign come through as spamd prints them', () => {
  const tenths = fc.integer({ min: -99_999, max: 99_999 }).map(n => n / 10);
  fc.assert(
    fc.property(fc.boolean(), tenths, tenths, fc.string(), (spam, score, threshold, body) => {
      const value = `${spam ? 'True' : 'False'} ; ${score.toFixed(1)} / ${threshold.toFixed(1)}`;
      const answer = Buffer.concat([
        bytes(`${OK}Content-length: ${Buffer.byteLength(body)}\r\nSpam: ${value}\r\n\r\n`),
        Buffer.from(body),
      ]);
      assert.deepEqual(readSpamdVerdict(answer, 'REPORT'), {
        kind: 'scored',
        spam,
        score: score + 0,
        threshold: threshold + 0,
        body: Buffer.from(body),
      });
    }),
  );
});

test('the rules, the last one too', () => {
  const rules = (text: string) => spamdRules(bytes(text));
  assert.deepEqual(rules('GTUBE,MSGID_SHORT,NO_RECEIVED'), ['GTUBE', 'MSGID_SHORT', 'NO_RECEIVED']);
  assert.deepEqual(rules('GTUBE\r\n'), ['GTUBE']);
  assert.deepEqual(rules(''), []);
  assert.deepEqual(rules('\r\n'), []);
  assert.deepEqual(rules('A, B'), ['A', 'B']);
  for (const none of ['A,,B', 'A B', 'A\nB', 'A\xff', `A,${'x'.repeat(300)}`, ','])
    assert.equal(rules(none), null, none);
});

test('what TELL has done', () => {
  const told = (text: string) => readSpamdTold(bytes(text));
  assert.deepEqual(told(`${OK}DidSet: local\r\n\r\n\r\n`), { kind: 'told', set: ['local'], removed: [] });
  assert.deepEqual(told(`${OK}DidSet: local,remote\r\nDidRemove: remote\r\n\r\n`), {
    kind: 'told',
    set: ['local', 'remote'],
    removed: ['remote'],
  });
  assert.deepEqual(told(`${OK}\r\n\r\n`), { kind: 'told', set: [], removed: [] });
  const cut = told(`${OK}DidSet: local\r\n`);
  assert.equal(cut.kind === 'error' && cut.fault, 'cut');
  const off = told(
    'SPAMD/1.0 69 Service Unavailable: TELL commands are not enabled, set the --allow-tell switch.\r\n',
  );
  assert.equal(off.kind === 'error' && off.fault, 'failed');
  assert.match(off.kind === 'error' ? off.why : '', /\(start spamd with --allow-tell\)$/);
});

test('a pong, and what is none', () => {
  assert.equal(readSpamdPong(bytes('SPAMD/1.5 0 PONG\r\n')), null);
  assert.equal(readSpamdPong(bytes('SPAMD/1.5 0 PONG'))?.fault, 'cut');
  assert.equal(readSpamdPong(bytes('SPAMD/1.5 0 EX_OK\r\n'))?.fault, 'garbage');
  assert.equal(readSpamdPong(bytes('SPAMD/1.0 76 Bad header line\r\n'))?.fault, 'failed');
});
