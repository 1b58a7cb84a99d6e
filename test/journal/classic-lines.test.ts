import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { createIds } from '../../src/cli/ids.ts';
import { callerNumber } from '../../src/journal/classic-fields.ts';
import { classicLines } from '../../src/journal/classic-lines.ts';
import { plainLine, recordFields } from '../../src/journal/log-line.ts';
import type { RecordedFinding } from '../../src/model/finding.ts';
import type { RecordedRecipient, VerdictRecord } from '../../src/model/record.ts';
import { sampleRecipient, sampleRecord } from '../store/sample-record.ts';

const ID = 'mi8k2x9f4qz01';
const PID = callerNumber({ sessionId: ID });

function record(change: Partial<VerdictRecord> = {}): VerdictRecord {
  const known = { id: `${ID}.1`, sessionId: ID, subject: 'buy now', durationMs: 912.34 };
  return sampleRecord({ ...known, ...change });
}

function hit(rule: string, more: Partial<RecordedFinding> = {}): RecordedFinding {
  return { stage: 'message', plugin: 'test', rule, state: 'hit', ms: 1, ...more };
}

function recipient(change: Partial<RecordedRecipient>): RecordedRecipient {
  return { ...sampleRecipient('bob@example.com'), ...change };
}

function set(name: string, value: string): VerdictRecord['settings'][number] {
  return { name, value, origin: { layer: 'site', place: `control/${name}` } };
}

const REFUSED = { event: 'message-refused', reply: '554 5.7.1 no' } as const;
const LATER = { event: 'message-refused', reply: '451 4.3.0 later' } as const;

describe('lines of simscan', () => {
  const end = ':192.0.2.7:alice@example.net:bob@example.com';
  const cases: readonly [string, Partial<VerdictRecord>, string | null][] = [
    ['accepted', {}, `CLEAN (0.00/0.00/0.00):0.9123s:buy now${end}`],
    ['accepted, no Subject', { subject: null }, `CLEAN (0.00/0.00/0.00):0.9123s:${end}`],
    ['accepted, a score', { score: 2.5 }, `CLEAN (2.50/0.00/0.00):0.9123s:buy now${end}`],
    [
      'accepted below the limits',
      { score: -1, settings: [set('tagscore', '5')] },
      `CLEAN (-1.00/5.00/5.00):0.9123s:buy now${end}`,
    ],
    [
      'accepted and tagged for its score',
      { score: 7.5, settings: [set('tagscore', '5'), set('rejectscore', '20.1')] },
      `SPAM PASS (7.50/5.00/20.10):0.9123s:buy now${end}`,
    ],
    [
      'settings of the recipient',
      {
        score: 7.5,
        settings: [set('tagscore', '5')],
        recipients: [recipient({ settings: [set('tagscore', '9')] })],
      },
      `CLEAN (7.50/9.00/9.00):0.9123s:buy now${end}`,
    ],
    ['accepted from a relay client', { relayClient: true }, `RELAYCLIENT:0.9123s:-${end}`],
    [
      'refused for its score',
      { ...REFUSED, rule: 'SCORE', score: 25.3, settings: [set('rejectscore', '20.1')] },
      `SPAM REJECT (25.30/0.00/20.10):0.9123s:buy now${end}`,
    ],
    [
      'held for its score',
      { event: 'message-held', rule: 'SCORE', score: 8 },
      `SPAM DROPPED (8.00/0.00/0.00):0.9123s:buy now${end}`,
    ],
    [
      'refused for a file name',
      { ...REFUSED, rule: 'ATTACH', findings: [hit('OTHER'), hit('ATTACH', { value: 'a.exe' })] },
      `ATTACH:0.9123s:a.exe${end}`,
    ],
    [
      'held for a file name in an archive',
      {
        event: 'message-held',
        rule: 'ATTACH_ARCHIVED',
        findings: [hit('ATTACH_ARCHIVED', { value: 'b.pif' })],
      },
      `ATTACH:0.9123s:b.pif${end}`,
    ],
    [
      'discarded by quarantine-events.txt',
      {
        event: 'message-discarded',
        rule: 'QS_ATTACHMENT',
        findings: [hit('QS_ATTACHMENT', { value: 'c.scr' })],
      },
      `ATTACH:0.9123s:c.scr${end}`,
    ],
    [
      'refused for a line',
      { ...REFUSED, rule: 'REGEX', findings: [hit('REGEX', { text: '#3', value: 'the line' })] },
      `REGEX:0.9123s:#3${end}`,
    ],
    [
      'no client',
      { client: null },
      'CLEAN (0.00/0.00/0.00):0.9123s:buy now:(null):alice@example.net:bob@example.com',
    ],
    ['null sender', { sender: null }, 'CLEAN (0.00/0.00/0.00):0.9123s:buy now:192.0.2.7::bob@example.com'],
    [
      'several recipients, in lower case',
      { sender: 'A@X.Example', recipients: ['B@y.example', 'c@Y.example'].map(sampleRecipient) },
      'CLEAN (0.00/0.00/0.00):0.9123s:buy now:192.0.2.7:a@x.example:b@y.example,c@y.example',
    ],
    [
      'what could break the line',
      { subject: 'Re: a\r\nb\x1b[2J\xfc', sender: 'a:b@x', recipients: ['"a,b:c\n"@y'].map(sampleRecipient) },
      'CLEAN (0.00/0.00/0.00):0.9123s:Re_ a??b?[2J?:192.0.2.7:a_b@x:"a_b_c?"@y',
    ],
    ['deferred', { ...LATER, rule: 'ATTACH' }, null],
    ['refused by another rule', { ...REFUSED, rule: 'HEADER_FROM_MANY' }, null],
    ['refused before the message', { ...REFUSED, rule: 'ATTACH', size: null }, null],
    ['a recipient refused', { ...REFUSED, event: 'recipient-refused', rule: 'BADRCPTTO' }, null],
    ['abandoned', { event: 'message-abandoned', rule: 'ABANDONED', size: null }, null],
    ['released', { event: 'quarantine-released' }, null],
    ['shadow mode', { shadow: 'exit 0' }, null],
  ];
  for (const [what, change, expected] of cases) {
    it(what, () => {
      const lines = expected === null ? [] : [`simscan:[${PID}]:${expected}\n`];
      assert.deepEqual(classicLines('simscan', record(change)), lines);
    });
  }

  it('an IPv6 client keeps its colons', () => {
    const client = { ...sampleRecord().client, ip: '2001:db8::7' } as VerdictRecord['client'];
    assert.match(classicLines('simscan', record({ client }))[0] ?? '', /:buy now:2001:db8::7:alice@/);
  });

  it('ends with a whole recipient', () => {
    const recipients = Array.from({ length: 1000 }, (_, n) => sampleRecipient(`user${n}@example.com`));
    const [line = ''] = classicLines('simscan', record({ recipients }));
    assert.ok(line.length > 950 && line.length <= 1000);
    assert.match(line, /,user\d+@example\.com\n$/);
  });
});

