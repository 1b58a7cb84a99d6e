import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Message } from '../../src/model/message.ts';
import type { HopScript, Rig, RigOptions } from './rig.ts';
import { envelope, findings, MAIL, messageOf, rig, said, send } from './rig.ts';

const OK = '250 2.0.0 ok';
const REFUSED = '550 5.1.1 hop refused it';
const FAILED = '450 4.2.0 hop could not say';
const NOT_STORED = '451 4.3.0 the message could not be stored, try again later (#4.3.0)';
const BROKEN = '451 4.3.0 temporary failure on our side, try again later (#4.3.0)';

const A = 'a@example.com';
const B = 'b@b.example.com';
const C = 'c@c.example.com';

const yes: HopScript = {};
const no: HopScript = { send: recipients => recipients.map(() => 'refused' as const) };
const later: HopScript = { send: recipients => recipients.map(() => 'failed' as const) };
const bug: HopScript = {
  send: () => {
    throw new Error('a bug');
  },
};
const tooFew: HopScript = { send: () => [] };

/** What each hop was given, as `hop recipients`; hops that were given nothing are left out. */
const delivered = ({ hops }: Rig) =>
  hops.flatMap(hop => (hop.text === null ? [] : [`${hop.hop} ${hop.recipients.join()}`]));

const copies = ({ held }: Rig) =>
  held.map(one => `${one.held.recipients[0]?.rule} ${one.held.recipients.map(r => r.address.text).join()}`);

test('a message goes on as our header block and its own bytes', async t => {
  const made = await rig(t);
  const conversation = await made.converse();
  const text = `${MAIL}.\r\n..\r\n\xe9\r\n`;
  assert.equal(await send(conversation, [A], text), OK);
  const [hop] = made.hops;
  const added = hop?.text?.slice(0, -text.length) ?? '';
  assert.equal(hop?.text, added + text);
  assert.match(
    added,
    /^Received: from client\.example \(unknown \[192\.0\.2\.1\]\)\r\n by mx\.example\.com with ESMTP id \S+\r\n for <a@example\.com>;\r\n [^\r\n]+ -0000\r\n$/,
  );
  const [record] = made.records;
  assert.equal(made.records.length, 1);
  assert.equal(record?.event, 'message-accepted');
  assert.deepEqual([record.size, record.messageId, record.sender], [text.length, null, 'a@example.net']);
  assert.equal(record.reply, OK);
  assert.ok(added.includes(` id ${record.id}\r\n`), 'the id in Received finds the record');
});

test('with several recipients none is named', async t => {
  const made = await rig(t);
  await send(await made.converse(), [A, 'blind@example.com']);
  assert.doesNotMatch(made.hops[0]?.text ?? '', /for <|blind/);
});

test('fields that claim to be ours do not go on', async t => {
  const made = await rig(t);
  const forged = 'X-Postern-Score: -100\r\nAuthentication-Results: mx.example.com; spf=pass\r\n';
  assert.equal(await send(await made.converse(), [A], forged + MAIL), OK);
  assert.ok(made.hops[0]?.text?.endsWith(`-0000\r\n${MAIL}`));
  assert.doesNotMatch(made.hops[0]?.text ?? '', /X-Postern|Authentication-Results/);
});

/** Three hops and what they do; what the client hears, who holds what. */
const SETTLEMENTS: readonly [
  name: string,
  hops: readonly [HopScript, HopScript, HopScript],
  answer: string,
  event: string,
  held: readonly string[],
][] = [
  ['all accept', [yes, yes, yes], OK, 'message-accepted', []],
  ['all refuse', [no, no, no], REFUSED, 'message-refused', []],
  ['all fail', [later, later, later], FAILED, 'message-refused', []],
  ['one refuses after others accepted', [yes, no, yes], OK, 'message-held', [`NEXT_HOP_REFUSED ${B}`]],
  ['two refuse', [no, yes, no], OK, 'message-held', [`NEXT_HOP_REFUSED ${A},${C}`]],
  ['one fails: all come again', [yes, later, yes], FAILED, 'message-refused', []],
  ['one fails, one refuses', [no, later, yes], FAILED, 'message-refused', []],
  ['one throws', [yes, bug, yes], BROKEN, 'message-refused', []],
  ['one says too little', [yes, tooFew, yes], BROKEN, 'message-refused', []],
  ['all throw', [bug, bug, bug], BROKEN, 'message-refused', []],
];

