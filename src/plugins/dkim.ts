import { authResult } from '../mail/auth-result.ts';
import type { DkimOutcome, SignatureFault, SignatureOutcome } from '../model/authentication.ts';
import type { Finding } from '../model/finding.ts';
import { definePlugin } from './define.ts';
import { fromHere } from './this-host.ts';
import { judgedByLetters } from './verify-letters.ts';

type Rule =
  | 'DKIM'
  | 'DKIM_NONE'
  | 'DKIM_INVALID'
  | 'DKIM_EXTRA_BODY'
  | 'DKIM_MANY'
  | 'DKIMVERIFY_REJECT'
  | 'DKIMVERIFY_DEFER';

/** The letters of DKIMVERIFY (qmail-dkim, table 6.1 of its manual) for what can be wrong with a signature. */
const LETTERS: Readonly<Record<SignatureFault, string>> = {
  none: 'A',
  'extra body': 'E',
  signature: 'I',
  'body hash': 'U',
  syntax: 'H',
  version: 'W',
  algorithm: 'V',
  expired: 'K',
  identity: 'Y',
  'from not signed': 'X',
  dns: 'P',
  'no key': 'Q',
  'bad key': 'R',
  revoked: 'N',
  granularity: 'M',
  'key size': 'R',
  budget: 'D',
};

/**
 * DKIM (RFC 6376, 8301, 8463). Signatures are verified once; which results refuse the mail is the business of
 * `dkimverify`. A bad signature is as good as none (RFC 6376 6.1), so nothing acts by itself.
 */
export const dkim = definePlugin({
  name: 'dkim',
  doc: 'Who has signed the message, and does the signature hold? Each signature is told with its domain, selector and result; `dkimverify` says which results are refused, in the letters of qmail-dkim.',
  tier: 'dns',
  rules: {
    DKIM: {
      doc: 'Never: it tells the result of each signature. An error when a key could not be looked up.',
    },
    DKIM_NONE: { doc: 'The message has no DKIM signature.' },
    DKIM_INVALID: { doc: 'It has signatures, and none of them holds.' },
    DKIM_EXTRA_BODY: {
      doc: 'A signature holds for the beginning of the body (`l=`), and somebody has put more behind it.',
    },
    DKIM_MANY: { doc: 'More signatures than `dkimsignatures`; those further down were not looked at.' },
    DKIMVERIFY_REJECT: { doc: 'The result is one of the upper-case letters of `dkimverify`.' },
    DKIMVERIFY_DEFER: { doc: 'The result is one of the lower-case letters of `dkimverify`.' },
  },
  settings: ['dkimverify', 'dkimsignatures', 'dkimminbits', 'authlookups', 'authtime'],
  onError: 'continue',
  sparesRelayClients: true,
  async message(facts, { settings, origin }) {
    const letters = settings.dkimverify;
    if (letters === null) return [];
    const here = fromHere(facts.client);
    if (here !== null) return [{ rule: 'DKIM', state: 'skipped', detail: here }];
    const outcome = await facts.authentication.dkim();
    const judged = judgedByLetters(lettersOf(outcome), letters);
    const findings: Finding<Rule>[] = [...told(outcome), ...oddities(outcome)];
    if (judged !== null) {
      const detail = `letter ${judged.letter}: ${summary(outcome)}`;
      const rule = judged.permanent ? 'DKIMVERIFY_REJECT' : 'DKIMVERIFY_DEFER';
      findings.push({ rule, state: 'hit', detail, text: summary(outcome), source: origin('dkimverify') });
    }
    return findings;
  },
});

/**
 * The letters that the result goes by. With a valid signature it counts alone (C: others are not valid); else every fault
 * counts, with T when nothing could be verified at all, and J in place of the fault where the key is only being tested.
 */
function lettersOf({ signatures }: DkimOutcome): string {
  if (signatures.length === 0) return 'S';
  const valid = signatures.filter(one => one.result === 'pass');
  if (valid.length === signatures.length) return 'A';
  if (valid.length > 0) return 'C';
  const letters = signatures.map(({ fault, testing }) => {
    const letter = LETTERS[fault];
    return testing && (letter === 'I' || letter === 'U') ? 'J' : letter;
  });
  const failed = letters.some(letter => letter === 'I' || letter === 'U') ? 'G' : '';
  const none = signatures.some(one => one.fault === 'extra body' || one.result === 'temperror') ? '' : 'T';
  return letters.join('') + failed + none;
}

/** A finding for each signature. */
function told({ signatures, lookups }: DkimOutcome): Finding<Rule>[] {
  const asked = lookups.length === 0 ? '' : `; asked: ${lookups.join('; ')}`;
  if (signatures.length === 0)
    return [{ rule: 'DKIM', state: 'pass', detail: 'no signature', authResult: 'dkim=none' }];
  return signatures.map((one, i) => ({
    rule: 'DKIM',
    state: one.result === 'temperror' ? 'error' : 'pass',
    value: one.domain,
    // The look-ups are those of all of them, and stand in the record once.
    detail: `${one.result}: s=${one.selector} ${one.detail}${one.testing ? ' (key is for tests)' : ''}${i === 0 ? asked : ''}`,
    authResult: resultOf(one),
  }));
}

function resultOf({ result, domain, selector, algorithm, tag, identity, detail }: SignatureOutcome): string {
  const ownIdentity = identity === `@${domain}` ? '' : identity;
  const properties = [
    ['header.d', domain],
    ['header.i', ownIdentity],
    ['header.s', selector],
    ['header.a', algorithm],
    ['header.b', tag],
  ] as const;
  return authResult('dkim', result, properties, result === 'pass' ? '' : detail);
}

function oddities({ signatures, ignored }: DkimOutcome): Finding<Rule>[] {
  const findings: Finding<Rule>[] = [];
  const add = (rule: Rule, detail: string) => findings.push({ rule, state: 'hit', detail });
  if (signatures.length === 0) add('DKIM_NONE', 'no DKIM-Signature');
  else if (signatures.every(({ result }) => result !== 'pass' && result !== 'temperror'))
    add('DKIM_INVALID', summary({ signatures }));
  const longer = signatures.find(one => one.fault === 'extra body');
  if (longer) add('DKIM_EXTRA_BODY', `${longer.domain}: ${longer.detail}`);
  if (ignored > 0) add('DKIM_MANY', `${signatures.length + ignored} signatures, ${ignored} of them ignored`);
  return findings;
}

/** For a reply and the record: what is wrong, of the first signature. */
function summary({ signatures }: Pick<DkimOutcome, 'signatures'>): string {
  const [first] = signatures;
  if (first === undefined) return 'no signature';
  return `${first.domain || 'unknown domain'}: ${first.detail}`;
}
