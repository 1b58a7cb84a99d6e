import type { Finding } from '../model/finding.ts';
import type { FilesOutcome, VirusOutcome } from '../model/scan.ts';
import { definePlugin } from './define.ts';

type Rule = 'CLAM' | 'CLAM_VIRUS' | 'CLAM_DROPPED' | 'CLAM_SIZE';

/** Viruses, by clamd. A scanner that gives no answer has not said that the message is clean. */
export const clam = definePlugin({
  name: 'clam',
  doc: 'Has clamd look for viruses in the whole message, and in files of it that it may have missed there, for recipients with `clam=yes`.',
  tier: 'scanner',
  rules: {
    CLAM: { doc: 'Never: it tells that clamd found nothing. An error when it gave no answer.' },
    CLAM_VIRUS: { doc: 'clamd has found a virus.' },
    CLAM_DROPPED: { doc: 'clamd has found a virus, and `dropmsg` says to throw it away.' },
    CLAM_SIZE: {
      doc: 'The message is larger than clamd takes, or it has more files to be shown by themselves than `clamfiles`; nobody has looked for viruses there.',
    },
  },
  settings: [
    'clam',
    'clamd',
    'clamtime',
    'clamscans',
    'clambytes',
    'clamattachments',
    'clamfiles',
    'virusname',
    'dropmsg',
  ],
  onError: 'defer',
  sparesRelayClients: false,
  async message(facts, { settings, origin }) {
    if (settings.clamd.length === 0) return [];
    const source = origin('clam');
    if (!settings.clam) return [{ rule: 'CLAM', state: 'skipped', detail: 'clam=no', source }];
    const whole = await facts.virus();
    if (whole.kind !== 'clean' || settings.clamattachments === 'no') return [told(whole, settings, source)];
    const files = await facts.virusInFiles();
    return [told(files.kind === 'clean' ? { ...whole, ...files } : files, settings, source)];
  },
});

/** About the message, or one of its files. */
type Outcome =
  | (VirusOutcome & { readonly files?: number })
  | Exclude<FilesOutcome, { readonly kind: 'clean' }>;

function told(
  outcome: Outcome,
  { virusname, dropmsg }: { readonly virusname: boolean; readonly dropmsg: boolean },
  source: string,
): Finding<Rule> {
  switch (outcome.kind) {
    case 'clean': {
      const { scanner, files = 0 } = outcome;
      const detail = `clean (${scanner})${files === 0 ? '' : `, so are ${files} files by themselves`}`;
      return { rule: 'CLAM', state: 'pass', detail, source };
    }
    case 'infected': {
      const { name, scanner } = outcome;
      const where = 'file' in outcome ? ` in ${outcome.file}` : '';
      const text = virusname ? `the ${name} virus` : 'a virus';
      const rule = dropmsg ? 'CLAM_DROPPED' : 'CLAM_VIRUS';
      return { rule, state: 'hit', value: name, detail: `${name} (${scanner})${where}`, text, source };
    }
    case 'error':
      if (outcome.fault === 'limit') return { rule: 'CLAM_SIZE', state: 'hit', detail: outcome.why, source };
      return { rule: 'CLAM', state: 'error', detail: `${outcome.fault}: ${outcome.why}`, source };
  }
}
