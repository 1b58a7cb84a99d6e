import { definePlugin } from './define.ts';

/** Recipients that the site refuses (control-files.md 4.3, 4.4). */
export const badmailto = definePlugin({
  name: 'badmailto',
  doc: 'Compares each recipient with `badmailto` and, unless the client may relay, `badmailtonorelay` and `badrcptto`.',
  tier: 'local',
  rules: {
    BADMAILTO: { doc: 'An expression of `badmailto` matches the recipient.' },
    BADMAILTONORELAY: { doc: 'An expression of `badmailtonorelay` matches the recipient.' },
    BADRCPTTO: { doc: 'An entry of `badrcptto` is the recipient or its domain.' },
  },
  settings: ['badmailto', 'badmailtonorelay', 'badrcptto'],
  onError: 'continue',
  sparesRelayClients: false,
  rcpt({ recipient, relayClient }, { settings }) {
    if (settings.badmailto.size + settings.badmailtonorelay.size + settings.badrcptto.size === 0) return [];
    const value = recipient.text;
    const lists = [
      ['BADMAILTO', settings.badmailto, true],
      ['BADMAILTONORELAY', settings.badmailtonorelay, !relayClient],
      ['BADRCPTTO', settings.badrcptto, !relayClient],
    ] as const;
    for (const [rule, list, applies] of lists) {
      const match = applies ? list.find(recipient) : null;
      if (match !== null) return [{ rule, state: 'hit', value, detail: match.entry, source: match.place }];
    }
    return [{ rule: 'BADMAILTO', state: 'pass', value }];
  },
});
