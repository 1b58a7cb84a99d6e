import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { explainJson, explainLine, explainText } from '../../src/journal/explain.ts';
import type { EventName, VerdictRecord } from '../../src/model/record.ts';
import { sampleRecipient, sampleRecord } from '../store/sample-record.ts';

/** A refusal at RCPT by a DNS list, with findings of every state, from a client that tries to draw on the terminal. */
const REFUSED = sampleRecord({
  event: 'recipient-refused',
  rule: 'zen.example',
  reply: '553 5.7.1 Blocked - see https://zen.example/192.0.2.7 [s1.1]\r\n',
  tls: null,
  helo: { verb: 'EHLO', name: 'evil\x1b[2J\xe2\x80\xae\xfc\xc3\xbc' },
  recipients: [
    {
      address: 'bob@example.com',
      verdict: 'reject',
      outcome: 'refused',
      rule: 'zen.example',
      hop: null,
      hopReply: null,
    },
  ],
  messageId: null,
  size: null,
  crc32: null,
  score: 3,
  findings: [
    { stage: 'rcpt', plugin: 'badmailto', rule: 'badmailto', state: 'pass', ms: 0.02 },
    {
      stage: 'connect',
      plugin: 'rbl',
      rule: 'zen.example',
      state: 'hit',
      ms: 12.34,
      detail: '127.0.0.2: listed',
      value: '7.2.0.192.zen.example',
      source: 'control/rbl:1',
      text: 'Blocked - see https://zen.example/192.0.2.7',
    },
    {
      stage: 'connect',
      plugin: 'rbl',
      rule: 'list.example',
      state: 'error',
      ms: 3000,
      detail: 'SERVFAIL',
      source: 'control/rbl:2',
    },
    { stage: 'helo', plugin: 'badhelo', rule: 'badhelo', state: 'skipped', ms: 0, detail: 'decided' },
  ],
});

const REFUSED_TEXT = `\
Mail from <alice@example.net> for <bob@example.com> was refused at RCPT because of rule zen.example. The client read:
  553 5.7.1 Blocked - see https://zen.example/192.0.2.7 [s1.1]

event          recipient-refused: one recipient was refused or deferred at RCPT
id             s1.1
session        s1
time           2026-07-31T03:12:44.123Z, took 41.3 ms
edge           smtp
client         192.0.2.7 port 40123 (mail.example.net)
connected to   198.51.100.1 port 25
may relay      no
HELO           EHLO evil\\x1b[2J\\u{202e}\\xfcü
TLS            none
sender         <alice@example.net>
score          3
rule           zen.example
configuration  3-0123abcd

Recipients
  address            outcome  verdict  rule         next hop  it said  because
  <bob@example.com>  refused  reject   zen.example  -         -        7.2.0.192.zen.example; 127.0.0.2: listed

Findings (> decided)
   stage    rule          state    ms      asked for in   value                  detail
>  connect  zen.example   hit      12.3    control/rbl:1  7.2.0.192.zen.example  127.0.0.2: listed (text for the client: Blocked - see https://zen.example/192.0.2.7)
   connect  list.example  error    3000.0  control/rbl:2  -                      SERVFAIL
   helo     badhelo       skipped  0.0     -              -                      decided
   rcpt     badmailto     pass     0.0     -              -

Settings that are not as shipped
  name       value     where             layer
  databytes  20000000  /etc/tcp.smtp:14  client`;

/** Held for one recipient of two, with a next hop for the other. */
const HELD = sampleRecord({
  event: 'message-held',
  rule: 'attachment',
  recipients: [
    sampleRecipient('bob@example.com'),
    {
      address: 'eve@example.com',
      verdict: 'quarantine',
      outcome: 'held',
      rule: 'attachment',
      hop: null,
      hopReply: null,
    },
  ],
  settings: [],
});

const HELD_TEXT = `\
A message from <alice@example.net> for 2 recipients was held in the quarantine (1 delivered, 1 held) because of rule attachment. The client read:
  250 2.0.0 ok s1.1

event          message-held: some or all recipients got a durable quarantine copy instead
id             s1.1
session        s1
time           2026-07-31T03:12:44.123Z, took 41.3 ms
edge           smtp
client         192.0.2.7 port 40123 (mail.example.net)
connected to   198.51.100.1 port 25
may relay      no
HELO           EHLO mail.example.net
TLS            TLSv1.3 TLS_AES_256_GCM_SHA384
sender         <alice@example.net>
Message-ID     <m1@example.net>
size           4711 bytes
CRC-32         ${'ab'.repeat(32)}
score          0
rule           attachment
configuration  3-0123abcd

Recipients
  address            outcome    verdict     rule        next hop              it said       because
  <bob@example.com>  delivered  continue    -           smtp:[192.0.2.25]:25  250 2.1.5 Ok  -
  <eve@example.com>  held       quarantine  attachment  -                     -             -

Findings (> decided)
   stage    rule      state  ms   asked for in  value  detail
   connect  rblsmtpd  pass   1.5  -             -      not listed

Settings: all as shipped`;

