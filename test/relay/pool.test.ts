import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionPool } from '../../src/relay/pool.ts';
import { CLOSE } from '../support/scripted-server.ts';
import { messageOf, until } from './messages.ts';
import { ADDED, ask, BODY, scriptedHop, shown } from './relay-to.ts';

const OK = 'accepted 250 2.1.5 ok';
const TAKEN = 'accepted 250 2.0.0 taken';

test('one message after another on one connection, without RSET', async t => {
  const { server, open, relay } = await scriptedHop(t);
  for (let i = 0; i < 5; i++) {
    const delivery = open();
    assert.deepEqual(await ask(delivery, 'a'), [OK]);
    assert.deepEqual((await delivery.send(ADDED, messageOf(BODY))).map(shown), [TAKEN]);
  }
  assert.equal(server.connections, 1);
  assert.ok(!server.commands.includes('RSET'));
  await relay.close();
  assert.equal(server.commands.at(-1), 'QUIT');
});

test('an idle connection that the hop closed is replaced', async t => {
  const { server, open } = await scriptedHop(t);
  for (let i = 0; i < 3; i++) {
    const delivery = open();
    assert.deepEqual(await ask(delivery, 'a'), [OK]);
    await delivery.send(ADDED, messageOf(BODY));
    server.hangUp();
    await until(() => server.open === 0);
  }
  assert.equal(server.connections, 3);
});

test('an idle connection on which the hop has said 421 is replaced', async t => {
  const { server, open } = await scriptedHop(t);
  const first = open();
  await ask(first, 'a');
  await first.send(ADDED, messageOf(BODY));
  server.shout('421 4.4.2 too slow\r\n');
  assert.deepEqual(await ask(open(), 'a'), [OK]);
});

for (const [name, act] of [
  ['hangs up', CLOSE],
  ['says 421', { say: '421 4.7.0 enough', next: 'close' }],
  ['has had enough of this session', '452 4.7.0 too many messages'],
] as const) {
  test(`the hop ${name} at the next MAIL on an idle connection: once more on a fresh one`, async t => {
    const { server, open } = await scriptedHop(t, { MAIL: ['250 2.1.0 ok', act, '250 2.1.0 ok'] });
    for (let i = 0; i < 2; i++) {
      const delivery = open();
      assert.deepEqual(await ask(delivery, 'a'), [OK]);
      assert.deepEqual((await delivery.send(ADDED, messageOf(BODY))).map(shown), [TAKEN]);
    }
    assert.equal(server.connections, 2);
    assert.equal(server.messages.length, 2);
  });
}

test('on a fresh connection there is no second try, nor once DATA was said', async t => {
  const { server, open } = await scriptedHop(t, {
    MAIL: [CLOSE, '250 2.1.0 ok'],
    '.': ['250 2.0.0 taken', CLOSE],
  });
  assert.match((await ask(open(), 'a'))[0] ?? '', /^failed 451 4\.4\.2/);
  assert.equal(server.connections, 1);
  const first = open();
  await ask(first, 'a');
  await first.send(ADDED, messageOf(BODY));
  const second = open();
  await ask(second, 'a');
  assert.match((await second.send(ADDED, messageOf(BODY))).map(shown).join(), /^failed 451 4\.4\.2/);
  assert.equal(server.connections, 2);
});

test('at most so many idle connections, and not for long', async t => {
  const { server, open } = await scriptedHop(t, {}, {}, { pool: { idleEach: 2, idleMs: 1000 } });
  const deliveries = Array.from({ length: 5 }, () => open());
  await Promise.all(deliveries.map(d => ask(d, 'a')));
  assert.equal(server.open, 5);
  await Promise.all(deliveries.map(d => d.send(ADDED, messageOf(BODY))));
  await until(() => server.open === 2);
  await until(() => server.open === 0);
  assert.equal(server.commands.filter(c => c === 'QUIT').length, 5);
});

test('closing the relay lets a delivery finish', async t => {
  const { server, open, relay } = await scriptedHop(t);
  const delivery = open();
  await ask(delivery, 'a');
  await relay.close();
  assert.deepEqual((await delivery.send(ADDED, messageOf(BODY))).map(shown), [TAKEN]);
  await until(() => server.open === 0);
  assert.equal(server.commands.at(-1), 'QUIT');
});

test('a place that failed a moment ago comes last, as long as there is another', () => {
  const pool = new ConnectionPool();
  const [a, b, c] = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
  assert.deepEqual(pool.byHealth([a, b, c]), [a, b, c]);
  pool.avoid('a');
  assert.deepEqual(pool.byHealth([a, b, c]), [b, c, a]);
  assert.deepEqual(pool.byHealth([a]), [a]);
  pool.avoid('b');
  pool.avoid('c');
  assert.deepEqual(pool.byHealth([a, b, c]), [a, b, c]);
});
