import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { address } from '../../src/model/address.ts';
import { CLOSE, HANG, RESET } from '../support/scripted-server.ts';
import type { Act, Script, ScriptOptions } from '../support/scripted-server.ts';
import { envelopeOf, messageOf, until } from './messages.ts';
import { ADDED, ask, BODY, scriptedHop, shown } from './relay-to.ts';

const OK = 'accepted 250 2.1.5 ok';
const TAKEN = 'accepted 250 2.0.0 taken';
const CLOSED = 'failed 451 4.4.2 next hop closed the connection';
const SILENT = 'failed 451 4.4.2 next hop did not answer in time';

test('MAIL and the first RCPT leave in one write, DATA only from send', async t => {
  const { server, open } = await scriptedHop(t);
  const delivery = open(envelopeOf('s@example.net', { size: 1234, body: '8BITMIME' }));
  assert.deepEqual(await ask(delivery, 'a', 'b'), [OK, OK]);
  assert.deepEqual(server.reads, [
    'EHLO gate.example\r\n',
    'MAIL FROM:<s@example.net> SIZE=1234 BODY=8BITMIME\r\nRCPT TO:<a@example.com>\r\n',
    'RCPT TO:<b@example.com>\r\n',
  ]);
  const answers = await delivery.send(ADDED, messageOf(BODY));
  assert.deepEqual(answers.map(shown), [TAKEN, TAKEN]);
  assert.equal(answers[0]?.hop, `smtp 127.0.0.1:${server.port}`);
  assert.deepEqual(server.messages.map(String), [`Received: from test\r\n${BODY}`]);
});

test('null sender, SMTPUTF8, bytes above 127', async t => {
  const { server, open } = await scriptedHop(t);
  const delivery = open(envelopeOf(null, { smtputf8: true }));
  assert.deepEqual(await ask(delivery, 'j\xc3\xb6rg'), [OK]);
  assert.equal(server.commands[1], 'MAIL FROM:<> SMTPUTF8');
  assert.equal(server.commands[2], 'RCPT TO:<j\xc3\xb6rg@example.com>');
});

test('a hop without extensions: HELO, one command at a time, no parameters', async t => {
  const { server, open } = await scriptedHop(t, { EHLO: '502 5.5.2 what?' });
  const delivery = open(envelopeOf('s@example.net', { size: 99, body: '8BITMIME' }));
  assert.deepEqual(await ask(delivery, 'a'), [OK]);
  assert.deepEqual(server.reads, [
    'EHLO gate.example\r\n',
    'HELO gate.example\r\n',
    'MAIL FROM:<s@example.net>\r\n',
    'RCPT TO:<a@example.com>\r\n',
  ]);
  assert.deepEqual((await delivery.send(ADDED, messageOf(BODY))).map(shown), [TAKEN]);
});

test('replies one byte at a time, and of several lines', async t => {
  const { open } = await scriptedHop(t, { RCPT: '250-2.1.5 well\n250 2.1.5 yes' }, { byteWise: true });
  const delivery = open();
  assert.deepEqual(await ask(delivery, 'a', 'b'), [
    'accepted 250 2.1.5 well | yes',
    'accepted 250 2.1.5 well | yes',
  ]);
  assert.deepEqual((await delivery.send(ADDED, messageOf(BODY))).map(shown), [TAKEN, TAKEN]);
});

test('one of three recipients is deferred, and does not count', async t => {
  const { server, open } = await scriptedHop(t, { RCPT: ['250 2.1.5 ok', '452 4.2.2 full', '250 2.1.5 ok'] });
  const delivery = open();
  assert.deepEqual(await ask(delivery, 'a', 'b', 'c'), [OK, 'failed 452 4.2.2 full', OK]);
  assert.deepEqual((await delivery.send(ADDED, messageOf(BODY))).map(shown), [TAKEN, TAKEN]);
  assert.equal(server.messages.length, 1);
});

test('every recipient is refused: nothing is sent, the connection is used again', async t => {
  const { server, open } = await scriptedHop(t, { RCPT: '550 5.7.1 no' });
  const delivery = open();
  assert.deepEqual(await ask(delivery, 'a', 'b'), ['refused 550 5.7.1 no', 'refused 550 5.7.1 no']);
  assert.deepEqual(await delivery.send(ADDED, messageOf(BODY)), []);
  await until(() => server.commands.at(-1) === 'RSET');
  await ask(open(), 'c');
  assert.equal(server.connections, 1);
  assert.ok(!server.commands.includes('DATA'));
});

