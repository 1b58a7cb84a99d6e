import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createResolver } from '../../src/dns/resolver.ts';
import type { ResolverOptions } from '../../src/dns/resolver.ts';
import { startDnsServer } from '../support/dns-server.ts';
import type { Zone } from '../support/dns-server.ts';

/** Short, so that the time-outs asked for on purpose do not add up; loopback answers in far less. */
const QUICK: ResolverOptions = { timeoutMs: 250, tries: 2 };

async function setUp(t: TestContext, zone: Zone, options: ResolverOptions = {}) {
  const server = await startDnsServer(zone);
  const dns = createResolver({ ...QUICK, servers: [server.address], ...options });
  t.after(async () => {
    dns.close();
    await server.close();
  });
  return { server, dns };
}

const NXDOMAIN = { kind: 'none', nxdomain: true } as const;
const NODATA = { kind: 'none', nxdomain: false } as const;

test('records of every type', async t => {
  const { dns } = await setUp(t, {
    'host.test': [
      { A: '192.0.2.1' },
      { A: '192.0.2.2' },
      { AAAA: '2001:db8::1' },
      { MX: [10, 'mx.test'] },
      { MX: [0, '.'] },
      { TXT: ['one ', 'two'] },
      { TXT: [''] },
    ],
    '1.2.0.192.in-addr.arpa': [{ PTR: 'Mail.Example.test.' }],
    '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa': [{ PTR: 'six.test' }],
  });
  assert.deepEqual(await dns.a('host.test'), { kind: 'found', records: ['192.0.2.1', '192.0.2.2'] });
  assert.deepEqual(await dns.a('HOST.Test.'), { kind: 'found', records: ['192.0.2.1', '192.0.2.2'] });
  assert.deepEqual(await dns.aaaa('host.test'), { kind: 'found', records: ['2001:db8::1'] });
  const mx = await dns.mx('host.test');
  assert.equal(mx.kind, 'found');
  assert.deepEqual(
    mx.records.toSorted((a, b) => a.preference - b.preference),
    [
      { preference: 0, host: '' },
      { preference: 10, host: 'mx.test' },
    ],
  );
  assert.deepEqual(await dns.txt('host.test'), { kind: 'found', records: [['one ', 'two'], ['']] });
  assert.deepEqual(await dns.ptr('192.0.2.1'), { kind: 'found', records: ['Mail.Example.test'] });
  assert.deepEqual(await dns.ptr('::ffff:192.0.2.1'), { kind: 'found', records: ['Mail.Example.test'] });
  assert.deepEqual(await dns.ptr('2001:db8::1'), { kind: 'found', records: ['six.test'] });
  assert.deepEqual(await dns.ptr('no address'), { kind: 'error', error: 'BADNAME' });
});

test('TXT strings are bytes, whatever the bytes', async t => {
  const all = Array.from({ length: 255 }, (_, i) => String.fromCharCode(i)).join('');
  const { dns } = await setUp(t, { 'b.test': [{ TXT: [all, '\xff\xe9'] }], 'u.test': [{ TXT: ['\u20ac'] }] });
  assert.deepEqual(await dns.txt('b.test'), { kind: 'found', records: [[all, '\xff\xe9']] });
  assert.deepEqual(await dns.txt('u.test'), { kind: 'found', records: [['\xe2\x82\xac']] });
});

test('no name, and a name without the type, are two kinds of none', async t => {
  const { dns } = await setUp(t, { 'a-only.test': [{ A: '192.0.2.1' }] });
  for (const type of ['a', 'aaaa', 'txt', 'mx'] as const)
    assert.deepEqual(await dns[type]('absent.test'), NXDOMAIN);
  assert.deepEqual(await dns.ptr('192.0.2.9'), NXDOMAIN);
  for (const type of ['aaaa', 'txt', 'mx'] as const) assert.deepEqual(await dns[type]('a-only.test'), NODATA);
});

for (const [failure, error] of [
  ['SERVFAIL', 'SERVFAIL'],
  ['REFUSED', 'REFUSED'],
  ['FORMERR', 'FORMERR'],
  ['NOTIMP', 'NOTIMP'],
  ['TIMEOUT', 'TIMEOUT'],
  ['GARBAGE', 'BADRESP'],
] as const) {
  test(`${failure} is an error, not a none`, async t => {
    const { dns } = await setUp(t, { 'x.test': [failure] }, { timeoutMs: 80 });
    for (const type of ['a', 'aaaa', 'txt', 'mx'] as const) {
      assert.deepEqual(await dns[type]('x.test'), { kind: 'error', error });
    }
  });
}

test('one type may fail while another answers', async t => {
  const { dns } = await setUp(t, { 'x.test': [{ A: 'SERVFAIL' }, { TXT: ['here'] }] });
  assert.deepEqual(await dns.txt('x.test'), { kind: 'found', records: [['here']] });
  assert.deepEqual(await dns.a('x.test'), { kind: 'error', error: 'SERVFAIL' });
});

test('names that would be sent as other names are errors and are not sent', async t => {
  const { dns, server } = await setUp(t, { '.': [{ A: '192.0.2.1' }], x: [{ A: '192.0.2.1' }] });
  const long = `${'a'.repeat(63)}.`.repeat(5);
  for (const name of [
    '',
    '.',
    'x\0.test',
    'a\\.b.test',
    'b\xfccher.test',
    'a..b',
    `${'a'.repeat(64)}.test`,
    long,
  ]) {
    assert.deepEqual(await dns.a(name), { kind: 'error', error: 'BADNAME' }, JSON.stringify(name));
  }
  assert.equal(server.queries(), 0);
});

