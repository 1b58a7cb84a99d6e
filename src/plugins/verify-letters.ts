/** What a string of letters says about a result. */
export interface LetterVerdict {
  /** In upper case. */
  readonly letter: string;
  /** Upper case in the setting: refuse for good; lower case: for now. */
  readonly permanent: boolean;
}

/**
 * Looks up results (upper-case letters) in the letters of DKVERIFY or DKIMVERIFY; null when none of them is there. Upper
 * case wins over lower case, whatever their order (qmail-dk 0.54).
 */
export function judgedByLetters(results: string, letters: string): LetterVerdict | null {
  const permanent = results.split('').find(letter => letters.includes(letter));
  if (permanent !== undefined) return { letter: permanent, permanent: true };
  const temporary = results.split('').find(letter => letters.includes(letter.toLowerCase()));
  return temporary === undefined ? null : { letter: temporary, permanent: false };
}
