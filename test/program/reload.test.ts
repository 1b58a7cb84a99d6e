import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/processes.ts';
import { eventId, greeted } from './dialogue.ts';

test('SIGHUP: new sessions get the new settings, open ones keep theirs', async () => {
  await using gateway = await startGateway({ workers: '2\n', badmailfrom: 'first@spam.example\n' });
  await using open = await greeted(gateway.port);
  assert.match(await open.envelope('second@spam.example'), /^250 /);

  await gateway.write('badmailfrom', '# since today\nsecond@spam.example\n');
  await gateway.write('smtpgreeting', 'mx.example.com no spam please\n');
  assert.equal(await gateway.reload(), 'reloaded');

  // Several, so that both workers have been asked.
  for (let i = 0; i < 6; i++) {
    await using session = await greeted(gateway.port);
    assert.equal(await session.say('HELO again'), '250 mx.example.com no spam please');
    assert.match(await session.say('MAIL FROM:<second@spam.example>'), /^250 /);
    const reply = await session.say('RCPT TO:<me@example.com>');
    assert.match(reply, /^553 5\.7\.1 sorry, your envelope sender is in my badmailfrom list \(#5\.7\.1\)/);
    if (i > 0) continue;
    const record = await gateway.record(eventId(reply));
    const finding = record.findings.find(f => f.rule === 'BADMAILFROM');
    assert.equal(finding?.source, `${gateway.control}/badmailfrom:2`);
  }
  assert.match(await open.message(), /^250 /);
  assert.match(await open.say('RSET'), /^250 /);
  assert.match(await open.envelope('second@spam.example'), /^250 /, 'the open session keeps its settings');
  assert.match(await open.say('RSET'), /^250 /);
  assert.match(await open.envelope('first@spam.example'), /^553 /);
});

test('SIGHUP with a broken configuration: all is said with file:line, and the old settings stay', async () => {
  await using gateway = await startGateway({ badmailfrom: 'first@spam.example\n' });
  await gateway.write('badmailfrom', 'second@spam.example\n');
  await gateway.write('actions', 'BADMAILFORM:defer\nBADHELO:maybe\n');
  await gateway.write('harderrors', 'some\n');
  assert.equal(await gateway.reload(), 'refused');
  const said = gateway.log('configuration').map(line => String(line['text']));
  const wanted = [
    /control\/actions:1: BADMAILFORM: no plugin reports this rule \(did you mean BADMAILFROM\?\)$/,
    /control\/actions:2: "maybe" is not an action/,
    /control\/harderrors:1: "some" is not a number/,
  ];
  for (const pattern of wanted)
    assert.ok(
      said.some(text => pattern.test(text)),
      said.join('\n'),
    );
  assert.equal(gateway.log('reload-refused').at(-1)?.['errors'], 3);
  {
    await using session = await greeted(gateway.port);
    assert.match(await session.envelope('first@spam.example'), /^553 /);
    assert.match(await session.codes('RSET'), /^250/);
    assert.match(await session.envelope('second@spam.example'), /^250 /);
  }

  await gateway.remove('actions');
  await gateway.remove('harderrors');
  assert.equal(await gateway.reload(), 'reloaded');
  await using session = await greeted(gateway.port);
  assert.match(await session.envelope('second@spam.example'), /^553 /);
});

test('SIGHUP after rcpthosts is gone does not make an open relay', async () => {
  await using gateway = await startGateway();
  await gateway.remove('rcpthosts');
  assert.equal(await gateway.reload(), 'refused');
  await using session = await greeted(gateway.port);
  assert.match(await session.envelope('a@example.net', 'b@anywhere.example'), /^553 /);
});

test('SIGHUP: another next hop, log format and log level are taken over', async () => {
  await using gateway = await startGateway();
  await gateway.write('smtproutes', ':Second maildir\n');
  await gateway.write('logformat', 'plain\n');
  gateway.program.signal('SIGHUP');
  await waitFor('plain lines', () =>
    /^settings-in-force configuration=[0-9a-f]{8}$/m.test(gateway.program.stderr),
  );
  await using session = await greeted(gateway.port);
  await session.envelope();
  assert.match(await session.message(), /^250 /);
  assert.equal((await gateway.maildir()).length, 0);
  assert.equal((await gateway.maildir('Second')).length, 1);
  await gateway.program.output(/^message-accepted id=/m);
});

test('a signal to a process group, as a terminal sends it, harms no worker', async () => {
  await using gateway = await startGateway({ workers: '2\n' });
  const workers = gateway.log('worker-ready').map(line => Number(line['worker']));
  for (const pid of workers) process.kill(pid, 'SIGHUP');
  for (const pid of workers) process.kill(pid, 'SIGINT');
  assert.equal(await gateway.reload(), 'reloaded');
  for (const pid of workers) assert.doesNotThrow(() => process.kill(pid, 0));
  await using session = await greeted(gateway.port);
  assert.match(await session.envelope(), /^250 /);
});
