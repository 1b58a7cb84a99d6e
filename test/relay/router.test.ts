import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Route } from '../../src/control/routes.ts';
import { address } from '../../src/model/address.ts';
import { createRelay } from '../../src/relay/router.ts';
import type { Relay, RelayOptions } from '../../src/relay/router.ts';
import { scriptedServer } from '../support/scripted-server.ts';
import { envelopeOf, messageOf } from './messages.ts';
import { ADDED, BODY, scriptedHop, shown } from './relay-to.ts';
import { dnsOf } from './zone.ts';

function relayOf(t: TestContext, options: Partial<RelayOptions> = {}): Relay {
  const relay = createRelay({ dns: dnsOf({}), ourName: 'gate.example', ...options });
  t.after(() => relay.close());
  return relay;
}

const TO = address('a@example.com');

test('one key for one hop', t => {
  const routes: Record<string, Route> = {
    'a.example': { kind: 'smtp', host: '192.0.2.1', port: 25, tls: 'off', place: 'a' },
    'b.example': { kind: 'smtp', host: '192.0.2.1', port: 25, tls: 'off', place: 'b' },
    'c.example': { kind: 'smtp', host: '192.0.2.1', port: 25, tls: 'required', place: 'c' },
    'd.example': { kind: 'lmtp', host: '192.0.2.1', port: 25, tls: 'off', place: 'd' },
    'e.example': { kind: 'mx', port: 25, tls: 'off', place: 'e' },
    'f.example': { kind: 'mx', port: 25, tls: 'off', place: 'e' },
    'g.example': { kind: 'maildir', path: 'x', place: 'e' },
  };
  const router = relayOf(t).router(domain => routes[domain] ?? null);
  const key = (domain: string): string => router.route(address(`x@${domain}`)).key;
  assert.equal(key('a.example'), key('b.example'));
  assert.equal(router.route(address('x@a.example')), router.route(address('y@a.example')));
  const keys = Object.keys(routes)
    .filter(d => d !== 'b.example')
    .map(key);
  assert.equal(new Set([...keys, key('unknown.example')]).size, 7);
});

test('no route: the mail stays with the sender', async t => {
  const delivery = relayOf(t)
    .router(() => null)
    .route(TO)
    .open(envelopeOf(null));
  assert.equal(shown(await delivery.addRecipient(TO)), 'failed 451 4.4.0 no route to this domain');
  assert.deepEqual(await delivery.send(ADDED, messageOf(BODY)), []);
});

test('connections outlive a configuration', async t => {
  const server = await scriptedServer();
  t.after(() => server.stop());
  const relay = relayOf(t);
  for (let generation = 0; generation < 3; generation++) {
    const router = relay.router(() => ({
      kind: 'smtp',
      host: '127.0.0.1',
      port: server.port,
      tls: 'off',
      place: 'x',
    }));
    const delivery = router.route(TO).open(envelopeOf(null));
    await delivery.addRecipient(TO);
    await delivery.send(ADDED, messageOf(BODY));
  }
  assert.equal(server.connections, 1);
});

test('MX: the next host when the first does not answer', async t => {
  // It listens on 127.0.0.1 and not on 127.0.0.2.
  const up = await scriptedServer();
  t.after(() => up.stop());
  const dns = dnsOf({
    mx: {
      'example.com': [
        { preference: 10, host: 'first.example.com' },
        { preference: 20, host: 'second.example.com' },
      ],
    },
    a: { 'first.example.com': ['127.0.0.2'], 'second.example.com': ['127.0.0.1'] },
  });
  const router = relayOf(t, { dns }).router(() => ({
    kind: 'mx',
    port: up.port,
    tls: 'opportunistic',
    place: 'x',
  }));
  const answer = await router.route(TO).open(envelopeOf(null)).addRecipient(TO);
  assert.equal(shown(answer), 'accepted 250 2.1.5 ok');
  assert.equal(answer.hop, `smtp second.example.com[127.0.0.1]:${up.port}`);
});

test('MX: answers without a connection', async t => {
  const dns = dnsOf({
    mx: { 'null.example': [{ preference: 0, host: '' }] },
    a: { 'us.example': ['127.0.0.1'] },
  });
  const relay = relayOf(t, { dns, isOwn: (ip, port) => ip === '127.0.0.1' && port === 25 });
  const ask = async (domain: string, port: number): Promise<string> => {
    const to = address(`a@${domain}`);
    const answer = await relay
      .router(() => ({ kind: 'mx', port, tls: 'off', place: 'x' }))
      .route(to)
      .open(envelopeOf(null))
      .addRecipient(to);
    return `${answer.kind} ${answer.reply.code} ${answer.reply.enhanced} ${answer.hop}`;
  };
  assert.equal(await ask('null.example', 25), 'refused 556 5.1.10 mx null.example');
  assert.equal(await ask('us.example', 25), 'failed 451 4.4.6 mx us.example');
});

test('a route to ourselves, and a name that does not exist', async t => {
  const relay = relayOf(t, { isOwn: (ip, port) => ip === '127.0.0.1' && port === 2525 });
  const ask = async (host: string): Promise<string> => {
    const router = relay.router(() => ({ kind: 'smtp', host, port: 2525, tls: 'off', place: 'x' }));
    return shown(await router.route(TO).open(envelopeOf(null)).addRecipient(TO));
  };
  assert.match(await ask('127.0.0.1'), /^failed 451 4\.4\.6 /);
  assert.match(await ask('host.invalid'), /^failed 451 4\.4\.1 .*could not be looked up/);
});

test('LMTP on a Unix socket', async t => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lmtp-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const socket = path.join(folder, 'lmtp');
  const { server, open } = await scriptedHop(t, {}, { protocol: 'lmtp', path: socket });
  const delivery = open();
  const answer = await delivery.addRecipient(TO);
  assert.equal(answer.hop, `lmtp ${socket}`);
  assert.equal((await delivery.send(ADDED, messageOf(BODY)))[0]?.kind, 'accepted');
  assert.deepEqual(server.messages.map(String), [`${ADDED.toString()}${BODY}`]);
});

test('a Unix socket that is not there', async t => {
  const relay = relayOf(t);
  const router = relay.router(() => ({ kind: 'lmtp', path: '/nonexistent/lmtp', place: 'x' }));
  const answer = await router.route(TO).open(envelopeOf(null)).addRecipient(TO);
  assert.equal(shown(answer), 'failed 451 4.4.1 next hop cannot be reached: ENOENT');
});
