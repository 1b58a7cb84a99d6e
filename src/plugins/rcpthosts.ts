import { definePlugin } from './define.ts';

/**
 * Relay control as qmail-smtpd does it (control-files.md 4.1), plus a refusal of what next hops might still take for
 * relaying: a bang path without a domain. Always runs, whatever `checks` says.
 */
export const rcpthosts = definePlugin({
  name: 'rcpthosts',
  doc: 'Accepts recipients whose domain is in `rcpthosts` or `morercpthosts`, and every recipient of relay clients.',
  tier: 'local',
  rules: {
    RCPTHOSTS: {
      doc: 'The recipient’s domain is not one that mail is accepted for, and the client may not relay.',
    },
    RELAY_PATH: { doc: 'The recipient has no domain and names a relay path (`host!user`, `user%host`).' },
  },
  settings: ['rcpthosts', 'morercpthosts', 'openrelay'],
  onError: 'defer',
  sparesRelayClients: false,
  notBehindQmail: 'whoever queues the message has decided who may relay',
  rcpt(facts, { settings, origin }) {
    const { recipient, relayClient } = facts;
    const value = recipient.text;
    if (relayClient) return [{ rule: 'RCPTHOSTS', state: 'pass', value, detail: 'relay client' }];
    if (settings.rcpthosts === null) {
      return [
        {
          rule: 'RCPTHOSTS',
          state: 'pass',
          value,
          detail: 'no rcpthosts: open relay',
          source: origin('openrelay'),
        },
      ];
    }
    // qmail-smtpd accepts what has no `@`: qmail-send makes it local, and so did we, by giving it a domain.
    if (/[!%]/.test(recipient.local) && facts.unqualified)
      return [{ rule: 'RELAY_PATH', state: 'hit', value }];
    if (recipient.domain === '' || facts.unqualified)
      return [{ rule: 'RCPTHOSTS', state: 'pass', value, detail: 'no domain' }];
    const place =
      settings.rcpthosts.find(recipient.domain) ?? settings.morercpthosts?.find(recipient.domain) ?? null;
    if (place !== null) return [{ rule: 'RCPTHOSTS', state: 'pass', value, source: place }];
    return [{ rule: 'RCPTHOSTS', state: 'hit', value, source: origin('rcpthosts') }];
  },
});
