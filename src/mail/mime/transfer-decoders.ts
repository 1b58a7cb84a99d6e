import { Base64Decoder } from './base64-decoder.ts';
import type { DecodedSink, Decoder } from './decoder.ts';
import { QuotedPrintableDecoder } from './quoted-printable-decoder.ts';

/** Encodings that change bytes. What is not one of these is read as it stands. */
export type Coding = 'none' | 'base64' | 'quoted-printable';

/** How a reader may understand a Content-Transfer-Encoding field. */
export interface EncodingReading {
  /** As shown: the first word, lower case. */
  readonly name: string;
  /** The most plausible first. */
  readonly codings: readonly Coding[];
  /** It is one of those that RFC 2045 6 or common use defines, written as it should be. */
  readonly known: boolean;
}

const AS_IT_STANDS = ['7bit', '8bit', 'binary', ''];
const UUENCODE = ['x-uuencode', 'uuencode', 'x-uue', 'uue'];

/**
 * Reads a Content-Transfer-Encoding (a byte string, unfolded). Well formed: one reading. Else (`base64;`, `"base64"`,
 * `base 64`, `x-base64`) also the readings of those who look for the word anywhere and of those who do not know it.
 */
export function readEncoding(value: string): EncodingReading {
  const plain = value.trim().toLowerCase();
  if (plain === 'base64' || plain === 'quoted-printable')
    return { name: plain, codings: [plain], known: true };
  if (AS_IT_STANDS.includes(plain)) return { name: plain, codings: ['none'], known: true };
  // Uuencoded bodies say so themselves: whoever reads text finds them.
  if (UUENCODE.includes(plain)) return { name: plain, codings: ['none'], known: true };
  const word = plain.replaceAll(/\([^()]*\)/g, ' ').trim();
  const commented = word === 'base64' || word === 'quoted-printable' || AS_IT_STANDS.includes(word);
  const letters = plain.replaceAll(/[^a-z0-9]/g, '');
  const name = /[\w-]+/.exec(word)?.[0] ?? plain.slice(0, 60);
  const codings: Coding[] = [];
  if (letters.includes('base64')) codings.push('base64');
  if (letters.includes('quotedprintable')) codings.push('quoted-printable');
  codings.push('none');
  return { name, codings, known: commented };
}

/**
 * A decoder for `coding` that hands what it decodes to `emit`; null for what stands as it is. `nests`: `emit` may lead to
 * another decoder.
 */
export function openDecoder(
  coding: Coding,
  emit: DecodedSink,
  stopsAtPadding: boolean,
  nests: boolean,
): Decoder | null {
  if (coding === 'base64') return new Base64Decoder(emit, stopsAtPadding, nests);
  return coding === 'quoted-printable' ? new QuotedPrintableDecoder(emit, nests) : null;
}
