export type SigningAlgorithm = 'rsa-sha256' | 'ed25519-sha256';

/** How DKIM signatures are made: DKIMSIGNOPTIONS, DKIMIDENTITY and DKIMEXPIRE taken together. */
export interface DkimSignOptions {
  readonly header: 'simple' | 'relaxed';
  readonly body: 'simple' | 'relaxed';
  /** What was asked for: a key of the other type signs with its own. */
  readonly algorithm: SigningAlgorithm;
  /** Seconds from signing to `x=`; null: no `x=`. */
  readonly expireSeconds: number | null;
  /** `i=`; null: none. */
  readonly identity: string | null;
  /** Whether there is a `t=`. */
  readonly timestamp: boolean;
  /** Whether there is a `q=dns/txt`. */
  readonly queryMethod: boolean;
}

/** What qmail-dkim does without any option; a signature is good for a week. */
export const DKIM_SIGN_DEFAULTS: DkimSignOptions = {
  header: 'relaxed',
  body: 'relaxed',
  algorithm: 'rsa-sha256',
  expireSeconds: 604_800,
  identity: null,
  timestamp: false,
  queryMethod: false,
};

/** What a client's variables, or a line of dkimkeys, say of signatures; what is absent is left to others. */
export interface DkimSignWords {
  readonly options?: DkimSignOptions;
  /** Null, an empty DKIMIDENTITY, changes nothing. */
  readonly identity?: string | null;
  readonly expireSeconds?: number | null;
  /** DKIMSIGNEXTRA: path of the key of a second signature. */
  readonly extraKey?: string;
  /** DKIMSIGNOPTIONSEXTRA: how that one is made. */
  readonly extraOptions?: DkimSignOptions;
}

/**
 * The options in force, as variables in qmail-dkim's environment would have it: a line of dkimkeys replaces the client's
 * variables one by one, and then identity and expiry replace those among the options.
 */
export function dkimSignOptions(client: DkimSignWords, line: DkimSignWords = {}): DkimSignOptions {
  const words = { ...client, ...line };
  const options = words.options ?? DKIM_SIGN_DEFAULTS;
  return {
    ...options,
    identity: words.identity ?? options.identity,
    expireSeconds: words.expireSeconds === undefined ? options.expireSeconds : words.expireSeconds,
  };
}

/** A line that says which key signs for a domain. */
export interface SigningKeyLine {
  /** Path of the key; its last component is the selector, a `%` in it stands for the domain. */
  readonly path: string;
  /** `d=` of the signatures; null: the domain itself. */
  readonly signsAs: string | null;
  /** What its variables say. */
  readonly words: DkimSignWords;
  /** `file:line`. */
  readonly place: string;
}

/** What a message is to be signed with. */
export interface SigningOrder {
  /** DKIMSIGN: path of a key, `%` stands for the domain; null: none. */
  readonly dkimSign: string | null;
  /** control/dkimkeys, whose lines come first; null: there is no such file. */
  readonly dkimKeys: { find(domain: string): SigningKeyLine | null } | null;
  readonly words: DkimSignWords;
  /** Fields that are not signed, lower case. */
  readonly excluded: ReadonlySet<string>;
  /** DKSIGN: path of the key for DomainKeys; null: none. */
  readonly dkSign: string | null;
  /** With the Comment field of qmail-dk. */
  readonly dkComment: boolean;
}

/** One signature, or why there is none. */
export type SigningResult =
  | {
      readonly kind: 'signed';
      readonly protocol: 'DKIM' | 'DomainKeys';
      readonly domain: string;
      readonly selector: string;
      /** What is worth telling besides: a key that everybody can read. */
      readonly note: string;
    }
  /** By design: there is no key for this domain, it is signed already. */
  | { readonly kind: 'unsigned'; readonly protocol: 'DKIM' | 'DomainKeys'; readonly why: string }
  /** The message cannot be signed: it has no From, or several. */
  | { readonly kind: 'malformed'; readonly protocol: 'DKIM' | 'DomainKeys'; readonly why: string }
  /** A key was named and cannot be used. */
  | { readonly kind: 'trouble'; readonly protocol: 'DKIM' | 'DomainKeys'; readonly why: string };

/** What came of an order. */
export interface SigningOutcome {
  /** The signatures, CRLF lines, for the place directly above the message. */
  readonly fields: string;
  readonly results: readonly SigningResult[];
}
