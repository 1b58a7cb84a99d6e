import type { Kind } from './kinds.ts';
import { optionalLine } from './kinds.ts';

/**
 * The letters of DKVERIFY and DKIMVERIFY, one for each status: upper case refuses for good, lower case for now. `''`: verify
 * and only tell; null (`-`): do not verify. Anything but letters is an error: qmail-dk would have ignored it in silence.
 */
export const verifyLetters: Kind<string | null> = {
  ...optionalLine,
  syntax: 'letters, or `-`',
  file: (text, file, complaints) => {
    const parsed = letters((text.split('\n', 1)[0] ?? '').trim());
    if ('value' in parsed) return parsed.value;
    complaints.error(file, 1, parsed.wanted);
    return undefined;
  },
  value: letters,
  show: value => (value === null ? '-' : JSON.stringify(value)),
};

function letters(text: string): { value: string | null } | { wanted: string } {
  if (text === '-') return { value: null };
  if (/^[A-Za-z]*$/.test(text)) return { value: text };
  return { wanted: `"${text}" are no letters such as DEGIJKfh, and not "-"` };
}
