import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { ROOT, run } from '../support/processes.ts';
import { eventId, greeted } from './dialogue.ts';

/** Control files of three customers: one lets everything pass, one refuses programs, one wants to see them first. */
const THREE = {
  simcontrol: [
    'noexe.example.com:attach=.exe:.scr',
    'hold.example.com:attach=.exe,quarantinemode=quarantine',
    'open.example.com:observe=all',
    '',
  ].join('\n'),
  rcpthosts: '.example.com\n',
  'quarantine-events.txt': '# simcontrol alone decides here\n',
};
const RECIPIENTS = ['a@open.example.com', 'b@noexe.example.com', 'c@hold.example.com'];

const PROGRAM = [
  'From: a@example.net',
  'Date: Sat, 21 Nov 2026 10:00:00 +0000',
  'Subject: a program',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: text/plain',
  '',
  'see there',
  '--b',
  'Content-Type: application/octet-stream; name="readme.exe"',
  'Content-Disposition: attachment; filename="readme.exe"',
  'Content-Transfer-Encoding: base64',
  '',
  'TVqQAAMAAAAEAAAA//8AALgAAAAAAAAA',
  '--b--',
  '',
].join('\r\n');

async function sendTo(port: number, recipients: readonly string[]): Promise<string> {
  await using client = await greeted(port);
  assert.match(await client.envelope('a@example.net', ...recipients), /^250 /);
  return await client.message(PROGRAM);
}

test('three customers, one mail: one answer, one delivery, one held copy, a refusal shown as held', async () => {
  await using gateway = await startGateway(THREE);
  const reply = await sendTo(gateway.port, RECIPIENTS);
  assert.match(reply, /^250 2\.0\.0 ok \[/);
  assert.equal((await gateway.maildir()).length, 1, 'one delivery');
  const record = await gateway.record(eventId(reply));
  assert.deepEqual(
    record.recipients.map(r => [r.address, r.outcome, r.verdict, r.rule]),
    [
      ['a@open.example.com', 'delivered', 'continue', null],
      ['b@noexe.example.com', 'held', 'reject', 'ATTACH'],
      ['c@hold.example.com', 'held', 'quarantine', 'ATTACH'],
    ],
  );
  const args = ['explain', '--control', gateway.control, '--state', gateway.state, eventId(reply)];
  const explained = (await run(`${ROOT}/bin/postern`, args)).stdout.toString();
  assert.match(explained, /held in the quarantine \(1 delivered, 2 held\)/);
  const lines = explained
    .split('\n')
    .filter(line => /^ {2}<[abc]@/.test(line))
    .slice(0, 3);
  assert.equal(new Set(lines.map(line => line.replace(/<[^>]*>/, ''))).size, 3, explained);
  assert.match(lines[1] ?? '', /held +reject +ATTACH.*readme\.exe.*attach=.*simcontrol:1/);
  assert.match(
    lines[2] ?? '',
    /held +quarantine +ATTACH.*readme\.exe.*quarantinemode=quarantine.*simcontrol:2/,
  );
  const list = ['quarantine', 'list', '--json', '--control', gateway.control, '--state', gateway.state];
  const held = (await run(`${ROOT}/bin/postern`, list)).stdout.toString();
  assert.match(held, /b@noexe\.example\.com/);
  assert.match(held, /c@hold\.example\.com/);
  assert.doesNotMatch(held, /a@open\.example\.com/);
});

test('alone, the one who refuses programs has them refused, and the other one has them held', async () => {
  await using gateway = await startGateway(THREE);
  assert.match(
    await sendTo(gateway.port, [RECIPIENTS[1] ?? '']),
    /^554 5\.7\.1 Your email was rejected because it contains a bad attachment: readme\.exe \[/,
  );
  const held = await sendTo(gateway.port, [RECIPIENTS[2] ?? '']);
  assert.match(held, /^250 /);
  assert.equal((await gateway.record(eventId(held))).event, 'message-held');
  assert.equal((await gateway.maildir()).length, 0);
});
