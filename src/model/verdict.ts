import type { Reply } from './reply.ts';

/** What a rule does when it hits, as the `actions` file says it. */
export type Action =
  | { readonly kind: 'observe' }
  | { readonly kind: 'tag' }
  | { readonly kind: 'score'; readonly points: number }
  | { readonly kind: 'quarantine' }
  | { readonly kind: 'discard' }
  | { readonly kind: 'defer'; readonly reply: Reply | null }
  | { readonly kind: 'reject'; readonly reply: Reply | null };

/** What we do. A closed union: a new member breaks the build, not the mail. */
export type Verdict =
  | {
      readonly kind: 'continue';
      readonly score: number;
      readonly tags: readonly string[];
      readonly delaySeconds: number;
    }
  | {
      readonly kind: 'quarantine';
      readonly rule: string;
      readonly score: number;
      readonly tags: readonly string[];
    }
  | {
      readonly kind: 'discard';
      readonly rule: string;
      readonly score: number;
      readonly tags: readonly string[];
    }
  | { readonly kind: 'defer'; readonly rule: string; readonly reply: Reply; readonly delaySeconds: number }
  | { readonly kind: 'reject'; readonly rule: string; readonly reply: Reply; readonly delaySeconds: number };

/** True for the verdicts that refuse a client: it is told no, now (reject) or for now (defer). */
export function isRefusal(verdict: Verdict): verdict is Extract<Verdict, { kind: 'defer' | 'reject' }> {
  return verdict.kind === 'defer' || verdict.kind === 'reject';
}