describe('one answer for all next hops', () => {
  for (const [name, [a, b, c], answer, event, held] of SETTLEMENTS) {
    test(name, async t => {
      const hops = { 'example.com': a, 'b.example.com': b, 'c.example.com': c };
      const made = await rig(t, { hops });
      assert.equal(await send(await made.converse(), [A, B, C]), answer);
      assert.deepEqual(copies(made), held);
      assert.deepEqual(
        made.records.map(record => record.event),
        [event],
      );
      assert.equal(made.records[0]?.rule, held.length > 0 ? 'NEXT_HOP_REFUSED' : null);
    });
  }
});

test('two recipients of one hop, one refused after the dot (LMTP)', async t => {
  const made = await rig(t, { hops: { 'example.com': { send: () => ['accepted', 'refused'] } } });
  assert.equal(await send(await made.converse(), [A, 'full@example.com']), OK);
  assert.deepEqual(copies(made), ['NEXT_HOP_REFUSED full@example.com']);
  assert.deepEqual(
    made.records[0]?.recipients.map(r => r.hopReply),
    ['250 2.0.0 hop took it', REFUSED],
  );
});

describe('actions that keep a message back', () => {
  const QUARANTINE = { actions: 'HEADER_DATE_MISSING:quarantine' };
  const UNDATED = 'From: a@example.net\r\n\r\nbody\r\n';

  test('quarantine: held with our header, no hop gets it', async t => {
    const made = await rig(t, { control: QUARANTINE });
    assert.equal(await send(await made.converse(), [A, B], UNDATED), OK);
    assert.deepEqual(copies(made), [`HEADER_DATE_MISSING ${A},${B}`]);
    assert.match(made.held[0]?.text ?? '', /^Received: [\s\S]*\r\nFrom: a@example\.net\r\n\r\nbody\r\n$/);
    assert.equal(made.held[0]?.held.id, made.records[0]?.id);
    assert.deepEqual(delivered(made), []);
    assert.ok(made.hops.every(hop => hop.aborted));
    assert.deepEqual(
      made.records.map(r => [r.event, r.rule, r.recipients.map(one => one.verdict).join()]),
      [['message-held', 'HEADER_DATE_MISSING', 'quarantine,quarantine']],
    );
  });

  test('discard: accepted and gone', async t => {
    const made = await rig(t, { control: { actions: 'HEADER_DATE_MISSING:discard' } });
    assert.equal(await send(await made.converse(), [A], UNDATED), OK);
    assert.deepEqual([delivered(made), copies(made)], [[], []]);
    assert.deepEqual(
      made.records.map(r => [r.event, r.rule]),
      [['message-discarded', 'HEADER_DATE_MISSING']],
    );
  });

  test('tag and score: told to the next hop', async t => {
    const made = await rig(t, {
      control: { actions: 'HEADER_DATE_MISSING:tag\nHEADER_FROM_MISSING:score 2.5' },
    });
    assert.equal(await send(await made.converse(), [A], 'Subject: a\r\n\r\n'), OK);
    assert.match(
      made.hops[0]?.text ?? '',
      /\r\nX-Postern-Verdict: tag; rules=HEADER_DATE_MISSING; score=2\.5\r\nX-Postern-Tag: HEADER_DATE_MISSING\r\nX-Postern-Score: 2\.5\r\nSubject: a\r\n/,
    );
    assert.equal(made.records[0]?.score, 2.5);
  });

  test('one recipient watches the rule: he gets the mail, the other copy is held', async t => {
    for (const action of ['quarantine', 'reject', 'defer']) {
      const made = await rig(t, {
        control: {
          actions: `HEADER_DATE_MISSING:${action}`,
          simcontrol: 'watch@example.com:observe=header_date_missing',
        },
      });
      const recipients = [A, 'watch@example.com', 'z@example.com'];
      assert.equal(await send(await made.converse(), recipients, UNDATED), OK, action);
      assert.deepEqual(copies(made), [`HEADER_DATE_MISSING ${A},z@example.com`], action);
      // The hop had taken all three: the transaction with it begins anew.
      assert.deepEqual(delivered(made), ['example.com watch@example.com'], action);
      assert.deepEqual(
        made.hops.map(hop => hop.aborted && hop.text === null),
        [true, false],
      );
    }
  });

  test('rejected for everybody: refused, nothing held; one may come again: all may', async t => {
    const actions =
      'HEADER_DATE_MISSING:reject:550 5.7.1 no date\nHEADER_FROM_MISSING:defer:451 4.7.1 no author';
    const simcontrol = 'lenient@example.com:observe=header_date_missing';
    const made = await rig(t, { control: { actions, simcontrol } });
    const conversation = await made.converse();
    assert.equal(await send(conversation, [A, B], UNDATED), '550 5.7.1 no date');
    assert.equal(await send(conversation, [A, 'lenient@example.com'], '\r\n'), '451 4.7.1 no author');
    assert.deepEqual([delivered(made), copies(made)], [[], []]);
    assert.deepEqual(
      made.records.map(r => [r.event, r.rule]),
      [
        ['message-refused', 'HEADER_DATE_MISSING'],
        ['message-refused', 'HEADER_FROM_MISSING'],
      ],
    );
  });

  test('the one who passes is refused by the hop: his copy is held too', async t => {
    const made = await rig(t, {
      control: { ...QUARANTINE, simcontrol: 'b.example.com:observe=all' },
      hops: { 'b.example.com': no },
    });
    assert.equal(await send(await made.converse(), [A, B], UNDATED), OK);
    assert.deepEqual(copies(made), [`HEADER_DATE_MISSING ${A}`, `NEXT_HOP_REFUSED ${B}`]);
    assert.equal(new Set(made.held.map(one => one.held.id)).size, 2);
  });

  test('the one who passes cannot be delivered to: all come again, although a copy is held', async t => {
    const made = await rig(t, {
      control: { ...QUARANTINE, simcontrol: 'b.example.com:observe=all' },
      hops: { 'b.example.com': later },
    });
    assert.equal(await send(await made.converse(), [A, B], UNDATED), FAILED);
    assert.deepEqual(copies(made), [`HEADER_DATE_MISSING ${A}`]);
  });

  test('the hop that accepted a recipient refuses him when asked again', async t => {
    let asked = 0;
    const made = await rig(t, {
      control: { ...QUARANTINE, simcontrol: 'watch@example.com:observe=all' },
      hops: { 'example.com': { rcpt: () => (++asked > 2 ? 'failed' : 'accepted') } },
    });
    assert.equal(await send(await made.converse(), [A, 'watch@example.com'], UNDATED), FAILED);
    assert.deepEqual(delivered(made), []);
  });

  for (const [name, options] of [
    ['a copy', { control: QUARANTINE }],
    ['a refused copy', { hops: { 'b.example.com': no } }],
  ] as const satisfies readonly [string, RigOptions][]) {
    test(`${name} that cannot be stored: 451, and the record says why`, async t => {
      const onHold = () => Promise.reject(new Error('ENOSPC'));
      const made = await rig(t, { ...options, onHold });
      assert.equal(await send(await made.converse(), [A, B], UNDATED), NOT_STORED);
      assert.equal(made.records.length, 1);
      assert.equal(made.records[0]?.event, 'message-refused');
      assert.equal(made.records[0]?.findings.find(f => f.rule === 'FAULT')?.detail, 'ENOSPC');
    });
  }

  test('the copy is stored before any hop is sent anything', async t => {
    const order: string[] = [];
    const made = await rig(t, {
      control: { ...QUARANTINE, simcontrol: 'b.example.com:observe=all' },
      hops: {
        'b.example.com': {
          send: () => {
            order.push('sent');
            return ['accepted'];
          },
        },
      },
      onHold: async () => {
        await new Promise(setImmediate);
        order.push('held');
      },
    });
    await send(await made.converse(), [A, B], UNDATED);
    assert.deepEqual(order, ['held', 'sent']);
  });
});

