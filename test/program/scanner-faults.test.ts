import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { postern } from '../support/gateway.ts';
import type { Act } from '../support/fake-scanner.ts';
import { deadAddress, fakeScanner } from '../support/fake-scanner.ts';
import { waitFor } from '../support/processes.ts';
import { sampleMail } from '../support/sample-mail.ts';
import { startSpamd } from '../support/spamd.ts';
import type { Mode, ScannerRig } from './scanner-rig.ts';
import { at, startRig } from './scanner-rig.ts';

const END = 'the last words of the message';
const MAIL = sampleMail({ body: `Dear Bob,\n\n${END}\n` });
const whole = (heard: Buffer): boolean => heard.includes(END);
const begun = (heard: Buffer): boolean => heard.length > 0;

type Fault =
  | 'hang'
  | 'slow drip'
  | 'garbage'
  | 'cut answer'
  | 'restart in mid-scan'
  | 'error'
  | 'limit exceeded';

/** A scanner, as it is when all is well and when it is not; and what becomes of the message then, by what we call the fault. */
interface Table {
  readonly scanner: 'clamd' | 'spamd' | 'rspamd';
  readonly plugin: 'clam' | 'spam';
  readonly good: string;
  readonly faults: Readonly<Partial<Record<Fault, readonly [Act, called: string]>>>;
}

function http(body: string, status = '200 OK', length = body.length): string {
  return `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n${body}`;
}

const SPAMD_GOOD = 'SPAMD/1.1 0 EX_OK\r\nContent-length: 3\r\nSpam: False ; 1.0 / 5.0\r\n\r\nA,B';
const RSPAMD_GOOD = http(
  '{"is_skipped":false,"score":-1.5,"required_score":15,"action":"no action","symbols":{"A":{},"B":{}}}',
);

const say = (words: string, next: Act['next'] = 'end'): Act => ({ when: whole, say: words, next });

const TABLES: readonly Table[] = [
  {
    scanner: 'clamd',
    plugin: 'clam',
    good: 'stream: OK\0',
    faults: {
      hang: [{ when: begun, next: 'hang', deaf: true }, 'timeout'],
      'slow drip': [{ when: whole, next: 'drip', deaf: true }, 'timeout'],
      garbage: [say('220 mail.example.com ESMTP\r\n'), 'garbage'],
      'cut answer': [say('stream: O'), 'cut'],
      'restart in mid-scan': [{ when: begun, next: 'reset' }, 'cut'],
      error: [say('stream: Can’t allocate memory ERROR\0'), 'failed'],
      'limit exceeded': [say('INSTREAM size limit exceeded. ERROR\0'), 'limit'],
    },
  },
  {
    scanner: 'spamd',
    plugin: 'spam',
    good: SPAMD_GOOD,
    faults: {
      hang: [{ when: begun, next: 'hang', deaf: true }, 'timeout'],
      'slow drip': [{ when: whole, say: 'SPAMD/1.1 0 EX', next: 'drip', deaf: true }, 'timeout'],
      garbage: [say('220 mail.example.com ESMTP\r\n'), 'garbage'],
      'cut answer': [say(SPAMD_GOOD.slice(0, -1)), 'cut'],
      'restart in mid-scan': [{ when: begun, next: 'reset' }, 'cut'],
      error: [say('SPAMD/1.0 70 EX_SOFTWARE\r\n'), 'failed'],
    },
  },
  {
    scanner: 'rspamd',
    plugin: 'spam',
    good: RSPAMD_GOOD,
    faults: {
      hang: [{ when: begun, next: 'hang', deaf: true }, 'timeout'],
      'slow drip': [{ when: whole, say: http('', '200 OK', 90_000), next: 'drip', deaf: true }, 'timeout'],
      garbage: [say('220 mail.example.com ESMTP\r\n'), 'garbage'],
      'cut answer': [say(RSPAMD_GOOD.slice(0, -1)), 'cut'],
      'restart in mid-scan': [{ when: begun, next: 'reset' }, 'cut'],
      error: [say(http('{"error":"internal"}', '500 Oops')), 'failed'],
      'limit exceeded': [say(http('', '413 Too large')), 'limit'],
    },
  },
];

