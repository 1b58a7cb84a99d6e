import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import { frames } from '../../src/qmail/frames.ts';
import { waitFor } from '../support/processes.ts';
import { CLIENT_VARIABLES, EXE, MESSAGE, question, queueRig, shown } from './asking.ts';

const NEXT = { qmailqueue: '/var/qmail/bin/qmail-queue' };

test('yes: our header block with LF lines, the next program, the envelope, byte for byte', async t => {
  const { ask, records } = await queueRig(t, { control: NEXT });
  const envelope = 'Fa b"@x\0Tcaf\xe9@example.com\0Tnobody\0T"q\\"@[192.0.2.1]\0\0';
  for (const piece of [undefined, 1]) {
    const said = shown(await ask(question({ envelope }), piece));
    assert.equal(said.length, 4);
    assert.match(
      said[0] ?? '',
      /^H Received: by mx\.example\.com \(Postern, before the queue\) id id\d+\.1;\n .* -0000$/,
    );
    assert.deepEqual(said.slice(1), ['N /var/qmail/bin/qmail-queue', `R ${envelope}`, 'Y']);
  }
  const [record] = records;
  assert.equal(record?.event, 'message-accepted');
  assert.equal(record.edge, 'qmail');
  assert.deepEqual(record.caller, { uid: 1, gid: 2, pid: 3, ppid: 4 });
  assert.equal(record.client?.ip, '192.0.2.7');
  assert.deepEqual(record.helo, { verb: 'HELO', name: 'desk' });
  const skipped = record.findings
    .filter(one => one.state === 'skipped')
    .map(one => `${one.rule}: ${one.detail}`);
  assert.ok(skipped.includes('rcpthosts: whoever queues the message has decided who may relay'));
});

test('who is not known is not asked about, and the record says so', async t => {
  const { ask, records } = await queueRig(t, { control: { badhelo: '^desk$', ...NEXT } });
  await ask(question({ variables: {} }));
  const [record] = records;
  assert.equal(record?.client, null);
  const why = record?.findings
    .filter(one => one.stage === 'connect' || one.stage === 'helo')
    .map(one => one.detail);
  assert.deepEqual(
    new Set(why),
    new Set(['the message came over no network', 'what the client said is not told']),
  );
  // The same with a client: now the name counts.
  assert.match(shown(await ask(question()))[0] ?? '', /^X \x1fD/);
});

