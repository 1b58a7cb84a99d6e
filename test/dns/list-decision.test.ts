import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decide } from '../../src/dns/list-decision.ts';
import type { ListOutcome, RankedList } from '../../src/dns/list-decision.ts';

/** Options as on the command line; `-r hit` is a list that says `hit`. */
type Said = 'hit' | 'none' | 'fail';

interface Source extends RankedList {
  readonly said: Said;
  readonly at: number;
}

const OUTCOMES: Readonly<Record<Said, (at: number) => ListOutcome>> = {
  hit: at => ({ kind: 'listed', text: `text ${at}`, codes: [] }),
  none: () => ({ kind: 'unlisted', detail: '' }),
  fail: () => ({ kind: 'error', why: 'SERVFAIL' }),
};

function sources(options: string): Source[] {
  const found: Source[] = [];
  let bounce = false;
  let failClosed = false;
  const words = options.split(' ');
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word === '-b' || word === '-B') bounce = word === '-b';
    else if (word === '-c' || word === '-C') failClosed = word === '-c';
    else {
      const said = words[++i] as Said;
      found.push({ kind: word === '-r' ? 'block' : 'allow', said, bounce, failClosed, at: found.length + 1 });
    }
  }
  return found;
}

function outcome(options: string): string {
  const decision = decide(sources(options).map(s => [s, OUTCOMES[s.said](s.at)] as const));
  if (decision.kind === 'block') return `${decision.code} ${decision.text}`;
  return decision.kind === 'accept' ? `accept by ${decision.source.at}` : 'run';
}

const CASES: readonly (readonly [options: string, outcome: string])[] = [
  ['-r none', 'run'],
  ['-r hit', '451 text 1'],
  ['-b -r hit', '553 text 1'],
  ['-r hit -b', '451 text 1'],
  ['-b -B -r hit', '451 text 1'],
  ['-b -r none -B -r hit', '451 text 2'],
  ['-B -r none -b -r hit', '553 text 2'],
  ['-r hit -r hit', '451 text 1'],
  ['-b -r hit -B -r hit', '553 text 1'],
  ['-a hit -b -r hit', 'accept by 1'],
  ['-b -r hit -a hit', '553 text 1'],
  ['-a none -b -r hit', '553 text 2'],
  ['-a none', 'run'],
  // One failure softens every later 553.
  ['-r fail', 'run'],
  ['-b -r fail -r hit', '451 text 2'],
  ['-b -r fail -r none -r hit', '451 text 3'],
  ['-b -r hit -r fail', '553 text 1'],
  // Failing closed.
  ['-c -r fail', '451 temporary RBL lookup error'],
  ['-c -b -r fail', '451 temporary RBL lookup error'],
  ['-c -b -r fail -r hit', '451 temporary RBL lookup error'],
  ['-C -r fail -c -b -r hit', '451 text 2'],
  ['-c -r none -b -r hit', '553 text 2'],
  ['-c -C -r fail', 'run'],
  // An anti-list that fails lets everyone in, unless failing closed.
  ['-a fail -b -r hit', 'accept by 1'],
  ['-c -a fail -b -r hit', '451 text 2'],
  ['-c -a fail -r none', 'run'],
  ['-c -a fail -a hit -b -r hit', 'accept by 2'],
];

for (const [options, expected] of CASES) {
  test(`rblsmtpd ${options}: ${expected}`, () => assert.equal(outcome(options), expected));
}

test('an anti-list that failed is told apart from one that spoke', () => {
  const [source] = sources('-a fail');
  assert.ok(source);
  assert.deepEqual(decide([[source, OUTCOMES.fail(1)]]), { kind: 'accept', source, failed: true });
  assert.deepEqual(decide([[source, OUTCOMES.hit(1)]]), { kind: 'accept', source, failed: false });
});

/** rbl() and antirbl() of rblsmtpd.c, told again in the words of its variables. */
function original(list: readonly Source[]): string {
  let decision = 0;
  let mustNotBounce = false;
  let text = '';
  for (const source of list) {
    if (decision !== 0) break;
    if (source.kind === 'allow') {
      if (source.said === 'fail') {
        mustNotBounce = true;
        if (!source.failClosed) decision = 1;
      } else if (source.said === 'hit') decision = 1;
    } else if (source.said === 'fail') {
      mustNotBounce = true;
      if (source.failClosed) {
        text = 'temporary RBL lookup error';
        decision = 2;
      }
    } else if (source.said === 'hit') {
      text = `text ${source.at}`;
      decision = source.bounce ? 3 : 2;
    }
  }
  if (decision < 2) return 'run';
  return `${mustNotBounce || decision === 2 ? 451 : 553} ${text}`;
}

test('any row of options and answers ends as in rblsmtpd.c', () => {
  const word = fc.constantFrom(
    '-b',
    '-B',
    '-c',
    '-C',
    ...['-r', '-a'].flatMap(o => ['hit', 'none', 'fail'].map(s => `${o} ${s}`)),
  );
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 10 }), words => {
      const options = words.join(' ');
      assert.equal(outcome(options).replace(/^accept.*/, 'run'), original(sources(options)));
    }),
    { numRuns: 500 },
  );
});