describe('datatime', () => {
  const CONTROL = { datatime: '1' };
  const LATE = '451 4.4.2 checks and delivery took too long, try again later (#4.4.2)';
  const never = (): Promise<never> => new Promise(() => undefined);

  test('a hop that never answers: given up, 451, one record', async t => {
    const made = await rig(t, { control: CONTROL, hops: { 'b.example.com': { send: never } } });
    assert.equal(await send(await made.converse(), [A, B]), LATE);
    assert.ok(made.hops.every(hop => hop.aborted));
    assert.deepEqual(
      made.records.map(r => [r.event, r.reply]),
      [['message-refused', LATE]],
    );
  });

  test('a hop asked anew is given up too, and gets no message that is gone', async t => {
    let asked = 0;
    let answer: (kind: 'accepted') => void = () => assert.fail('not asked');
    const made = await rig(t, {
      control: {
        ...CONTROL,
        actions: 'HEADER_DATE_MISSING:quarantine',
        simcontrol: 'watch@example.com:observe=all',
      },
      hops: {
        'example.com': {
          rcpt: () =>
            ++asked <= 2
              ? 'accepted'
              : new Promise(resolve => {
                  answer = resolve;
                }),
        },
      },
    });
    const recipients = [A, 'watch@example.com'];
    assert.equal(await send(await made.converse(), recipients, 'From: a\r\n\r\nbody\r\n'), LATE);
    answer('accepted');
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    assert.deepEqual(delivered(made), []);
    assert.deepEqual(
      made.hops.map(hop => hop.aborted),
      [true, true],
    );
    assert.equal(made.records.length, 1);
  });

  test('a copy that is refused too late is not stored without its bytes', async t => {
    let answer: (kinds: ['refused']) => void = () => assert.fail('not sent');
    const made = await rig(t, {
      control: CONTROL,
      hops: {
        'b.example.com': {
          send: () =>
            new Promise(resolve => {
              answer = resolve;
            }),
        },
      },
    });
    assert.equal(await send(await made.converse(), [A, B]), LATE);
    answer(['refused']);
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    assert.deepEqual(copies(made), []);
  });
});

