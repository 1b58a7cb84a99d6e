/** Why an expression does not compile, or cannot be carried over to RE2 with the same meaning. */
export class EreError extends Error {
  override readonly name = 'EreError';
}

/** Places in the subject that an expression can ask for. */
export type EreAnchor = '^' | '$' | '\\b' | '\\B' | '\\<' | '\\>';

/** A piece of an expression. Groups are not kept, as nobody asks what they matched. */
export type EreNode =
  | { readonly kind: 'char'; readonly char: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'set'; readonly members: Uint8Array }
  | { readonly kind: 'anchor'; readonly anchor: EreAnchor }
  | { readonly kind: 'choice'; readonly branches: readonly (readonly EreNode[])[] }
  | {
      readonly kind: 'repeat';
      readonly nodes: readonly EreNode[];
      readonly min: number;
      readonly suffix: string;
    };

/** The word characters of the C locale. */
export function isWord(code: number): boolean {
  return /[A-Za-z0-9_]/.test(String.fromCharCode(code));
}
