/** One field of a header block, by its position: nothing is copied until somebody asks. */
export interface HeaderField {
  /** Lower-case name; `''` for a line that is no field: it has no colon, or a blank in what would be its name. */
  readonly name: string;
  /** Offset of the first byte in the block. */
  readonly start: number;
  /** Offset of the first byte of the value. */
  readonly valueStart: number;
  /** Offset just past the field's final CRLF, folded lines included. */
  readonly end: number;
}

/** The fields of a header block. */
export interface HeaderFields {
  readonly block: Buffer;
  readonly fields: readonly HeaderField[];
  /** There were more fields than the limit; the rest is not in `fields`. */
  readonly cut: boolean;
}

const CR = 13;
const LF = 10;
const COLON = 58;

/** Several checks look at the same header: it is taken apart once. */
const known = new WeakMap<Buffer, HeaderFields>();

/**
 * Finds the fields of a header block (CRLF lines, RFC 5322 2.2) in one pass; asked again for the same block, it gives
 * the same answer at no cost. A line that begins with a blank continues the field before it. Takes any bytes; never
 * throws.
 */
export function headerFields(block: Buffer, maxFields: number): HeaderFields {
  let header = known.get(block);
  if (header === undefined) {
    header = findFields(block, maxFields);
    known.set(block, header);
  }
  return header;
}

function findFields(block: Buffer, maxFields: number): HeaderFields {
  const fields: HeaderField[] = [];
  let start = 0;
  while (start < block.length) {
    if (fields.length >= maxFields) return { block, fields, cut: true };
    const end = fieldEnd(block, start);
    const colon = colonOf(block, start, end);
    fields.push({
      name: colon < 0 ? '' : fieldName(block, start, colon),
      start,
      valueStart: colon < 0 ? start : colon + 1,
      end,
    });
    start = end;
  }
  return { block, fields, cut: false };
}

/** Offset past the CRLF that ends the field: the first one whose next line does not begin with a blank. */
function fieldEnd(block: Buffer, start: number): number {
  let from = start;
  for (;;) {
    const lf = block.indexOf(LF, from);
    if (lf < 0) return block.length;
    const next = block[lf + 1];
    if (next !== 0x20 && next !== 0x09) return lf + 1;
    from = lf + 1;
  }
}

function colonOf(block: Buffer, start: number, end: number): number {
  for (let i = start; i < end; i++) {
    const b = block[i];
    if (b === COLON) return i;
    if (b === LF || b === CR) return -1;
  }
  return -1;
}

/** RFC 5322 4.5 lets old messages have blanks before the colon: they are not part of the name. */
function fieldName(block: Buffer, start: number, colon: number): string {
  let end = colon;
  while (end > start && (block[end - 1] === 0x20 || block[end - 1] === 0x09)) end--;
  const name = block.toString('latin1', start, end).toLowerCase();
  return /[\x00-\x20\x7f-\xff]/.test(name) ? '' : name;
}

/** The value of a field as a byte string: unfolded, outer blanks removed, at most `limit` bytes. */
export function fieldValue(header: HeaderFields, field: HeaderField, limit = 998): string {
  const raw = header.block.toString(
    'latin1',
    field.valueStart,
    Math.min(field.end, field.valueStart + limit),
  );
  return raw.replace(/\r?\n(?=[ \t])/g, '').trim();
}

/** The first field called `name` (lower case), or null. */
export function firstField(header: HeaderFields, name: string): HeaderField | null {
  return header.fields.find(field => field.name === name) ?? null;
}

/** How many fields are called `name` (lower case). */
export function countFields(header: HeaderFields, name: string): number {
  let count = 0;
  for (const field of header.fields) if (field.name === name) count++;
  return count;
}