test('a message that cannot be read: 451, recorded, released', async t => {
  const made = await rig(t);
  const conversation = await made.converse();
  await envelope(conversation, [A]);
  await conversation.data();
  let released = 0;
  const whole = await messageOf(`X-Postern-Tag: forged\r\n${MAIL}`);
  const broken: Message = {
    ...whole,
    chunks: () => {
      throw new Error('EIO');
    },
    release: () => released++,
  };
  assert.equal(said(await conversation.message(broken)), BROKEN);
  assert.equal(released, 1);
  assert.deepEqual(
    made.records.map(r => [r.event, r.rule]),
    [['message-refused', 'FAULT']],
  );
  assert.deepEqual(findings(made.records[0]).at(-1), 'FAULT error');
  assert.equal(conversation.transaction, null);
  assert.equal(await send(conversation, [A]), OK, 'the next mail is taken');
});

test('a client that leaves after the final dot: the mail is delivered and recorded all the same', async t => {
  let sent: () => void = () => undefined;
  const made = await rig(t, {
    hops: {
      'example.com': {
        send: () =>
          new Promise(resolve => {
            sent = () => resolve(['accepted']);
          }),
      },
    },
  });
  const conversation = await made.converse();
  const answer = send(conversation, [A]);
  while (made.hops.length === 0) await new Promise(setImmediate);
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  conversation.close();
  sent();
  assert.equal(await answer, OK);
  assert.deepEqual(
    made.records.map(r => r.event),
    ['message-accepted'],
  );
});

test('the null sender and nullsender’s rule at DATA', async t => {
  const made = await rig(t, {
    control: { actions: 'NULLSENDER_RECIPIENTS:reject:554 5.7.1 one bounce, one recipient' },
  });
  const conversation = await made.converse();
  assert.equal(await send(conversation, [A, B], MAIL, null), '554 5.7.1 one bounce, one recipient');
  assert.equal(await send(conversation, [A], MAIL, null), OK);
  assert.deepEqual(
    made.records.map(r => [r.event, r.sender, r.size === null]),
    [
      ['message-refused', null, true],
      ['message-accepted', null, false],
    ],
  );
  assert.equal(made.hops.at(-1)?.sender, null);
});

test('scores of several rules add up, per recipient', async t => {
  const made = await rig(t, {
    control: {
      actions: 'HEADER_DATE_MISSING:score 2\nHEADER_FROM_MISSING:score 3',
      rejectscore: '5',
      simcontrol: 'b.example.com:rejectscore=6,quarantinescore=5',
    },
  });
  const conversation = await made.converse();
  assert.match(await send(conversation, [A], '\r\n'), /^554 5\.7\.1 /);
  assert.equal(await send(conversation, [B], '\r\n'), OK);
  assert.deepEqual(copies(made), [`SCORE ${B}`]);
});