describe('lines of qmail-scanner', () => {
  const head = `qmail-scanner[${PID}]: `;
  const tail = `buy_now <m1@example.net> ${ID}.1-unpacked:4711\n`;
  const ends = `0.912340 4711 alice@example.net bob@example.com ${tail}`;
  const cases: readonly [string, Partial<VerdictRecord>, readonly string[]][] = [
    ['accepted', {}, [`Clear:RC:0(192.0.2.7): ${ends}`]],
    ['from a relay client', { relayClient: true }, [`Clear:RC:1(192.0.2.7): ${ends}`]],
    ['no client', { client: null }, [`Clear:RC:0(127.0.0.1): ${ends}`]],
    [
      'nothing known',
      { sender: null, subject: null, messageId: null },
      [`Clear:RC:0(192.0.2.7): 0.912340 4711 <> bob@example.com <> <> ${ID}.1-unpacked:4711\n`],
    ],
    [
      'held by a policy rule',
      {
        event: 'message-held',
        rule: 'QS_POLICY',
        findings: [hit('QS_POLICY', { text: 'Spam Viagra' })],
        recipients: [recipient({ outcome: 'held', rule: 'QS_POLICY' })],
      },
      [`Policy:SpamViagra:RC:0(192.0.2.7): ${ends}`],
    ],
    [
      'refused by a virus rule',
      {
        ...REFUSED,
        rule: 'QS_VIRUS',
        findings: [hit('QS_VIRUS', { text: 'Happy99 Trojan' })],
        recipients: [recipient({ outcome: 'refused', rule: 'QS_VIRUS' })],
      },
      [`Virus:Happy99Trojan:RC:0(192.0.2.7): ${ends}`],
    ],
    [
      'discarded for its score',
      {
        event: 'message-discarded',
        rule: 'SCORE',
        recipients: [recipient({ outcome: 'discarded', rule: null })],
      },
      [`Spam:SCORE:RC:0(192.0.2.7): ${ends}`],
    ],
    [
      'a file that calls itself clear',
      {
        ...REFUSED,
        rule: 'ATTACH',
        findings: [hit('ATTACH', { text: 'Clear:RC:0(1.2.3.4): .exe' })],
        recipients: [recipient({ outcome: 'refused', rule: 'ATTACH' })],
      },
      [`Policy:ATTACH:RC:0(192.0.2.7): ${ends}`],
    ],
    [
      'each recipient its own',
      {
        event: 'message-held',
        rule: 'QS_POLICY',
        findings: [
          hit('QS_POLICY', { text: 'not his', recipients: ['x@y'] }),
          hit('QS_POLICY', { text: 'his', recipients: ['bob@example.com'] }),
        ],
        recipients: [
          recipient({ outcome: 'held', rule: 'QS_POLICY' }),
          sampleRecipient('eve@example.com'),
          recipient({ outcome: 'deferred' }),
        ],
      },
      [
        `Policy:his:RC:0(192.0.2.7): ${ends}`,
        `Clear:RC:0(192.0.2.7): 0.912340 4711 alice@example.net eve@example.com ${tail}`,
      ],
    ],
    [
      'what could break the line',
      { subject: 'a b\r\nc\x1b\xfc', sender: 'a b@x', recipients: ['"c\td"@y'].map(sampleRecipient) },
      [
        `Clear:RC:0(192.0.2.7): 0.912340 4711 a_b@x "c|d"@y a_b__c?? <m1@example.net> ${ID}.1-unpacked:4711\n`,
      ],
    ],
    ['deferred', { ...LATER, recipients: [recipient({ outcome: 'deferred' })] }, []],
    ['refused before the message', { ...REFUSED, size: null }, []],
    ['a recipient refused', { ...REFUSED, event: 'recipient-refused' }, []],
    ['released', { event: 'quarantine-released' }, []],
    ['shadow mode', { edge: 'shadow', shadow: 'exit 0' }, []],
  ];
  for (const [what, change, expected] of cases) {
    it(what, () => {
      const lines = expected.map(line => head + line);
      assert.deepEqual(classicLines('qmail-scanner', record(change)), lines);
    });
  }
});

