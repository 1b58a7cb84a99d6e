import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startSmtpSink } from '../support/peers.ts';
import { envelopeOf, messageOf } from './messages.ts';
import { ADDED, ask, BODY, relayTo, shown } from './relay-to.ts';

const BODIES: readonly [string, string][] = [
  ['plain', BODY],
  ['empty', ''],
  ['header only', 'Subject: x\r\n'],
  ['a single dot', '.\r\n'],
  ['dots', '.\r\n..\r\n.a\r\n\r\n.\r\n\r\n..\r\n'],
  [
    'every byte but NUL, CR and LF',
    `${Array.from({ length: 256 }, (_, i) => String.fromCharCode(i))
      .join('')
      .replace(/[\0\r\n]/g, '')}\r\n`,
  ],
  ['long lines', `${'x'.repeat(100_000)}\r\n.${'y'.repeat(100_000)}\r\n`],
  ['many dot lines', '.\r\n'.repeat(50_000)],
];

for (const lmtp of [false, true]) {
  const kind = lmtp ? 'lmtp' : 'smtp';

  test(`${kind}: bodies arrive byte for byte, from memory and in pieces, on one connection`, async t => {
    await using sink = await startSmtpSink({ lmtp });
    const { open } = relayTo(t, {
      kind,
      host: '127.0.0.1',
      port: sink.port,
      tls: 'opportunistic',
      place: 'test',
    });
    for (const [name, body] of BODIES) {
      for (const piece of [undefined, 7, 4096]) {
        if (piece === 7 && body.length > 1000) continue;
        const delivery = open(
          envelopeOf(`${name.replaceAll(' ', '-')}-${piece}@example.net`, { body: '8BITMIME' }),
        );
        assert.equal((await ask(delivery, 'a', 'b')).length, 2);
        const answers = await delivery.send(ADDED, messageOf(body, {}, piece));
        assert.deepEqual(
          answers.map(a => a.kind),
          ['accepted', 'accepted'],
          `${name} ${piece}`,
        );
      }
    }
    const mails = new Map((await sink.mails()).map(m => [m.sender, m]));
    for (const [name, body] of BODIES) {
      for (const piece of [undefined, 7, 4096]) {
        if (piece === 7 && body.length > 1000) continue;
        const mail = mails.get(`<${name.replaceAll(' ', '-')}-${piece}@example.net> BODY=8BITMIME`);
        assert.deepEqual(mail?.recipients, ['<a@example.com>', '<b@example.com>']);
        assert.ok(
          mail?.message.equals(Buffer.from(`${ADDED.toString()}${body}`.replaceAll('\r\n', '\n'), 'latin1')),
          `${name} ${piece}`,
        );
      }
    }
  });

  /** What Postfix's sink does with these options, and what we make of it: at the recipient, and at the end. */
  const flags: readonly [readonly string[], RegExp, RegExp | null][] = [
    [['-e'], /^accepted/, /^accepted/],
    [['-p'], /^accepted/, /^accepted/],
    [['-8', '-E', '-F', '-N'], /^accepted/, /^accepted/],
    [['-P'], /^accepted/, /^accepted/],
    [['-f', 'MAIL'], /^refused 500 5\.3\.0 Error: command failed/, null],
    [['-f', 'RCPT'], /^refused 500 5\.3\.0/, null],
    [['-r', 'RCPT'], /^failed 450 4\.3\.0/, null],
    [['-q', 'RCPT'], /^failed 451 4\.4\.2/, null],
    [['-Q', 'RCPT'], /^failed 451/, null],
    [['-f', 'DATA'], /^accepted/, /^refused 500/],
    [['-r', 'DATA'], /^accepted/, /^failed 450/],
    [['-q', 'DATA'], /^accepted/, /^failed 451 4\.4\.2/],
    [['-f', '.'], /^accepted/, /^refused 500/],
    [['-q', '.'], /^accepted/, /^failed 451 4\.4\.2/],
    [['-Q', '.'], /^accepted/, /^failed 451/],
    [['-f', 'CONNECT'], /^failed 451 4\.4\.1/, null],
    [['-A', '0'], /^accepted/, /^(refused 550|failed 451)/],
  ];
  for (const [args, atRecipient, atEnd] of flags) {
    test(`${kind}: smtp-sink ${args.join(' ')}`, async t => {
      await using sink = await startSmtpSink({ lmtp, args });
      const { open } = relayTo(t, {
        kind,
        host: '127.0.0.1',
        port: sink.port,
        tls: 'opportunistic',
        place: 'test',
      });
      const delivery = open();
      assert.match((await ask(delivery, 'a'))[0] ?? '', atRecipient);
      const answers = (await delivery.send(ADDED, messageOf(BODY))).map(shown);
      assert.equal(answers.length, atEnd === null ? 0 : 1);
      if (atEnd !== null) assert.match(answers[0] ?? '', atEnd);
    });
  }
}
