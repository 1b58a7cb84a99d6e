import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ScannerAddress } from '../../src/model/scanner-address.ts';
import { parseScannerAddress, showScannerAddress } from '../../src/model/scanner-address.ts';

const unix = (path: string): ScannerAddress => ({ kind: 'unix', path });
const tcp = (host: string, port: number): ScannerAddress => ({ kind: 'tcp', host, port });

const GOOD: readonly [string, ScannerAddress, string?][] = [
  ['/run/clamav/clamd.ctl', unix('/run/clamav/clamd.ctl')],
  ['unix:/run/clamd.sock', unix('/run/clamd.sock'), '/run/clamd.sock'],
  [`/${'x'.repeat(106)}`, unix(`/${'x'.repeat(106)}`)],
  ['/with:colon:1', unix('/with:colon:1')],
  ['localhost:3310', tcp('localhost', 3310)],
  ['127.0.0.1:1', tcp('127.0.0.1', 1)],
  ['av-1.example.com:65535', tcp('av-1.example.com', 65_535)],
  ['spam_host:783', tcp('spam_host', 783)],
  ['[::1]:783', tcp('::1', 783)],
  ['[fe80::1%eth0]:783', tcp('fe80::1%eth0', 783)],
  ['[::ffff:192.0.2.1]:783', tcp('::ffff:192.0.2.1', 783)],
];

const BAD: readonly [string, RegExp][] = [
  ['', /is not \/PATH/],
  ['clamd', /is not/],
  ['3310', /is not/],
  [':3310', /is not/],
  ['host:', /is not/],
  ['host:port', /is not/],
  ['host:0', /port is not/],
  ['host:65536', /port is not/],
  ['host:3310 ', /is not/],
  ['ho st:3310', /is not/],
  ['-host:3310', /is not/],
  ['host.:3310', /is not/],
  ['300.1.1.1:3310', /is not/],
  ['127.1:3310', /is not/],
  ['::1:3310', /is not/],
  ['[::1]', /is not/],
  ['[127.0.0.1]:3310', /is not/],
  ['[1:2]:3310', /is not/],
  ['[::1::2]:3310', /is not/],
  ['unix:run/clamd', /is not/],
  ['unix:', /is not/],
  ['/run/with blank', /printable/],
  ['/run/\0', /printable/],
  [`/${'x'.repeat(107)}`, /longer/],
];

test('addresses of scanners', () => {
  for (const [text, address, shown] of GOOD) {
    assert.deepEqual(parseScannerAddress(text), { value: address }, text);
    assert.equal(showScannerAddress(address), shown ?? text);
  }
  for (const [text, wanted] of BAD) {
    const parsed = parseScannerAddress(text);
    assert.ok('wanted' in parsed, text);
    assert.match(parsed.wanted, wanted);
  }
});

test('what is read is shown so that it is read again', () => {
  const part = fc.constantFrom(
    '/',
    'unix:',
    'a',
    '.',
    '-',
    ':',
    '::',
    '[',
    ']',
    '1',
    '65535',
    '0',
    '%',
    ' ',
    'f',
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 10 }), parts => {
      const parsed = parseScannerAddress(parts.join(''));
      if ('value' in parsed) assert.deepEqual(parseScannerAddress(showScannerAddress(parsed.value)), parsed);
    }),
  );
});

test('IPv6 addresses are those of node:net', () => {
  const group = fc.constantFrom('', '0', 'ff', 'ffff', '12345', 'g', '1.2.3.4', '1.2.3');
  fc.assert(
    fc.property(fc.array(group, { minLength: 1, maxLength: 9 }), groups => {
      const host = groups.join(':');
      assert.equal('value' in parseScannerAddress(`[${host}]:1`), isIPv6(host), host);
    }),
    { numRuns: 5000 },
  );
});