test('no: exit code, letter, the text of the rule with its event', async t => {
  const { ask, records } = await queueRig(t, {
    control: { ssattach: '.exe', quarantineevents: '#', ...NEXT },
  });
  const said = shown(await ask(question({ message: EXE })));
  assert.equal(said.length, 1);
  assert.match(said[0] ?? '', /^X \x1fD.*\(#5\.7\.1\) \[id1\.1\]$/);
  assert.equal(records[0]?.event, 'message-refused');
});

test('a deferral is for now, with a text that says so', async t => {
  const { ask, trouble } = await queueRig(t);
  trouble('the disk is full');
  assert.match(shown(await ask(question()))[0] ?? '', /^X GZnot enough room .* \(#4\.3\.1\) \[id1\.1\]$/);
});

test('held and thrown away: nothing is left to be queued', async t => {
  for (const action of ['quarantine', 'discard']) {
    const control = { ssattach: '.exe', quarantineevents: '#', actions: `ATTACH:${action}` };
    const { ask, held } = await queueRig(t, { control });
    assert.deepEqual(shown(await ask(question({ message: EXE }))), ['A']);
    assert.equal(held.length, action === 'quarantine' ? 1 : 0);
  }
});

test('one passes, one is refused: a held copy, one answer, the envelope without it', async t => {
  const control = { simcontrol: 'strict@example.com:attach=.exe', quarantineevents: '#', ...NEXT };
  const { ask, held, records } = await queueRig(t, { control });
  const envelope = 'Fa@example.net\0Tstrict@example.com\0Tb@example.com\0\0';
  const said = shown(await ask(question({ message: EXE, envelope })));
  assert.deepEqual(said.slice(2), ['R Fa@example.net\0Tb@example.com\0\0', 'Y']);
  assert.deepEqual(
    held.flatMap(one => one.held.recipients.map(r => r.address.text)),
    ['strict@example.com'],
  );
  assert.equal(records.at(-1)?.event, 'message-held');
});

test('a recipient that a rule refuses is held when others pass; there is no answer for each', async t => {
  const { ask, held } = await queueRig(t, { control: { badrcptto: 'bad@example.com', ...NEXT } });
  const said = shown(await ask(question({ envelope: 'Fa@x\0Tbad@example.com\0Tb@example.com\0\0' })));
  assert.equal(said[2], 'R Fa@x\0Tb@example.com\0\0');
  assert.equal(held.length, 1);
  assert.match(shown(await ask(question({ envelope: 'Fa@x\0Tbad@example.com\0\0' })))[0] ?? '', /^X \x1fD/);
});

test('tags of several recipients: one header block for the one copy', async t => {
  const simcontrol = 'b@example.com:attach=.exe\nc@example.com:regex=lottery';
  const control = { simcontrol, quarantineevents: '#', actions: 'ATTACH:tag\nREGEX:tag' };
  const { ask } = await queueRig(t, { control });
  const message = `${EXE}lottery\n`;
  const said = shown(await ask(question({ message, envelope: 'Fa@x\0Tb@example.com\0Tc@example.com\0\0' })));
  assert.equal(said.length, 4);
  assert.match(said[0] ?? '', /X-Postern-Tag: ATTACH\nX-Postern-Tag: REGEX$/);
});

test('settings come from the environment, RELAYCLIENT too; its suffix is there already', async t => {
  const { ask, records } = await queueRig(t, {
    control: { ssattach: '.exe', quarantineevents: '#', ...NEXT },
  });
  const variables = {
    ...CLIENT_VARIABLES,
    OBSERVE: 'ATTACH',
    RELAYCLIENT: '@suffix',
    QMAILQUEUE_NEXT: '/next',
    DKQUEUE: '/dk',
  };
  const said = shown(
    await ask(question({ variables, message: EXE, envelope: 'F\0Tb@example.com@suffix\0\0' })),
  );
  assert.deepEqual(said.slice(1), ['N /next', 'R F\0Tb@example.com@suffix\0\0', 'Y']);
  assert.equal(records[0]?.relayClient, true);
  const { QMAILQUEUE_NEXT: _, ...without } = variables;
  assert.equal(shown(await ask(question({ variables: without, message: EXE })))[1], 'N /dk');
});

test('the next program: a recipient’s own goes before the environment’s', async t => {
  const { ask } = await queueRig(t, { control: { simcontrol: 'b@example.com:qmailqueue=/own', ...NEXT } });
  const variables = { ...CLIENT_VARIABLES, QMAILQUEUE_NEXT: '/next' };
  assert.equal(shown(await ask(question({ variables })))[1], 'N /own');
  const other = question({ variables, envelope: 'F\0Tc@example.com\0Tb@example.com\0\0' });
  assert.equal(shown(await ask(other))[1], 'N /next');
});

test('postern-queue is not to call itself, and nothing is held before that is known', async t => {
  const control = {
    qmailqueue: '/usr/local/bin/postern-queue',
    actions: 'ATTACH:quarantine',
    ssattach: '.exe',
  };
  const { ask, held, records } = await queueRig(t, { control });
  assert.match(shown(await ask(question({ message: EXE })))[0] ?? '', /^X GZpostern-queue is to queue/);
  assert.deepEqual([held, records], [[], []]);
});

test('qmail-dk in front of postern-queue has it in DKQUEUE: it is not what comes next', async t => {
  const { ask } = await queueRig(t, { control: NEXT });
  const variables = { ...CLIENT_VARIABLES, DKQUEUE: '/usr/local/bin/postern-queue' };
  assert.equal(shown(await ask(question({ variables })))[1], `N ${NEXT.qmailqueue}`);
});

test('without recipients there is nothing to decide', async t => {
  const { ask, records } = await queueRig(t, { control: NEXT });
  assert.deepEqual(shown(await ask(question({ envelope: 'Fa\0\0' }))), [
    'H',
    `N ${NEXT.qmailqueue}`,
    'R Fa\0\0',
    'Y',
  ]);
  assert.deepEqual(records, []);
});

test('ten thousand recipients', async t => {
  const { ask, records } = await queueRig(t, { control: NEXT });
  const envelope = `Fa@x\0${Array.from({ length: 10_000 }, (_, i) => `Tuser${i}@example.com\0`).join('')}\0`;
  const said = await ask(question({ envelope }));
  const back = said.filter(one => one.type === 'R').map(one => one.payload);
  assert.equal(Buffer.concat(back).toString('latin1'), envelope);
  assert.equal(records[0]?.recipients.length, 10_000);
  assert.ok(
    (records[0]?.findings.length ?? 0) < 100,
    'findings that say the same of everybody are not repeated',
  );
});

test('what we would write is left where somebody else has written it, and is in the record', async t => {
  const { ask, records } = await queueRig(t, { control: NEXT });
  await ask(question({ message: `X-Postern-Verdict: pass\n${MESSAGE}` }));
  assert.ok(records[0]?.findings.some(one => one.rule === 'HEADER_FORGED_TRUST' && one.state === 'hit'));
});

const whole = question();
const begun = question().subarray(0, whole.length - 5);

test('without its last word nothing happens, wherever it is cut, and a message that began leaves a record', async t => {
  const { path, records, held } = await queueRig(t);
  const firstOfMessage = whole.indexOf('M\0');
  for (let end = 0; end <= begun.length; end += 13) {
    const before = records.length;
    const socket = connect(path);
    socket.on('error', () => undefined);
    const closed = new Promise(resolve => socket.once('close', resolve));
    socket.end(whole.subarray(0, end));
    await closed;
    const complete = end >= firstOfMessage + 5 + MESSAGE.length;
    if (complete) await waitFor('the record', () => records.length > before);
    assert.ok(records.length <= before + 1);
  }
  assert.deepEqual(new Set(records.map(one => one.event)), new Set(['message-abandoned']));
  assert.equal(records[0]?.client?.ip, '192.0.2.7');
  assert.deepEqual(held, []);
});

const version = Buffer.concat(frames('V', Buffer.from('1')));
const GARBAGE: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['HTTP', Buffer.from('GET / HTTP/1.0\r\n\r\n')],
  ['another version', Buffer.concat(frames('V', Buffer.from('2')))],
  ['no version', Buffer.concat(frames('M', Buffer.from('x')))],
  ['a frame that is too long', Buffer.concat([version, Buffer.from('M\xff\xff\xff\xff', 'latin1')])],
  ['an envelope first', Buffer.concat([version, ...frames('R', Buffer.from('Fa\0'))])],
  ['no variable', Buffer.concat([version, ...frames('E', Buffer.from('=x'))])],
  ['a bad envelope', question({ envelope: 'Fa\0Xb\0\0' })],
  ['an envelope without its end', question({ envelope: 'Fa\0Tb\0' })],
  ['bytes behind the envelope', question({ envelope: 'Fa\0Tb\0\0Fa\0' })],
  [
    '400 variables',
    Buffer.concat([
      version,
      ...Array.from({ length: 400 }, (_, i) => frames('E', Buffer.from(`A${i}=`))).flat(),
    ]),
  ],
];

for (const [what, bytes] of GARBAGE) {
  test(`garbage gets no answer: ${what}`, async t => {
    const { ask, problems, hops } = await queueRig(t);
    assert.deepEqual(await ask(bytes), []);
    assert.equal(problems.length, 1);
    assert.deepEqual(hops, []);
  });
}

test('a fault of ours is for now', async t => {
  const { ask, problems } = await queueRig(t, { parts: { newId: () => assert.fail('broken') } });
  assert.match(shown(await ask(question()))[0] ?? '', /^X GZmail server temporarily rejected/);
  assert.equal(problems.length, 1);
});

test('a quarantine that fails is for now', async t => {
  const onHold = () => assert.fail('no room');
  const control = { ssattach: '.exe', quarantineevents: '#', actions: 'ATTACH:quarantine' };
  const { ask } = await queueRig(t, { control, onHold });
  assert.match(shown(await ask(question({ message: EXE })))[0] ?? '', /^X GZthe message could not be stored/);
});

test('nothing stays open: not who is turned away, not a shadow that leaves early, not who leaves while it is judged', async t => {
  const spools = () =>
    readdirSync('/proc/self/fd').flatMap(fd => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).includes('.spool-') ? [fd] : [];
      } catch {
        return [];
      }
    }).length;
  const { path, listener, records, problems } = await queueRig(t, { control: NEXT }, 3);
  const large = MESSAGE + `${'x'.repeat(70)}\n`.repeat(10_000);
  const leave = async (bytes: Buffer) => {
    const socket = connect(path);
    socket.on('error', () => undefined);
    const closed = new Promise(resolve => socket.once('close', resolve));
    await once(socket, 'connect');
    await new Promise(resolve => socket.write(bytes, resolve));
    socket.destroy();
    await closed;
  };
  const all = question({ message: large });
  const shadowed = Buffer.concat([version, ...frames('S'), all.subarray(version.length)]);
  const many = `F\0${Array.from({ length: 3000 }, (_, i) => `Tu${i}@example.com\0`).join('')}\0`;
  for (let i = 0; i < 12; i++) {
    await leave(shadowed.subarray(0, shadowed.length - 5));
    await leave(all.subarray(0, all.length - 5));
    await leave(question({ message: large, envelope: many }));
  }
  await waitFor('the end of all sessions', () => listener.sessions === 0);
  // Idle files are kept for the next messages; there are never more of them than are at work at a time.
  await waitFor('spool files to be given back', () => spools() <= 8);
  assert.deepEqual(problems, []);
  assert.ok(records.some(one => one.event === 'message-abandoned'));

  const waiting = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const socket = connect(path);
      await once(socket, 'connect');
      return socket;
    }),
  );
  await waitFor('three sessions', () => listener.sessions === 3);
  for (let i = 0; i < 10; i++) {
    const busy = connect(path);
    busy.on('error', () => undefined);
    const closed = new Promise(resolve => busy.once('close', resolve));
    busy.write(all);
    busy.resume();
    await closed;
  }
  await waitFor('those turned away to be gone', async () => (await listener.connections()) === 3);
  for (const socket of waiting) socket.destroy();
});

