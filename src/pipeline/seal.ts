import type { SettingValues } from '../control/settings.ts';
import type { ArcOutcome } from '../model/authentication.ts';
import type { RecordedFinding } from '../model/finding.ts';
import type { Message } from '../model/message.ts';
import { authResults } from './authentication-results.ts';
import type { Services } from './run-stage.ts';

/** The ARC set of a message, and what the record says of it. */
export interface Sealed {
  /** CRLF lines; `''`: none. */
  readonly fields: string;
  readonly finding: RecordedFinding;
}

/**
 * Seals a message that goes on, with what the checks found. A seal that cannot be made is told and holds nothing up: the
 * message is worth as much without it.
 */
export async function sealed(
  message: Message,
  findings: Iterable<RecordedFinding>,
  chain: () => Promise<ArcOutcome>,
  { arcseal, me, headerfields }: SettingValues,
  services: Services,
): Promise<Sealed | null> {
  if (arcseal === null) return null;
  const about = { rule: 'ARC', stage: 'message', plugin: 'arc', ms: 0 } as const;
  const failed = (why: string): Sealed => ({
    fields: '',
    finding: { ...about, state: 'error', detail: `not sealed: ${why}` },
  });
  try {
    const { domain, path } = arcseal;
    const results = authResults(findings);
    const order = { authservId: me, results, chain: await chain(), domain, path, headerFields: headerfields };
    const outcome = await services.seal(message, order);
    if ('trouble' in outcome) return failed(outcome.trouble);
    const { fields } = outcome;
    const detail = fields === '' ? 'not sealed: the chain is not to be continued' : `sealed: d=${domain}`;
    return { fields, finding: { ...about, state: 'pass', value: domain, detail } };
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
}