it('no line is broken, or longer than 1000 bytes, whatever it holds (property)', () => {
  const bytes = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map(c => String.fromCharCode(c)),
    maxLength: 1200,
  });
  const outcome = fc.constantFrom('delivered', 'held', 'refused', 'discarded' as const);
  const event = fc.constantFrom('message-accepted', 'message-held', 'message-refused' as const);
  const rule = fc.constantFrom('ATTACH', 'REGEX', 'QS_POLICY', 'SCORE');
  fc.assert(
    fc.property(
      bytes,
      bytes,
      bytes,
      fc.array(fc.tuple(bytes, outcome), { minLength: 1, maxLength: 9 }),
      event,
      rule,
      (sender, subject, value, to, what, name) => {
        const made = record({
          event: what,
          reply: '554 no',
          rule: name,
          sender,
          subject,
          messageId: value,
          findings: [hit(name, { value, text: value })],
          recipients: to.map(([address, end]) => recipient({ address, outcome: end, rule: name })),
        });
        const [simscan = '', ...none] = classicLines('simscan', made);
        const scanned = name !== 'QS_POLICY' || what === 'message-accepted';
        assert.equal(none.length, 0);
        if (scanned)
          assert.match(
            simscan,
            /^simscan:\[\d+\]:[A-Z ]+( \([\d./]+\))?:[\d.]+s:[^:]*:[\d.]+:[^:]*:[^:]*\n$/,
          );
        const each = classicLines('qmail-scanner', made);
        assert.equal(each.length, to.length);
        for (const line of each)
          assert.match(line, /^qmail-scanner\[\d+\]: [A-Z][a-z]+:\S+\(192\.0\.2\.7\):( \S+){7,8}\n$/);
        for (const line of [...each, simscan]) {
          assert.ok(line.length <= 1000);
          assert.match(line, /^[\x20-\x7e]*\n?$/);
        }
      },
    ),
    { numRuns: 300 },
  );
});

describe('the number in place of a process id', () => {
  it('is one for a session, and a safe integer', () => {
    const newId = createIds(() => Date.UTC(2026, 10, 21, 23, 59, 59, 999));
    const numbers = Array.from({ length: 500 }, () => callerNumber({ sessionId: newId() }));
    assert.equal(new Set(numbers).size, 500);
    for (const number of numbers) assert.ok(Number.isSafeInteger(number) && number > 0);
  });

  it('is that of whoever started postern-queue', () => {
    const caller = { uid: 1, gid: 2, pid: 3, ppid: 4 };
    assert.equal(callerNumber({ sessionId: ID, caller }), 4);
  });

  it('is 0 for an id of another form', () => {
    for (const sessionId of ['', 's1', 'MI8K2X9F4QZ01', `${ID}0`])
      assert.equal(callerNumber({ sessionId }), 0);
  });
});

it('our own line of an event in shadow mode says so', () => {
  const line = plainLine('message-refused', recordFields(record({ shadow: 'exit 0' })));
  assert.match(line, /^message-refused id=\S+ session=\S+ shadow="exit 0" client=/);
  assert.doesNotMatch(plainLine('message-refused', recordFields(record())), /shadow/);
});
