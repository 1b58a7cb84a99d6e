import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SpfQuestion, SpfResult } from '../../src/model/spf.ts';
import { envelope, messageOf, rig, said, MAIL } from '../pipeline/rig.ts';
import { ask, dnsOf } from './asking.ts';
import type { Names } from './asking.ts';

/** How each result is come to. */
const RESULTS: Readonly<Record<SpfResult, Names>> = {
  pass: { 'TXT example.net': ['v=spf1 +all'] },
  fail: { 'TXT example.net': ['v=spf1 -all'] },
  softfail: { 'TXT example.net': ['v=spf1 ~all'] },
  neutral: { 'TXT example.net': ['v=spf1 ?all'] },
  none: {},
  permerror: { 'TXT example.net': ['v=spf1 ip4:x'] },
  temperror: { 'TXT example.net': 'fails' },
};

/** The table of the qmail SPF patch: by result, what happens at spfbehavior 0 to 6 (and at 7, which is 6). */
const TABLE: Readonly<Record<SpfResult, string>> = {
  pass: '- hdr hdr hdr hdr hdr hdr hdr',
  fail: '- hdr hdr 550 550 550 550 550',
  softfail: '- hdr hdr hdr 550 550 550 550',
  neutral: '- hdr hdr hdr hdr 550 550 550',
  none: '- hdr hdr hdr hdr hdr 550 550',
  permerror: '- hdr hdr hdr hdr hdr 550 550',
  temperror: '- hdr 451 451 451 451 451 451',
};

for (const [result, row] of Object.entries(TABLE) as [SpfResult, string][]) {
  test(`spfbehavior 0 to 7: ${result}`, async t => {
    const column: string[] = [];
    for (let behavior = 0; behavior <= 7; behavior++) {
      const dns = dnsOf(RESULTS[result]);
      const made = await rig(t, { control: { spfbehavior: String(behavior), spfexp: 'because' }, dns });
      const conversation = await made.converse();
      const [answer = ''] = await envelope(conversation, ['b@example.com'], 'user@example.net');
      if (answer.startsWith('250')) {
        await conversation.data();
        assert.match(said(await conversation.message(await messageOf(MAIL))), /^250/);
        column.push(/^Received-SPF: /m.test(made.hops.at(-1)?.text ?? '') ? 'hdr' : '-');
      } else column.push(answer.slice(0, 3));
      if (answer.startsWith('550')) assert.equal(answer, '550 5.7.1 because (#5.7.1)');
      if (answer.startsWith('451')) assert.equal(answer, '451 4.3.0 SPF lookup failure (#4.3.0)');
      if (behavior === 0) assert.deepEqual(dns.asked, []);
    }
    assert.equal(column.join(' '), row);
  });
}