test("the hop's words, cleaned and cut", async t => {
  const long = 'x'.repeat(300);
  const { open } = await scriptedHop(t, {
    RCPT: [
      '550-5.1.2 a\tb\x07c\n550 5.1.2 d',
      `550-5.7.1 ${long}\n550-5.7.1 ${long}\n550 5.7.1 end`,
      '550 caf\xc3\xa9',
      '450 later',
    ],
  });
  assert.deepEqual(await ask(open(), 'a', 'b', 'c', 'd'), [
    'refused 550 5.1.2 a b c | d',
    `refused 550 5.7.1 ${long} | ${'x'.repeat(100)}`,
    'refused 550 5.0.0 caf\xc3\xa9',
    'failed 450 4.0.0 later',
  ]);
});

test('replies that have no place: temporary', async t => {
  for (const [code, script] of [
    [354, { RCPT: '354 go' }],
    [334, { MAIL: '334 login?' }],
    [503, { MAIL: '503 5.5.1 bad sequence' }],
    [530, { MAIL: '530 5.7.0 STARTTLS first' }],
  ] as const) {
    const { open } = await scriptedHop(t, script);
    assert.deepEqual(await ask(open(), 'a'), [
      `failed 451 4.5.0 next hop does not speak the protocol: unexpected reply ${code}`,
    ]);
  }
});

test('MAIL refused: so is each recipient', async t => {
  for (const offers of [['PIPELINING'], []]) {
    const { server, open } = await scriptedHop(
      t,
      { MAIL: '550 5.7.1 not from there', RCPT: '503 5.5.1 MAIL first' },
      { offers },
    );
    const delivery = open();
    assert.deepEqual(
      await ask(delivery, 'a', 'b'),
      Array.from({ length: 2 }, () => 'refused 550 5.7.1 not from there'),
    );
    delivery.abort();
    assert.equal(server.commands.filter(c => c.startsWith('RCPT')).length, offers.length);
  }
});

test('421 at any time is 451 for our client', async t => {
  const bye: Act = { say: '421 4.3.2 going down', next: 'close' };
  const answer = 'failed 451 4.3.2 going down';
  for (const verb of ['MAIL', 'RCPT']) {
    const { open } = await scriptedHop(t, { [verb]: bye });
    const delivery = open();
    assert.deepEqual(await ask(delivery, 'a', 'b'), [answer, answer], verb);
    assert.deepEqual(await delivery.send(ADDED, messageOf(BODY)), []);
  }
  for (const verb of ['DATA', '.']) {
    const { server, open } = await scriptedHop(t, { [verb]: bye });
    const delivery = open();
    await ask(delivery, 'a');
    assert.deepEqual((await delivery.send(ADDED, messageOf(BODY))).map(shown), [answer], verb);
    await until(() => server.open === 0);
  }
  for (const verb of ['CONNECT', 'EHLO']) {
    const { open } = await scriptedHop(t, { [verb]: bye });
    assert.deepEqual(await ask(open(), 'a'), [
      'failed 451 4.4.1 next hop cannot be reached: it said 421 4.3.2 going down',
    ]);
  }
});

test('a second recipient gets 421: the first one is not delivered either', async t => {
  const { open, server } = await scriptedHop(t, {
    RCPT: ['250 2.1.5 ok', { say: '421 4.3.2 bye', next: 'close' }],
  });
  const delivery = open();
  assert.deepEqual(await ask(delivery, 'a', 'b'), [OK, 'failed 451 4.3.2 bye']);
  const [answer] = await delivery.send(ADDED, messageOf(BODY));
  assert.equal(answer?.kind, 'failed');
  assert.deepEqual(server.messages, []);
});

test('a hop that turns us away is trouble, not a refusal', async t => {
  const { open } = await scriptedHop(t, { CONNECT: '554 5.7.1 go away' });
  assert.deepEqual(await ask(open(), 'a'), [
    'failed 451 4.4.1 next hop cannot be reached: it said 554 5.7.1 go away',
  ]);
});

test('nobody there', async t => {
  const { server, open } = await scriptedHop(t);
  await server.stop();
  const delivery = open();
  const refused = 'failed 451 4.4.1 next hop cannot be reached: ECONNREFUSED';
  assert.deepEqual(await ask(delivery, 'a', 'b'), [refused, refused]);
  delivery.abort();
});

const AT_RECIPIENT = ['CONNECT', 'EHLO', 'MAIL', 'RCPT'] as const;
const AT_SEND = ['DATA', '.'] as const;

