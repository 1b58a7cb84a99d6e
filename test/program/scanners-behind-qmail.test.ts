import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RECEIVED } from '../support/qmail-rig.ts';
import { variedMails } from '../support/sample-mail.ts';
import { startSpamd } from '../support/spamd.ts';
import { scannerCases } from './scanner-cases.ts';
import { at, lf, startRig } from './scanner-rig.ts';

scannerCases('behind qmail');

test('score, threshold and rules in the record are those that simscan’s spamc would have got', async () => {
  await using spamd = await startSpamd();
  await using rig = await startRig('behind qmail', {
    spamd: at(spamd),
    spam_hits: '0\n',
    spam_passthru: 'yes\n',
    size_limit: '0\n',
  });
  for (const [n, message] of variedMails(20).entries()) {
    const whole = Buffer.concat([Buffer.from(RECEIVED), lf(message)]);
    const sent = await rig.send(message, { to: ['a@example.com'] });
    const detail = (await sent.record()).findings.find(f => f.rule === 'SPAM')?.detail ?? '';
    const [, score = '', threshold = '', rules = ''] =
      /^(?:sp|h)am: (-?[\d.]+) of ([\d.]+) \(spamd \S+\): (.*)$/.exec(detail) ?? [];
    const said = (await spamd.spamc(['-c'], whole)).stdout.toString().trim();
    const [points, required] = said.split('/').map(Number);
    assert.deepEqual([Number(score), Number(threshold)], [points, required], `message ${n}: ${detail}`);
    const names = (await spamd.spamc(['-y'], whole)).stdout.toString().trim();
    assert.equal(rules === 'no rule' ? '' : rules, names, `message ${n}`);
  }
});