test('more recipients than are taken: try again later, and nothing is judged', async t => {
  const { ask, records } = await queueRig(t, { control: NEXT });
  const envelope = `F\0${'Tb@example.com\0'.repeat(30_001)}\0`;
  assert.match(
    shown(await ask(question({ envelope })))[0] ?? '',
    /^X GZmore than 30000 recipients \(#4\.5\.3\)$/,
  );
  assert.deepEqual(records, []);
});

test('recipients=last: everybody is judged by the settings that count in the end', async t => {
  const control = {
    ...NEXT,
    recipients: 'last',
    badrcptto: 'a@example.com',
    simcontrol: 'b@example.com:observe=BADRCPTTO',
  };
  const both = 'Fs@x\0Ta@example.com\0Tb@example.com\0\0';
  const { ask, held, records } = await queueRig(t, { control });
  assert.equal(shown(await ask(question({ envelope: both })))[2], `R ${both}`);
  assert.deepEqual(held, []);
  const decided = records[0]?.findings.filter(one => one.detail === 'decided').map(one => one.rule);
  assert.deepEqual(decided, []);
});

test('who has logged in is as good as a relay client', async t => {
  const { ask, records } = await queueRig(t, { control: { ...NEXT, badhelo: '^desk$' } });
  const message = MESSAGE.replace('with SMTP', 'with ESMTPSA').replace(
    '(192.0.2.7)',
    '(joe@example.com@192.0.2.7)',
  );
  await ask(question({ message }));
  assert.equal(records[0]?.relayClient, true);
  await ask(question());
  assert.equal(records[1]?.relayClient, false);
});

test('ping', async t => {
  const { ask, records } = await queueRig(t);
  assert.deepEqual(shown(await ask(Buffer.concat([version, ...frames('P')]))), ['P 9.9.9']);
  assert.deepEqual(records, []);
});

test('more than may ask at a time hear that they should come again', async t => {
  const { ask, path } = await queueRig(t, {}, 1);
  const first = connect(path);
  await once(first, 'connect');
  first.write(version);
  assert.match(shown(await ask(question()))[0] ?? '', /^X GZtoo many messages at a time/);
  first.destroy();
});

test('shadow mode: no answer, no copy is held, and the record has both opinions', async t => {
  const control = { ssattach: '.exe', quarantineevents: '#', actions: 'ATTACH:quarantine' };
  const { path, records, held } = await queueRig(t, { control });
  const bytes = question({ message: EXE });
  const shadowed = Buffer.concat([version, ...frames('S'), bytes.subarray(version.length)]);
  for (const [last, said] of [
    [Buffer.concat(frames('O', Buffer.from('exit 31'))), 'exit 31'],
    [Buffer.alloc(0), 'not told'],
  ] as const) {
    const socket = connect(path);
    const got: Buffer[] = [];
    socket.on('data', chunk => got.push(chunk));
    socket.end(Buffer.concat([shadowed, last]));
    await once(socket, 'close');
    const record = await waitFor('the record', () => records.pop());
    assert.equal(record.edge, 'shadow');
    assert.equal(record.event, 'message-held');
    assert.equal(record.shadow, said);
    assert.deepEqual(got, []);
  }
  assert.deepEqual(held, []);
});

test('drain: a question under way is answered, then nobody listens', async t => {
  const { path, listener, ask } = await queueRig(t, { control: NEXT });
  const socket = connect(path);
  await once(socket, 'connect');
  socket.write(begun);
  const drained = listener.drain(30);
  await assert.rejects(once(connect(path), 'connect'), /ENOENT|ECONNREFUSED/);
  socket.write(whole.subarray(begun.length));
  let text = '';
  socket.on('data', chunk => (text += chunk.toString('latin1')));
  await once(socket, 'close');
  assert.ok(text.endsWith('Y\0\0\0\0'));
  await drained;
  assert.deepEqual(await ask(question()), []);
});
