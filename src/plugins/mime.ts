import type { Finding } from '../model/finding.ts';
import type { AnomalyName, MimeFacts } from '../model/mime.ts';
import { ANOMALIES } from '../model/mime.ts';
import type { RuleInfo } from '../model/plugin.ts';
import { definePlugin } from './define.ts';

const RULES = Object.fromEntries(
  Object.entries(ANOMALIES).map(([rule, doc]): [string, RuleInfo] => [rule, { doc }]),
) as Readonly<Record<AnomalyName, RuleInfo>>;

/** Is the message one that every reader takes apart in the same way? */
export const mime = definePlugin({
  name: 'mime',
  doc: 'Reports what is odd about the MIME structure, the encodings and the file names of a message, each oddity as a rule.',
  tier: 'local',
  rules: RULES,
  settings: ['mimedepth', 'mimeparts'],
  onError: 'continue',
  sparesRelayClients: false,
  message(facts) {
    const read = facts.mime();
    return read instanceof Promise ? read.then(findings) : findings(read);
  },
});

/** The first of each kind, with a word on how many more there are. */
function findings({ anomalies }: MimeFacts): readonly Finding<AnomalyName>[] {
  if (anomalies.length === 0) return [{ rule: 'MIME_TYPE_INVALID', state: 'pass' }];
  return [...Map.groupBy(anomalies, anomaly => anomaly.rule)].map(([rule, [first, ...others]]) => {
    const more = others.length > 0 ? ` (and ${others.length} more)` : '';
    return { rule, state: 'hit', detail: `part ${first?.place ?? '?'}: ${first?.detail ?? ''}${more}` };
  });
}
