/** Results of a signature, in the words of RFC 8601 2.7.1; no signature at all is `none`, and no entry. */
export const SIGNATURE_RESULTS = ['pass', 'fail', 'policy', 'neutral', 'temperror', 'permerror'] as const;

export type SignatureResult = (typeof SIGNATURE_RESULTS)[number];

/**
 * What is wrong with a signature that did not pass, in terms that the letters of DKIMVERIFY and DKVERIFY can be mapped
 * from; `none` for one that did.
 */
export type SignatureFault =
  | 'none'
  /** It passes, but the body goes on behind its `l=`. */
  | 'extra body'
  /** The header does not verify. */
  | 'signature'
  | 'body hash'
  | 'syntax'
  | 'version'
  | 'algorithm'
  | 'expired'
  /** `d=`, `i=`, From and Sender do not go together. */
  | 'identity'
  | 'from not signed'
  /** The key cannot be looked up for the time being. */
  | 'dns'
  | 'no key'
  | 'bad key'
  | 'revoked'
  /** `g=` of the key does not match. */
  | 'granularity'
  /** The key is too short, or too long to be worth the time. */
  | 'key size'
  /** Of DomainKeys and DKIM: nothing was looked at, the budget of look-ups is used up. */
  | 'budget';

/** What came of one signature. Strings from the message are byte strings. */
export interface SignatureOutcome {
  readonly result: SignatureResult;
  readonly fault: SignatureFault;
  /** `d=`, lower case; `''` when there is none. */
  readonly domain: string;
  /** `s=`. */
  readonly selector: string;
  /** `i=`, or what stands for it (`@` and the domain). */
  readonly identity: string;
  /** `a=`, lower case. */
  readonly algorithm: string;
  /** Bits of the key; null when it was not found. */
  readonly bits: number | null;
  /** The first 8 characters of `b=`, which tell signatures apart in results (RFC 6008). */
  readonly tag: string;
  /** The key is marked as one for tests (`t=y`). */
  readonly testing: boolean;
  /** For the operator: what was found, or what is wrong. */
  readonly detail: string;
}

/** What came of the DKIM signatures of a message. */
export interface DkimOutcome {
  /** From the top of the header on. */
  readonly signatures: readonly SignatureOutcome[];
  /** Signatures beyond the limit, which nobody looked at. */
  readonly ignored: number;
  /** DNS questions with their answers, shortened. */
  readonly lookups: readonly string[];
}

/** What came of the DomainKey-Signature of a message (RFC 4870); null: it has none. */
export interface DomainKeysOutcome {
  readonly signature: SignatureOutcome | null;
  readonly lookups: readonly string[];
}

/** What a domain owner asks for (RFC 9989 4.7). */
export type DmarcPolicy = 'none' | 'quarantine' | 'reject';

export interface DmarcOutcome {
  readonly result: 'none' | 'pass' | 'fail' | 'temperror' | 'permerror';
  /** The author domain that decided, lower case; `''` when there is none. */
  readonly domain: string;
  /** The policy for this domain, after `sp` and `np`; null without a record. */
  readonly policy: DmarcPolicy | null;
  /** What the policy comes to: with `t=y`, one step milder. Of a message that does not fail: `none`. */
  readonly disposition: DmarcPolicy;
  /** Where the record was found, `_dmarc.example.com`; null without one. */
  readonly source: string | null;
  /** For the operator: what is aligned with what, or what is wrong. */
  readonly detail: string;
  readonly lookups: readonly string[];
}

/** What came of the ARC chain of a message (RFC 8617 5.2). */
export interface ArcOutcome {
  readonly result: 'none' | 'pass' | 'fail' | 'temperror';
  /** Sets in the chain. */
  readonly instances: number;
  /** The sets of a chain that passes, the oldest first: who sealed (`d=`), and the results he saw (without `i=`). */
  readonly sets: readonly { readonly sealer: string; readonly results: string }[];
  /** `d=` and `s=` of the newest seal. */
  readonly domain: string;
  readonly selector: string;
  readonly detail: string;
  readonly lookups: readonly string[];
}

/** ... in the words of qmail-dk. */
export interface DomainKeysVerdict extends DomainKeysOutcome {
  /** The DKVERIFY letter, upper case. */
  readonly letter: string;
  /** The text of a DomainKey-Status field. */
  readonly status: string;
}

/** What DMARC says about all authors of a message. */
export interface AuthorsOutcome extends DmarcOutcome {
  /** The domains in its From fields; one in honest mail. */
  readonly authors: readonly string[];
}

/** The signatures of a message as it was received. Each answer is found once, for the first who asks; it rejects when the message cannot be read. */
export interface MessageAuthentication {
  dkim(): Promise<DkimOutcome>;
  domainKeys(): Promise<DomainKeysVerdict>;
  arc(): Promise<ArcOutcome>;
  /** Asks for SPF and DKIM, too. */
  dmarc(): Promise<AuthorsOutcome>;
}
