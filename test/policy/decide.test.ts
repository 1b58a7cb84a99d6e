import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RecordedFinding } from '../../src/model/finding.ts';
import { reply } from '../../src/model/reply.ts';
import type { Action, Verdict } from '../../src/model/verdict.ts';
import type { PolicyRules } from '../../src/policy/decide.ts';
import { decide } from '../../src/policy/decide.ts';

const ACTIONS: Readonly<Record<string, Action>> = {
  WATCHED: { kind: 'observe' },
  TAGGED: { kind: 'tag' },
  TWO: { kind: 'score', points: 2 },
  MINUS: { kind: 'score', points: -1.5 },
  HELD: { kind: 'quarantine' },
  HELD_TOO: { kind: 'quarantine' },
  GONE: { kind: 'discard' },
  LATER: { kind: 'defer', reply: reply(451, '4.7.1', 'later') },
  LATER_BARE: { kind: 'defer', reply: null },
  NO: { kind: 'reject', reply: reply(553, '5.7.1', 'no') },
  NO_TOO: { kind: 'reject', reply: reply(554, '5.7.1', 'no, too') },
  NO_BARE: { kind: 'reject', reply: null },
  LISTED: { kind: 'reject', reply: reply(553, '5.7.1', '%TEXT% says %TEXT%') },
};

function rules(options: Partial<PolicyRules> & { readonly observe?: readonly string[] } = {}): PolicyRules {
  return {
    action: rule => ACTIONS[rule] ?? { kind: 'observe' },
    errorAction: () => ({ kind: 'observe' }),
    observed: rule => options.observe?.includes(rule) ?? false,
    tagScore: 0,
    quarantineScore: 0,
    rejectScore: 0,
    messageMode: 'rule',
    ...options,
  };
}

function finding(rule: string, more: Partial<RecordedFinding> = {}): RecordedFinding {
  return { rule, state: 'hit', stage: 'rcpt', plugin: 'p', ms: 0, ...more };
}

const shown = (verdict: Verdict): string => {
  switch (verdict.kind) {
    case 'continue':
      return [
        `continue ${verdict.score}`,
        ...verdict.tags,
        ...(verdict.delaySeconds > 0 ? [`${verdict.delaySeconds} s`] : []),
      ].join(' ');
    case 'quarantine':
    case 'discard':
      return [verdict.kind, verdict.rule, String(verdict.score), ...verdict.tags].join(' ');
    case 'defer':
    case 'reject': {
      const { code, enhanced, lines } = verdict.reply;
      return `${verdict.kind} ${verdict.rule}: ${code} ${enhanced} ${lines.join('/')}${verdict.delaySeconds > 0 ? ` ${verdict.delaySeconds} s` : ''}`;
    }
  }
};

const CASES: readonly [name: string, hits: string, verdict: string][] = [
  ['nothing', '', 'continue 0'],
  ['a rule without action', 'UNKNOWN', 'continue 0'],
  ['watched', 'WATCHED', 'continue 0'],
  ['a tag, once', 'TAGGED TAGGED', 'continue 0 TAGGED'],
  ['scores add up', 'TWO MINUS', 'continue 0.5'],
  ['quarantine over tag, which stays', 'TAGGED HELD', 'quarantine HELD 0 TAGGED'],
  ['among equals the first', 'HELD_TOO HELD', 'quarantine HELD_TOO 0'],
  ['discard over quarantine', 'HELD GONE TWO', 'discard GONE 2'],
  ['defer over discard', 'GONE LATER', 'defer LATER: 451 4.7.1 later'],
  ['reject over defer', 'LATER NO', 'reject NO: 553 5.7.1 no'],
  ['the first reject', 'NO_TOO NO', 'reject NO_TOO: 554 5.7.1 no, too'],
  ['a reject without a reply', 'NO_BARE', 'reject NO_BARE: 554 5.7.1 refused (NO_BARE)'],
  ['a defer without a reply', 'LATER_BARE', 'defer LATER_BARE: 451 4.7.1 refused (LATER_BARE)'],
];

for (const [name, hits, verdict] of CASES) {
  test(name, () => {
    const findings = hits.split(' ').flatMap(rule => (rule === '' ? [] : [finding(rule)]));
    assert.equal(shown(decide(findings, rules())), verdict);
  });
}

test('pass and skipped change nothing, whatever the rule', () => {
  for (const state of ['pass', 'skipped'] as const) {
    const findings = [finding('NO', { state, delaySeconds: 9 }), finding('TWO', { state })];
    assert.equal(shown(decide(findings, rules())), 'continue 0');
  }
});

test('what is only watched changes nothing: no refusal, no score, no tag, no delay', () => {
  const observe = ['NO', 'TWO', 'TAGGED'];
  const findings = observe.map(rule => finding(rule, { delaySeconds: 5 }));
  assert.equal(shown(decide(findings, rules({ observe }))), 'continue 0');
  assert.equal(
    shown(
      decide(
        [finding('NO', { state: 'error' })],
        rules({ observe, errorAction: () => ACTIONS['NO'] as Action }),
      ),
    ),
    'continue 0',
  );
});

