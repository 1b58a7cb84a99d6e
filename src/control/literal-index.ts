/** No line matches. */
const NONE = Number.POSITIVE_INFINITY;

/**
 * Finds the first of many literal texts that stands in a subject, whole, at its start, at its end or anywhere, without
 * trying them one by one: every form has a Map, asked once for each length that occurs (for "anywhere", at each place).
 */
export class LiteralIndex {
  readonly #whole = new Map<string, number>();
  readonly #starts = new TextsByLength();
  readonly #ends = new TextsByLength();
  readonly #parts = new TextsByLength();

  /** `index` is the place in the list; of equal texts the first counts. */
  add(
    literal: { readonly text: string; readonly start: boolean; readonly end: boolean },
    index: number,
  ): void {
    if (literal.start && literal.end) {
      if (!this.#whole.has(literal.text)) this.#whole.set(literal.text, index);
    } else if (literal.start) this.#starts.add(literal.text, index);
    else if (literal.end) this.#ends.add(literal.text, index);
    else this.#parts.add(literal.text, index);
  }

  /** The smallest index of a text that matches, or Infinity. */
  find(subject: string): number {
    let best = this.#whole.get(subject) ?? NONE;
    for (const length of this.#starts.lengths) best = Math.min(best, this.#starts.at(subject, 0, length));
    for (const length of this.#ends.lengths)
      best = Math.min(best, this.#ends.at(subject, subject.length - length, length));
    for (const length of this.#parts.lengths) {
      for (let from = 0; from + length <= subject.length; from++) {
        best = Math.min(best, this.#parts.at(subject, from, length));
      }
    }
    return best;
  }
}

class TextsByLength {
  readonly #indexes = new Map<string, number>();
  readonly lengths = new Set<number>();

  add(text: string, index: number): void {
    if (this.#indexes.has(text)) return;
    this.#indexes.set(text, index);
    this.lengths.add(text.length);
  }

  /** The index of the text of this length at this place, or Infinity; also where the place is outside of the subject. */
  at(subject: string, from: number, length: number): number {
    if (from < 0 || from + length > subject.length) return NONE;
    return this.#indexes.get(subject.slice(from, from + length)) ?? NONE;
  }
}