describe('explain as text', () => {
  it('a refused recipient', () => assert.equal(explainText(REFUSED), REFUSED_TEXT));
  it('a message held for one of two', () => assert.equal(explainText(HELD), HELD_TEXT));

  const first = (change: Partial<VerdictRecord>) => explainText(sampleRecord(change)).split('\n')[0];
  const { sender: _, ...noMail } = sampleRecord({ recipients: [], rule: 'badhelo', reply: '550 5.7.1 no' });
  const sentences: readonly [string, string | undefined, string][] = [
    [
      'a connection',
      first({ event: 'connection-refused', recipients: [], rule: 'concurrencyincoming', reply: '421 later' }),
      'A connection from 192.0.2.7 was deferred (told to come again) because of rule concurrencyincoming. The client read:',
    ],
    [
      'a client before MAIL',
      explainText({ ...noMail, event: 'sender-refused' }).split('\n')[0],
      'The client 192.0.2.7 was refused before MAIL because of rule badhelo. The client read:',
    ],
    [
      'a sender at MAIL',
      first({ event: 'sender-refused', rule: 'badmailfrom', recipients: [], reply: '553 5.7.1 no' }),
      'Mail from <alice@example.net> was refused because of rule badmailfrom. The client read:',
    ],
    [
      'a bounce',
      first({ event: 'message-refused', sender: null, reply: '451 4.4.1 no' }),
      'A message from <> (null sender) for <bob@example.com> was deferred (told to come again). The client read:',
    ],
    [
      'an accepted message without a reply',
      first({ reply: '' }),
      'A message from <alice@example.net> for <bob@example.com> was accepted and passed on.',
    ],
    [
      'a discarded message',
      first({ event: 'message-discarded', rule: 'virus' }),
      'A message from <alice@example.net> for <bob@example.com> was accepted and thrown away because of rule virus. The client read:',
    ],
    [
      'an event of another version',
      first({ event: 'message-\x1bodd' as EventName }),
      'Event message-\\x1bodd. The client read:',
    ],
  ];
  for (const [what, sentence, expected] of sentences) {
    it(`begins with what happened: ${what}`, () => assert.equal(sentence, expected));
  }

  it('a reply of several lines, a local submission, and nothing found', () => {
    const text = explainText(
      sampleRecord({ reply: '550-one\r\n550 two', client: null, helo: null, findings: [], recipients: [] }),
    );
    assert.match(text, /The client read:\n {2}550-one\n {2}550 two\n\n/);
    assert.match(text, /^client +none: handed over on this host$/m);
    assert.match(text, /^HELO +none$/m);
    assert.match(text, /^Findings: none$/m);
    assert.doesNotMatch(text, /Recipients/);
  });

  it('survives times that are no dates', () => {
    assert.match(explainText(sampleRecord({ time: 1e300 })), /^time +1e\+300/m);
  });
});

it('explain on one line', () => {
  assert.equal(
    explainLine(REFUSED),
    '2026-07-31T03:12:44.123Z  s1.1  recipient-refused  zen.example  192.0.2.7  ' +
      '<alice@example.net> -> <bob@example.com>  553 5.7.1 Blocked - see https://zen.example/192.0.2.7 [s1.1]',
  );
  assert.match(explainLine(HELD), /<alice@example\.net> -> <bob@example\.com> \+1 {2}250 2\.0\.0 ok s1\.1$/);
  assert.match(explainLine(sampleRecord({ recipients: [], client: null })), / {2}local {2}.* -> - {2}/);
});

it('nothing from outside reaches the terminal raw, and JSON gives it back exactly (property)', () => {
  const any = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(any, text => {
      const record = sampleRecord({
        id: text,
        sessionId: text,
        edge: text,
        sender: text,
        helo: { verb: 'HELO', name: text },
        tls: { protocol: text, cipher: text },
        client: { ip: text, port: 1, localIp: text, localPort: 25, reverseName: text, ident: text },
        recipients: [
          { address: text, verdict: text, outcome: 'held', rule: text, hop: text, hopReply: text },
        ],
        messageId: text,
        crc32: text,
        findings: [
          {
            stage: 'connect',
            plugin: text,
            rule: text,
            state: 'hit',
            ms: 1,
            detail: text,
            value: text,
            source: text,
            text,
          },
        ],
        rule: text,
        reply: text,
        settings: [{ name: text, value: text, origin: { layer: 'site', place: text } }],
        configuration: text,
      });
      const shown = explainText(record).replaceAll('\n', '') + explainLine(record);
      assert.doesNotMatch(shown.replaceAll(' ', ''), /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u);
      const json = explainJson(record);
      assert.match(json, /^[ -~]*$/);
      assert.deepEqual(JSON.parse(json), record);
    }),
  );
});
