import { arc } from './arc.ts';
import { archives } from './archives.ts';
import { attach } from './attach.ts';
import { badhelo } from './badhelo.ts';
import { badmailfrom } from './badmailfrom.ts';
import { badmailto } from './badmailto.ts';
import { clam } from './clam.ts';
import { dkim } from './dkim.ts';
import { dmarc } from './dmarc.ts';
import { domainkeys } from './domainkeys.ts';
import { earlytalker } from './earlytalker.ts';
import { events } from './events.ts';
import { headers } from './headers.ts';
import { hops } from './hops.ts';
import { iplist } from './iplist.ts';
import { maxrcpt } from './maxrcpt.ts';
import { mime } from './mime.ts';
import { nullsender } from './nullsender.ts';
import { rbl } from './rbl.ts';
import { rcpthosts } from './rcpthosts.ts';
import { regex } from './regex.ts';
import { sign } from './sign.ts';
import { spam } from './spam.ts';
import { spf } from './spf.ts';
import { tarpit } from './tarpit.ts';

/** Every check there is, in the order in which the record shows them: the table of contents of the product. */
export const PLUGINS = [
  earlytalker,
  iplist,
  rbl,
  badhelo,
  badmailfrom,
  spf,
  rcpthosts,
  badmailto,
  maxrcpt,
  tarpit,
  nullsender,
  hops,
  headers,
  dkim,
  domainkeys,
  arc,
  dmarc,
  archives,
  mime,
  events,
  attach,
  regex,
  clam,
  spam,
  sign,
] as const;

/** What is asked of a plugin here. */
interface Listed {
  readonly name: string;
  readonly rules: Readonly<Record<string, { readonly doc: string }>>;
}

/** Rules of the pipeline and the edges themselves, which no plugin reports: what they are, for the rules page. */
export const OWN_RULES: Readonly<Record<string, string>> = {
  SCORE: 'The score has reached `rejectscore`, `quarantinescore` or `tagscore`.',
  TCPRULES_DENY: 'A line of tcp.smtp denies the client.',
  CONCURRENCY: 'More connections than `concurrencyperclient` or `concurrencyincoming` allow.',
  PROXY_HEADER: 'A trusted proxy did not send a valid PROXY header.',
  DATABYTES: 'The message is larger than `databytes`.',
  LINE_BREAKS: 'The message contains bare CR, bare LF or NUL, and `linebreaks` says refuse.',
  DATARATE: 'The message came more slowly than `datarate`.',
  SPOOL: 'The message could not be stored while it came in.',
  FAULT: 'Something failed on our side; the detail says what. The sender was told to come again.',
  ABANDONED:
    'Whoever queued a message through postern-queue took it back before its end: aborted, too big, or the client gone.',
  NEXT_HOP_REFUSED: 'A next hop refused some recipients after others had accepted; their copy is held.',
};

/** Rules that plugins report, which `actions` may name. */
export function ruleNames(plugins: readonly Listed[]): ReadonlySet<string> {
  return new Set(plugins.flatMap(plugin => Object.keys(plugin.rules)));
}

export function pluginNames(plugins: readonly Listed[]): ReadonlySet<string> {
  return new Set(plugins.map(plugin => plugin.name));
}
