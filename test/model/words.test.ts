import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closing, reply } from '../../src/model/reply.ts';
import { complaintText } from '../../src/model/origin.ts';
import { STAGE_DOC, STAGES } from '../../src/model/stage.ts';
import { isRefusal } from '../../src/model/verdict.ts';

test('stages come one after the other, each with a line of documentation', () => {
  assert.deepEqual(STAGES, ['connect', 'helo', 'mail', 'rcpt', 'data', 'message']);
  assert.deepEqual(Object.keys(STAGE_DOC), STAGES);
});

test('which verdicts refuse', () => {
  const held = { rule: 'R', score: 0, tags: [] };
  const no = { rule: 'R', reply: reply(550, '5.7.1', 'no'), delaySeconds: 0 };
  assert.equal(isRefusal({ kind: 'reject', ...no }), true);
  assert.equal(isRefusal({ kind: 'defer', ...no }), true);
  assert.equal(isRefusal({ kind: 'quarantine', ...held }), false);
  assert.equal(isRefusal({ kind: 'discard', ...held }), false);
  assert.equal(isRefusal({ kind: 'continue', score: 0, tags: [], delaySeconds: 0 }), false);
});

test('replies and complaints', () => {
  assert.deepEqual(closing(421, '4.7.0', 'bye'), { ...reply(421, '4.7.0', 'bye'), close: true });
  const complaint = { severity: 'error', file: 'control/me', line: 3, text: 'no' } as const;
  assert.equal(complaintText(complaint), 'control/me:3: no');
  assert.equal(complaintText({ ...complaint, severity: 'warning', line: 0 }), 'control/me: warning: no');
});
