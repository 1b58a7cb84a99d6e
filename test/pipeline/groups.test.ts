import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import fc from 'fast-check';
import { address } from '../../src/model/address.ts';
import type { VerdictRecord } from '../../src/model/record.ts';
import type { AnyPlugin } from '../../src/pipeline/run-stage.ts';
import { definePlugin } from '../../src/plugins/define.ts';
import { headers } from '../../src/plugins/headers.ts';
import { rcpthosts } from '../../src/plugins/rcpthosts.ts';
import type { Rig, RigOptions } from './rig.ts';
import { MAIL, messageOf, rig, said, send } from './rig.ts';

const OK = '250 2.0.0 ok';

/** Hits the rule that the recipient's own setting names; counts how often it was asked. */
function byOwnSetting(): { plugin: AnyPlugin; asked: string[] } {
  const asked: string[] = [];
  const plugin = definePlugin({
    name: 'own',
    doc: 'A check with a setting that recipients have of their own.',
    tier: 'local',
    rules: { RED: { doc: '-' }, BLUE: { doc: '-' }, GREEN: { doc: '-' }, GREY: { doc: '-' } },
    settings: ['spamuser'],
    onError: 'continue',
    sparesRelayClients: false,
    message(_facts, { settings: { spamuser }, origin }) {
      asked.push(spamuser);
      const rule = (['RED', 'BLUE', 'GREEN', 'GREY'] as const).find(name => name === spamuser.toUpperCase());
      return rule === undefined
        ? [{ rule: 'RED', state: 'pass' }]
        : [{ rule, state: 'hit', detail: `saw ${spamuser}`, source: origin('spamuser') }];
    },
  });
  return { plugin, asked };
}

const SIMCONTROL = [
  'red@example.com:spamuser=red',
  'red2@example.com:spamuser=red',
  'blue@example.com:spamuser=blue',
  'green@example.com:spamuser=green',
  'grey@example.com:spamuser=grey',
].join('\n');
const ACTIONS = 'RED:reject:550 5.7.1 red\nBLUE:quarantine\nGREEN:tag\nGREY:defer:450 4.7.1 grey';

async function house(t: TestContext, control: RigOptions['control'] = {}, hops: RigOptions['hops'] = {}) {
  const { plugin, asked } = byOwnSetting();
  const plugins = [rcpthosts, headers, plugin] as unknown as AnyPlugin[];
  const made = await rig(t, {
    plugins,
    hops,
    control: { simcontrol: SIMCONTROL, actions: ACTIONS, ...control },
  });
  return { ...made, asked };
}

const to = (...names: string[]) => names.map(name => `${name}@example.com`);
const delivered = ({ hops }: Pick<Rig, 'hops'>) =>
  hops.flatMap(hop => (hop.text === null ? [] : [hop.recipients.join(' ')]));
const outcomes = (record: VerdictRecord | undefined) =>
  Object.fromEntries(
    (record?.recipients ?? []).map(r => [
      r.address.replace('@example.com', ''),
      `${r.outcome} ${r.rule ?? '-'}`,
    ]),
  );

test('three groups: one answer, one delivery, one held copy, a refusal shown as held, three explanations', async t => {
  const made = await house(t);
  assert.equal(await send(await made.converse(), to('plain', 'red', 'blue'), MAIL), OK);
  assert.deepEqual(delivered(made), ['plain@example.com']);
  assert.equal(made.held.length, 1);
  assert.deepEqual(
    made.held[0]?.held.recipients.map(r => [r.address.text, r.rule, r.verdict]),
    [
      ['red@example.com', 'RED', 'reject'],
      ['blue@example.com', 'BLUE', 'quarantine'],
    ],
  );
  assert.equal(made.records.length, 1);
  const [record] = made.records;
  assert.deepEqual(outcomes(record), { plain: 'delivered -', red: 'held RED', blue: 'held BLUE' });
  assert.equal(record?.event, 'message-held');
  const own = record.findings.filter(finding => finding.plugin === 'own');
  assert.deepEqual(
    own.map(finding => [finding.state, finding.recipients?.join(), finding.detail ?? null]),
    [
      ['pass', 'plain@example.com', null],
      ['hit', 'red@example.com', 'saw red'],
      ['hit', 'blue@example.com', 'saw blue'],
    ],
  );
  assert.match(own[1]?.source ?? '', /simcontrol:1$/);
  assert.deepEqual(
    record.recipients.map(r => r.settings?.map(s => `${s.name}=${s.value}`).join() ?? 'none'),
    ['none', 'spamuser="red"', 'spamuser="blue"'],
  );
});

