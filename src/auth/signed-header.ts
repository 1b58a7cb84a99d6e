import type { BodyCanonicalization } from '../mail/body-hash.ts';
import type { HeaderField, HeaderFields } from '../mail/header.ts';
import { trimmed } from './tag-list.ts';

/**
 * The header of a message as signatures see it (RFC 6376 3.4.1, 3.4.2, 5.4.2). Fields are brought into relaxed form once,
 * however many signatures cover them.
 */
export class SignedHeader {
  readonly #header: HeaderFields;
  /** By the field's place. */
  readonly #relaxed = new Map<number, string>();
  /** Fields of a name, from the bottom up. */
  readonly #named = new Map<string, HeaderField[]>();

  constructor(header: HeaderFields) {
    this.#header = header;
    for (let i = header.fields.length - 1; i >= 0; i--) {
      const field = header.fields[i] as HeaderField;
      const same = this.#named.get(field.name);
      if (same === undefined) this.#named.set(field.name, [field]);
      else same.push(field);
    }
  }

  /** How many fields are called `name` (lower case). */
  count(name: string): number {
    return this.#named.get(name)?.length ?? 0;
  }

  /** The fields called `name` (lower case), from the bottom up. */
  named(name: string): readonly HeaderField[] {
    return this.#named.get(name) ?? [];
  }

  /** The fields that `h=` names, from the bottom up for each name, in canonical form, each with its CRLF. */
  signed(names: readonly string[], canonicalization: BodyCanonicalization): string {
    const used = new Map<string, number>();
    let text = '';
    for (const name of names) {
      const index = used.get(name) ?? 0;
      const field = this.#named.get(name)?.[index];
      // One that is not there counts as empty: so it cannot be added later (5.4).
      if (field === undefined) continue;
      used.set(name, index + 1);
      text += `${this.canonical(field, canonicalization)}\r\n`;
    }
    return text;
  }

  /** One field in canonical form, without its final CRLF. A byte string. */
  canonical(field: HeaderField, canonicalization: BodyCanonicalization): string {
    if (canonicalization === 'simple') return this.#raw(field);
    let text = this.#relaxed.get(field.start);
    if (text === undefined) this.#relaxed.set(field.start, (text = relaxedField(this.#raw(field))));
    return text;
  }

  /** The signature's own field in canonical form, without what stands behind `b=` (3.7). */
  unsigned(field: HeaderField, canonicalization: BodyCanonicalization): string {
    const bare = withoutSignature(this.#raw(field));
    return canonicalization === 'simple' ? bare : relaxedField(bare);
  }

  /** What stands behind the colon, folded as it came. */
  value(field: HeaderField): string {
    return this.#header.block.toString('latin1', field.valueStart, field.end);
  }

  #raw({ start, end }: HeaderField): string {
    const raw = this.#header.block.toString('latin1', start, end);
    return raw.endsWith('\r\n') ? raw.slice(0, -2) : raw;
  }
}

/** A field, `Name: value` without its final CRLF, in relaxed form (RFC 6376 3.4.2). */
export function relaxedField(raw: string): string {
  const colon = raw.indexOf(':');
  const name = withoutBlanks(raw.slice(0, colon)).toLowerCase();
  const unfolded = raw.slice(colon + 1).replaceAll('\r\n', '');
  const value = /[\t ]{2}|\t/.test(unfolded) ? unfolded.replace(/[\t ]+/g, ' ') : unfolded;
  return `${name}:${value.slice(value.startsWith(' ') ? 1 : 0, value.endsWith(' ') ? -1 : undefined)}`;
}

/** Blanks at the end of a field's name. */
function withoutBlanks(name: string): string {
  let end = name.length;
  while (end > 0 && (name[end - 1] === ' ' || name[end - 1] === '\t')) end--;
  return name.slice(0, end);
}

/** A signature field with an empty `b=`. */
function withoutSignature(raw: string): string {
  const colon = raw.indexOf(':') + 1;
  let equals = -1;
  for (let from = colon; from < raw.length; ) {
    const semicolon = raw.indexOf(';', from);
    const end = semicolon < 0 ? raw.length : semicolon;
    if (equals < from) equals = raw.indexOf('=', from);
    if (equals < 0) return raw;
    if (equals < end && trimmed(raw.slice(from, equals)) === 'b')
      return raw.slice(0, equals + 1) + raw.slice(end);
    from = end + 1;
  }
  return raw;
}
