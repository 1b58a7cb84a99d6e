/** The fields of a part's header that say what the part is. */
export type ContentFieldName =
  | 'content-type'
  | 'content-transfer-encoding'
  | 'content-disposition'
  | 'content-description'
  | 'content-location';

const NAMES: ReadonlySet<string> = new Set<ContentFieldName>([
  'content-type',
  'content-transfer-encoding',
  'content-disposition',
  'content-description',
  'content-location',
]);

/** One of them, as a byte string: unfolded, without blanks around it. */
export interface ContentField {
  readonly name: ContentFieldName;
  readonly value: string;
}

interface Place {
  readonly name: ContentFieldName;
  readonly valueStart: number;
  end: number;
}

const COLON = 58;
const SPACE = 0x20;
const TAB = 0x09;
const DEL = 0x7f;
/** 'c' with the bit set that makes letters lower case. */
const LOWER_C = 0x63;

/** Bytes looked at of one field: parameters are not read any further either. */
const MAX_VALUE = 65_536;

/** No field name that matters here is longer. */
const MAX_NAME = 64;

/** Takes the header of one part line by line; keeps nothing but positions. */
export class PartHeader {
  /** Fields so far. */
  fields = 0;
  /**
   * Offset of the first line at which some readers end the header, though it is not empty: it is no field, or nothing
   * but blanks. -1: none.
   */
  doubtfulAt = -1;
  /** The first line that is no field, -1: none. */
  noColonAt = -1;
  readonly #places: Place[] = [];
  #open: Place | null = null;

  /** No field of interest was seen. */
  get empty(): boolean {
    return this.#places.length === 0;
  }

  /**
   * The next line: `bytes` from `start` to `end` without its line end. All offsets are in the coordinates of `bytes`
   * minus `origin`, where the header begins.
   */
  line(bytes: Buffer, start: number, end: number, origin: number): void {
    const first = bytes[start] as number;
    if (first === SPACE || first === TAB) {
      if (onlyBlanks(bytes, start, end)) this.#doubt(start - origin);
      else if (this.fields === 0) this.#noField(start - origin);
      if (this.#open !== null) this.#open.end = end - origin;
      return;
    }
    this.#open = null;
    const colon = colonOf(bytes, start, end);
    if (colon < 0) {
      if (onlyCarriageReturns(bytes, start, end)) return this.#doubt(start - origin);
      if (start === origin && isMboxFrom(bytes, start, end)) return;
      this.#noField(start - origin);
      return this.#damagedName(bytes, start, end, origin);
    }
    this.fields++;
    if ((first | 0x20) !== LOWER_C || colon - start > MAX_NAME) return;
    const name = bytes.toString('latin1', start, colon).trimEnd().toLowerCase();
    this.#add(name, colon + 1 - origin, end - origin);
  }

  /** The fields of interest, out of the header block that begins at `origin` in `bytes`. */
  contentFields(bytes: Buffer, origin: number): ContentField[] {
    const fields: ContentField[] = [];
    for (const { name, valueStart, end } of this.#places) {
      const limit = Math.min(end, valueStart + MAX_VALUE);
      const raw = bytes.toString('latin1', origin + valueStart, origin + limit);
      const nul = raw.indexOf('\0');
      fields.push({ name, value: unfolded(nul < 0 ? raw : raw.replaceAll('\0', '')) });
      // Readers written in C stop there.
      if (nul >= 0) fields.push({ name, value: unfolded(raw.slice(0, nul)) });
    }
    return fields;
  }

  #add(name: string, valueStart: number, end: number): void {
    if (!NAMES.has(name)) return;
    this.#open = { name: name as ContentFieldName, valueStart, end };
    this.#places.push(this.#open);
  }

  /** `Content-Type` with a NUL, a blank or a byte order mark in its name: some readers know it all the same. */
  #damagedName(bytes: Buffer, start: number, end: number, origin: number): void {
    const colon = bytes.subarray(start, Math.min(end, start + MAX_NAME)).indexOf(COLON);
    if (colon < 0) return;
    const name = bytes
      .toString('latin1', start, start + colon)
      .toLowerCase()
      .replaceAll(/[^a-z-]/g, '');
    this.#add(name, start + colon + 1 - origin, end - origin);
  }

  #noField(at: number): void {
    if (this.noColonAt < 0) this.noColonAt = at;
    this.#doubt(at);
  }

  #doubt(at: number): void {
    if (this.doubtfulAt < 0) this.doubtfulAt = at;
  }
}

/** Offset of the colon behind a well formed field name (RFC 5322 2.2; blanks before the colon as in 4.5.8), or -1. */
function colonOf(bytes: Buffer, start: number, end: number): number {
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte === COLON) return i > start ? i : -1;
    if (byte > SPACE && byte < DEL) continue;
    if (byte !== SPACE && byte !== TAB) return -1;
    let at = i;
    while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
    return bytes[at] === COLON && at < end && i > start ? at : -1;
  }
  return -1;
}

function onlyBlanks(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== SPACE && bytes[i] !== TAB) return false;
  return true;
}

function onlyCarriageReturns(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 13) return false;
  return true;
}

/** What mailboxes and forwarders put in front of a message. */
function isMboxFrom(bytes: Buffer, start: number, end: number): boolean {
  return /^>?From /.test(bytes.toString('latin1', start, Math.min(end, start + 6)));
}

function unfolded(raw: string): string {
  const flat = raw.includes('\n') || raw.includes('\r') ? raw.replaceAll(/\r?\n(?=[ \t])/g, '') : raw;
  return flat.replaceAll(/[\r\n]+/g, ' ').trim();
}