test('a check runs once for recipients whose settings are the same in what it reads', async t => {
  const made = await house(t, { simcontrol: `${SIMCONTROL}\nwatch@example.com:observe=red` });
  await send(await made.converse(), to('plain', 'red', 'other', 'watch'), MAIL);
  // `plain`, `other` and `watch` differ in nothing that the check reads.
  assert.deepEqual(made.asked, ['', 'red']);
});

test('shuffling the recipients changes nothing', async t => {
  const names = ['plain', 'red', 'red2', 'blue', 'green', 'other'];
  const made = await house(t);
  const conversation = await made.converse();
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(names, { minLength: 1 }), async shuffled => {
      const runs = [];
      for (const order of [shuffled, shuffled.toSorted()]) {
        made.hops.length = 0;
        made.held.length = 0;
        made.records.length = 0;
        const answer = await send(conversation, to(...order), MAIL);
        runs.push({
          answer,
          outcomes: outcomes(made.records[0]),
          delivered: made.hops
            .flatMap(hop =>
              hop.text === null
                ? []
                : hop.recipients.map(r => `${r} ${hop.text?.includes('X-Postern-Tag: GREEN')}`),
            )
            .toSorted(),
          held: made.held
            .flatMap(copy => copy.held.recipients.map(r => `${r.address.text} ${r.rule}`))
            .toSorted(),
        });
      }
      assert.deepEqual(runs[0], runs[1]);
    }),
    { numRuns: 60 },
  );
});

test('a tag is told to those it is about, and to no other', async t => {
  const made = await house(t);
  assert.equal(await send(await made.converse(), to('plain', 'green', 'other'), MAIL), OK);
  const tagged = made.hops.filter(hop => hop.text?.includes('X-Postern-Verdict: tag; rules=GREEN\r\n'));
  assert.deepEqual(
    tagged.map(hop => hop.recipients),
    [['green@example.com']],
  );
  assert.deepEqual(delivered(made).toSorted(), ['green@example.com', 'plain@example.com other@example.com']);
});

test('all groups refuse: refused, and only for now when one is for now', async t => {
  const made = await house(t);
  const conversation = await made.converse();
  assert.equal(await send(conversation, to('red', 'red2'), MAIL), '550 5.7.1 red');
  assert.equal(await send(conversation, to('red', 'grey'), MAIL), '450 4.7.1 grey');
  assert.deepEqual(outcomes(made.records[1]), { red: 'deferred RED', grey: 'deferred GREY' });
  assert.deepEqual([delivered(made), made.held.length], [[], 0]);
});

test('recipients=strictest: the strictest verdict is everybody’s', async t => {
  const made = await house(t, { recipients: 'strictest' });
  const conversation = await made.converse();
  assert.equal(await send(conversation, to('plain', 'blue', 'red'), MAIL), '550 5.7.1 red');
  assert.equal(await send(conversation, to('plain', 'blue'), MAIL), OK);
  assert.deepEqual(outcomes(made.records[1]), { plain: 'held BLUE', blue: 'held BLUE' });
  assert.equal(await send(conversation, to('plain', 'green'), MAIL), OK);
  assert.deepEqual(delivered(made), ['plain@example.com green@example.com']);
  assert.match(made.hops.at(-1)?.text ?? '', /X-Postern-Tag: GREEN/);
});

test('recipients=last: the default, the sender, then recipients in order, each over those before', async t => {
  const simcontrol = [
    ':observe=header_no_colon',
    'sender.example:spamuser=blue',
    'red@example.com:spamuser=red',
    'example.org:spamuser=green',
  ].join('\n');
  for (const [sender, names, rule] of [
    ['a@other.example', ['plain', 'other'], '-'],
    ['a@sender.example', ['plain'], 'BLUE'],
    ['a@sender.example', ['red', 'plain'], 'RED'],
    ['a@other.example', ['plain', 'red'], 'RED'],
    [null, ['plain', 'red'], 'RED'],
  ] as const) {
    const made = await house(t, {
      recipients: 'last',
      simcontrol,
      actions: 'RED:quarantine\nBLUE:quarantine',
    });
    await send(await made.converse(), to(...names), MAIL, sender);
    const rules = new Set(made.records.at(-1)?.recipients.map(r => r.rule ?? '-'));
    assert.deepEqual([...rules], [rule], `${sender} ${names.join()}`);
    assert.equal(made.asked.length, 1, 'one set of settings: asked once');
  }
});

