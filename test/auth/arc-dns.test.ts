import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createResolver } from '../../src/dns/resolver.ts';
import { startDnsServer } from '../support/dns-server.ts';
import type { ZoneEntry } from '../support/dns-server.ts';
import { MAIL, namesOf, recordOf, sealed, sealer, verify } from './arc-mail.ts';
import { dnsOf } from './asking.ts';

const [A, B] = [sealer('a.example'), sealer('b.example')];
const dns = dnsOf(namesOf(A, B));
const TWO = await sealed(await sealed(MAIL, A, dns), B, dns);

const KEYS: Readonly<Record<string, readonly [record: string, detail: RegExp]>> = {
  revoked: ['v=DKIM1; p=', /revoked/],
  'of another type': [recordOf(sealer('x.example', 'ed25519')), /the key is for ed25519/],
  'for another service': [recordOf(B).replace('k=rsa;', 'k=rsa; s=tlsrpt;'), /not for mail/],
  'for another hash': [recordOf(B).replace('k=rsa;', 'k=rsa; h=sha1;'), /not for sha256/],
  'of somebody else': [recordOf(A), /the header was changed/],
  'no key': ['hello', /no tag list/],
  'too short': [recordOf(sealer('x.example', 'rsa', 768)), /768 bits/],
};

for (const [name, [record, detail]] of Object.entries(KEYS)) {
  test(`a chain fails whose key is ${name}`, async () => {
    const outcome = await verify(TWO, dnsOf({ ...namesOf(A), 'TXT s._domainkey.b.example': [record] }));
    assert.equal(outcome?.result, 'fail');
    assert.match(outcome.detail, detail);
  });
}

test('a key that is asked for by several sets is asked for once', async () => {
  const asking = dnsOf(namesOf(A, B));
  let text = MAIL;
  for (let i = 0; i < 10; i++) text = await sealed(text, A, dns);
  assert.equal((await verify(text, asking))?.result, 'pass');
  assert.deepEqual(asking.asked, ['TXT s._domainkey.a.example']);
});

const BROKEN_DNS: Readonly<Record<string, readonly [entries: readonly ZoneEntry[] | null, result: string]>> =
  {
    NXDOMAIN: [null, 'fail'],
    NODATA: [[{ A: '192.0.2.1' }], 'fail'],
    SERVFAIL: [['SERVFAIL'], 'temperror'],
    REFUSED: [['REFUSED'], 'temperror'],
    silence: [['TIMEOUT'], 'temperror'],
    garbage: [['GARBAGE'], 'temperror'],
    'a chain of CNAMEs': [[{ CNAME: '1.b.example' }], 'pass'],
    'a loop of CNAMEs': [[{ CNAME: 's._domainkey.b.example' }], ''],
    'a key in 100 strings': [[{ TXT: recordOf(B).match(/.{1,3}/gs) }], 'pass'],
    '100 other strings, truncated over UDP': [
      [{ TXT: Array.from({ length: 100 }, () => 'x'.repeat(200)) }],
      'fail',
    ],
    'a key among other records': [[{ TXT: 'hello' }, { TXT: recordOf(B) }], 'pass'],
  };

for (const [name, [entries, wanted]] of Object.entries(BROKEN_DNS)) {
  test(`the DNS: ${name}`, async () => {
    const zone = {
      's._domainkey.a.example': [{ TXT: recordOf(A) }],
      ...(entries === null ? {} : { 's._domainkey.b.example': entries }),
      '1.b.example': [{ CNAME: '2.b.example' }],
      '2.b.example': [{ CNAME: '3.b.example' }],
      '3.b.example': [{ TXT: recordOf(B) }],
    };
    const server = await startDnsServer(zone);
    const timeoutMs = wanted === 'temperror' ? 200 : 10_000;
    const resolver = createResolver({ servers: [server.address], timeoutMs, tries: 1 });
    try {
      const outcome = await verify(TWO, resolver, { lookupMs: 20_000 });
      if (wanted === '') assert.notEqual(outcome?.result, 'pass');
      else assert.equal(outcome?.result, wanted, outcome?.detail);
    } finally {
      resolver.close();
      await server.close();
    }
  });
}

test('a DNS that hangs is waited for until the deadline; a chain that fails anyway fails', async () => {
  const hanging = { ...dns, txt: () => new Promise<never>(() => {}) };
  assert.equal((await verify(TWO, hanging, { lookupMs: 20 }))?.result, 'temperror');
  const half = dnsOf({ ...namesOf(B), 'TXT s._domainkey.a.example': 'fails' });
  assert.equal((await verify(TWO, half))?.result, 'temperror');
  assert.equal((await verify(TWO.replace('Hello', 'Hallo'), half))?.result, 'fail');
  const other = dnsOf({ 'TXT s._domainkey.a.example': ['p='], 'TXT s._domainkey.b.example': 'fails' });
  assert.equal((await verify(TWO, other))?.result, 'fail');
});

test('when the look-ups are used up, the chain fails', async () => {
  const asking = dnsOf(namesOf(A, B));
  const outcome = await verify(TWO, asking, { lookups: 1 });
  assert.equal(outcome?.result, 'fail');
  assert.match(outcome.detail, /look-ups of this message are used up/);
  assert.equal(asking.asked.length, 1);
});
