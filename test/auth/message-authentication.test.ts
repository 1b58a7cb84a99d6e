import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { createResolver } from '../../src/dns/resolver.ts';
import type { Dns } from '../../src/model/dns.ts';
import type { SpfOutcome } from '../../src/model/spf.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { withArc } from '../support/signed-mail.ts';
import { dnsOf } from './asking.ts';
import {
  keyNames,
  MAIL,
  messageOf,
  published,
  recordOf,
  RSA,
  signatures,
  signed,
  verify,
} from './dkim-mail.ts';

const NO_SPF: SpfOutcome = {
  result: 'none',
  domain: 'example.com',
  byDomain: true,
  guessFailed: false,
  detail: '',
  lookups: [],
  explanation: '',
  header: '',
};
const spf = () => NO_SPF;

test('500 signatures cost 10 look-ups', async () => {
  let mail = MAIL;
  for (let i = 0; i < 500; i++) mail = signed(mail, { tags: { s: `s${i}`, h: 'from' } });
  const zone = Object.fromEntries(
    Array.from({ length: 500 }, (_, i) => [`s${i}._domainkey.example.com`, [{ TXT: recordOf(RSA) }]]),
  );
  const server = await startDnsServer(zone);
  const resolver = createResolver({ servers: [server.address] });
  try {
    const outcome = await verify(mail, resolver);
    assert.deepEqual(
      outcome.signatures.map(({ result, selector }) => `${result} ${selector}`),
      Array.from({ length: 10 }, (_, i) => `pass s${499 - i}`),
    );
    assert.equal(outcome.ignored, 490);
    assert.equal(outcome.lookups.length, 10);
    assert.equal(server.queries(), 10);
  } finally {
    resolver.close();
    await server.close();
  }
});

test('what the look-ups do not suffice for is not verified', async () => {
  let mail = MAIL;
  for (let i = 0; i < 5; i++) mail = signed(mail, { tags: { s: `s${i}`, h: 'from' } });
  const dns = dnsOf(
    Object.fromEntries([3, 4].map(i => [`TXT s${i}._domainkey.example.com`, [recordOf(RSA)]])),
  );
  const outcome = await verify(mail, dns, { lookups: 2 });
  assert.deepEqual(
    outcome.signatures.map(({ result, fault }) => `${result} ${fault}`),
    ['pass none', 'pass none', 'policy budget', 'policy budget', 'policy budget'],
  );
  assert.equal(dns.asked.length, 2);
});

test('ten signatures by one key cost one look-up', async () => {
  let mail = MAIL;
  for (let i = 0; i < 10; i++) mail = signed(mail, { tags: { h: 'from' } });
  const dns = dnsOf(keyNames());
  const outcome = await verify(mail, dns, { lookups: 1 });
  assert.ok(outcome.signatures.every(({ result }) => result === 'pass'));
  assert.equal(dns.asked.length, 1);
});

test('each answer is found once, whoever asks, and the body is read once', async () => {
  const dns = dnsOf({ ...keyNames(), 'TXT _dmarc.example.com': ['v=DMARC1; p=reject'] });
  const message = await messageOf(signed(MAIL));
  let passes = 0;
  const chunks = () => {
    passes++;
    return message.chunks();
  };
  const found = await signatures('', dns, { message: { ...message, chunks }, spf });
  const [dkim, again, dmarc, arc] = await Promise.all([
    found.dkim(),
    found.dkim(),
    found.dmarc(),
    found.arc(),
  ]);
  assert.equal(dkim, again);
  assert.equal(await found.dkim(), dkim);
  assert.equal(await found.dmarc(), dmarc);
  assert.equal(dmarc.result, 'pass', dmarc.detail);
  assert.equal(arc.result, 'none');
  assert.equal(passes, 1);
  assert.deepEqual(dns.asked, ['TXT s._domainkey.example.com', 'TXT _dmarc.example.com', 'TXT _dmarc.com']);
});

const DMARC_NAMES = { ...keyNames(), 'TXT _dmarc.example.com': ['v=DMARC1; p=reject'] };

