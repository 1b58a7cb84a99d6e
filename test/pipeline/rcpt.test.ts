import assert from 'node:assert/strict';
import { test } from 'node:test';
import { address } from '../../src/model/address.ts';
import type { DnsAnswer } from '../../src/model/dns.ts';
import { envelope, findings, rig, said, send } from './rig.ts';

const OK = '250 2.1.5 ok';
const BAD_SENDER = '553 5.7.1 sorry, your envelope sender is in my badmailfrom list (#5.7.1)';
const BAD_HELO = '553 5.7.1 sorry, your HELO host name has been denied (#5.7.1)';
const NOT_OURS = "553 5.7.1 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)";
const PARAMETERS = { size: null, body: null, smtputf8: false } as const;

test('a refusal found at HELO or MAIL is spoken at each RCPT, and recorded once for each', async t => {
  const { converse, records, hops } = await rig(t, { control: { badmailfrom: 'a@example.net' } });
  const conversation = await converse();
  assert.deepEqual(await envelope(conversation, ['b@example.com', 'c@example.com']), [
    BAD_SENDER,
    BAD_SENDER,
  ]);
  assert.deepEqual(
    records.map(r => [r.event, r.rule, r.recipients.map(one => one.address).join()]),
    [
      ['recipient-refused', 'BADMAILFROM', 'b@example.com'],
      ['recipient-refused', 'BADMAILFROM', 'c@example.com'],
    ],
  );
  assert.equal(new Set(records.map(r => r.id)).size, 2);
  for (const record of records) assert.ok(record.id.startsWith(conversation.id));
  assert.equal(hops.length, 0, 'the next hop is not asked');
});

test('refuseat=stage: at HELO and at MAIL', async t => {
  const control = { badmailfrom: 'a@example.net', badhelo: 'evil', refuseat: 'stage' };
  const { gateway, records } = await rig(t, { control });
  const conversation = gateway.open(null);
  assert.equal(conversation.connect(0), null);
  assert.equal(said(await conversation.helo({ verb: 'EHLO', name: 'evil' }, null)), BAD_HELO);
  assert.equal(await conversation.helo({ verb: 'EHLO', name: 'good' }, null), null);
  assert.equal(said(await conversation.mail(address('a@example.net'), PARAMETERS)), BAD_SENDER);
  assert.equal(conversation.transaction, null);
  assert.equal(said(await conversation.mail(address('b@example.net'), PARAMETERS)), '250 2.1.0 ok');
  assert.deepEqual(
    records.map(r => [r.event, r.rule]),
    [
      ['sender-refused', 'BADHELO'],
      ['sender-refused', 'BADMAILFROM'],
    ],
  );
});

test('the refused HELO is forgotten with the next one', async t => {
  const { converse } = await rig(t, { control: { badhelo: 'evil' } });
  const conversation = await converse({}, 'evil');
  assert.deepEqual(await envelope(conversation, ['b@example.com']), [BAD_HELO]);
  await conversation.helo({ verb: 'HELO', name: 'good' }, null);
  assert.deepEqual(await envelope(conversation, ['b@example.com']), [OK]);
});

test('simcontrol: a rule is only watched for one recipient, one domain', async t => {
  const { converse, records } = await rig(t, {
    control: {
      badmailfrom: 'a@example.net',
      simcontrol: 'watch@example.com:observe=badmailfrom\nsub.example.com:observe=all',
    },
  });
  const recipients = ['watch@example.com', 'other@example.com', 'any@sub.example.com', 'a@example.org'];
  assert.deepEqual(await envelope(await converse(), recipients), [OK, BAD_SENDER, OK, BAD_SENDER]);
  assert.deepEqual(
    records.map(r => r.recipients[0]?.address),
    ['other@example.com', 'a@example.org'],
  );
});

test('observe=all watches everything but relay control', async t => {
  for (const control of [{ observe: 'all' }, { simcontrol: ':observe=all' }] as const) {
    const { converse } = await rig(t, { control: { ...control, badmailto: '@example' } });
    assert.deepEqual(await envelope(await converse(), ['b@example.com', 'b@example.org']), [OK, NOT_OURS]);
  }
});

test('checks=none leaves relay control', async t => {
  const { converse } = await rig(t, { control: { checks: 'none', badmailfrom: 'a@example.net' } });
  assert.deepEqual(await envelope(await converse(), ['b@example.com', 'b@example.org']), [OK, NOT_OURS]);
});

test('relay clients may send anywhere; the value of RELAYCLIENT is appended for the next hop', async t => {
  const { converse, hops, records } = await rig(t, {
    control: { 'tcp.smtp': '192.0.2.1:allow,RELAYCLIENT=""\n192.0.2.2:allow,RELAYCLIENT=".out.example"' },
  });
  assert.deepEqual(await envelope(await converse(), ['b@example.org']), [OK]);
  assert.equal(await send(await converse({ ip: '192.0.2.2' }), ['b@example.org']), '250 2.0.0 ok');
  assert.deepEqual(
    hops.map(hop => [hop.hop, hop.recipients]),
    [
      ['example.org', ['b@example.org']],
      ['example.org.out.example', ['b@example.org.out.example']],
    ],
  );
  assert.equal(records[0]?.recipients[0]?.address, 'b@example.org');
  assert.deepEqual(await envelope(await converse({ ip: '192.0.2.3' }), ['b@example.org']), [NOT_OURS]);
});

