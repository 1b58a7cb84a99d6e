import type { SigningResult } from '../model/dkim-signing.ts';
import type { Finding } from '../model/finding.ts';
import { definePlugin } from './define.ts';

type Rule = 'SIGN' | 'SIGN_KEY' | 'SIGN_MALFORMED';

/**
 * Signs the mail of relay clients, logged-in users and programs of this host. It is the last to run: what is refused is
 * not signed. Mail from elsewhere is never signed, whatever its client's settings say: a signature would vouch for whoever
 * writes our domain into From.
 */
export const sign = definePlugin({
  name: 'sign',
  doc: 'Signs outgoing mail with DKIM and, where asked for, DomainKeys.',
  tier: 'scanner',
  rules: {
    SIGN: { doc: 'Never: it tells what was signed for which domain, or why not.' },
    SIGN_KEY: { doc: 'The key that `dkimsign`, `dkimkeys` or `dksign` names is missing or cannot be used.' },
    SIGN_MALFORMED: { doc: 'The message cannot be signed: it has no author, or several.' },
  },
  settings: [
    'dkimsign',
    'dkimkeys',
    'dkimsignoptions',
    'dkimidentity',
    'dkimexpire',
    'dkimsignextra',
    'dkimsignoptionsextra',
    'excludedkimsign',
    'dksign',
    'dkcomment',
  ],
  onError: 'defer',
  sparesRelayClients: false,
  async message(facts, { settings, origin }) {
    const { dkimsign, dkimkeys, dksign } = settings;
    if (dkimsign === null && dkimkeys === null && dksign === null) return [];
    if (!facts.relayClient && facts.client !== null)
      return [{ rule: 'SIGN', state: 'skipped', detail: 'not a relay client' }];
    const { fields, results } = await facts.sign();
    const source = (result: SigningResult) =>
      result.protocol === 'DomainKeys'
        ? origin('dksign')
        : origin(dkimsign === null ? 'dkimkeys' : 'dkimsign');
    const findings = results.map(result => told(result, source(result)));
    return fields === '' ? findings : [...findings, { rule: 'SIGN', state: 'pass', signature: fields }];
  },
});

function told(result: SigningResult, source: string): Finding<Rule> {
  const { protocol } = result;
  switch (result.kind) {
    case 'signed': {
      const note = result.note === '' ? '' : `; ${result.note}`;
      const detail = `${protocol}: d=${result.domain} s=${result.selector}${note}`;
      return { rule: 'SIGN', state: 'pass', value: result.domain, detail, source };
    }
    case 'unsigned':
      return { rule: 'SIGN', state: 'pass', detail: `${protocol}: not signed, ${result.why}`, source };
    case 'malformed':
      return { rule: 'SIGN_MALFORMED', state: 'hit', detail: `${protocol}: ${result.why}`, source };
    case 'trouble':
      return { rule: 'SIGN_KEY', state: 'hit', detail: `${protocol}: ${result.why}`, source };
  }
}
