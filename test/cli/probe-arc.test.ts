import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createResolver } from '../../src/dns/resolver.ts';
import { MAIL, sealed, sealer, verify, zoneOf } from '../auth/arc-mail.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { postern } from '../support/gateway.ts';

const [A, B] = [sealer('a.example'), sealer('b.example')];
const server = await startDnsServer(zoneOf(A, B));
const dns = createResolver({ servers: [server.address] });
test.after(async () => {
  dns.close();
  await server.close();
});

const ONE = await sealed(MAIL, A, dns);
const BROKEN = ONE.replace('Hello', 'Hallo');
const AR = 'Authentication-Results: mx.b.example;';

/** The answers to requests, of which each gets an `id` and the DNS. */
async function probe(requests: readonly object[]): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const input = requests
    .map((one, id) => `${JSON.stringify({ id, dns: server.address, ...one })}\n`)
    .join('');
  const done = await postern(['probe'], { input });
  assert.equal(done.code, 0, done.stderr.toString());
  const answers = done.stdout.toString().split('\n').filter(Boolean);
  const found = answers.map(line => JSON.parse(line) as Record<string, unknown>);
  return requests.map((_, id) => found.find(one => one['id'] === id) ?? assert.fail(`no answer to ${id}`));
}

const base64 = (text: string) => Buffer.from(text, 'latin1').toString('base64');

test('messages with CRLF, with LF, and those that are hardly any', async () => {
  const texts = [MAIL, ONE, ONE.replaceAll('\r\n', '\n'), BROKEN, '', '\n', '\n\nbody', 'x', 'ARC-Seal:'];
  const answers = await probe(texts.map(text => ({ op: 'arc', message: base64(text) })));
  assert.deepEqual(
    answers.map(answer => answer['result']),
    ['none', 'pass', 'pass', 'fail', 'none', 'none', 'none', 'none', 'fail'],
  );
  for (const op of ['dkim', 'domainkeys']) {
    const bare = await probe(['', '\r\n', '\n', 'x', 'a: b'].map(text => ({ op, message: base64(text) })));
    for (const answer of bare) assert.deepEqual(answer['signatures'], []);
  }
  const without = await probe(['dkim', 'domainkeys', 'arc', 'arc-seal'].map(op => ({ op })));
  for (const answer of without) assert.equal(typeof answer['error'], 'string');
});

test('ten signatures are looked at', async () => {
  const text = 'DKIM-Signature: v=1\r\n'.repeat(500) + MAIL;
  const [answer] = await probe([{ op: 'dkim', message: base64(text), now: 1, minBits: 512 }]);
  const signatures = answer?.['signatures'] as readonly object[];
  assert.equal(signatures.length, 10);
  assert.deepEqual(signatures[0], { result: 'neutral', domain: '', selector: '', comment: 'a= is missing' });
});

/** What stands above a message, the message, and what the new set says: its `cv`, and its results. */
const SEALS: readonly (readonly [what: string, text: string, cv: string | null, results?: RegExp])[] = [
  ['no results', MAIL, null],
  ['results of another', `Authentication-Results: mx.c.example; spf=pass\r\n${MAIL}`, null],
  ['a first set', `${AR} spf=pass\r\n${MAIL}`, 'none', /^i=1; mx\.b\.example; spf=pass$/],
  ['none', `${AR} none\r\n${MAIL}`, 'none', /^i=1; mx\.b\.example; none$/],
  ['merged', `${AR} spf=pass\r\nX: y\r\n${AR} dkim=fail;\r\n${MAIL}`, 'none', /; spf=pass; dkim=fail$/],
  [
    'LF line ends',
    `${AR}\n  spf=pass\n${MAIL.replaceAll('\r\n', '\n')}`,
    'none',
    /^i=1; mx\.b\.example; spf=pass$/,
  ],
  ['a second set', `${AR} spf=fail; arc=pass\r\n${ONE}`, 'pass', /^i=2; mx\.b\.example; spf=fail; arc=pass$/],
  ['a chain that nobody speaks of', `${AR} spf=fail\r\n${ONE}`, null],
  ['a chain that nobody saw', `${AR} arc=none\r\n${ONE}`, null],
  ['UTF-8', `${AR} spf=pass (\xc3\xa4)\r\n${MAIL}`, 'none', /; spf=pass \(ä\)$/],
  ['arc=fail', `${AR} arc=fail\r\n${ONE}`, 'fail', /^i=2; mx\.b\.example; arc=fail$/],
  ['arc twice', `${AR} arc=pass\r\n${AR} arc=pass\r\n${ONE}`, 'fail', /^i=2/],
  ['arc=pass of a chain that fails', `${AR} arc=pass\r\n${BROKEN}`, 'fail', /^i=2/],
  ['arc=pass without a chain', `${AR} arc=pass\r\n${MAIL}`, 'none', /^i=1/],
];

const KEY = B.key.export({ type: 'pkcs1', format: 'pem' });

test('arc-seal', async () => {
  const sealing = {
    op: 'arc-seal',
    domain: 'b.example',
    selector: 's',
    privateKey: KEY,
    srvId: 'mx.b.example',
    t: 12345,
  };
  const answers = await probe(SEALS.map(([, text]) => ({ ...sealing, message: base64(text) })));
  for (const [i, [what, text, cv, results]] of SEALS.entries()) {
    const headers = String(answers[i]?.['headers']);
    const set = headers.replace(/\r\n[ \t]+/g, ' ');
    if (cv === null) {
      assert.equal(headers, '', what);
      continue;
    }
    assert.match(
      set,
      new RegExp(`^ARC-Seal: .* cv=${cv}; .*t=12345;.*\r\nARC-Message-Signature: .* t=12345; `),
      what,
    );
    assert.match(/Results: (.*)\r\n$/.exec(set)?.[1] ?? set, results ?? /./, what);
    const whole = Buffer.from(headers).toString('latin1') + text.replace(/\r?\n/g, '\r\n');
    assert.equal((await verify(whole, dns))?.result, cv === 'fail' ? 'fail' : 'pass', what);
  }
  const faults = await probe([
    { ...sealing, message: '', privateKey: 'nonsense' },
    { ...sealing, message: '', srvId: 5 },
    { ...sealing, message: '', domain: null },
  ]);
  for (const answer of faults) assert.equal(typeof answer['error'], 'string');
});
