import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mergeActions, NO_ACTIONS, parseActions } from '../../src/control/actions.ts';
import { Complaints } from '../../src/control/complaints.ts';
import { complaintText } from '../../src/model/origin.ts';
import type { Action } from '../../src/model/verdict.ts';

function parse(text: string) {
  const complaints = new Complaints();
  const actions = parseActions(text, 'actions', complaints);
  return { actions, said: complaints.list.map(complaintText) };
}

const one = (code: number, enhanced: string, text: string) => ({ code, enhanced, lines: [text] });

const GOOD: readonly [string, Action][] = [
  ['R:observe', { kind: 'observe' }],
  ['R:tag', { kind: 'tag' }],
  ['R:quarantine', { kind: 'quarantine' }],
  ['R:discard', { kind: 'discard' }],
  ['R:score 2.5', { kind: 'score', points: 2.5 }],
  ['R:score -3', { kind: 'score', points: -3 }],
  ['R:reject', { kind: 'reject', reply: null }],
  ['R:defer', { kind: 'defer', reply: null }],
  ['R : reject : 550 5.1.1 no: really', { kind: 'reject', reply: one(550, '5.1.1', 'no: really') }],
  ['R:defer:421 4.7.0 %TEXT%', { kind: 'defer', reply: one(421, '4.7.0', '%TEXT%') }],
];

test('a line is a rule and what it does', () => {
  for (const [line, action] of GOOD) {
    const { actions, said } = parse(`# comment\n\n${line}  \n`);
    assert.deepEqual(said, [], line);
    assert.deepEqual([...actions.rules], [['R', { action, place: 'actions:3' }]]);
  }
});

const BAD: readonly [string, RegExp][] = [
  ['R', /^actions:1: "R" has no RULE: in front/],
  [':reject', /has no RULE: in front/],
  ['R:refuse', /"refuse" is not an action; wanted observe, tag, score N/],
  ['R:REJECT', /is not an action/],
  ['R:score', /is not an action/],
  ['R:score 1e9', /is not an action/],
  ['R:score 1:550 5.1.1 x', /is not an action|can have no reply/],
  ['R:tag:550 5.1.1 x', /tag sends no refusal, so it can have no reply text/],
  ['R:reject:no', /must be a 5xx code, an enhanced status 5\.x\.y/],
  ['R:reject:450 4.1.1 later', /must be a 5xx code/],
  ['R:reject:550 4.1.1 mixed', /must be a 5xx code/],
  ['R:defer:550 5.1.1 no', /must be a 4xx code/],
  ['R:reject:550 5.1.1 caf\xe9', /printable ASCII/],
  ['R:reject:', /must be a 5xx code/],
  ['R:tag\nR:tag', /^actions:2: R has an action already, at actions:1/],
];

test('a line that is wrong says what was wanted', () => {
  for (const [text, wanted] of BAD) {
    const { said } = parse(text);
    assert.equal(said.length, 1, `${text}: ${said.join('; ')}`);
    assert.match(said[0] ?? '', wanted);
  }
});

test('`error PLUGIN` is kept apart from the rules', () => {
  const { actions, said } = parse('error rbl:defer\nrbl:tag\n');
  assert.deepEqual(said, []);
  assert.deepEqual([...actions.errors.keys()], ['rbl']);
  assert.deepEqual([...actions.rules.keys()], ['rbl']);
});

test('a site’s line goes on top and keeps the words of the shipped one', () => {
  const shipped = parse('A:reject:553 5.7.1 go away\nB:tag\nC:defer:451 4.7.1 later\nD:observe\n').actions;
  const site = parse('A:defer\nB:reject\nC:reject:550 5.0.0 never\nE:tag\nD:reject\n').actions;
  const merged = mergeActions(shipped, site);
  const actions = Object.fromEntries([...merged.rules].map(([rule, entry]) => [rule, entry.action]));
  assert.deepEqual(actions, {
    A: { kind: 'defer', reply: one(451, '4.7.1', 'go away') },
    B: { kind: 'reject', reply: null },
    C: { kind: 'reject', reply: one(550, '5.0.0', 'never') },
    D: { kind: 'reject', reply: null },
    E: { kind: 'tag' },
  });
  assert.deepEqual(mergeActions(NO_ACTIONS, shipped), shipped);
  const same = mergeActions(shipped, parse('A:reject\n').actions);
  assert.deepEqual(same.rules.get('A')?.action, shipped.rules.get('A')?.action);
  assert.equal(same.rules.get('A')?.place, 'actions:1');
});

test('whatever the file holds, each line is an action or a complaint', () => {
  const word = fc.constantFrom(
    'R',
    'error x',
    ':',
    'reject',
    'defer',
    '550 5.1.1 ',
    'score ',
    '1',
    ' ',
    '\t',
    '#',
    '\r',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(word, fc.string({ maxLength: 5 })), { maxLength: 20 }), parts => {
      const text = parts.join('').replaceAll('\n', '');
      const { actions, said } = parse(text);
      const found = actions.rules.size + actions.errors.size;
      const blank = /^[ \t\r]*(#.*)?$/s.test(text) || text.startsWith('#');
      if (!blank) assert.ok(found + said.length >= 1, JSON.stringify(text));
      assert.ok(found <= 1);
    }),
  );
});