/** Runs a delivery against a hop that does `act` at `verb`, and shows the answer of the step in which that happens. */
function ugly(verb: string, act: Act, expected: RegExp, options: ScriptOptions = {}): void {
  const name = `${verb}: ${JSON.stringify(act)}${options.offers?.length === 0 ? ', no PIPELINING' : ''}`;
  test(name, async t => {
    const script: Script = { [verb]: act };
    const { server, open } = await scriptedHop(t, script, options, {
      timeouts: { connect: 2000, reply: 500, final: 500 },
    });
    const delivery = open();
    const asked = await ask(delivery, 'a');
    let seen = asked[0] ?? '';
    if ((AT_SEND as readonly string[]).includes(verb)) {
      assert.equal(seen, OK);
      const answers = await delivery.send(ADDED, messageOf(BODY));
      assert.equal(answers.length, 1);
      seen = answers.map(shown).join();
    }
    assert.match(seen, expected);
    delivery.abort();
    await until(() => server.open === 0);
    const again = open();
    assert.match((await ask(again, 'a'))[0] ?? '', /^(accepted|failed)/);
    again.abort();
  });
}

// Most of these wait for a deadline, so they wait together.
describe('a hop that misbehaves', { concurrency: 10 }, () => {
  for (const verb of [...AT_RECIPIENT, ...AT_SEND]) {
    ugly(verb, HANG, new RegExp(SILENT));
    ugly(verb, CLOSE, new RegExp(CLOSED));
    ugly(verb, RESET, /failed 451 4\.4\.[12] .*(ECONNRESET|closed)/);
    ugly(verb, { raw: '250-hal' }, new RegExp(SILENT));
    ugly(verb, { raw: '25' }, new RegExp(SILENT));
    ugly(
      verb,
      { raw: 'HTTP/1.1 400 Bad Request\r\n\r\n' },
      /^failed 451 4\.5\.0 next hop does not speak the protocol: not/,
    );
    ugly(verb, { raw: 'x'.repeat(5000) }, /^failed 451 4\.5\.0 .*longer than 4096/);
  }
  ugly('MAIL', HANG, new RegExp(SILENT), { offers: [] });
  ugly('RCPT', CLOSE, new RegExp(CLOSED), { offers: [] });
});

test('DATA refused: the answer is passed on and the connection lives', async t => {
  const { server, open } = await scriptedHop(t, {
    DATA: ['554 5.7.1 no', '452 4.3.1 full', '250 2.0.0 what'],
  });
  const seen: string[] = [];
  for (let i = 0; i < 3; i++) {
    const delivery = open();
    await ask(delivery, 'a');
    seen.push(...(await delivery.send(ADDED, messageOf(BODY))).map(shown));
    await until(() => i === 2 || server.commands.at(-1) === 'RSET');
  }
  assert.deepEqual(seen, [
    'refused 554 5.7.1 no',
    'failed 452 4.3.1 full',
    'failed 451 4.5.0 next hop does not speak the protocol: reply 250 before the end of the data',
  ]);
  assert.equal(server.connections, 1);
  assert.deepEqual(server.messages, []);
});

test('a yes that comes with the 354, before any data, is none', async t => {
  const { server, open } = await scriptedHop(t, { DATA: { raw: '354 go\r\n250 2.0.0 taken\r\n' } });
  const delivery = open();
  await ask(delivery, 'a');
  const [answer] = await delivery.send(ADDED, messageOf(BODY));
  assert.equal(answer?.kind, 'failed');
  await until(() => server.open === 0);
});

test('extensions the hop lacks', async t => {
  const plain = await scriptedHop(t, {}, { offers: ['PIPELINING'] });
  const utf8 = plain.open(envelopeOf('s@example.net', { smtputf8: true }));
  const no = 'refused 553 5.6.7 next hop does not support SMTPUTF8';
  assert.deepEqual(await ask(utf8, 'a', 'b'), [no, no]);
  utf8.abort();

  const eight = plain.open(envelopeOf('s@example.net', { body: '8BITMIME' }));
  assert.deepEqual(await ask(eight, 'a'), [OK]);
  assert.deepEqual((await eight.send(ADDED, messageOf('caf\xc3\xa9\r\n'))).map(shown), [
    'refused 554 5.6.3 next hop does not take 8-bit messages',
  ]);
  await until(() => plain.server.commands.at(-1) === 'RSET');
  assert.ok(!plain.server.commands.some(c => c === 'DATA' || c.includes('BODY=')));

  const small = await scriptedHop(t, {}, { offers: ['SIZE 100'] });
  const delivery = small.open();
  assert.deepEqual(await ask(delivery, 'a'), [OK]);
  assert.deepEqual((await delivery.send(ADDED, messageOf('x'.repeat(99)))).map(shown), [
    'refused 552 5.3.4 message is larger than the next hop takes',
  ]);
  assert.ok(!small.server.commands.includes('DATA'));
});

