import type { ArchiveFacts, MimeFacts } from '../model/mime.ts';
import type { Finding } from '../model/finding.ts';
import { byteString } from '../mail/mime/judged-files.ts';
import { definePlugin } from './define.ts';

type Rule = 'ARCHIVE_ENCRYPTED' | 'ARCHIVE_UNREADABLE' | 'ARCHIVE_LIMIT' | 'ARCHIVE_UNSUPPORTED';

/** Which rule hits in which state, in the order of the findings. */
const RULE_OF_STATE: Readonly<Record<Exclude<ArchiveFacts['state'], 'read'>, Rule>> = {
  encrypted: 'ARCHIVE_ENCRYPTED',
  unreadable: 'ARCHIVE_UNREADABLE',
  limit: 'ARCHIVE_LIMIT',
  unsupported: 'ARCHIVE_UNSUPPORTED',
};

/** The budgets; the detail of an archive that one of them has ended names it. */
const LIMITS = ['archivedepth', 'archiveentries', 'archivebytes', 'archiveratio'] as const;

/** Archives that a finding names; the rest are counted. */
const MAX_NAMED = 5;

/** How much of the path of an archive a finding shows, characters from its end. */
const MAX_PATH = 120;

/** Can what is in the archives of the message be known at all? What rules of names see in them is theirs to say. */
export const archives = definePlugin({
  name: 'archives',
  doc: 'Says which archives in the message could not be looked into, and why: a password, damage, a budget, a type that nobody here reads.',
  tier: 'local',
  rules: {
    ARCHIVE_ENCRYPTED: { doc: 'An archive with entries that need a password; their names are known.' },
    ARCHIVE_UNREADABLE: {
      doc: 'An archive that is damaged, or contradicts itself, so that two unpackers see two contents.',
    },
    ARCHIVE_LIMIT: {
      doc: 'An archive that was not looked through to its end because of `archivedepth`, `archiveentries`, `archivebytes` or `archiveratio`: a bomb, or very large.',
    },
    ARCHIVE_UNSUPPORTED: { doc: 'An archive of a type whose contents nobody here can list.' },
  },
  settings: LIMITS,
  onError: 'continue',
  sparesRelayClients: false,
  message(facts, { origin }) {
    const read = facts.mime();
    return read instanceof Promise ? read.then(mime => judged(mime, origin)) : judged(read, origin);
  },
});

function judged(mime: MimeFacts, origin: (name: (typeof LIMITS)[number]) => string): Finding<Rule>[] {
  const findings: Finding<Rule>[] = [];
  for (const [state, rule] of Object.entries(RULE_OF_STATE)) {
    const found = mime.archives.filter(archive => archive.state === state);
    if (found.length === 0) continue;
    const named = found.slice(0, MAX_NAMED).map(archive => description(archive, mime));
    if (found.length > named.length) named.push(`and ${found.length - named.length} more`);
    const limit = LIMITS.find(name => found.some(archive => archive.detail.includes(`\`${name}\``)));
    findings.push({
      rule,
      state: 'hit',
      detail: named.join('; '),
      ...(rule === 'ARCHIVE_LIMIT' && limit !== undefined ? { source: origin(limit) } : {}),
    });
  }
  if (findings.length > 0) return findings;
  return [{ rule: 'ARCHIVE_UNREADABLE', state: 'pass', detail: `${mime.archives.length} archives` }];
}

/** `outer.zip > inner.zip (application/zip): why`, a byte string. */
function description({ within, part, type, detail }: ArchiveFacts, mime: MimeFacts): string {
  const path = within.join(' > ');
  const shown = path.length > MAX_PATH ? `…${path.slice(-MAX_PATH)}` : path;
  const name = shown === '' ? `part ${mime.parts[part]?.place ?? part}` : shown;
  const text = `${name} (${type})${detail === '' ? '' : `: ${detail}`}`;
  return byteString(text);
}
