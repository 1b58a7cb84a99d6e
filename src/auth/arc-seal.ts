import type { KeyObject } from 'node:crypto';
import type { ArcOutcome } from '../model/authentication.ts';
import { arcFields, MAX_INSTANCES, sealedText } from './arc-sets.ts';
import type { BodyDigests } from './body-digests.ts';
import { folded, foldedTags, signatureOf, signedFields } from './dkim-sign.ts';
import { relaxedField } from './signed-header.ts';
import type { SignedHeader } from './signed-header.ts';

/** What a seal is to say. */
export interface ArcSealing {
  /** As the message goes on, without the set that is to be made. */
  readonly header: SignedHeader;
  /** `wantSealDigest` was called before they were read. */
  readonly digests: BodyDigests;
  readonly authservId: string;
  /** What was found, on one line of clean bytes, without the authserv-id: `spf=pass ...; dkim=pass ...`; `''`: nothing. */
  readonly results: string;
  /** The chain as the message came with it. */
  readonly chain: ArcOutcome;
  /** RSA or Ed25519. */
  readonly key: KeyObject;
  readonly domain: string;
  readonly selector: string;
  /** Seconds since the epoch. */
  readonly now: number;
}

const LINE = 76;
const NONE: ReadonlySet<string> = new Set();
/** Signatures that others made and that a reader may want to see unharmed; more of them are nobody's. */
const MAX_SIGNATURES = 20;

/** Asks for the hash that a seal needs, before anybody else asks: false when there are too many different ones. */
export function wantSealDigest(digests: BodyDigests): boolean {
  return digests.want('relaxed', Infinity);
}

/**
 * The next ARC set of a message (RFC 8617 5.1) as CRLF lines for the top of its header: ARC-Seal, ARC-Message-Signature,
 * ARC-Authentication-Results. Of a chain that failed it says `cv=fail`, and covers nothing but itself (5.1.2).
 *
 * `''`, when there is nothing to seal: the newest seal says `cv=fail` already (5.1, step 2); the set would be the 51st; or
 * the chain could not be looked at for the time being, and what is not known is not sealed: neither as a pass, nor as a
 * failure, which nobody could undo.
 */
export function sealArc(sealing: ArcSealing): string {
  const { header, chain, key } = sealing;
  const before = arcFields(header);
  const instance = (before?.highest ?? 0) + 1;
  if (chain.result === 'temperror' || before?.sealedAsFailed === true || instance > MAX_INSTANCES) return '';
  const digest = sealing.digests.get('relaxed', Infinity);
  if (digest === null) throw new Error('the body was not hashed for ARC-Message-Signature');

  const algorithm = key.asymmetricKeyType === 'ed25519' ? 'ed25519-sha256' : 'rsa-sha256';
  const sign = (bare: string, covered: string) => {
    const signature = signatureOf(covered + relaxedField(bare), key, algorithm).toString('base64');
    return bare + folded(signature, '', LINE - 4);
  };
  const results = resultsField(instance, sealing.authservId, sealing.results);
  const names = sealedFields(header);
  const message = sign(
    tagField('ARC-Message-Signature', [
      `i=${instance}`,
      `a=${algorithm}`,
      'c=relaxed/relaxed',
      ...keyTags(sealing),
    ]) +
      `;\r\n\th=${folded(names.join(':'), ':', LINE - 4)};` +
      `\r\n\tbh=${digest.sha256.toString('base64')};\r\n\tb=`,
    header.signed(names, 'relaxed'),
  );
  const status = chain.result;
  const sets = before === null || status !== 'pass' || 'why' in before.sets ? [] : before.sets;
  const seal = sign(
    `${tagField('ARC-Seal', [`i=${instance}`, `a=${algorithm}`, `cv=${status}`, ...keyTags(sealing)])};\r\n\tb=`,
    `${sealedText(sets, header).text}${relaxedField(results)}\r\n${relaxedField(message)}\r\n`,
  );
  return [seal, message, results].map(field => `${field}\r\n`).join('');
}

/** The names for `h=`: what DKIM signs, and its signatures (RFC 8617 4.1.2); no ARC field, no Authentication-Results. */
function sealedFields(header: SignedHeader): string[] {
  const signatures = Math.min(header.count('dkim-signature'), MAX_SIGNATURES);
  return [...signedFields(header, NONE), ...Array<string>(signatures).fill('dkim-signature')];
}

function keyTags({ domain, selector, now }: ArcSealing): string[] {
  return [`d=${domain}`, `s=${selector}`, `t=${Math.floor(now)}`];
}

/** `i=` stands first, on the line of the name and before a semicolon: dkimpy looks for it there. */
function tagField(name: string, tags: readonly string[]): string {
  return `${name}: ${foldedTags(tags, name.length + 2)}`;
}

/** Folded behind semicolons, and at blanks where that is not enough. */
function resultsField(instance: number, authservId: string, results: string): string {
  let text = `ARC-Authentication-Results: i=${instance}; ${authservId};`;
  let line = 0;
  for (const result of (results || 'none').split(/(?<=;) /))
    for (const [i, word] of result.split(' ').entries()) {
      const breaks = i === 0 || line + 1 + word.length > LINE;
      line = breaks ? 8 + word.length : line + 1 + word.length;
      text += (breaks ? '\r\n\t' : ' ') + word;
    }
  return text;
}