test('an answer too large for UDP is fetched over TCP: 100 TXT records', async t => {
  const records = Array.from({ length: 100 }, (_, i) => ({ TXT: [`record ${i} `.padEnd(200, '.')] }));
  const { dns, server } = await setUp(t, { 'big.test': records });
  const answer = await dns.txt('big.test');
  assert.equal(answer.kind, 'found');
  assert.deepEqual(
    answer.records,
    records.map(r => r.TXT),
  );
  assert.equal(server.tcpQueries(), 1);
});

test('CNAMEs are followed; a chain that ends nowhere is a none', async t => {
  const { dns } = await setUp(t, {
    'a.test': [{ CNAME: 'b.test' }],
    'b.test': [{ CNAME: 'c.test' }],
    'c.test': [{ A: '192.0.2.7' }, { TXT: ['end'] }],
    'lost.test': [{ CNAME: 'nowhere.test' }],
    'loop.test': [{ CNAME: 'loop.test' }],
    'broken.test': [{ CNAME: 'servfail.test' }],
    'servfail.test': ['SERVFAIL'],
  });
  assert.deepEqual(await dns.a('a.test'), { kind: 'found', records: ['192.0.2.7'] });
  assert.deepEqual(await dns.txt('a.test'), { kind: 'found', records: [['end']] });
  assert.deepEqual(await dns.a('lost.test'), NXDOMAIN);
  assert.notEqual((await dns.a('loop.test')).kind, 'found');
  assert.equal((await dns.a('broken.test')).kind, 'error');
});

test('the same question asked at the same time is sent once, and answered from the cache afterwards', async t => {
  const { dns, server } = await setUp(t, { 'x.test': [{ A: '192.0.2.1' }, { TXT: ['t'] }] });
  const [one, two] = await Promise.all([dns.a('x.test'), dns.a('X.TEST')]);
  assert.deepEqual(one, two);
  await dns.a('x.test');
  assert.equal(server.queries('x.test', 'A'), 1);
  await dns.txt('x.test');
  assert.equal(server.queries('x.test'), 2);
});

test('answers are forgotten in time: records, none and errors each after their own', async t => {
  let now = 0;
  const { dns, server } = await setUp(
    t,
    { 'yes.test': [{ TXT: ['t'] }], 'addr.test': [{ A: '192.0.2.1' }], 'bad.test': ['SERVFAIL'] },
    { now: () => now, positiveMs: 1000, negativeMs: 500, errorMs: 100 },
  );
  const sent = async (name: string, at: number) => {
    now = at;
    const before = server.queries(name);
    if (name === 'addr.test') await dns.a(name);
    else await dns.txt(name);
    return server.queries(name) - before;
  };
  assert.deepEqual(
    [await sent('yes.test', 0), await sent('yes.test', 999), await sent('yes.test', 1000)],
    [1, 0, 1],
  );
  assert.deepEqual(
    [await sent('no.test', 0), await sent('no.test', 499), await sent('no.test', 500)],
    [1, 0, 1],
  );
  assert.deepEqual(
    [await sent('bad.test', 0), await sent('bad.test', 99), await sent('bad.test', 100)],
    [1, 0, 1],
  );
  // The server's TTL is 60 seconds, which A records go by.
  assert.deepEqual(
    [await sent('addr.test', 0), await sent('addr.test', 59_999), await sent('addr.test', 60_000)],
    [1, 0, 1],
  );
});

test('after a failed look-up the next one finds the answer', async t => {
  const { dns, server } = await setUp(t, { 'x.test': ['SERVFAIL'] }, { errorMs: 0 });
  assert.equal((await dns.a('x.test')).kind, 'error');
  server.serve({ 'x.test': [{ A: '192.0.2.1' }] });
  assert.equal((await dns.a('x.test')).kind, 'found');
});

test('silent servers do not stretch the wait: our own deadline counts, not theirs', async t => {
  let asked = 0;
  const count = () => void asked++;
  const silent = await Promise.all([1, 2, 3, 4].map(() => silentServer(t, count)));
  const dns = createResolver({ servers: silent, timeoutMs: 100, tries: 2 });
  t.after(() => dns.close());
  assert.deepEqual(await dns.a('x.test'), { kind: 'error', error: 'TIMEOUT' });
  // c-ares alone would have asked each of them twice by now.
  assert.ok(asked > 0 && asked < 8, `asked ${asked} times`);
});

test('a second server answers for a dead first one', async t => {
  const server = await startDnsServer({ 'x.test': [{ A: '192.0.2.1' }] });
  const dns = createResolver({ servers: [await silentServer(t), server.address], timeoutMs: 300, tries: 2 });
  t.after(async () => {
    dns.close();
    await server.close();
  });
  assert.deepEqual(await dns.a('x.test'), { kind: 'found', records: ['192.0.2.1'] });
});

test('nobody listening is an error', async t => {
  const server = await startDnsServer();
  await server.close();
  const dns = createResolver({ ...QUICK, servers: [server.address] });
  t.after(() => dns.close());
  assert.equal((await dns.a('x.test')).kind, 'error');
});

test('close ends what is under way and all that comes after', async t => {
  const { dns } = await setUp(t, { 'x.test': ['TIMEOUT'] }, { timeoutMs: 5000 });
  const under = dns.a('x.test');
  dns.close();
  assert.equal((await under).kind, 'error');
  assert.deepEqual(await dns.a('x.test'), { kind: 'error', error: 'CLOSED' });
});

test('a malformed server address throws at once', () => {
  assert.throws(() => createResolver({ servers: ['ns.example.org'] }), /Invalid IP address/);
});

async function silentServer(t: TestContext, asked: () => void = () => {}): Promise<string> {
  const socket = createSocket('udp4', asked);
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.after(() => socket.close());
  return `127.0.0.1:${socket.address().port}`;
}
