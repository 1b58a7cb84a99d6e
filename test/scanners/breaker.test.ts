import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ScanError, ScannerFault } from '../../src/model/scan.ts';
import { SCANNER_FAULTS } from '../../src/model/scan.ts';
import type { BreakerOptions } from '../../src/scanners/breaker.ts';
import { Breaker } from '../../src/scanners/breaker.ts';

const fault = (fault: ScannerFault): ScanError => ({ kind: 'error', fault, why: `it is ${fault}` });

function setUp(options: BreakerOptions = {}) {
  const clock = { now: 0 };
  const breaker = new Breaker('clamd', '/run/clamd', {
    faults: 3,
    now: () => clock.now,
    date: () => 1000 + clock.now,
    ...options,
  });
  const pass = () => {
    const given = breaker.enter();
    assert.ok(given);
    return given;
  };
  const fail = (times: number) => {
    for (let i = 0; i < times; i++) pass().fault(fault('refused'));
  };
  return { clock, breaker, pass, fail, is: () => breaker.state().breaker };
}

test('it opens after faults in a row, rests, and closes with the answer of its probe', () => {
  const { clock, breaker, pass, fail, is } = setUp();
  assert.deepEqual(breaker.state(), {
    scanner: 'clamd',
    address: '/run/clamd',
    breaker: 'closed',
    lastFault: null,
  });
  fail(2);
  pass().well();
  fail(2);
  assert.equal(is(), 'closed');
  fail(1);
  assert.deepEqual(breaker.state(), {
    scanner: 'clamd',
    address: '/run/clamd',
    breaker: 'open',
    lastFault: { fault: 'refused', why: 'it is refused', at: 1000 },
  });
  clock.now = 9999;
  assert.equal(breaker.enter(), null);
  clock.now = 10_000;
  assert.ok(breaker.admits);
  const probe = pass();
  assert.ok(probe.probe);
  assert.equal(is(), 'half-open');
  // One at a time.
  assert.ok(!breaker.admits);
  assert.equal(breaker.enter(), null);
  probe.well();
  assert.equal(is(), 'closed');
  assert.ok(!pass().probe);
  // The count begins again.
  fail(2);
  assert.equal(is(), 'closed');
});

test('each rest is twice as long as the last, up to a limit, and the first again after an answer', () => {
  const { clock, breaker, pass, fail } = setUp();
  fail(3);
  for (const rest of [10_000, 20_000, 40_000, 60_000, 60_000]) {
    clock.now += rest - 1;
    assert.equal(breaker.enter(), null, `${rest}`);
    clock.now += 1;
    pass().fault(fault('timeout'));
  }
  clock.now += 60_000;
  pass().well();
  fail(3);
  clock.now += 10_000;
  assert.ok(breaker.admits);
});

test('a probe whose asker has gone leaves the next one to be the probe', () => {
  const { clock, pass, fail, is } = setUp();
  fail(3);
  clock.now = 10_000;
  pass().unknown();
  assert.equal(is(), 'open');
  const next = pass();
  assert.ok(next.probe);
  next.well();
  assert.equal(is(), 'closed');
});

test('what was asked before it opened: an answer closes it, a fault does not prolong the rest', () => {
  const { clock, breaker, pass, fail, is } = setUp();
  const [slow, slower, slowest] = [pass(), pass(), pass()];
  fail(3);
  clock.now = 5000;
  slow.fault(fault('timeout'));
  assert.equal(breaker.state().lastFault?.fault, 'timeout');
  clock.now = 10_000;
  const probe = pass();
  slower.fault(fault('timeout'));
  assert.equal(is(), 'half-open');
  slowest.well();
  assert.equal(is(), 'closed');
  // The probe comes too late to say anything.
  probe.fault(fault('timeout'));
  assert.equal(is(), 'closed');
});

test('only the first word about a question counts', () => {
  const { breaker, pass, is } = setUp({ faults: 1 });
  const once = pass();
  once.unknown();
  once.fault(fault('refused'));
  once.well();
  assert.equal(breaker.state().lastFault, null);
  const other = pass();
  other.fault(fault('refused'));
  other.well();
  assert.equal(is(), 'open');
});

test('what it says about one message does not open it, and closes it', () => {
  const opening = SCANNER_FAULTS.filter(name => {
    const { pass, is } = setUp({ faults: 1 });
    pass().fault(fault(name));
    return is() === 'open';
  });
  assert.deepEqual(opening, ['refused', 'timeout', 'garbage', 'cut']);
  const { clock, breaker, pass, fail, is } = setUp();
  fail(3);
  clock.now = 10_000;
  pass().fault(fault('failed'));
  assert.equal(is(), 'closed');
  assert.equal(breaker.state().lastFault?.fault, 'failed');
});
