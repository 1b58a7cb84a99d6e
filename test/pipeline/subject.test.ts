import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rig, send } from './rig.ts';

const TO = ['a@example.com'];
const REST = 'From: a@example.net\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\nhello\r\n';

const cases: readonly [what: string, header: string, subject: string | null][] = [
  ['as it stands', 'Subject: =?utf-8?q?h=C3=A9?= \r\n', '=?utf-8?q?h=C3=A9?='],
  ['unfolded', 'SUBJECT: one\r\n two\r\n\tthree\r\n', 'one two\tthree'],
  ['bytes', 'Subject: caf\xe9\x1b[2J\r\n', 'caf\xe9\x1b[2J'],
  ['empty', 'Subject:\r\n', ''],
  ['none', '', null],
  ['the first of two', 'Subject: one\r\nSubject: two\r\n', 'one'],
];
for (const [what, header, subject] of cases) {
  test(`the record has the subject: ${what}`, async t => {
    const made = await rig(t);
    await send(await made.converse(), TO, header + REST);
    assert.equal(made.records[0]?.subject, subject);
  });
}

test('the record has 200 bytes of a long subject', async t => {
  const made = await rig(t);
  await send(await made.converse(), TO, `Subject: ${'x'.repeat(900)}\r\n${REST}`);
  assert.match(made.records[0]?.subject ?? '', /^x{199,200}$/);
});

test('a recipient that is refused has no message yet, and no subject', async t => {
  const made = await rig(t);
  await send(await made.converse(), ['a@elsewhere.example'], REST);
  assert.equal(made.records[0]?.event, 'recipient-refused');
  assert.ok(!('subject' in (made.records[0] ?? {})));
});
