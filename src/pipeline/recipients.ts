import type { Effective } from '../control/effective.ts';
import type { Address } from '../model/address.ts';
import { address } from '../model/address.ts';
import type { HopAnswer } from '../model/delivery.ts';
import type { RecordedFinding } from '../model/finding.ts';
import type { Verdict } from '../model/verdict.ts';

/** One accepted recipient of a transaction. */
export interface AcceptedRecipient {
  readonly recipient: Address;
  /** As it goes to the next hop: RELAYCLIENT's suffix appended. */
  readonly forwarded: Address;
  readonly effective: Effective;
  /** The verdict at RCPT: continue, quarantine or discard. */
  readonly verdict: Verdict;
  readonly findings: readonly RecordedFinding[];
  /** What the next hop said to the recipient. */
  readonly answer: HopAnswer;
}

/**
 * The recipient that is meant: `user@[our own address]` becomes `user@LOCALIPHOST` (control-files.md 3), and a
 * recipient without domain gets ENVNOATHOST, as qmail-send would do after qmail-smtpd had accepted it.
 */
export function meantRecipient(
  said: Address,
  effective: Effective,
  isOwnAddress: (ip: string) => boolean,
): Address {
  const { localiphost, envnoathost, me } = effective.values;
  if (said.domain === '') {
    return said.text.includes('@') || said.text === '' ? said : address(`${said.text}@${envnoathost ?? me}`);
  }
  const literal = /^\[(?:ipv6:)?([0-9a-f.:]+)\]$/.exec(said.domain);
  if (literal?.[1] && isOwnAddress(literal[1])) return address(`${said.local}@${localiphost ?? me}`);
  return said;
}
