import { authResult } from '../mail/auth-result.ts';
import type { DomainKeysVerdict } from '../model/authentication.ts';
import type { Finding } from '../model/finding.ts';
import { definePlugin } from './define.ts';
import type { LetterVerdict } from './verify-letters.ts';
import { judgedByLetters } from './verify-letters.ts';

type Rule = 'DOMAINKEYS' | 'DKVERIFY_REJECT' | 'DKVERIFY_DEFER';

/**
 * What qmail-dk 0.54 did before it came to its letters (domainkeys-dkim.md 2): malformed mail was refused (exit 31),
 * bad keys, DNS trouble and want of memory deferred (55, 74, 51).
 */
const EARLY_EXITS: Readonly<Record<string, LetterVerdict>> = {
  G: { letter: 'G', permanent: true },
  E: { letter: 'E', permanent: false },
  F: { letter: 'F', permanent: false },
  H: { letter: 'H', permanent: false },
};

/** DomainKeys (RFC 4870), the forerunner of DKIM, with the face of qmail-dk. */
export const domainkeys = definePlugin({
  name: 'domainkeys',
  doc: 'The DomainKey-Signature of old mail, where `dkverify` asks for it: its letters say which results are refused. Adds the DomainKey-Status field of qmail-dk.',
  tier: 'dns',
  rules: {
    DOMAINKEYS: { doc: 'Never: it tells the result. An error when the key could not be looked up.' },
    DKVERIFY_REJECT: { doc: 'The result is one of the upper-case letters of `dkverify`.' },
    DKVERIFY_DEFER: { doc: 'The result is one of the lower-case letters of `dkverify`.' },
  },
  settings: ['dkverify', 'dkearlyexits', 'dkstatus', 'authlookups', 'authtime'],
  onError: 'continue',
  sparesRelayClients: true,
  async message(facts, { settings, origin }) {
    const letters = settings.dkverify;
    if (letters === null) return [];
    const verdict = await facts.authentication.domainKeys();
    const early = settings.dkearlyexits ? EARLY_EXITS[verdict.letter] : undefined;
    const judged = early ?? judgedByLetters(verdict.letter, letters);
    const found = told(verdict, settings.dkstatus);
    if (judged === null) return [found];
    const rule = judged.permanent ? 'DKVERIFY_REJECT' : 'DKVERIFY_DEFER';
    const text = verdict.status.trim();
    const detail = `letter ${judged.letter} (${text})${early === undefined ? '' : ', an early exit of qmail-dk'}`;
    return [found, { rule, state: 'hit', detail, text, source: origin('dkverify') }];
  },
});

function told({ signature, status, lookups }: DomainKeysVerdict, withStatus: boolean): Finding<Rule> {
  const header = withStatus ? { header: `DomainKey-Status: ${status}\r\n` } : {};
  if (signature === null)
    return {
      rule: 'DOMAINKEYS',
      state: 'pass',
      detail: status.trim(),
      authResult: 'domainkeys=none',
      ...header,
    };
  const { result, domain, selector, detail, identity, testing } = signature;
  const asked = lookups.length === 0 ? '' : `; asked: ${lookups.join('; ')}`;
  return {
    rule: 'DOMAINKEYS',
    state: result === 'temperror' ? 'error' : 'pass',
    value: domain,
    detail: `${result}: s=${selector} ${detail}${testing ? ' (key is for tests)' : ''}${asked}`,
    authResult: authResult(
      'domainkeys',
      result,
      [
        ['header.d', domain],
        ['header.from', identity],
      ],
      result === 'pass' ? '' : detail,
    ),
    ...header,
  };
}
