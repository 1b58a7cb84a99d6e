import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dmarcRecord } from '../../src/auth/dmarc-record.ts';
import type { DmarcRecord } from '../../src/auth/dmarc-record.ts';

const NONE = { p: 'none', sp: null, np: null } as const;
const REJECT = { p: 'reject', sp: null, np: null } as const;
const PLAIN: DmarcRecord = {
  policy: REJECT,
  strictDkim: false,
  strictSpf: false,
  psd: 'u',
  testing: false,
};

const RECORDS: readonly (readonly [text: string, record: Partial<DmarcRecord>])[] = [
  ['v=DMARC1; p=reject', {}],
  ['v=DMARC1;p=reject;', {}],
  [' V = DMARC1 ; P = Reject ; ', {}],
  ['v=DMARC1;;;p=reject', {}],
  ['v=DMARC1; p=reject; sp=none; np=quarantine', { policy: { p: 'reject', sp: 'none', np: 'quarantine' } }],
  ['v=DMARC1; p=reject; adkim=s', { strictDkim: true }],
  ['v=DMARC1; p=reject; aspf=S', { strictSpf: true }],
  ['v=DMARC1; p=reject; adkim=strict; aspf=', {}],
  ['v=DMARC1; p=reject; psd=y', { psd: 'y' }],
  ['v=DMARC1; p=reject; psd=N', { psd: 'n' }],
  ['v=DMARC1; p=reject; psd=maybe', {}],
  ['v=DMARC1; p=reject; unknown=tag; nonsense; =; x', {}],
  ['v=DMARC1; p=reject; fo=9; rf=x; ri=x; ruf=nobody', {}],
  ['v=DMARC1; p=reject; \xe9=\xe9', {}],
  ['v=DMARC1; p=none; p=reject', {}],
  // Testing.
  ['v=DMARC1; p=reject; t=y', { testing: true }],
  ['v=DMARC1; p=reject; t=n', {}],
  ['v=DMARC1; p=reject; t=yes', {}],
  ['v=DMARC1; p=reject; pct=0', { testing: true }],
  ['v=DMARC1; p=reject; pct=0; t=n', {}],
  ['v=DMARC1; p=reject; pct=0; t=?', { testing: true }],
  ['v=DMARC1; p=reject; pct=1', {}],
  ['v=DMARC1; p=reject; pct=100', {}],
  ['v=DMARC1; p=reject; pct=', {}],
  ['v=DMARC1; p=reject; pct=none', {}],
  // No policy, or one that cannot be read.
  ['v=DMARC1', { policy: null }],
  ['v=DMARC1;', { policy: null }],
  ['v=DMARC1; p=bob', { policy: null }],
  ['v=DMARC1; p=', { policy: null }],
  ['v=DMARC1; p=none; sp=bob', { policy: null }],
  ['v=DMARC1; p=reject; np=', { policy: null }],
  ['v=DMARC1; rua=mailto:a@example.com', { policy: NONE }],
  ['v=DMARC1; p=bob; rua=mailto:a@example.com', { policy: NONE }],
  ['v=DMARC1; p=reject; sp=bob; rua=a, mailto:a@example.com!10m', { policy: NONE }],
  ['v=DMARC1; p=bob; rua=https://example.com/%20', { policy: NONE }],
  ['v=DMARC1; p=bob; rua=a@example.com', { policy: null }],
  ['v=DMARC1; p=bob; rua=mailto:a b@example.com', { policy: null }],
  ['v=DMARC1; p=bob; rua=', { policy: null }],
  ['v=DMARC1; p=bob; ruf=mailto:a@example.com', { policy: null }],
];

test('what a record says', () => {
  for (const [text, record] of RECORDS) assert.deepEqual(dmarcRecord(text), { ...PLAIN, ...record }, text);
});

test('what is no record', () => {
  for (const text of [
    '',
    'v=spf1 -all',
    'v=DMARC',
    'v=DMARC2; p=reject',
    'v=DMARC10; p=reject',
    'v=dmarc1; p=reject',
    'V=BOB',
    'p=reject; v=DMARC1',
    'v=DMARC1 p=reject',
    '"v=DMARC1; p=reject"',
    '; v=DMARC1; p=reject',
  ])
    assert.equal(dmarcRecord(text), null, text);
});

const TAG = fc.record({
  name: fc.constantFrom('p', 'sp', 'np', 'adkim', 'aspf', 'psd', 't', 'pct', 'rua', 'x', ''),
  value: fc.oneof(
    fc.constantFrom('none', 'quarantine', 'reject', 'r', 's', 'y', 'n', 'u', '0', '100', 'mailto:a@b'),
    fc.string({ unit: 'binary' }),
  ),
});

test('any text gives a record or none, and never an exception', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.array(TAG), (text, tags) => {
      dmarcRecord(text);
      const record = dmarcRecord(
        `v=DMARC1;${tags.map(({ name, value }) => `${name}=${value}`).join(';')};${text}`,
      );
      assert.ok(record !== null);
      assert.ok(['y', 'n', 'u'].includes(record.psd));
    }),
  );
});

test('unknown tags, blanks and the order of known ones change nothing', () => {
  const blanks = fc.constantFrom('', ' ', '\t', '  ');
  const tags = fc.shuffledSubarray(['p=reject', 'sp=none', 'adkim=s', 't=y', 'psd=n'], { minLength: 5 });
  const junk = fc.string({ unit: 'binary' }).map(text => `x${text.replaceAll(/[;=]/g, '')}${text.length}`);
  fc.assert(
    fc.property(tags, junk, blanks, (list, noise, blank) => {
      const spaced = [...list, noise, `${noise}=${noise}`].map(tag => tag.replace('=', `${blank}=${blank}`));
      assert.deepEqual(dmarcRecord(`v=DMARC1${blank};${blank}${spaced.join(`${blank};${blank}`)}`), {
        policy: { p: 'reject', sp: 'none', np: null },
        strictDkim: true,
        strictSpf: false,
        psd: 'n',
        testing: true,
      });
    }),
  );
});

test('a record of 64 KiB is read', () => {
  for (const piece of [';', 'a=b;', 'rua=mailto:a,', 'rua=a:%20', '!', ' ', '='])
    assert.notEqual(dmarcRecord(`v=DMARC1;${piece.repeat(65_000 / piece.length)}`), null);
});
