import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Delivery } from '../../src/model/delivery.ts';
import type { TlsUse } from '../../src/relay/greeting.ts';
import { CLOSE, HANG, scriptedServer } from '../support/scripted-server.ts';
import type { Script, ScriptedServer } from '../support/scripted-server.ts';
import { messageOf } from './messages.ts';
import { ADDED, ask, relayTo, shown } from './relay-to.ts';

interface Keys {
  readonly key: string;
  readonly cert: string;
}

/** A self-signed certificate for this name. */
function certificate(name: string): Keys {
  const folder = mkdtempSync(path.join(tmpdir(), 'certificate-'));
  const key = path.join(folder, 'key.pem');
  const cert = path.join(folder, 'cert.pem');
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  execFileSync(
    'openssl',
    ['req', '-x509', ...ec, '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject],
    {
      stdio: 'ignore',
    },
  );
  const pair = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  rmSync(folder, { recursive: true });
  return pair;
}

const LOCALHOST = certificate('localhost');
const OTHER = certificate('other.example');
const OFFERS = ['PIPELINING', '8BITMIME', 'STARTTLS'];

async function hop(
  t: TestContext,
  tls: TlsUse,
  script: Script = {},
  keys: Keys | null = LOCALHOST,
  offers: readonly string[] = OFFERS,
): Promise<{ server: ScriptedServer; delivery: Delivery }> {
  const server = await scriptedServer(script, { offers, ...(keys === null ? {} : { tls: keys }) });
  t.after(() => server.stop());
  const { open } = relayTo(
    t,
    { kind: 'smtp', host: 'localhost', port: server.port, tls, place: 'test' },
    { ca: LOCALHOST.cert + OTHER.cert, timeouts: { reply: 500 } },
  );
  return { server, delivery: open() };
}

const BODY = Buffer.alloc(5 * 1024 * 1024, '0123456789abcdef'.repeat(4).concat('\r\n'));
const BIG = messageOf(BODY, {}, 100_000);

test('STARTTLS: EHLO again, then the mail, all under TLS', async t => {
  for (const tls of ['opportunistic', 'required'] as const) {
    const { server, delivery } = await hop(t, tls);
    assert.deepEqual(await ask(delivery, 'a'), ['accepted 250 2.1.5 ok']);
    assert.deepEqual(server.commands.slice(0, 3), ['EHLO gate.example', 'STARTTLS', 'EHLO gate.example']);
    const answers = await delivery.send(ADDED, BIG);
    assert.equal(answers[0]?.kind, 'accepted');
    assert.match(answers[0]?.hop ?? '', /^smtp localhost\[(127\.0\.0\.1|::1)\]:\d+$/);
    const sent = Buffer.concat([ADDED, BODY]);
    assert.ok(server.messages[0]?.subarray(0, sent.length).equals(sent));
    assert.equal(server.connections, 1);
  }
});

test('opportunistic: any certificate will do', async t => {
  const { server, delivery } = await hop(t, 'opportunistic', {}, OTHER);
  assert.deepEqual(await ask(delivery, 'a'), ['accepted 250 2.1.5 ok']);
  assert.equal(server.connections, 1);
});

test('required: the certificate must be for the host', async t => {
  const { server, delivery } = await hop(t, 'required', {}, OTHER);
  assert.match(
    (await ask(delivery, 'a'))[0] ?? '',
    /^failed 451 4\.7\.5 no TLS with next hop: .*ERR_TLS_CERT_ALTNAME_INVALID/,
  );
  assert.ok(!server.commands.some(c => c.startsWith('MAIL')));
});

test('required: the certificate must be signed by someone we trust', async t => {
  const server = await scriptedServer({}, { tls: LOCALHOST, offers: OFFERS });
  t.after(() => server.stop());
  const { open } = relayTo(t, {
    kind: 'smtp',
    host: 'localhost',
    port: server.port,
    tls: 'required',
    place: 'test',
  });
  assert.match((await ask(open(), 'a'))[0] ?? '', /^failed 451 4\.7\.5 no TLS with next hop: .*SELF_SIGNED/);
});

test('off: not used though offered', async t => {
  const { server, delivery } = await hop(t, 'off');
  assert.deepEqual(await ask(delivery, 'a'), ['accepted 250 2.1.5 ok']);
  assert.ok(!server.commands.includes('STARTTLS'));
});

const FAILURES: readonly [string, Script, RegExp][] = [
  [
    'refused',
    { STARTTLS: '454 4.7.0 not now' },
    /^failed 451 4\.7\.5 no TLS with next hop: 454 4\.7\.0 not now/,
  ],
  ['garbage instead of a handshake', { STARTTLS: ['220 go'] }, /^failed 451 4\.7\.5 no TLS with next hop: /],
  ['plain text behind the reply', { STARTTLS: { raw: '220 go\r\n250 injected\r\n' } }, /: plain text after/],
  ['half a line behind the reply', { STARTTLS: { raw: '220 go\r\n25' } }, /: plain text after/],
  ['hangs up', { STARTTLS: CLOSE }, /^failed 451 4\.4\.2 /],
  ['hangs up after its yes', { STARTTLS: { say: '220 go', next: 'close' } }, /^failed 451 4\.7\.5 /],
  ['says nothing', { STARTTLS: HANG }, /^failed 451 4\.4\.2 /],
  ['says nothing after its yes', { STARTTLS: { say: '220 go', next: 'hang' } }, /^failed 451 4\.7\.5 /],
];

describe('STARTTLS fails: in clear on a fresh connection, or not at all', { concurrency: 8 }, () => {
  for (const [name, script, expected] of FAILURES) {
    test(name, async t => {
      const keys = name.startsWith('garbage') ? null : LOCALHOST;
      const opportunistic = await hop(t, 'opportunistic', script, keys);
      assert.deepEqual(await ask(opportunistic.delivery, 'a'), ['accepted 250 2.1.5 ok']);
      assert.equal(opportunistic.server.connections, 2);
      assert.deepEqual((await opportunistic.delivery.send(ADDED, messageOf('x\r\n'))).map(shown), [
        'accepted 250 2.0.0 taken',
      ]);

      const required = await hop(t, 'required', script, keys);
      assert.match((await ask(required.delivery, 'a'))[0] ?? '', expected);
      assert.ok(!required.server.commands.some(c => c.startsWith('MAIL')));
    });
  }
});

test('not offered: in clear, or not at all', async t => {
  const opportunistic = await hop(t, 'opportunistic', {}, LOCALHOST, ['PIPELINING']);
  assert.deepEqual(await ask(opportunistic.delivery, 'a'), ['accepted 250 2.1.5 ok']);
  const required = await hop(t, 'required', {}, LOCALHOST, ['PIPELINING']);
  assert.deepEqual(await ask(required.delivery, 'a'), ['failed 451 4.7.5 no TLS with next hop: not offered']);
});