test('recipients at our own address and without a domain', async t => {
  const { converse, hops } = await rig(t, {
    control: { localiphost: 'example.com', envnoathost: 'sub.example.com' },
    ownAddresses: ['192.0.2.25', '2001:db8::25'],
  });
  const recipients = ['a@[192.0.2.25]', 'b@[IPv6:2001:db8::25]', 'c', 'd@[192.0.2.99]', 'host!user', 'u%h'];
  assert.deepEqual(await envelope(await converse(), recipients), [
    OK,
    OK,
    OK,
    NOT_OURS,
    "553 5.7.1 we don't relay (#5.7.1)",
    "553 5.7.1 we don't relay (#5.7.1)",
  ]);
  assert.deepEqual(
    hops.map(hop => hop.recipients),
    [['a@example.com', 'b@example.com'], ['c@sub.example.com']],
  );
});

test('without localiphost and envnoathost it is `me`', async t => {
  const { converse, hops } = await rig(t, { ownAddresses: ['192.0.2.25'] });
  await envelope(await converse(), ['a@[192.0.2.25]', 'c']);
  assert.deepEqual(
    hops.map(hop => hop.recipients),
    [['a@mx.example.com', 'c@mx.example.com']],
  );
});

test('what the next hop says at RCPT is what the client hears', async t => {
  const { converse, records, hops } = await rig(t, {
    hops: {
      'example.com': {
        rcpt: who => (who.startsWith('no') ? 'refused' : who.startsWith('later') ? 'failed' : 'accepted'),
      },
    },
  });
  const recipients = ['no@example.com', 'yes@example.com', 'later@example.com'];
  assert.deepEqual(await envelope(await converse(), recipients), [
    '550 5.1.1 hop refused it',
    OK,
    '450 4.2.0 hop could not say',
  ]);
  assert.deepEqual(
    records.map(r => [r.event, r.rule, r.recipients[0]?.hopReply]),
    [
      ['recipient-refused', null, '550 5.1.1 hop refused it'],
      ['recipient-refused', null, '450 4.2.0 hop could not say'],
    ],
  );
  assert.equal(hops.length, 1, 'one transaction with the hop for all of them');
});

test('a next hop that throws: deferred, recorded with the reason, and the next recipient is asked', async t => {
  const { converse, records } = await rig(t, {
    hops: {
      'example.com': {
        rcpt: who => {
          if (who.startsWith('bug')) throw new Error('a bug');
          return 'accepted';
        },
      },
    },
  });
  const answers = await envelope(await converse(), ['bug@example.com', 'b@example.com']);
  assert.deepEqual(
    answers.map(answer => answer.slice(0, 9)),
    ['451 4.3.0', '250 2.1.5'],
  );
  assert.equal(records.length, 1);
  assert.deepEqual(findings(records[0]), ['FAULT error']);
  assert.equal(records[0]?.findings.find(f => f.rule === 'FAULT')?.detail, 'a bug');
});

test('DNS that is still being asked at connect is waited for at RCPT', async t => {
  let answer: (found: DnsAnswer<readonly string[]>) => void = () => assert.fail('nobody asked');
  const asked = new Promise<DnsAnswer<readonly string[]>>(resolve => {
    answer = resolve;
  });
  const { converse, records } = await rig(t, {
    control: { rbl: '-b -r bl.test' },
    dns: { txt: () => asked },
  });
  const conversation = await converse();
  assert.equal(said(await conversation.mail(address('a@example.net'), PARAMETERS)), '250 2.1.0 ok');
  let settled = false;
  const answers = conversation.rcpt(address('b@example.com')).finally(() => {
    settled = true;
  });
  await new Promise(setImmediate);
  assert.equal(settled, false);
  answer({ kind: 'found', records: [['listed']] });
  assert.equal(said(await answers), '553 5.7.1 listed');
  assert.equal(records[0]?.rule, 'RBL_REJECT');
});

test('what can no longer change the verdict is skipped, and says so', async t => {
  const { converse, records } = await rig(t, {
    control: { badmailfrom: 'a@example.net', badmailto: 'never' },
  });
  await envelope(await converse(), ['b@example.com']);
  const skipped = records[0]?.findings.filter(f => f.state === 'skipped' && f.stage === 'rcpt');
  assert.deepEqual(new Set(skipped?.map(f => f.detail)), new Set(['decided']));
  assert.ok(skipped?.some(f => f.plugin === 'badmailto'));
});

test('maxrcpt: refused recipients count, the next transaction begins at nought', async t => {
  const { converse } = await rig(t, { control: { maxrcpt: '2' } });
  const conversation = await converse();
  const recipients = ['a@example.org', 'b@example.com', 'c@example.com'];
  const full = '452 4.5.3 max rcpt limit exceeded (#4.5.3)';
  assert.deepEqual(await envelope(conversation, recipients), [NOT_OURS, OK, full]);
  assert.deepEqual(await envelope(conversation, ['c@example.com']), [OK]);
});

test('a client that is gone: nothing is asked or kept, the wait ends', async t => {
  const { converse, hops } = await rig(t, { control: { tarpitcount: '1', tarpitdelay: '3600' } });
  const conversation = await converse();
  await conversation.mail(address('a@example.net'), PARAMETERS);
  const waiting = conversation.rcpt(address('b@example.com'));
  await new Promise(setImmediate);
  conversation.close();
  await waiting;
  assert.deepEqual(
    hops.map(hop => hop.aborted),
    [true],
  );
});

test('RSET and HELO give the next hops up', async t => {
  const { converse, hops } = await rig(t);
  const conversation = await converse();
  await envelope(conversation, ['b@example.com']);
  conversation.reset();
  await envelope(conversation, ['b@example.com']);
  await conversation.helo({ verb: 'EHLO', name: 'again' }, null);
  assert.equal(conversation.transaction, null);
  assert.deepEqual(
    hops.map(hop => [hop.aborted, hop.text]),
    [
      [true, null],
      [true, null],
    ],
  );
});
