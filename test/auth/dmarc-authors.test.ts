import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authorDomains, checkDmarcOfAuthors } from '../../src/auth/dmarc-authors.ts';
import { MessageLookups } from '../../src/auth/lookups.ts';
import { headerFields } from '../../src/mail/header.ts';
import type { DmarcOutcome } from '../../src/model/authentication.ts';
import { dnsOf } from './asking.ts';
import type { Names } from './asking.ts';

const authors = (text: string) => authorDomains(headerFields(Buffer.from(text, 'latin1'), 100));

test('the author domains of a header', () => {
  const cases: readonly (readonly [header: string, domains: readonly string[]])[] = [
    ['From: a@Example.COM\r\n', ['example.com']],
    ['From: a@example.com, b@EXAMPLE.com.\r\n', ['example.com']],
    ['From: a@example.com\r\nFrom: b@example.net\r\n', ['example.com', 'example.net']],
    ['from : a@example.com\r\n', ['example.com']],
    ['From:\r\n "A" <a@example.com>\r\n', ['example.com']],
    ['From: a@b\xc3\xbccher.example\r\n', ['xn--bcher-kva.example']],
    ['From: a@b\xffcher.example\r\n', ['b\xffcher.example']],
    ['From: "a@bank.example" <b@evil.example>\r\n', ['evil.example']],
    ['From: a@bank.example <b@evil.example>\r\n', ['bank.example', 'evil.example']],
    ['From: "x@y"@example.com\r\n', ['example.com']],
    ['From: nobody\r\n', []],
    ['Sender: a@example.com\r\nResent-From: a@example.com\r\nX-From: a@example.com\r\n', []],
    ['', []],
  ];
  for (const [header, domains] of cases) assert.deepEqual(authors(header), domains, header);
});

test('a From without end is not read to its end: what is behind counts as one more author', () => {
  const many = Array.from({ length: 100_000 }, (_, i) => `a${i}@evil.example`).join(',');
  assert.deepEqual(authors(`From: ${many},\r\n a@bank.example\r\n`), ['?', 'evil.example']);
});

const record = (domain: string, tags: string): Names => ({ [`TXT _dmarc.${domain}`]: [`v=DMARC1; ${tags}`] });

const NAMES: Names = {
  ...record('passes.example', 'p=reject'),
  ...record('rejects.example', 'p=reject'),
  ...record('quarantines.example', 'p=quarantine'),
  ...record('watches.example', 'p=none'),
  'TXT _dmarc.fails.example': 'fails',
};

const check = (domains: readonly string[], dns = dnsOf(NAMES)): Promise<DmarcOutcome> =>
  checkDmarcOfAuthors(
    domains,
    { spf: null, dkim: [{ result: 'pass', domain: 'passes.example' }] },
    new MessageLookups(dns, 100, 60_000),
  );

test('of several authors the worst counts', async () => {
  const order = [
    ['rejects.example', 'fail', 'reject'],
    ['quarantines.example', 'fail', 'quarantine'],
    ['fails.example', 'temperror', 'none'],
    ['a..example', 'permerror', 'none'],
    ['watches.example', 'fail', 'none'],
    ['nothing.example', 'none', 'none'],
    ['passes.example', 'pass', 'none'],
  ] as const;
  for (const [i, [domain, result, disposition]] of order.entries()) {
    for (const [better] of order.slice(i)) {
      for (const domains of [
        [domain, better],
        [better, domain],
      ]) {
        const outcome = await check([...new Set(domains)]);
        assert.deepEqual(
          [outcome.domain, outcome.result, outcome.disposition],
          [domain, result, disposition],
          domains.join(),
        );
      }
    }
  }
});

test('one author is checked like any, several are told, and their look-ups with them', async () => {
  const one = await check(['rejects.example']);
  assert.equal(
    one.detail,
    'dkim d=passes.example not aligned with rejects.example; p=reject at _dmarc.rejects.example',
  );
  const two = await check(['passes.example', 'rejects.example']);
  assert.equal(two.detail, `2 author domains, worst of all rejects.example: ${one.detail}`);
  assert.deepEqual(two.lookups, [
    'TXT _dmarc.passes.example: "v=DMARC1; p=reject"',
    'TXT _dmarc.rejects.example: "v=DMARC1; p=reject"',
    'TXT _dmarc.example: NXDOMAIN',
  ]);
});

test('no author, and too many', async () => {
  assert.deepEqual(await check([]), {
    result: 'none',
    domain: '',
    policy: null,
    disposition: 'none',
    source: null,
    detail: 'no author domain',
    lookups: [],
  });
  const dns = dnsOf(NAMES);
  const many = await check(['a.example', 'b.example', 'c.example', 'd.example', 'passes.example'], dns);
  assert.equal(many.result, 'permerror');
  assert.equal(many.detail, '5 author domains');
  assert.deepEqual(dns.asked, []);
});
