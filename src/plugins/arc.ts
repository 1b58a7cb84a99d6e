import { authResult } from '../mail/auth-result.ts';
import { definePlugin } from './define.ts';
import { fromHere } from './this-host.ts';

/** ARC (RFC 8617): what those who forwarded the message saw when it came to them. */
export const arc = definePlugin({
  name: 'arc',
  doc: 'The chain of ARC seals on forwarded mail: is it whole? Whom to believe is the business of `arctrusted`.',
  tier: 'dns',
  rules: {
    ARC: { doc: 'Never: it tells the state of the chain, if there is one. An error when the DNS failed.' },
    ARC_FAIL: { doc: 'There is a chain, and it is broken.' },
  },
  settings: ['arc', 'dkimminbits', 'authlookups', 'authtime'],
  onError: 'continue',
  sparesRelayClients: true,
  async message(facts, { settings }) {
    if (!settings.arc) return [];
    const here = fromHere(facts.client);
    if (here !== null) return [{ rule: 'ARC', state: 'skipped', detail: here }];
    const { result, domain, detail, lookups, instances } = await facts.authentication.arc();
    if (result === 'none') return [{ rule: 'ARC', state: 'pass', detail: 'no chain' }];
    const asked = lookups.length === 0 ? '' : `; asked: ${lookups.join('; ')}`;
    const told = {
      rule: 'ARC',
      state: result === 'temperror' ? 'error' : 'pass',
      value: domain,
      detail: `${result}: ${instances} seals, ${detail}${asked}`,
      // RFC 8617 10.2 knows no temperror: what could not be verified has failed for whoever reads this.
      authResult: authResult('arc', result === 'temperror' ? 'fail' : result, [], detail),
    } as const;
    return result === 'fail' ? [told, { rule: 'ARC_FAIL', state: 'hit', value: domain, detail }] : [told];
  },
});