test('an error does what the plugin’s line says, not what the rule says', () => {
  const error = finding('NO', { state: 'error', plugin: 'dns' });
  const errorAction = (plugin: string): Action =>
    plugin === 'dns' ? { kind: 'defer', reply: null } : { kind: 'observe' };
  assert.equal(
    shown(decide([error], rules({ errorAction }))),
    'defer NO: 451 4.7.1 temporary failure, try again later',
  );
  assert.equal(shown(decide([{ ...error, plugin: 'other' }], rules({ errorAction }))), 'continue 0');
});

test('a score of the finding’s own stands in for the one in the file', () => {
  assert.equal(shown(decide([finding('TWO', { score: 7 }), finding('TWO')], rules())), 'continue 9');
  assert.equal(shown(decide([finding('TAGGED', { score: 7 })], rules())), 'continue 0 TAGGED');
});

test('thresholds: reached is enough, 0 is never, single rules come first', () => {
  const all = { tagScore: 2, quarantineScore: 4, rejectScore: 6 };
  const judge = (hits: number, extra: string[] = []) =>
    shown(
      decide(
        [...Array.from({ length: hits }, () => finding('TWO')), ...extra.map(r => finding(r))],
        rules(all),
      ),
    );
  assert.equal(judge(0), 'continue 0');
  assert.equal(judge(1), 'continue 2 SCORE');
  assert.equal(judge(2), 'quarantine SCORE 4');
  assert.match(judge(3), /^reject SCORE: 554 5\.7\.1 /);
  assert.equal(judge(2, ['HELD']), 'quarantine HELD 4');
  assert.equal(judge(2, ['GONE']), 'discard GONE 4');
  assert.match(judge(3, ['LATER']), /^reject SCORE/);
  assert.match(judge(3, ['NO']), /^reject NO/);
  assert.equal(shown(decide([finding('MINUS')], rules())), 'continue -1.5', 'no threshold');
});

test('delays add up and come with a refusal too', () => {
  const slow = (rule: string, delaySeconds: number) => finding(rule, { delaySeconds });
  assert.equal(shown(decide([slow('TAGGED', 5), slow('TWO', 3)], rules())), 'continue 2 TAGGED 8 s');
  assert.equal(shown(decide([slow('TAGGED', 5), finding('NO')], rules())), 'reject NO: 553 5.7.1 no 5 s');
  assert.equal(shown(decide([slow('WATCHED', 5)], rules())), 'continue 0');
});

test('%TEXT% is the finding’s own text, made harmless', () => {
  const answer = (text: string) => {
    const verdict = decide([finding('LISTED', { text })], rules());
    assert.equal(verdict.kind, 'reject');
    return verdict.kind === 'reject' ? verdict.reply.lines : [];
  };
  assert.deepEqual(answer('listed'), ['listed says listed']);
  assert.deepEqual(answer(''), [' says ']);
  assert.deepEqual(answer('a\r\n250 ok'), ['a??250 ok says a??250 ok']);
  assert.deepEqual(answer('caf\xe9 \0'), ['caf? ? says caf? ?']);
  assert.deepEqual(answer('$& %TEXT%'), ['$& %TEXT% says $& %TEXT%']);
  assert.equal(answer('x'.repeat(1000))[0], `${'x'.repeat(200)} says ${'x'.repeat(200)}`);
});

test('a text in lines makes as many: what stands around %TEXT% goes with the first and the last', () => {
  const one = reply(550, '5.7.1', '<%TEXT%>');
  const policy = { ...rules(), action: (): Action => ({ kind: 'reject', reply: one }) };
  const answer = (lines: readonly string[]) => shown(decide([finding('SPF_FAIL', { lines })], policy));
  assert.equal(answer(['a', 'b\r\n', 'c']), 'reject SPF_FAIL: 550 5.7.1 <a/b??/c>');
  assert.equal(answer(['a']), 'reject SPF_FAIL: 550 5.7.1 <a>');
  const twice = shown(decide([finding('LISTED', { text: 'a b', lines: ['a', 'b'] })], rules()));
  assert.equal(twice, 'reject LISTED: 553 5.7.1 a b says a b');
});

test('more findings never make a verdict milder', () => {
  const strength = ['continue', 'quarantine', 'discard', 'defer', 'reject'];
  const names = fc.constantFrom(...Object.keys(ACTIONS).filter(name => name !== 'MINUS'));
  fc.assert(
    fc.property(fc.array(names), names, (before, more) => {
      const policy = rules({ tagScore: 2, quarantineScore: 4, rejectScore: 8 });
      const first = decide(
        before.map(rule => finding(rule)),
        policy,
      );
      const second = decide(
        [...before, more].map(rule => finding(rule)),
        policy,
      );
      assert.ok(strength.indexOf(second.kind) >= strength.indexOf(first.kind));
    }),
  );
});