test('addresses that would break out of the command are refused', async t => {
  const { server, open } = await scriptedHop(t);
  const bad = await open().addRecipient(address('a@example.com>\r\nDATA'));
  assert.equal(bad.reply.enhanced, '5.1.3');
  const sender = await open(envelopeOf('x\ny@example.com')).addRecipient(address('a@example.com'));
  assert.equal(sender.reply.enhanced, '5.1.3');
  assert.equal(server.connections, 0);
});

test('refusals are remembered for the next delivery', async t => {
  const { server, open } = await scriptedHop(t, { RCPT: '550 5.1.1 no such user' });
  const first = open();
  const [plain, cached] = [
    await first.addRecipient(address('a@example.com')),
    await open().addRecipient(address('a@example.com')),
  ];
  assert.equal(cached.hop, `${plain.hop} (cached)`);
  assert.deepEqual(cached.reply, plain.reply);
  assert.equal(server.commands.filter(c => c.startsWith('RCPT')).length, 1);
});

test('LMTP: an answer for each recipient', async t => {
  const { server, open } = await scriptedHop(
    t,
    {
      RCPT: ['250 2.1.5 ok', '550 5.1.1 no', '250 2.1.5 ok', '250 2.1.5 ok'],
      '.': ['250 2.0.0 one', '552 5.2.2 full', '450 4.2.0 busy'],
    },
    { protocol: 'lmtp' },
  );
  const delivery = open();
  assert.deepEqual(await ask(delivery, 'a', 'b', 'c', 'd'), [OK, 'refused 550 5.1.1 no', OK, OK]);
  assert.deepEqual((await delivery.send(ADDED, messageOf(BODY))).map(shown), [
    'accepted 250 2.0.0 one',
    'refused 552 5.2.2 full',
    'failed 450 4.2.0 busy',
  ]);
  assert.equal(server.commands[0], 'LHLO gate.example');
});

test('LMTP: the connection breaks between the answers', async t => {
  const { open } = await scriptedHop(
    t,
    { '.': ['250 2.0.0 one', CLOSE] },
    { protocol: 'lmtp', byteWise: false },
  );
  const delivery = open();
  await ask(delivery, 'a', 'b', 'c');
  assert.deepEqual((await delivery.send(ADDED, messageOf(BODY))).map(shown), [
    'accepted 250 2.0.0 one',
    CLOSED,
    CLOSED,
  ]);
});

test('LMTP has no HELO to fall back to', async t => {
  const { server, open } = await scriptedHop(t, { LHLO: '500 5.5.1 what?' }, { protocol: 'lmtp' });
  assert.equal(
    (await ask(open(), 'a'))[0],
    'failed 451 4.4.1 next hop cannot be reached: it said 500 5.5.1 what?',
  );
  assert.deepEqual(server.commands[0], 'LHLO gate.example');
});

test('abort while the hop is asked: the connection is cut and the question fails', async t => {
  const { server, open } = await scriptedHop(t, { RCPT: HANG });
  const delivery = open();
  const asked = ask(delivery, 'a');
  await until(() => server.commands.at(-1)?.startsWith('RCPT') === true);
  delivery.abort();
  assert.deepEqual(await asked, ['failed 451 4.3.0 delivery given up']);
  await until(() => server.open === 0);
});

test('abort while connecting: the connection goes to the pool unused', async t => {
  const { server, open } = await scriptedHop(t);
  const delivery = open();
  const asked = ask(delivery, 'a');
  delivery.abort();
  assert.deepEqual(await asked, ['failed 451 4.3.0 delivery given up']);
  await ask(open(), 'b');
  assert.equal(server.connections, 1);
  assert.deepEqual(server.commands.slice(1), ['MAIL FROM:<s@example.net>', 'RCPT TO:<b@example.com>']);
});

test('abort in the middle of the data and after it', async t => {
  const { server, open } = await scriptedHop(t, { '.': HANG });
  const delivery = open();
  await ask(delivery, 'a');
  const sent = delivery.send(ADDED, messageOf(BODY));
  await until(() => server.messages.length === 1);
  delivery.abort();
  assert.deepEqual((await sent).map(shown), ['failed 451 4.3.0 delivery given up']);
  delivery.abort();
  await until(() => server.open === 0);
  assert.deepEqual(await ask(delivery, 'b'), ['failed 451 4.3.0 delivery given up']);
});

test('abort of an open transaction: RSET, and the connection is used again', async t => {
  const { server, open } = await scriptedHop(t);
  const first = open();
  await ask(first, 'a');
  first.abort();
  first.abort();
  await until(() => server.commands.at(-1) === 'RSET');
  const second = open();
  await ask(second, 'b');
  assert.deepEqual((await second.send(ADDED, messageOf(BODY))).map(shown), [TAKEN]);
  assert.equal(server.connections, 1);
  assert.equal(server.messages.length, 1);
});
