import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { OldAnswer, OurAnswer, ShadowReport } from '../../src/journal/shadow-comparison.ts';
import { compareShadow, oldAnswer, ourAnswer } from '../../src/journal/shadow-comparison.ts';
import { shadowText } from '../../src/journal/shadow-text.ts';
import type { VerdictRecord } from '../../src/model/record.ts';
import { sampleRecord } from '../store/sample-record.ts';

const ACCEPTED = { event: 'message-accepted', reply: '250 2.0.0 ok', rule: null } as const;
const HELD = { event: 'message-held', reply: '250 2.0.0 ok', rule: 'ATTACH' } as const;
const REFUSED = { event: 'message-refused', reply: '554 5.7.1 no', rule: 'ATTACH' } as const;
const DEFERRED = { event: 'message-refused', reply: '451 4.3.0 later', rule: 'FAULT' } as const;
const DISCARDED = { event: 'message-discarded', reply: '250 2.0.0 ok', rule: 'ATTACH' } as const;

let made = 0;
function shadowed(shadow: string | undefined, change: Partial<VerdictRecord> = ACCEPTED): VerdictRecord {
  made++;
  const told = shadow === undefined ? {} : { shadow };
  return sampleRecord({
    id: `s${made}.1`,
    sessionId: `s${made}`,
    edge: 'shadow',
    time: made,
    ...change,
    ...told,
  });
}

async function* each(records: readonly VerdictRecord[]): AsyncIterable<VerdictRecord> {
  for (const record of records) yield record;
}

const compare = (...records: VerdictRecord[]): Promise<ShadowReport> => compareShadow(each(records));

describe('what postern-queue told of the old filter', () => {
  const cases: readonly [string, OldAnswer | null][] = [
    ['exit 0', 'passed'],
    ['exit 1', 'temporary'],
    ['exit 10', 'temporary'],
    ['exit 11', 'refused'],
    ['exit 31', 'refused'],
    ['exit 40', 'refused'],
    ['exit 41', 'temporary'],
    ['exit 54', 'temporary'],
    ['exit 71', 'temporary'],
    ['exit 82', 'own-text'],
    ['exit 88', 'own-text'],
    ['exit 99', 'temporary'],
    ['exit 100', 'temporary'],
    ['exit 115', 'temporary'],
    ['exit 120', 'temporary'],
    ['exit 255', 'temporary'],
    ['signal 9', 'crashed'],
    ['signal 11', 'crashed'],
    ['not told', null],
    ['', null],
    ['exit', null],
    ['exit ', null],
    ['exit -1', null],
    ['exit 256', null],
    ['exit 0 ', null],
    ['exit 0x1f', null],
    ['EXIT 0', null],
    ['signal 9\n', null],
  ];
  for (const [told, expected] of cases) {
    it(`${JSON.stringify(told)} is ${expected}`, () => assert.equal(oldAnswer(told), expected));
  }

  it('has a class for every exit code, and none for anything else (property)', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        if (!/^(exit|signal) \d{1,3}$/.test(text)) assert.equal(oldAnswer(text), null);
      }),
    );
    for (let code = 0; code < 256; code++) assert.notEqual(oldAnswer(`exit ${code}`), null);
  });
});

describe('what Postern would have said', () => {
  const cases: readonly [Pick<VerdictRecord, 'event' | 'reply'>, OurAnswer | null][] = [
    [ACCEPTED, 'passed'],
    [HELD, 'held'],
    [DISCARDED, 'discarded'],
    [REFUSED, 'refused'],
    [DEFERRED, 'deferred'],
    [{ event: 'recipient-refused', reply: '553 5.7.1 no' }, 'refused'],
    [{ event: 'recipient-refused', reply: '451 4.3.0 later' }, 'deferred'],
    [{ event: 'message-refused', reply: '' }, 'deferred'],
    [{ event: 'message-abandoned', reply: '' }, null],
    [{ event: 'quarantine-released', reply: '' }, null],
    [{ event: 'of-tomorrow' as 'message-held', reply: '250 ok' }, null],
  ];
  for (const [record, expected] of cases) {
    it(`${record.event} ${record.reply} is ${expected}`, () => assert.equal(ourAnswer(record), expected));
  }
});

