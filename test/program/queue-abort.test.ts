import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { frame } from '../native/stub-daemon.ts';
import { envelope, startQueueRig, withAttachment } from '../support/qmail-rig.ts';

/** Would be held, were it committed. */
const MESSAGE = withAttachment('report.doc');
const WHOLE = envelope('a@example.net', 'b@example.com', 'c@example.com');
const HOLDING = { ssattach: '.doc\n', actions: 'ATTACH:quarantine\n' };

const CUT: Readonly<Record<string, { readonly envelope: string; readonly code: number }>> = {
  'no envelope at all': { envelope: '', code: 54 },
  'a sender only': { envelope: 'Fa@example.net\0', code: 54 },
  'half a recipient': { envelope: 'Fa@example.net\0Tb@exam', code: 54 },
  'all but the final NUL': { envelope: WHOLE.slice(0, -1), code: 54 },
  'no F': { envelope: WHOLE.slice(1), code: 91 },
  'no T': { envelope: WHOLE.replace('\0T', '\0X'), code: 91 },
  'bytes behind the end': { envelope: `${WHOLE}T`, code: 91 },
};

test('without the commit mark nothing is left but a record', async () => {
  // An envelope that is none is logged loudly.
  await using rig = await startQueueRig(HOLDING);
  const records = () => rig.gateway.log('message-abandoned').length;
  for (const [name, { envelope, code }] of Object.entries(CUT)) {
    const before = records();
    const outcome = await rig.bring({ message: MESSAGE, envelope, channels: ['w:6'] });
    assert.deepEqual([outcome.code, outcome.texts[6], outcome.runs], [code, '', 0], name);
    await rig.gateway.program.until(`a record of ${name}`, () => records() === before + 1);
  }
  const open = { POSTERN_FAIL: 'open', QMAILQUEUE_NEXT: rig.programs.next };
  const outcome = await rig.bring({ message: MESSAGE, envelope: WHOLE.slice(0, -1), env: open });
  assert.deepEqual([outcome.code, outcome.runs], [54, 0], 'whatever POSTERN_FAIL says');

  const all = Object.keys(CUT).length + 1;
  await rig.gateway.program.until('the last record', () => records() === all);
  for (const { id } of rig.gateway.log('message-abandoned')) {
    const record = await rig.gateway.record(String(id));
    assert.deepEqual([record.event, record.client?.ip], ['message-abandoned', '192.0.2.7']);
    assert.match(record.findings[0]?.detail ?? '', /^before the end of the (?:message|envelope)$/);
  }
  assert.deepEqual(await rig.gateway.quarantine(), []);
  assert.deepEqual(
    rig.gateway.log().filter(line => /^message-(?!abandoned)/.test(line.event)),
    [],
  );
  assert.equal((await rig.bring({ message: MESSAGE, envelope: WHOLE })).code, 0);
  assert.equal((await rig.gateway.quarantine()).length, 1, 'and the next one counts');
});

test('postern-queue gone at any point before the commit: nothing is left but a record', async () => {
  await using rig = await startQueueRig(HOLDING);
  const spoken: readonly Buffer[] = [
    frame('V', '1'),
    frame('E', 'TCPREMOTEIP=192.0.2.7'),
    frame('I', 'uid=0 gid=0 pid=1 ppid=1'),
    frame('M', MESSAGE.slice(0, 100)),
    frame('M', MESSAGE.slice(100)),
    frame('m'),
    frame('R', WHOLE.slice(0, 20)),
    frame('R', WHOLE.slice(20)),
  ];
  const records = () => rig.gateway.log('message-abandoned').length;
  for (let count = 0; count <= spoken.length; count++) {
    const all = Buffer.concat(spoken.slice(0, count));
    // Between two frames, and within the last one.
    for (const bytes of [all, all.subarray(0, -3)]) await say(rig.socket, bytes);
  }
  // From the first whole frame of the message on there was one.
  await rig.gateway.program.until('all records', () => records() === 9);
  assert.equal((await rig.bring({ message: MESSAGE, envelope: WHOLE })).code, 0);
  assert.equal((await rig.gateway.quarantine()).length, 1, 'only the one that was committed');
  assert.equal(records(), 9);
});

/** Says this to the daemon, hangs up, and waits until the daemon has, too. */
async function say(path: string, bytes: Buffer): Promise<void> {
  const socket = connect(path);
  socket.resume().end(bytes);
  await once(socket, 'close');
}
