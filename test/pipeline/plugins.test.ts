import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Finding } from '../../src/model/finding.ts';
import type { AnyPlugin } from '../../src/pipeline/run-stage.ts';
import { envelope, findings, rig, send } from './rig.ts';

const RECIPIENT = 'b@example.com';

/** A plugin with one rule, ODD, whose stage functions are `stages`. */
function odd(stages: Partial<AnyPlugin>): AnyPlugin {
  return {
    name: 'odd',
    doc: 'For a test.',
    tier: 'local',
    rules: { ODD: { doc: 'Something odd.' } },
    settings: [],
    onError: 'continue',
    sparesRelayClients: true,
    ...stages,
  };
}

const fails = (): never => {
  throw new Error('it broke');
};
const notAList = () => Promise.resolve(undefined as unknown as readonly Finding[]);

for (const [how, check] of [
  ['throws', fails],
  ['rejects', () => Promise.reject(new Error('it broke'))],
  ['gives nothing', () => undefined as unknown as readonly Finding[]],
  ['promises nothing', notAList],
] as const) {
  for (const stage of ['connect', 'helo', 'mail', 'rcpt', 'data', 'message'] as const) {
    test(`a plugin that ${how} at ${stage}: an error, and its own onError`, async t => {
      for (const onError of ['continue', 'defer'] as const) {
        const { converse, records } = await rig(t, { plugins: [odd({ [stage]: check, onError })] });
        const conversation = await converse();
        const [answer] = await envelope(conversation, [RECIPIENT]);
        const early = stage !== 'data' && stage !== 'message';
        const last = onError === 'defer' && early ? answer : await send(conversation, [RECIPIENT]);
        assert.match(last ?? '', onError === 'defer' ? /^451 4\.7\.1 temporary failure/ : /^250 2\.0\.0/);
        assert.equal(records.length, 1);
        assert.ok(findings(records[0]).includes('odd error'));
      }
    });
  }
}

test('`error PLUGIN` in actions says what an error means', async t => {
  for (const [action, wanted] of [
    ['observe', /^250 /],
    ['quarantine', /^250 /],
    ['defer:451 4.7.1 odd broke', /^451 4\.7\.1 odd broke$/],
    ['reject:554 5.7.1 odd broke', /^554 5\.7\.1 odd broke$/],
  ] as const) {
    const { converse, held } = await rig(t, {
      control: { actions: `error odd:${action}` },
      plugins: [odd({ message: fails, onError: 'defer' })],
    });
    assert.match(await send(await converse(), [RECIPIENT]), wanted);
    assert.equal(held.length, action === 'quarantine' ? 1 : 0);
  }
});

test('relay clients are spared by plugins that say so', async t => {
  const hit = (): Finding[] => [{ rule: 'ODD', state: 'hit' }];
  for (const sparesRelayClients of [true, false]) {
    const { converse, records } = await rig(t, {
      control: { actions: 'ODD:reject', 'tcp.smtp': ':allow,RELAYCLIENT=""' },
      plugins: [odd({ message: hit, sparesRelayClients })],
    });
    const answer = await send(await converse(), [RECIPIENT]);
    assert.match(answer, sparesRelayClients ? /^250 / : /^554 5\.7\.1 refused \(ODD\)/);
    if (sparesRelayClients) {
      assert.equal(records[0]?.findings.find(f => f.plugin === 'odd')?.detail, 'relay client');
    }
  }
});

test('a dearer tier does not run when the verdict cannot change', async t => {
  let asked = 0;
  const dear: AnyPlugin = {
    ...odd({}),
    name: 'dear',
    tier: 'scanner',
    message: () => {
      asked++;
      return Promise.resolve([]);
    },
  };
  const cheap = odd({ message: () => [{ rule: 'ODD', state: 'hit' }] });
  const { converse, records } = await rig(t, {
    control: { actions: 'ODD:reject', simcontrol: 'watch@example.com:observe=odd' },
    plugins: [cheap, dear],
  });
  const conversation = await converse();
  assert.match(await send(conversation, [RECIPIENT]), /^554 /);
  assert.equal(asked, 0);
  assert.equal(records[0]?.findings.find(f => f.plugin === 'dear')?.detail, 'decided');
  assert.match(await send(conversation, [RECIPIENT, 'watch@example.com']), /^250 /);
  assert.equal(asked, 1, 'one recipient is still undecided');
});

test('a plugin sees what its stage knows, and the signal of a client that leaves', async t => {
  const seen: string[] = [];
  const note = (stage: string) => (facts: object) => {
    seen.push(
      `${stage}: ${['helo', 'sender', 'recipient', 'recipients', 'message'].filter(key => key in facts).join()}`,
    );
    return [];
  };
  let signal: AbortSignal | null = null;
  const plugin = odd({
    connect: note('connect'),
    helo: note('helo'),
    mail: note('mail'),
    rcpt: (facts, tools) => {
      ({ signal } = tools);
      return note('rcpt')(facts);
    },
    data: note('data'),
    message: note('message'),
  });
  const { converse } = await rig(t, { plugins: [plugin] });
  const conversation = await converse();
  await send(conversation, [RECIPIENT]);
  assert.deepEqual(seen.slice(1), [
    'helo: helo',
    'mail: helo,sender',
    'rcpt: helo,sender,recipient',
    'data: helo,sender,recipients',
    'message: helo,sender,recipients,message',
  ]);
  conversation.close();
  assert.equal((signal as AbortSignal | null)?.aborted, true);
  assert.equal(conversation.signal.aborted, true, 'asked for afterwards as well');
});
