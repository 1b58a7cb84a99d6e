import type { Finding } from '../model/finding.ts';
import { countFields, headerFields } from '../mail/header.ts';
import { forgedTrustHeaders } from '../mail/trust-headers.ts';
import { definePlugin } from './define.ts';

type Rule =
  | 'HEADER_FROM_MANY'
  | 'HEADER_FROM_MISSING'
  | 'HEADER_DATE_MISSING'
  | 'HEADER_NO_COLON'
  | 'HEADER_FORGED_TRUST'
  | 'HEADER_TOO_BIG'
  | 'HEADER_UNIQUE_TWICE';

/** Fields that RFC 5322 3.6 allows once; two of them let two readers see two messages. From has a rule of its own. */
const ONCE = ['date', 'sender', 'reply-to', 'to', 'cc', 'subject', 'message-id'];

/** Is the header one that a mail program could have written? */
export const headers = definePlugin({
  name: 'headers',
  doc: 'Looks at the shape of the header: From and Date, fields that may stand only once, lines that are no fields, size.',
  tier: 'local',
  rules: {
    HEADER_FROM_MANY: { doc: 'More than one From field.' },
    HEADER_FROM_MISSING: { doc: 'No From field.' },
    HEADER_DATE_MISSING: { doc: 'No Date field.' },
    HEADER_NO_COLON: { doc: 'A line in the header is neither a field nor the continuation of one.' },
    HEADER_FORGED_TRUST: {
      doc: 'Fields that only we may write stand in a message that passes untouched (QMAILQUEUE); of several, the topmost are ours. Over SMTP they are taken out, and this never hits.',
    },
    HEADER_TOO_BIG: {
      doc: 'The header is larger than `headerbytes` or has more fields than `headerfields`.',
    },
    HEADER_UNIQUE_TWICE: { doc: 'A field that may stand only once stands there twice (RFC 5322 3.6).' },
  },
  settings: ['headerbytes', 'headerfields', 'me'],
  onError: 'continue',
  sparesRelayClients: true,
  message({ message }, { settings, origin }) {
    const header = headerFields(message.header, settings.headerfields);
    const findings: Finding<Rule>[] = [];
    const hit = (rule: Rule, detail: string) => findings.push({ rule, state: 'hit', detail });
    const from = countFields(header, 'from');
    if (message.headerCut || header.cut) {
      const source = origin(message.headerCut ? 'headerbytes' : 'headerfields');
      findings.push({
        rule: 'HEADER_TOO_BIG',
        state: 'hit',
        detail: `${header.fields.length} fields looked at`,
        source,
      });
    }
    if (from > 1) hit('HEADER_FROM_MANY', `${from} From fields`);
    if (from === 0) hit('HEADER_FROM_MISSING', 'no From field');
    if (countFields(header, 'date') === 0) hit('HEADER_DATE_MISSING', 'no Date field');
    const twice = ONCE.filter(name => countFields(header, name) > 1);
    if (twice.length > 0) hit('HEADER_UNIQUE_TWICE', twice.join(' '));
    const forged = forgedTrustHeaders(header, settings.me).map(cut => cut.name);
    if (forged.length > 0) hit('HEADER_FORGED_TRUST', [...new Set(forged)].join(' ').slice(0, 200));
    const odd = countFields(header, '');
    if (odd > 0) hit('HEADER_NO_COLON', `${odd} lines`);
    return findings.length > 0 ? findings : [{ rule: 'HEADER_FROM_MISSING', state: 'pass' }];
  },
});