test('asked once, however many recipients want to know, and each judged by its own setting', async t => {
  const dns = dnsOf(RESULTS.softfail);
  const made = await rig(t, {
    control: { spfbehavior: '3', simcontrol: 'c@example.com:spfbehavior=4\nd@example.com:spfbehavior=0' },
    dns,
  });
  const conversation = await made.converse();
  const answers = await envelope(conversation, ['b@example.com', 'c@example.com', 'd@example.com']);
  assert.deepEqual(
    answers.map(answer => answer.slice(0, 3)),
    ['250', '550', '250'],
  );
  assert.deepEqual(
    dns.asked.filter(question => question.startsWith('TXT')),
    ['TXT example.net'],
  );
  await conversation.data();
  await conversation.message(await messageOf(MAIL));
  assert.equal(made.hops.at(-1)?.text?.match(/^Received-SPF: /gm)?.length, 1, 'one field');
  const refused = made.records.find(record => record.event === 'recipient-refused');
  assert.deepEqual(
    refused?.findings
      .filter(f => f.rule.startsWith('SPF'))
      .map(f => [f.stage, f.rule, f.state, f.source?.replace(/^.*\/control\//, 'control/'), f.detail]),
    [
      [
        'mail',
        'SPF',
        'pass',
        undefined,
        'softfail: ~all (record of example.net); asked: TXT example.net: "v=spf1 ~all"',
      ],
      ['rcpt', 'SPF_SOFTFAIL', 'hit', 'control/simcontrol:1', 'softfail: ~all (record of example.net)'],
    ],
  );
});

test('a copy that is held has the field as well', async t => {
  const made = await rig(t, { control: { spfbehavior: '3', actions: 'HEADER_DATE_MISSING:quarantine' } });
  const conversation = await made.converse({}, 'client.example');
  await envelope(conversation, ['b@example.com']);
  await conversation.data();
  await conversation.message(await messageOf('From: a@example.net\r\n\r\n'));
  assert.match(
    made.held[0]?.text ?? '',
    /-0000\r\nAuthentication-Results: mx\.example\.com;\r\n\tspf=none smtp\.mailfrom=example\.net\r\nReceived-SPF: none \(/,
  );
});

test('a long explanation becomes a reply of several lines, and never an endless one', async t => {
  const words = 'You may not send mail for this domain from that place, whatever you think. ';
  for (const [times, lines] of [
    [1, 1],
    [5, 2],
    [500, 5],
  ] as const) {
    const dns = dnsOf({
      'TXT example.net': ['v=spf1 -all exp=why.example.net'],
      'TXT why.example.net': [words.repeat(times)],
    });
    const made = await rig(t, { control: { spfbehavior: '3' }, dns });
    const conversation = await made.converse();
    const [answer = ''] = await envelope(conversation, ['b@example.com'], 'user@example.net');
    const parts = answer.replace('550 5.7.1 ', '').split(' / ');
    assert.equal(parts.length, lines);
    assert.ok(
      parts.every((part, i) => part.endsWith(' (#5.7.1)') === (i === lines - 1) && part.length <= 210),
    );
    assert.ok(parts.join(' ').startsWith(words.trimEnd()));
  }
});

/** The Received-SPF field by result, in the words of qmail-spf rc5 and of RFC 7208. */
const FIELDS: readonly [names: Names, question: Partial<SpfQuestion>, classic: string, rfc: string][] = [
  [
    RESULTS.pass,
    {},
    'pass (mx.example.com: SPF record at example.net designates 192.0.2.1 as permitted sender)',
    'pass (mx.example.com: SPF record at example.net designates 192.0.2.1 as permitted sender) identity=mailfrom; client-ip=192.0.2.1; envelope-from="user@example.net"; helo=client.example; receiver=mx.example.com; mechanism=+all',
  ],
  [
    RESULTS.fail,
    { ip: '2001:db8::1', sender: '', helo: 'example.net' },
    'fail (mx.example.com: SPF record at example.net does not designate 2001:db8::1 as permitted sender)',
    'fail (mx.example.com: SPF record at example.net does not designate 2001:db8::1 as permitted sender) identity=helo; client-ip="2001:db8::1"; helo=example.net; receiver=mx.example.com; mechanism=-all',
  ],
  [
    RESULTS.softfail,
    {},
    'softfail (mx.example.com: transitioning SPF record at example.net does not designate 192.0.2.1 as permitted sender)',
    'softfail (mx.example.com: transitioning SPF record at example.net does not designate 192.0.2.1 as permitted sender) identity=mailfrom; client-ip=192.0.2.1; envelope-from="user@example.net"; helo=client.example; receiver=mx.example.com; mechanism=~all',
  ],
  [
    { 'TXT example.net': ['v=spf1 a:gone.example'] },
    {},
    'neutral (mx.example.com: 192.0.2.1 is neither permitted nor denied by SPF record at example.net)',
    'neutral (mx.example.com: 192.0.2.1 is neither permitted nor denied by SPF record at example.net) identity=mailfrom; client-ip=192.0.2.1; envelope-from="user@example.net"; helo=client.example; receiver=mx.example.com; mechanism=default',
  ],
  [
    RESULTS.none,
    {},
    'none (mx.example.com: domain at example.net does not designate permitted sender hosts)',
    'none (mx.example.com: domain at example.net does not designate permitted sender hosts) identity=mailfrom; client-ip=192.0.2.1; envelope-from="user@example.net"; helo=client.example; receiver=mx.example.com',
  ],
  [
    RESULTS.permerror,
    {},
    'unknown (mx.example.com: parse error in SPF record at example.net)',
    'permerror (mx.example.com: parse error in SPF record at example.net) identity=mailfrom; client-ip=192.0.2.1; envelope-from="user@example.net"; helo=client.example; receiver=mx.example.com; problem="ip4:x"',
  ],
  [
    RESULTS.temperror,
    {},
    'error (mx.example.com: error in processing during lookup of example.net: DNS problem)',
    'temperror (mx.example.com: error in processing during lookup of example.net: DNS problem) identity=mailfrom; client-ip=192.0.2.1; envelope-from="user@example.net"; helo=client.example; receiver=mx.example.com; problem="TXT example.net: SERVFAIL"',
  ],
];

for (const [names, question, classic, rfc] of FIELDS) {
  test(`Received-SPF: ${classic}`, async () => {
    const one = await ask(dnsOf(names), question);
    assert.equal(one.header, `Received-SPF: ${classic}\r\n`);
    const other = await ask(dnsOf(names), { ...question, header: 'rfc7208' });
    assert.equal(other.header, `Received-SPF: ${rfc}\r\n`);
  });
}

/** The errors that rc5 told apart. */
const ERRORS: readonly [names: Names, classic: string][] = [
  [
    { 'TXT example.net': ['v=spf1 redirect=gone.example'] },
    'unknown (mx.example.com: domain at example.net does not designate permitted sender hosts)',
  ],
  [
    { 'TXT example.net': ['v=spf1 magic:(x) -all'] },
    'unknown magic:?x? (mx.example.com: SPF record at example.net uses mechanism not recognized by this client)',
  ],
  [{ 'TXT example.net': ['v=spf1', 'v=spf1'] }, 'unknown (mx.example.com: Multiple SPF records returned)'],
  [
    { 'TXT example.net': ['v=spf1 include:example.net'] },
    'unknown (mx.example.com: SPF record at example.net exceeds a limit, more than 10 terms that ask the DNS)',
  ],
  [
    { 'TXT example.net': ['v=spf1 redirect=other.example'], 'TXT other.example': ['v=spf1 -x'] },
    'unknown -x (mx.example.com: SPF record at other.example uses mechanism not recognized by this client)',
  ],
];

for (const [names, classic] of ERRORS) {
  test(`Received-SPF: ${classic}`, async () => {
    assert.equal((await ask(dnsOf(names))).header, `Received-SPF: ${classic}\r\n`);
  });
}

test('local policy', async () => {
  const own = await ask(dnsOf({}), { ip: '127.0.0.1' });
  assert.equal(
    own.header,
    'Received-SPF: pass (mx.example.com: local policy designates 127.0.0.1 as permitted sender)\r\n',
  );
  const guessed = await ask(dnsOf({}), { guess: '~all' });
  assert.match(
    guessed.header,
    /^Received-SPF: softfail \(mx\.example\.com: transitioning local policy does not/,
  );
});
