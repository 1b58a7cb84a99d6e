import type { FileName } from '../../model/mime.ts';

const MAX_FORM = 4096;

/** Characters that turn the direction of writing (Unicode 16, table 4-5 of UAX #9, and the marks). */
const BIDI = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/;

/**
 * Characters that show nothing: controls, zero-width ones, soft hyphen, fillers, tags. Variation selectors are left
 * out, since emoji need them.
 */
const INVISIBLE =
  /[\0-\x08\x0a-\x1f\x7f-\x9f\xad\u{115f}\u{1160}\u{180e}\u{200b}-\u{200d}\u{2060}-\u{2065}\u{206a}-\u{206f}\u{3164}\u{feff}\u{ffa0}\u{fff9}-\u{fffb}\u{e0000}-\u{e007f}]/u;

const SHOWS_NOTHING = new RegExp(`${BIDI.source}|${INVISIBLE.source}|[\ufe00-\ufe0f\t]`, 'gu');

/** The first character that turns the direction of writing, or null. */
export function bidiCharacter(text: string): string | null {
  return BIDI.exec(text)?.[0] ?? null;
}

/**
 * The first invisible character, or null. Joiners where writing needs them do not count: between emoji, and in the
 * scripts of South and West Asia.
 */
export function invisibleCharacter(text: string): string | null {
  const needed =
    /(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f])\u200d(?=\p{Extended_Pictographic})|(?<=[\u0600-\u0dff])[\u200c\u200d]/gu;
  const found = INVISIBLE.exec(text)?.[0] ?? null;
  if (found !== '\u200d' && found !== '\u200c') return found;
  return INVISIBLE.exec(text.replace(needed, ''))?.[0] ?? null;
}

/**
 * What rules compare with: for each name, lower-cased, as it is and as a system might take it when the file is saved
 * or opened: cut at a NUL, without characters that show nothing, compatibility forms folded (NFKC: full-width letters,
 * the one-dot leader), without the folder, without a stream (`a.exe:x`, NTFS), without blanks and dots at its end
 * (Windows drops them). Each form once, at most 4096 characters; `''` is never among them.
 */
export function judgedNames(names: readonly FileName[]): readonly string[] {
  const forms = new Set<string>();
  for (const { text } of names) {
    const whole = text.slice(0, MAX_FORM);
    for (const form of visibleForms(whole)) {
      forms.add(form);
      const bare = form.slice(Math.max(form.lastIndexOf('/'), form.lastIndexOf('\\')) + 1);
      forms.add(trimmed(form)).add(bare).add(trimmed(bare));
      const colon = bare.indexOf(':');
      if (colon > 0) forms.add(trimmed(bare.slice(0, colon)));
    }
  }
  forms.delete('');
  return [...forms];
}

function visibleForms(text: string): readonly string[] {
  const lower = text.toLowerCase();
  if (/^[ -~]*$/.test(lower)) return [lower];
  const nul = text.indexOf('\0');
  const pieces = nul < 0 ? [text] : [text, text.slice(0, nul)];
  const forms = [lower];
  for (const piece of pieces) {
    const visible = piece.replace(SHOWS_NOTHING, '');
    const folded = visible.normalize('NFKC').slice(0, MAX_FORM);
    forms.push(visible.toLowerCase(), folded.toLowerCase());
  }
  return forms;
}

function trimmed(form: string): string {
  let end = form.length;
  while (end > 0 && /[.\s]/.test(form[end - 1] ?? '')) end--;
  return form.slice(0, end).trimStart();
}
