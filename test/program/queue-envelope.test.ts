import assert from 'node:assert/strict';
import { test } from 'node:test';
import { envelope, RECEIVED, startQueueRig } from '../support/qmail-rig.ts';

const LETTER = 'From: a@example.net\nDate: Sat, 21 Nov 2026 10:00:00 +0000\n\nhello\n';
const MESSAGE = `${RECEIVED}${LETTER}`;
/** Our own field, in front of everything else. */
const ADDED = /^Received: by mx\.example\.com \(Postern, before the queue\) id [\w.]+;\n [^\n]+\n$/;

/** Addresses as qmail has them: no quotes of the protocol, any byte but NUL. */
const ADDRESSES: readonly string[] = [
  'plain@example.com',
  'Upper.Case@EXAMPLE.Com',
  'with blank@example.com',
  '"quoted"@example.com',
  'a"b@example.com',
  'back\\slash@example.com',
  'a@b@example.com',
  '<brackets>@example.com',
  'gr\xfc\xdfe@example.com',
  '\xff\xfe\x80@example.com',
  'line\nend@example.com',
  'carriage\rreturn@example.com',
  'tab\t@example.com',
  'no-domain',
  '@no-local.example',
  '',
  '@[192.0.2.1]',
  '#@[]',
  '-@example.com-@[]',
  `${'long'.repeat(240)}@example.com`,
  'T',
  'F',
];

test('every address passes as it is, as sender and as recipient', async () => {
  await using rig = await startQueueRig();
  for (const one of ADDRESSES) {
    const bytes = envelope(one, 'before@example.com', one, 'behind@example.com');
    const outcome = await rig.bring({ message: MESSAGE, envelope: bytes });
    assert.deepEqual([outcome.code, outcome.runs], [0, 1], JSON.stringify(one));
    assert.equal(outcome.envelope.toString('latin1'), bytes);
  }
  const all = envelope('', ...ADDRESSES, ...ADDRESSES);
  const outcome = await rig.bring({ message: MESSAGE, envelope: all, piece: 1 });
  assert.equal(outcome.envelope.toString('latin1'), all, 'all at once, twice each, byte by byte');
});

/** LF lines as they come from callers; what a line may hold is not our business. */
const MESSAGES: Readonly<Record<string, string>> = {
  nothing: '',
  'a line end': '\n',
  'no final line end': `${MESSAGE}last`,
  'no header': 'hello\n\nworld\n',
  'no body': RECEIVED,
  'dots that look like an end': `${MESSAGE}.\n..\n.x\n.\r\n`,
  'CR before LF and alone': `${MESSAGE}a\r\nb\rc\r\r\n\r`,
  'NUL and other bytes': `${MESSAGE}\0\x01\x80\xff\0\n`,
  'a line of 100 kB': `${MESSAGE}${'x'.repeat(100_000)}\n`,
  'five megabytes': `${MESSAGE}${'all work and no play\n'.repeat(250_000)}`,
};

test('every message passes byte for byte behind our own field', async () => {
  // What is odd about these is for the rules to say, and they only look on.
  await using rig = await startQueueRig({ observe: 'all\n', headerbytes: '200000\n' });
  for (const [name, message] of Object.entries(MESSAGES)) {
    const outcome = await rig.bring({ message, envelope: envelope('', 'a@example.com') });
    assert.deepEqual([outcome.code, outcome.runs], [0, 1], name);
    const arrived = outcome.message.toString('latin1');
    assert.ok(arrived.endsWith(message), name);
    assert.match(arrived.slice(0, arrived.length - message.length), ADDED, name);
  }
});

test('no recipients: handed on untouched, as qmail-queue takes it', async () => {
  await using rig = await startQueueRig();
  const bytes = envelope('a@example.net');
  const outcome = await rig.bring({ message: MESSAGE, envelope: bytes });
  assert.deepEqual([outcome.code, outcome.runs], [0, 1]);
  assert.equal(outcome.envelope.toString('latin1'), bytes);
  assert.equal(outcome.message.toString('latin1'), MESSAGE);
});

test('10,000 recipients', async () => {
  await using rig = await startQueueRig({ simcontrol: 'u77@example.com:quarantinemode=quarantine\n' });
  const recipients = Array.from({ length: 10_000 }, (_, n) => `u${n}@example.com`);
  const bytes = envelope('a@example.net', ...recipients);
  const outcome = await rig.bring({ message: MESSAGE, envelope: bytes });
  assert.deepEqual([outcome.code, outcome.runs], [0, 1]);
  assert.equal(outcome.envelope.toString('latin1'), bytes);
});

test('mail that came over no network: checks of the client are skipped, and the record says so', async () => {
  await using rig = await startQueueRig();
  // What qmail-inject writes on top is not what qmail-smtpd would.
  const message = `Received: (qmail 77 invoked by uid 1000); 21 Nov 2026 10:00:00 -0000\n${LETTER}`;
  const nobody = { PROTO: '', TCPREMOTEIP: '', TCPREMOTEHOST: '', TCPREMOTEPORT: '' };
  const outcome = await rig.bring({
    message,
    envelope: envelope('a@example.net', 'b@example.com'),
    env: nobody,
  });
  assert.deepEqual([outcome.code, outcome.runs], [0, 1]);
  assert.ok(outcome.message.toString('latin1').endsWith(message));
  const { id } = await rig.gateway.logged('message-accepted');
  const record = await rig.gateway.record(String(id));
  assert.deepEqual([record.client, record.helo, record.tls], [null, null, null]);
  const of = (stage: string) => record.findings.filter(finding => finding.stage === stage);
  for (const [stage, why] of [
    ['connect', 'the message came over no network'],
    ['helo', 'what the client said is not told'],
  ] as const) {
    assert.ok(of(stage).length > 0, stage);
    for (const finding of of(stage)) assert.deepEqual([finding.state, finding.detail], ['skipped', why]);
  }
  assert.match(await rig.gateway.explain(String(id)), /came over no network/);
});

test('the Received field counts only when it names the client that the environment names', async () => {
  await using rig = await startQueueRig();
  const bring = (received: string) =>
    rig.bring({ message: received + LETTER, envelope: envelope('a@example.net', 'b@example.com') });
  await bring(RECEIVED);
  await bring(RECEIVED.replace('(192.0.2.7)', '(192.0.2.8)'));
  await bring(RECEIVED.replace('(HELO client.example) ', '').replace('ESMTP', 'SMTP'));
  await rig.gateway.program.until('three records', () => rig.gateway.log('message-accepted').length === 3);
  const helos = [];
  for (const { id } of rig.gateway.log('message-accepted'))
    helos.push((await rig.gateway.record(String(id))).helo);
  assert.deepEqual(helos, [
    { verb: 'EHLO', name: 'client.example' },
    null,
    { verb: 'HELO', name: 'mail.client.example' },
  ]);
});
