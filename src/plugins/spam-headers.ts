import type { SpamOutcome } from '../model/scan.ts';

/** SpamAssassin caps its stars here, too. */
const MAX_STARS = 50;

/** Bytes of a line (RFC 5322 2.1.1). */
const LINE = 76;

/** Names of rules that are told; the record has all of them. */
const MAX_RULES = 100;

/**
 * The fields that tell whoever sorts the mail what the engine thought of it, in the form of SpamAssassin 4 (`X-Spam-Flag`
 * and `X-Spam-Report` for spam only). CRLF lines of clean bytes.
 */
export function spamHeaders(outcome: SpamOutcome & { readonly kind: 'scored' }): string {
  const { marked: spam, score, threshold, scanner } = outcome;
  const rules = outcome.rules.slice(0, MAX_RULES).map(rule => rule.replace(/[^\x21-\x2b\x2d-\x7e]/g, '?'));
  const one = (value: number) => value.toFixed(1);
  const word = spam ? 'Yes' : 'No';
  const stars = '*'.repeat(Math.max(0, Math.min(MAX_STARS, Math.floor(score))));
  const lines = [
    ...(spam ? ['X-Spam-Flag: YES'] : []),
    `X-Spam-Score: ${one(score)}`,
    `X-Spam-Level: ${stars}`,
    folded(
      `X-Spam-Status: ${word}, score=${one(score)} required=${one(threshold)} tests=`,
      rules,
      ` scanner=${scanner.replace(/[^\x21-\x7e]/g, '?').slice(0, 60)}`,
    ),
    ...(spam ? [folded(`X-Spam-Report: ${one(score)} points, ${one(threshold)} required: `, rules, '')] : []),
  ];
  return lines.map(line => `${line}\r\n`).join('');
}

/** `head`, the words joined by commas, `tail`, on lines that are not too long. */
function folded(head: string, words: readonly string[], tail: string): string {
  let text = head;
  let column = head.length;
  for (const [i, word] of (words.length === 0 ? ['none'] : words).entries()) {
    const piece = i < words.length - 1 ? `${word},` : word;
    if (column + piece.length > LINE && i > 0) {
      text += '\r\n\t';
      column = 8;
    }
    text += piece;
    column += piece.length;
  }
  if (tail === '') return text;
  return column + tail.length > LINE ? `${text}\r\n\t${tail.trimStart()}` : text + tail;
}