test('a signature with l= and appended text does not pass DMARC', async () => {
  const mail = `${signed(MAIL, { tags: { l: '14' } })}Buy this\r\n`;
  const found = await signatures(mail, DMARC_NAMES, { spf });
  const dmarc = await found.dmarc();
  assert.equal(`${dmarc.result} ${dmarc.disposition}`, 'fail reject', dmarc.detail);
  const whole = await signatures(signed(MAIL, { tags: { l: '14' } }), DMARC_NAMES, { spf });
  assert.equal((await whole.dmarc()).result, 'pass');
});

test('signatures without end do not use up the look-ups of the policy', async () => {
  let mail = signed(MAIL);
  for (let i = 0; i < 20; i++) mail = signed(mail, { tags: { s: `x${i}`, h: 'from' } });
  const found = await signatures(mail, DMARC_NAMES, { spf, lookups: 10 });
  const dmarc = await found.dmarc();
  assert.equal(dmarc.result, 'fail', dmarc.detail);
  assert.equal((await found.dkim()).ignored, 11);
});

test('a resolver that hangs delays all of it by no more than the time there is', async () => {
  let hanging = 0;
  const hang = () => {
    hanging++;
    return new Promise<never>(() => {});
  };
  const dns: Dns = { a: hang, aaaa: hang, mx: hang, ptr: hang, txt: hang };
  const arc = await withArc(signed(MAIL), 'a.example', 's', 'dkim=pass', {
    txt: async () => ({ kind: 'none', nxdomain: true }),
  });
  const found = await signatures(arc, dns, { spf, seconds: 0.1 });
  const before = performance.now();
  const [dkim, dmarc, chain, old] = await Promise.all([
    found.dkim(),
    found.dmarc(),
    found.arc(),
    found.domainKeys(),
  ]);
  assert.ok(performance.now() - before < 5000);
  assert.equal(dkim.signatures[0]?.result, 'temperror');
  assert.equal(dmarc.result, 'temperror');
  assert.equal(chain.result, 'temperror');
  assert.equal(old.signature, null);
  assert.ok(hanging > 0);
});

test('keys that nobody answers for do not keep the policy from its answer', async () => {
  const known = dnsOf(DMARC_NAMES);
  const dns: Dns = {
    ...known,
    txt: name => (name.includes('_domainkey') ? new Promise<never>(() => {}) : known.txt(name)),
  };
  const mail = signed(signed(MAIL, { tags: { d: 'evil.example', s: 'slow' } }), { tags: { s: 'slower' } });
  const found = await signatures(mail, dns, { spf, seconds: 0.1 });
  const dmarc = await found.dmarc();
  assert.match(dmarc.detail, /p=reject at _dmarc\.example\.com/);
  assert.equal(
    (await found.dkim()).signatures.every(({ result }) => result === 'temperror'),
    true,
  );
});

test('a resolver that hangs, through a real socket', async () => {
  const server = await startDnsServer({ 's._domainkey.example.com': ['TIMEOUT'] });
  const resolver = createResolver({ servers: [server.address], timeoutMs: 20_000, tries: 1 });
  const before = performance.now();
  const { signatures: found } = await verify(signed(MAIL), resolver, { seconds: 0.2 });
  assert.equal(found[0]?.result, 'temperror');
  assert.ok(performance.now() - before < 10_000, 'the resolver alone would take 20 s');
  resolver.close();
  await server.close();
});

test('a message that cannot be read rejects for each who asks, and leaves nothing behind', async () => {
  const message = await messageOf(signed(MAIL));
  const failing = {
    async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
      await new Promise(setImmediate);
      yield message.header;
      throw new Error('EIO');
    },
  };
  const found = await signatures('', keyNames(), {
    message: { ...message, chunks: () => failing },
    spf,
  });
  const asked = [found.dkim(), found.dmarc(), found.dkim()];
  await Promise.all(asked.map(one => assert.rejects(one, /EIO/)));
  await new Promise(setImmediate);
});

test('keys are published once and found in whatever case the zone is', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const server = await startDnsServer({
    'S._DomainKey.EXAMPLE.com': [{ TXT: `p=${published(privateKey)}` }],
  });
  const resolver = createResolver({ servers: [server.address] });
  const { signatures: found } = await verify(
    signed(MAIL, { key: privateKey, tags: { d: 'Example.COM', s: 'S' } }),
    resolver,
  );
  assert.equal(found[0]?.result, 'pass', found[0]?.detail);
  resolver.close();
  await server.close();
});
