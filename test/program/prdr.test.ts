import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { swaks } from '../support/peers.ts';

test('swaks --prdr: one recipient gets the mail, the other one’s refusal reaches the sender', async () => {
  await using gateway = await startGateway({
    actions: 'HEADER_DATE_MISSING:reject:550 5.6.0 no date, no mail\n',
    simcontrol: 'lenient@example.com:observe=header_date_missing\n',
  });
  const to = ['--to', 'lenient@example.com,strict@example.com'];
  const message = ['--data', 'From: a@example.net\\nSubject: undated\\n\\nbody\\n'];
  const sent = await swaks(gateway.port, ['--prdr', '--from', 'a@example.net', ...to, ...message]);
  const dialogue = sent.stdout.toString();
  assert.equal(sent.code, 0, dialogue);
  assert.match(dialogue, /MAIL FROM:<a@example\.net> PRDR/);
  assert.match(dialogue, /353 content analysis has started/);
  assert.match(dialogue, /550 5\.6\.0 no date, no mail/);
  assert.equal((await gateway.maildir()).length, 1);
  const id = /250 2\.0\.0 ok \[(\S+)\]/.exec(dialogue)?.[1] ?? '';
  const record = await gateway.record(id);
  assert.deepEqual(
    record.recipients.map(r => [r.address, r.outcome]),
    [
      ['lenient@example.com', 'delivered'],
      ['strict@example.com', 'refused'],
    ],
  );
});
