import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { postern } from '../support/gateway.ts';
import { run, temporaryFolder } from '../support/processes.ts';

/** Each line of input to the probe, and the answers as objects. */
async function probe(...lines: readonly string[]): Promise<Record<string, unknown>[]> {
  const done = await postern(['probe'], { input: `${lines.join('\n')}\n` });
  assert.equal(done.code, 0);
  assert.equal(done.stderr.toString(), '');
  return done.stdout
    .toString()
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line));
}

const ask = (id: unknown, rest: object) => JSON.stringify({ id, op: 'tcprules', ...rest });

test('every line is answered, rubbish as well, and the probe goes on', async () => {
  const rules = '10.:allow,A="1"\n:deny\n';
  const answers = await probe(
    ask(1, { rules, env: { TCPREMOTEIP: '10.1.1.1' } }),
    'this is no JSON',
    '[1,2]',
    'null',
    '"text"',
    '{"id":"x","op":"no-such-op"}',
    '{"id":7}',
    '{"id":8,"op":"__proto__"}',
    '{"id":9,"op":"tcprules"}',
    '',
    ask(10, { cdb: 'AAAA' }),
    ask(11, { rules: '1.2.3.4:alow' }),
    ask(12, { rules, env: { TCPREMOTEIP: 5 } }),
    ask(13, { rules, env: 'nonsense' }),
    ask('last', { rules, env: { TCPREMOTEIP: '11.1.1.1' } }),
  );
  assert.equal(answers.length, 14);
  const byId = new Map(answers.map(answer => [answer['id'], answer]));
  assert.deepEqual(byId.get(1), { id: 1, action: 'allow', vars: { A: '1' }, rule: '10.' });
  assert.deepEqual(byId.get('last'), { id: 'last', action: 'deny', vars: {}, rule: '' });
  assert.deepEqual(byId.get('x'), { id: 'x', error: 'unsupported' });
  assert.deepEqual(byId.get(8), { id: 8, error: 'unsupported' });
  for (const id of [7, 9, 10, 11]) assert.equal(typeof byId.get(id)?.['error'], 'string', String(id));
  assert.equal(answers.filter(answer => answer['id'] === null && 'error' in answer).length, 4);
});

test('a cdb of the real tcprules is read as its text is', async () => {
  await using folder = await temporaryFolder();
  const rules = '10.1.1.1-9:allow,RELAYCLIENT="",RBLSMTPD="-no"\n=.example.net:deny\n:allow,X="y"\n';
  const made = await run('tcprules', [join(folder.path, 'c'), join(folder.path, 't')], { input: rules });
  assert.equal(made.code, 0);
  const cdb = (await readFile(join(folder.path, 'c'))).toString('base64');
  const clients = [
    { TCPREMOTEIP: '10.1.1.5' },
    { TCPREMOTEIP: '192.0.2.1', TCPREMOTEHOST: 'a.example.net' },
    { TCPREMOTEIP: '192.0.2.1' },
  ];
  const answers = await probe(
    ...clients.flatMap((env, id) => [ask(id, { rules, env }), ask(id, { cdb, env })]),
  );
  for (const id of clients.keys()) {
    const [text, compiled] = answers.filter(answer => answer['id'] === id);
    assert.deepEqual(text, compiled);
    assert.ok(text && !('error' in text));
  }
});
