import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SettingValues } from '../../../src/control/settings.ts';
import { SETTING_NAMES, SETTINGS } from '../../../src/control/settings.ts';
import { Scanners } from '../../../src/cli/scanners.ts';
import { ScannerTests, testScanners } from '../../../src/cli/serve/scanner-test.ts';
import type { TestResult } from '../../../src/cli/serve/status-file.ts';
import { startClamd } from '../../support/clamd.ts';
import { deadAddress, fakeScanner } from '../../support/fake-scanner.ts';
import { waitFor } from '../../support/processes.ts';
import { startRspamd } from '../../support/rspamd.ts';
import { startSpamd } from '../../support/spamd.ts';
import { at } from '../../program/scanner-rig.ts';

/** The shipped settings with some of others. */
function values(changed: Partial<SettingValues> = {}): SettingValues {
  const shipped = Object.fromEntries(SETTING_NAMES.map(name => [name, SETTINGS[name].builtIn]));
  return { ...(shipped as unknown as SettingValues), ...changed };
}

const entry = (scanner: Parameters<typeof at>[0]) => [at(scanner).trim()];

/** The results in short. */
function short(results: readonly TestResult[]): string[] {
  return results.map(
    ({ scanner, passed, detail }) => `${scanner} ${passed ? 'passed' : 'failed'}: ${detail}`,
  );
}

test('real scanners find what they must; one without its data base does not', async () => {
  await using clamd = await startClamd();
  await using spamd = await startSpamd();
  const scanners = new Scanners(values({ clamd: entry(clamd), spamd: entry(spamd) }));
  const [virus, spam] = short(await testScanners(scanners));
  assert.equal(virus, 'clamd passed: finds EICAR');
  assert.match(spam ?? '', /^spamd passed: GTUBE has \d{3,}(\.\d)? of 5$/);
  await using empty = await startClamd({ signatures: { 'eicar.ndb': 'Nothing:0:*:deadbeefdeadbeef\n' } });
  assert.deepEqual(short(await testScanners(new Scanners(values({ clamd: entry(empty) })))), [
    'clamd failed: does not find EICAR',
  ]);
});

test('a real rspamd calls GTUBE spam', async () => {
  await using rspamd = await startRspamd();
  const [spam = ''] = short(await testScanners(new Scanners(values({ rspamd: entry(rspamd) }))));
  assert.match(spam, /^rspamd passed: GTUBE has /);
});

test('no answer is a failure', async () => {
  const dead = await deadAddress();
  await using ham = await fakeScanner({
    when: heard => heard.includes('GTUBE'),
    say: 'SPAMD/1.1 0 EX_OK\r\nContent-length: 0\r\nSpam: False ; 0.0 / 5.0\r\n\r\n',
    next: 'end',
  });
  const scanners = new Scanners(values({ clamd: entry({ address: dead }), spamd: entry(ham) }));
  const [virus = '', spam] = short(await testScanners(scanners));
  assert.match(virus, /^clamd failed: gives no answer: refused, clamd .*ECONNREFUSED/);
  assert.equal(spam, 'spamd failed: GTUBE has 0 of 5');
  assert.deepEqual(await testScanners(new Scanners(values())), []);
});

test('again soon after a failure; a new configuration is tested at once, and an old result is forgotten', async () => {
  await using clamd = await startClamd();
  await using silent = await fakeScanner({ next: 'hang', deaf: true });
  const told: string[][] = [];
  let current = values({ clamd: entry({ address: await deadAddress() }) });
  const tests = new ScannerTests(
    () => current,
    results => told.push(short(results)),
    { againMs: 20, everyMs: 3_600_000 },
  );
  try {
    tests.start();
    await waitFor('two failures', () => told.length >= 2);
    assert.match(told[1]?.[0] ?? '', /^clamd failed: /);
    current = values({ clamd: entry(clamd) });
    await waitFor('a test that is passed', () => told.at(-1)?.[0] === 'clamd passed: finds EICAR');
    told.length = 0;
    // One that hangs does not keep the next configuration waiting.
    current = values({ clamd: entry(silent), clamtime: 600 });
    tests.start();
    await waitFor('the question', () => silent.heard.length === 1);
    assert.deepEqual(told, []);
    current = values({ clamd: entry(clamd) });
    tests.start();
    await waitFor('a result', () => told.length > 0);
    assert.deepEqual(told, [['clamd passed: finds EICAR']]);
    current = values({ clamd: entry(clamd), scannertest: false });
    tests.start();
    await waitFor('no result', () => told.length > 1);
    assert.deepEqual(told[1], []);
  } finally {
    tests.close();
  }
});