const SETTINGS = ['defer', 'tag', 'quarantine'] as const;
type Setting = (typeof SETTINGS)[number];
/** What needs no line in `actions`. */
const SHIPPED: Readonly<Record<Table['plugin'], Setting>> = { clam: 'defer', spam: 'tag' };

const TO = ['asks@example.com'];
const NOT_ASKED = ['never@example.com'];
const SIMCONTROL = 'never@example.com:clam=no,spam=no\nasks@example.com:clam=yes,spam=yes\n';

/** One row: what the client gets, and what the record says. */
async function row(rig: ScannerRig, { plugin }: Table, called: string, setting: Setting): Promise<void> {
  const sent = await rig.send(MAIL, { to: TO });
  const record = await sent.record();
  const told = `${setting}: ${JSON.stringify(record.findings.filter(f => f.plugin === plugin))}`;
  const rule = plugin.toUpperCase();
  if (plugin === 'clam' && called === 'limit') {
    // What clamd says of one message, not of itself: it has a rule of its own.
    assert.deepEqual([sent.said, sent.delivered.length], ['accepted', 1], told);
    assert.match(sent.delivered[0] ?? '', /^X-Postern-Tag: CLAM_SIZE$/m, told);
    assert.equal(record.findings.find(f => f.rule === 'CLAM_SIZE')?.state, 'hit', told);
    return;
  }
  const [finding] = record.findings.filter(f => f.plugin === plugin);
  assert.deepEqual([finding?.rule, finding?.state], [rule, 'error'], told);
  assert.ok(finding?.detail?.startsWith(`${called}: `), told);
  const outcome = { defer: 'deferred', tag: 'delivered', quarantine: 'held' };
  assert.equal(record.recipients[0]?.outcome, outcome[setting], told);
  assert.deepEqual(
    [sent.said, sent.text, sent.delivered.length],
    {
      defer: ['deferred', 'temporary failure, try again later', 0],
      tag: ['accepted', '', 1],
      quarantine: ['accepted', '', 0],
    }[setting],
    told,
  );
  if (setting !== 'tag') return;
  assert.match(sent.delivered[0] ?? '', new RegExp(`^X-Postern-Tag: ${rule}$`, 'm'), told);
  assert.doesNotMatch(sent.delivered[0] ?? '', /^X-Spam-/m, 'nothing is said that nobody has said');
}

for (const mode of ['relay', 'behind qmail'] as const) {
  // They wait more than they work.
  suite(mode, { concurrency: true }, () => {
    for (const table of TABLES)
      test(`${mode}: every fault of ${table.scanner}, for each setting`, () => failing(mode, table));
  });
}