describe('the comparison', () => {
  const verdicts = { ACCEPTED, HELD, REFUSED, DEFERRED, DISCARDED };
  const agreeing: Readonly<Record<keyof typeof verdicts, readonly string[]>> = {
    ACCEPTED: ['exit 0'],
    HELD: [],
    REFUSED: ['exit 31', 'exit 82'],
    DEFERRED: ['exit 71', 'signal 9', 'exit 82'],
    DISCARDED: [],
  };
  for (const name of Object.keys(verdicts) as (keyof typeof verdicts)[]) {
    for (const told of ['exit 0', 'exit 31', 'exit 82', 'exit 71', 'signal 9']) {
      const agrees = agreeing[name].includes(told);
      it(`${name} and ${told} ${agrees ? 'agree' : 'disagree'}`, async () => {
        const report = await compare(shadowed(told, verdicts[name]));
        assert.deepEqual(
          [report.agreed, report.disagreed, report.notCompared],
          agrees ? [1, 0, 0] : [0, 1, 0],
        );
        const cause = name === 'ACCEPTED' ? told : verdicts[name].rule;
        assert.deepEqual(
          report.groups.map(group => group.cause),
          agrees ? [] : [cause],
        );
      });
    }
  }

  it('groups by cause, by both answers, the largest first, and names the newest three', async () => {
    made = 0;
    const report = await compare(
      shadowed('exit 0', REFUSED),
      shadowed('exit 31'),
      shadowed('exit 31'),
      shadowed('exit 31'),
      shadowed('exit 31'),
      shadowed('exit 71'),
      shadowed('exit 0', { ...REFUSED, rule: 'REGEX' }),
      shadowed('exit 71', REFUSED),
      shadowed('exit 0', REFUSED),
      shadowed('exit 0', { ...DEFERRED, rule: null }),
      shadowed('exit 0'),
      shadowed('not told'),
      shadowed(undefined),
    );
    const { groups, ...counts } = report;
    assert.deepEqual(counts, { messages: 13, from: 1, to: 13, agreed: 1, disagreed: 10, notCompared: 2 });
    assert.deepEqual(
      groups.map(({ cause, ours, old, count, ids }) => [cause, ours, old, count, ids.join(' ')]),
      [
        ['exit 31', 'passed', 'refused', 4, 's5.1 s4.1 s3.1'],
        ['ATTACH', 'refused', 'passed', 2, 's9.1 s1.1'],
        ['ATTACH', 'refused', 'temporary', 1, 's8.1'],
        ['REGEX', 'refused', 'passed', 1, 's7.1'],
        ['exit 71', 'passed', 'temporary', 1, 's6.1'],
        ['no rule', 'deferred', 'passed', 1, 's10.1'],
      ],
    );
  });

  it('reads records of another version', async () => {
    const { rule: _, ...rest } = shadowed('exit 0', REFUSED);
    const odd = { ...rest, verdict2: { deep: [1] }, event: 'message-refused' } as unknown as VerdictRecord;
    const report = await compare(odd);
    assert.equal(report.groups[0]?.cause, 'no rule');
  });

  it('fails when reading fails', async () => {
    const failing = async function* (): AsyncIterable<VerdictRecord> {
      yield shadowed('exit 0');
      throw new Error('disk');
    };
    await assert.rejects(compareShadow(failing()), /disk/);
  });
});

describe('the report as text', () => {
  it('begins with the counts, and names causes and events', async () => {
    made = 0;
    const records = [shadowed('exit 31'), shadowed('exit 0', REFUSED), shadowed('exit 0', REFUSED)];
    for (let i = 0; i < 96; i++) records.push(shadowed('exit 0'));
    const lines = shadowText(await compare(...records, shadowed('not told')));
    assert.deepEqual(lines, [
      '100 messages from 1970-01-01T00:00:00.001Z to 1970-01-01T00:00:00.100Z',
      'agreed        96 (96.9 %)',
      'disagreed     3 in 2 groups',
      'not compared  1: what the old filter said was not told',
      '',
      'count  cause    what it means',
      '2      ATTACH   Postern refuses it for good; the old filter passed it, or dropped it by its own design',
      '       s3.1 s2.1',
      '1      exit 31  Postern passes it on; the old filter refused it for good',
      '       s1.1',
      '',
      'Below each: ids of its newest events. postern explain ID shows one in full.',
    ]);
  });

  it('says 100 % only when nothing disagrees', async () => {
    const agreeing = Array.from({ length: 2000 }, () => shadowed('exit 0'));
    assert.match(shadowText(await compare(...agreeing)).join('\n'), /^agreed +2000 \(100\.0 %\)$/m);
    const text = shadowText(await compare(...agreeing, shadowed('exit 31'))).join('\n');
    assert.match(text, /^agreed +2000 \(99\.9 %\)$/m);
  });

  it('says when nothing could be compared', async () => {
    const lines = shadowText(await compare(shadowed('not told')));
    assert.match(lines[0] ?? '', /^1 message from /);
    assert.deepEqual(lines.slice(1), [
      'agreed        0',
      'disagreed     0',
      'not compared  1: what the old filter said was not told',
    ]);
  });

  it('says how shadow mode is switched on when it never was', async () => {
    const lines = shadowText(await compare());
    assert.match(lines.join('\n'), /^No message .*POSTERN_SHADOW="\/var\/qmail\/bin\/simscan"$/ms);
  });

  it('escapes what could play with the terminal', async () => {
    const lines = shadowText(await compare(shadowed('exit 0', { ...REFUSED, rule: 'A\x1b[2J', id: 'x\n1' })));
    assert.match(lines.join('\n'), /A\\x1b\[2J .*\n +x\\n1$/m);
  });
});