test('quarantinemode says what quarantine, reject and discard come to, for a recipient or a site', async t => {
  for (const [mode, rule, answer, outcome] of [
    ['rule', 'red', '550 5.7.1 red', 'refused'],
    ['rule', 'blue', OK, 'held'],
    ['refuse', 'red', '550 5.7.1 red', 'refused'],
    ['refuse', 'blue', '554 5.7.1 refused (BLUE)', 'refused'],
    ['quarantine', 'red', OK, 'held'],
    ['quarantine', 'blue', OK, 'held'],
    ['quarantine', 'grey', '450 4.7.1 grey', 'deferred'],
    ['quarantine', 'green', OK, 'delivered'],
    ['discard', 'red', OK, 'discarded'],
    ['discard', 'blue', OK, 'discarded'],
  ] as const) {
    for (const control of [
      { quarantinemode: mode },
      { simcontrol: `${rule}@example.com:spamuser=${rule},quarantinemode=${mode}` },
    ]) {
      const made = await house(t, control);
      assert.equal(await send(await made.converse(), to(rule), MAIL), answer, `${mode} ${rule}`);
      assert.equal(made.records[0]?.recipients[0]?.outcome, outcome, `${mode} ${rule}`);
    }
  }
});

const prdr = { size: null, body: null, smtputf8: false, prdr: true };

async function sendEach(made: Rig, recipients: readonly string[]) {
  const conversation = await made.converse();
  await conversation.mail(address('a@example.net'), prdr);
  for (const recipient of recipients) await conversation.rcpt(address(recipient));
  assert.equal(await conversation.data(), null);
  const answer = await conversation.message(await messageOf(MAIL));
  return { whole: said(answer), each: answer.each?.map(reply => said({ reply, eventId: '' })) ?? null };
}

test('PRDR: each recipient hears its own, nobody is held because others pass', async t => {
  const made = await house(t, {}, { 'b.example.com': { send: () => ['failed'] } });
  const recipients = [...to('plain', 'red', 'blue', 'grey'), 'x@b.example.com'];
  assert.deepEqual(await sendEach(made, recipients), {
    whole: OK,
    each: [OK, '550 5.7.1 red', OK, '450 4.7.1 grey', '450 4.2.0 hop could not say'],
  });
  assert.deepEqual(
    made.records[0]?.recipients.map(r => r.outcome),
    ['delivered', 'refused', 'held', 'deferred', 'deferred'],
  );
  assert.deepEqual(
    made.held.map(copy => copy.held.recipients.map(r => r.address.text)),
    [['blue@example.com']],
  );
});

test('PRDR: nobody takes it, the whole is refused too, for now when anybody’s is', async t => {
  const made = await house(t);
  assert.deepEqual(await sendEach(made, to('red', 'grey')), {
    whole: '450 4.7.1 grey',
    each: ['550 5.7.1 red', '450 4.7.1 grey'],
  });
  assert.deepEqual(await sendEach(made, to('red')), { whole: '550 5.7.1 red', each: null });
  const hops = { 'example.com': { send: () => ['refused', 'refused'] as const } };
  const full = await house(t, {}, hops);
  const refused = '550 5.1.1 hop refused it';
  assert.deepEqual(await sendEach(full, to('plain', 'other')), { whole: refused, each: [refused, refused] });
  assert.equal(full.held.length, 0);
});

test('no room to store mail: 452 before DATA', async t => {
  const made = await house(t);
  const conversation = await made.converse();
  made.trouble('3 MiB free');
  await conversation.mail(address('a@example.net'), { size: null, body: null, smtputf8: false });
  await conversation.rcpt(address('b@example.com'));
  assert.match(said(await conversation.data()), /^452 4\.3\.1 /);
  const [record] = made.records;
  assert.equal(record?.event, 'message-refused');
  assert.equal(record.findings.find(finding => finding.rule === 'FAULT')?.detail, '3 MiB free');
  made.trouble(null);
  assert.equal(await send(conversation, to('b'), MAIL), OK);
});