async function failing(mode: Mode, table: Table): Promise<void> {
  const { scanner, plugin, good, faults } = table;
  const acts: [Act] = [say(good)];
  await using fake = await fakeScanner(acts);
  const files = { clamtime: '1\n', spamtime: '1\n', simcontrol: SIMCONTROL, scannertest: 'no\n' };
  await using rig = await startRig(mode, { ...files, [scanner]: at(fake) });
  const { gateway } = rig;
  for (const setting of SETTINGS) {
    await gateway.write('actions', SHIPPED[plugin] === setting ? '' : `error ${plugin}:${setting}\n`);
    assert.equal(await gateway.reload(), 'reloaded');
    for (const [fault, [act, called]] of Object.entries(faults)) {
      acts[0] = act;
      const asked = fake.heard.length;
      let over = false;
      const faulty = row(rig, table, called, setting).finally(() => (over = true));
      if (called === 'timeout') {
        await waitFor('the question', () => fake.heard.length > asked);
        const meanwhile = await rig.send(MAIL, { to: NOT_ASKED });
        assert.deepEqual(
          [meanwhile.said, over],
          ['accepted', false],
          `${fault}: who does not ask does not wait`,
        );
      }
      await faulty;
      fake.hangUp();
      acts[0] = say(good);
      const before = fake.heard.length;
      const { said, delivered } = await rig.send(MAIL, { to: TO });
      assert.deepEqual(
        [said, delivered.length, fake.heard.length],
        ['accepted', 1, before + 1],
        `after ${fault}`,
      );
      assert.doesNotMatch(delivered[0] ?? '', /^X-Postern-Tag/m, `after ${fault}`);
    }
  }
  // Nobody listens any more; five of these, and nobody is asked.
  await gateway.write(scanner, at({ address: await deadAddress() }));
  await gateway.write('actions', `error ${plugin}:tag\n`);
  assert.equal(await gateway.reload(), 'reloaded');
  for (let n = 0; n < 5; n++) await row(rig, table, 'refused', 'tag');
  for (const setting of SETTINGS) {
    await gateway.write('actions', `error ${plugin}:${setting}\n`);
    assert.equal(await gateway.reload(), 'reloaded');
    await row(rig, table, 'resting', setting);
  }
  assert.equal((await rig.send(MAIL, { to: NOT_ASKED })).said, 'accepted');
}

test('after five faults nobody waits; log and status say so, and how many messages passed meanwhile', async () => {
  await using silent = await fakeScanner({ when: begun, next: 'hang', deaf: true });
  await using rig = await startRig('relay', {
    spamd: at(silent),
    spamtime: '1\n',
    scannertest: 'no\n',
    simcontrol: SIMCONTROL,
  });
  const { gateway } = rig;
  const status = async () => {
    const done = await postern(['status', '--control', gateway.control, '--state', gateway.state]);
    return { code: done.code, text: done.stdout.toString() };
  };
  const first = await waitFor('the first status', async () => {
    const now = await status();
    return now.text.includes('spamd at') && now;
  });
  assert.deepEqual([first.code, /spamd at [\d.:]+: in use$/m.test(first.text)], [0, true], first.text);
  await Promise.all([1, 2, 3, 4, 5].map(() => rig.send(MAIL, { to: TO })));
  assert.equal(silent.heard.length, 5);
  for (let n = 0; n < 3; n++) assert.equal((await rig.send(MAIL, { to: TO })).said, 'accepted');
  assert.equal(silent.heard.length, 5, 'it is not asked any more');
  const down = await gateway.logged('scanner-down');
  assert.deepEqual([down['scanner'], down['fault']], ['spamd', 'timeout']);
  const worse = await waitFor('the status', async () => {
    const now = await status();
    return now.text.includes('8 messages') && now;
  });
  assert.equal(worse.code, 1);
  assert.match(
    worse.text,
    /^spamd at [\d.:]+: LEFT ALONE for now; last fault \S+Z: timeout, .*no answer within \d+ ms$/m,
  );
  assert.match(worse.text, /^ {2}8 messages passed without spamd since \S+Z$/m);
  const { address } = silent;
  await silent[Symbol.asyncDispose]();
  await using spamd = await startSpamd({ address });
  await waitFor('a message that it has scored', async () => {
    const sent = await rig.send(MAIL, { to: TO });
    return /^X-Spam-Status: /m.test(sent.delivered[0] ?? '');
  });
  const up = await gateway.logged('scanner-up');
  assert.ok(Number(up['unscanned']) >= 8, JSON.stringify(up));
  assert.equal(gateway.log('scanner-down').length, 1);
  const better = await waitFor('the status', async () => {
    const now = await status();
    return now.code === 0 && now;
  });
  assert.doesNotMatch(better.text, /passed without/);
  assert.equal(spamd.program.exit, null);
});
