import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import { createResolver } from '../../src/dns/resolver.ts';
import { DATA, decodeAnswer, encodeName, encodeQuestion } from '../../src/dns/wire.ts';
import { startDnsServer } from '../support/dns-server.ts';
import type { Zone } from '../support/dns-server.ts';

async function setUp(t: TestContext, zone: Zone) {
  const server = await startDnsServer(zone);
  const dns = createResolver({ servers: [server.address], timeoutMs: 250, tries: 2 });
  t.after(async () => {
    dns.close();
    await server.close();
  });
  return { server, dns };
}

test('names that are no host names are asked for like any other', async t => {
  const { dns, server } = await setUp(t, {
    'foo:bar/baz.test': [
      { A: '192.0.2.1' },
      { AAAA: '2001:db8::1' },
      { MX: [10, 'mx.test'] },
      { TXT: ['one ', 'tw\xf6'] },
    ],
    '100% sure.test': [{ CNAME: 'plain.test' }],
    'plain.test': [{ A: '192.0.2.2' }],
    'no a.test': [{ TXT: 'x' }],
    'big one.test': Array.from({ length: 100 }, (_, i) => ({ TXT: [`${i} `.padEnd(200, '.')] })),
    '[1.2.3.4]': ['SERVFAIL'],
    'refused!.test': ['REFUSED'],
    'si lent.test': ['TIMEOUT'],
    'rub bish.test': ['GARBAGE'],
  });
  assert.deepEqual(await dns.a('Foo:Bar/baz.test'), { kind: 'found', records: ['192.0.2.1'] });
  assert.deepEqual(await dns.aaaa('foo:bar/baz.test'), { kind: 'found', records: ['2001:db8::1'] });
  assert.deepEqual(await dns.mx('foo:bar/baz.test'), {
    kind: 'found',
    records: [{ preference: 10, host: 'mx.test' }],
  });
  assert.deepEqual(await dns.txt('foo:bar/baz.test'), { kind: 'found', records: [['one ', 'tw\xf6']] });
  assert.deepEqual(await dns.a('100% sure.test'), { kind: 'found', records: ['192.0.2.2'] });
  assert.deepEqual(await dns.a('no a.test'), { kind: 'none', nxdomain: false });
  assert.deepEqual(await dns.a('not there.test'), { kind: 'none', nxdomain: true });
  const big = await dns.txt('big one.test');
  assert.equal(big.kind === 'found' && big.records.length, 100);
  assert.equal(server.tcpQueries(), 1);
  assert.deepEqual(await dns.a('[1.2.3.4]'), { kind: 'error', error: 'SERVFAIL' });
  assert.deepEqual(await dns.a('refused!.test'), { kind: 'error', error: 'REFUSED' });
  assert.deepEqual(await dns.a('si lent.test'), { kind: 'error', error: 'TIMEOUT' });
  assert.deepEqual(await dns.a('rub bish.test'), { kind: 'error', error: 'TIMEOUT' });
});

test('nobody listens', async () => {
  const server = await startDnsServer();
  await server.close();
  const dns = createResolver({ servers: [server.address], timeoutMs: 250, tries: 1 });
  assert.deepEqual(await dns.a('a b.test'), { kind: 'error', error: 'CONNREFUSED' });
  dns.close();
});

test('whatever comes as an answer is read within its bounds', () => {
  const name = encodeName('a b.test') ?? assert.fail();
  const types = fc.constantFrom('A', 'AAAA', 'MX', 'TXT', 'PTR');
  const property = fc.property(
    types,
    fc.uint8Array({ maxLength: 200 }),
    fc.nat(65_535),
    fc.boolean(),
    (type, bytes, counts, echo) => {
      const question = encodeQuestion(4711, name, type);
      const head = Buffer.from(question.subarray(0, 12 + name.length + 4));
      head.writeUInt16BE(0x8180, 2);
      head.writeUInt16BE(counts % 5, 6);
      const answer = decodeAnswer(Buffer.concat(echo ? [head, bytes] : [bytes]), question, type);
      if (answer?.kind === 'records') for (const record of answer.records) DATA[type](record);
    },
  );
  fc.assert(property, { numRuns: 2000 });
});

test('a name that points to itself ends', () => {
  const name = encodeName('a b.test') ?? assert.fail();
  const question = encodeQuestion(1, name, 'A');
  const head = Buffer.from(question.subarray(0, 12 + name.length + 4));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(1, 6);
  const loop = Buffer.from([0xc0, head.length, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0]);
  assert.deepEqual(decodeAnswer(Buffer.concat([head, loop]), question, 'A'), {
    kind: 'code',
    code: 'EBADRESP',
  });
  assert.equal(encodeName('a..b'), null);
  assert.equal(encodeName(`${'a'.repeat(64)}.test`), null);
  assert.equal(encodeName(`${'a'.repeat(63)}.`.repeat(4)), null);
});
