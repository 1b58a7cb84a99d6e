import type { VirusOutcome } from '../model/scan.ts';
import type { Finding } from '../model/finding.ts';
import { definePlugin } from './define.ts';

type Rule = 'CLAM' | 'CLAM_VIRUS' | 'CLAM_DROPPED' | 'CLAM_SIZE';

/** Viruses, by clamd. A scanner that gives no answer has not said that the message is clean. */
export const clam = definePlugin({
  name: 'clam',
  doc: 'Has clamd look for viruses in the whole message, for recipients with `clam=yes`.',
  tier: 'scanner',
  rules: {
    CLAM: { doc: 'Never: it tells that clamd found nothing. An error when it gave no answer.' },
    CLAM_VIRUS: { doc: 'clamd has found a virus.' },
    CLAM_DROPPED: { doc: 'clamd has found a virus, and `dropmsg` says to throw it away.' },
    CLAM_SIZE: { doc: 'The message is larger than clamd takes; nobody has looked for viruses.' },
  },
  settings: ['clam', 'clamd', 'clamtime', 'clamscans', 'clambytes', 'virusname', 'dropmsg'],
  onError: 'defer',
  sparesRelayClients: false,
  async message(facts, { settings, origin }) {
    if (settings.clamd.length === 0) return [];
    const source = origin('clam');
    if (!settings.clam) return [{ rule: 'CLAM', state: 'skipped', detail: 'clam=no', source }];
    return [told(await facts.virus(), settings, source)];
  },
});

function told(
  outcome: VirusOutcome,
  { virusname, dropmsg }: { readonly virusname: boolean; readonly dropmsg: boolean },
  source: string,
): Finding<Rule> {
  switch (outcome.kind) {
    case 'clean':
      return { rule: 'CLAM', state: 'pass', detail: `clean (${outcome.scanner})`, source };
    case 'infected': {
      const { name, scanner } = outcome;
      const text = virusname ? `the ${name} virus` : 'a virus';
      const rule = dropmsg ? 'CLAM_DROPPED' : 'CLAM_VIRUS';
      return { rule, state: 'hit', value: name, detail: `${name} (${scanner})`, text, source };
    }
    case 'error':
      if (outcome.fault === 'limit') return { rule: 'CLAM_SIZE', state: 'hit', detail: outcome.why, source };
      return { rule: 'CLAM', state: 'error', detail: `${outcome.fault}: ${outcome.why}`, source };
  }
}
