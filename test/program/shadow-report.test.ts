import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ShadowReport } from '../../src/journal/shadow-comparison.ts';
import { postern } from '../support/gateway.ts';
import { waitFor } from '../support/processes.ts';
import { envelope, startQueueRig, withAttachment } from '../support/qmail-rig.ts';

const FILE = withAttachment('report.doc');

test('from postern-queue --shadow to the report, while the server runs', async () => {
  await using rig = await startQueueRig({
    logformat: 'simscan\n',
    simcontrol: 'strict@example.com:attach=.doc\n',
  });
  const args = ['report', '--control', rig.gateway.control, '--state', rig.gateway.state];
  const report = async (...more: string[]) => postern(['shadow', ...args, ...more]);
  const messages: readonly [recipient: string, act: string, code: number | null][] = [
    ['lax@example.com', 'exit 0', 0],
    ['strict@example.com', 'exit 31', 31],
    ['strict@example.com', 'exit 0', 0],
    ['lax@example.com', 'exit 71', 71],
    ['lax@example.com', 'signal 15', null],
  ];
  for (const [recipient, act, code] of messages) {
    const outcome = await rig.bring({
      args: ['--shadow', rig.programs.next],
      message: FILE,
      envelope: envelope('a@example.net', recipient),
      env: { NEXT_ACT: act },
    });
    assert.deepEqual([outcome.code, outcome.runs], [code, 1]);
  }
  let found: ShadowReport | null = null;
  await waitFor('all records', async () => {
    const { stdout } = await report('--json', '--since', '1h');
    found = stdout.toString() === '' ? null : (JSON.parse(stdout.toString()) as ShadowReport);
    return found?.messages === messages.length;
  });
  const { agreed, disagreed, notCompared, groups } = found as unknown as ShadowReport;
  assert.deepEqual([agreed, disagreed, notCompared], [2, 3, 0]);
  assert.deepEqual(
    groups.map(({ cause, ours, old, count }) => `${count} ${cause} ${ours} ${old}`),
    ['1 ATTACH refused passed', '1 exit 71 passed temporary', '1 signal 15 passed crashed'],
  );
  const explained = await rig.gateway.explain(groups[0]?.ids[0] ?? '');
  assert.match(explained, /the old filter: exit 0$/m);
  assert.match(explained, /report\.doc/);
  const text = await report();
  assert.equal(text.code, 0);
  assert.match(
    text.stdout.toString(),
    /^5 messages from .*\nagreed +2 \(40\.0 %\)\ndisagreed +3 in 3 groups\n/,
  );
  const { stderr } = rig.gateway.program;
  assert.equal(stderr.match(/^message-(accepted|refused) id=\S+ .*shadow="(exit|signal) \d+" /gm)?.length, 5);
  assert.doesNotMatch(stderr, /^simscan:/m, 'the old filter writes its own lines');
});
