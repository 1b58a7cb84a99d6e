import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readRspamdLearned, readRspamdVerdict } from '../../src/scanners/rspamd-answer.ts';

/** As rspamd 3.4 answers to GTUBE. */
const GOOD = {
  is_skipped: true,
  score: 15.0,
  required_score: 15.0,
  action: 'reject',
  symbols: { GTUBE: { name: 'GTUBE', score: 0.0, metric_score: 0.0 }, B: { name: 'B', score: 1 } },
  messages: { smtp_message: 'Gtube pattern' },
};

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const read = (change: Readonly<Record<string, unknown>> = {}) =>
  readRspamdVerdict(200, json({ ...GOOD, ...change }));

test('a verdict', () => {
  assert.deepEqual(read(), {
    kind: 'scored',
    spam: true,
    score: 15,
    threshold: 15,
    action: 'reject',
    rules: ['GTUBE', 'B'],
  });
});

test('spam is what rspamd would refuse', () => {
  const cases: readonly [string, number, boolean][] = [
    ['reject', 15, true],
    // Made so by a rule of the site, whatever the score.
    ['reject', -3, true],
    ['no action', 15, true],
    ['add header', 14.9, false],
    ['rewrite subject', 7, false],
    ['soft reject', 1, false],
    ['greylist', 4, false],
    ['no action', -7.25, false],
  ];
  for (const [action, score, spam] of cases) {
    const verdict = read({ action, score, is_skipped: false });
    assert.deepEqual(verdict.kind === 'scored' && [verdict.action, verdict.score, verdict.spam], [
      action,
      score,
      spam,
    ]);
  }
});

test('what its settings keep from it is skipped', () => {
  assert.equal(read({ action: 'no action', score: 0, symbols: {} }).kind, 'skipped');
});

test('every field is looked at', () => {
  const changes: readonly Readonly<Record<string, unknown>>[] = [
    ...[undefined, null, '15', {}, 1e300].map(score => ({ score })),
    ...[undefined, null, '15', [], -1e10].map(required_score => ({ required_score })),
    ...[undefined, null, '', 1, {}].map(action => ({ action })),
    ...[undefined, null, [], 'A', { A: 1 }, { A: null }, { A: [] }].map(symbols => ({ symbols })),
    { symbols: Object.fromEntries(Array.from({ length: 5001 }, (_, n) => [`S${n}`, {}])) },
  ];
  for (const change of changes) {
    const outcome = read(change);
    assert.equal(
      outcome.kind === 'error' && outcome.fault,
      'garbage',
      JSON.stringify([change, outcome]).slice(0, 300),
    );
  }
});

test('names that cannot be printed are made so', () => {
  const outcome = read({ action: 'odd\naction', symbols: { 'A B\x1b\u20ac': {}, ['x'.repeat(500)]: {} } });
  assert.deepEqual(outcome.kind === 'scored' && [outcome.action, outcome.rules], [
    'odd?action',
    ['A?B??', 'x'.repeat(200)],
  ]);
});

test('no JSON, cut JSON, deep JSON', () => {
  const whole = json(GOOD);
  for (let length = 0; length < whole.length; length++)
    assert.equal(readRspamdVerdict(200, whole.subarray(0, length)).kind, 'error');
  const odd = [
    '',
    'null',
    '[]',
    '1',
    '"x"',
    '<html>',
    '['.repeat(500_000),
    `${'{"a":'.repeat(100_000)}1`,
    '\xff',
  ];
  for (const body of odd) {
    const outcome = readRspamdVerdict(200, Buffer.from(body, 'latin1'));
    assert.equal(outcome.kind === 'error' && outcome.fault, 'garbage');
    assert.match(outcome.kind === 'error' ? outcome.why : '', /^[ -~]{1,260}$/);
  }
});

test('other statuses', () => {
  const cases: readonly [number, unknown, string, RegExp][] = [
    [500, { error: 'invalid command' }, 'failed', /^said 500 invalid command$/],
    [503, '<html>', 'failed', /^said 503$/],
    [204, {}, 'failed', /204/],
    [301, GOOD, 'failed', /301/],
    [404, GOOD, 'failed', /404/],
    [401, { error: 'Unauthorized' }, 'failed', /401 Unauthorized .*password/],
    [403, {}, 'failed', /403 .*password/],
    [413, { error: 'too\r\nlarge' }, 'limit', /^said 413 too\?\?large$/],
  ];
  for (const [status, body, fault, why] of cases) {
    const outcome = readRspamdVerdict(status, json(body));
    assert.equal(outcome.kind === 'error' && outcome.fault, fault);
    assert.match(outcome.kind === 'error' ? outcome.why : '', why);
  }
});

test('what was learned', () => {
  const known = { error: '<x@y> has been already learned as spam, ignore it' };
  const cases: readonly [number, unknown, string][] = [
    [200, { success: true }, 'learned'],
    [200, { success: false }, 'error'],
    [200, {}, 'error'],
    [200, 'x', 'error'],
    // 3.4, and later ones.
    [404, known, 'already known'],
    [208, known, 'already known'],
    [404, { error: 'not found' }, 'error'],
    [200, known, 'error'],
    [500, known, 'error'],
    [204, {}, 'error'],
    [400, { error: 'Empty body is not permitted' }, 'error'],
    [401, { error: 'Unauthorized' }, 'error'],
  ];
  for (const [status, body, kind] of cases)
    assert.equal(readRspamdLearned(status, json(body)).kind, kind, `${status} ${JSON.stringify(body)}`);
});

test('any bytes are read without an exception', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map(text => Buffer.from(text)),
      ),
      fc.integer(),
      (bytes, status) => {
        for (const outcome of [
          readRspamdVerdict(status, Buffer.from(bytes)),
          readRspamdLearned(status, Buffer.from(bytes)),
        ])
          if (outcome.kind === 'error') assert.match(outcome.why, /^[ -~]+$/);
      },
    ),
  );
});
