import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordedFinding } from '../../../src/model/finding.ts';
import type { RecipientOutcome, VerdictRecord } from '../../../src/model/record.ts';
import type { ScannerState } from '../../../src/model/scan.ts';
import { ScannerHealth } from '../../../src/cli/serve/scanner-health.ts';
import { sampleRecord } from '../../store/sample-record.ts';

const FAULT = { fault: 'refused', why: 'no connection (ECONNREFUSED)', at: 5 } as const;

function clamd(breaker: ScannerState['breaker'], lastFault: ScannerState['lastFault'] = FAULT): ScannerState {
  return { scanner: 'clamd', address: '127.0.0.1:3310', breaker, lastFault };
}

/** A health over scanners that are as `states` says, and what it has told. */
function health(states: { now: readonly ScannerState[] }) {
  const told: string[] = [];
  const one = new ScannerHealth(
    () => states.now,
    (event, fields) => told.push(`${event} ${Object.values(fields).join(' ')}`),
  );
  return { one, told };
}

/** A record in which the plugin `clam` came to this. */
function record(
  state: RecordedFinding['state'],
  outcomes: readonly RecipientOutcome[] = ['delivered'],
  about?: readonly string[],
): VerdictRecord {
  const finding: RecordedFinding = { rule: 'CLAM', state, stage: 'message', plugin: 'clam', ms: 1 };
  const recipients = outcomes.map((outcome, i) => ({
    address: `${i}@example.com`,
    verdict: 'continue',
    outcome,
    rule: null,
    hop: null,
    hopReply: null,
  }));
  return {
    ...sampleRecord(),
    time: 1000,
    recipients,
    findings: [about === undefined ? finding : { ...finding, recipients: about }],
  };
}

test('no scanner: nothing to tell', () => {
  assert.equal(health({ now: [] }).one.changed(), null);
});

test('down and up are told once, with what passed meanwhile', () => {
  const states = { now: [clamd('closed', null)] };
  const { one, told } = health(states);
  assert.equal(one.changed()?.length, 1);
  assert.equal(one.changed(), null, 'nothing new');
  one.saw(record('error'));
  states.now = [clamd('open')];
  one.saw(record('error'));
  assert.deepEqual(one.changed()?.[0]?.unscanned, { count: 2, since: 1000 });
  assert.deepEqual(told, ['scanner-down clamd 127.0.0.1:3310 refused no connection (ECONNREFUSED)']);
  states.now = [clamd('half-open')];
  assert.equal(one.changed()?.[0]?.breaker, 'half-open');
  states.now = [clamd('open')];
  one.saw(record('error'));
  assert.deepEqual(one.changed()?.[0]?.unscanned, { count: 3, since: 1000 });
  assert.equal(told.length, 1, 'a probe that fails is no news');
  // The answer and its record come between two looks.
  states.now = [clamd('closed')];
  one.saw(record('pass'));
  assert.equal(one.changed()?.[0]?.unscanned, null);
  assert.deepEqual(told.slice(1), ['scanner-up clamd 127.0.0.1:3310 3']);
  assert.equal(one.changed(), null);
  one.saw(record('error'));
  assert.deepEqual(one.changed()?.[0]?.unscanned, { count: 1, since: 1000 }, 'it begins anew');
});

test('a look between the answer and its record changes nothing', () => {
  const states = { now: [clamd('open')] };
  const { one, told } = health(states);
  one.saw(record('error'));
  one.changed();
  states.now = [clamd('closed')];
  one.changed();
  one.saw(record('pass'));
  assert.equal(one.changed()?.[0]?.unscanned, null);
  assert.deepEqual(told.slice(1), ['scanner-up clamd 127.0.0.1:3310 1']);
});

test('only what somebody got without the scanner’s word counts', () => {
  const { one } = health({ now: [clamd('open')] });
  one.saw(record('error', ['deferred']));
  one.saw(record('error', ['held', 'held']));
  one.saw(record('skipped'));
  one.saw(record('hit', ['refused']));
  // The one copy was held for want of an answer, and the other belongs to somebody who does not ask.
  one.saw(record('error', ['held', 'delivered'], ['0@example.com']));
  assert.equal(one.changed()?.[0]?.unscanned, null);
  one.saw(record('error', ['held', 'delivered'], ['1@example.com']));
  one.saw(record('error', ['held', 'delivered']));
  assert.equal(one.changed()?.[0]?.unscanned?.count, 2);
});
