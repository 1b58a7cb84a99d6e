const HEADER = 2048;

/** A cdb file that cannot be read any further: cut short, or with an offset that points outside of it. */
export class CdbError extends Error {
  override readonly name = 'CdbError';
}

/**
 * A constant database as D. J. Bernstein's cdb 0.75 writes it (reference: the cdb specification; ucspi-tcp 0.88
 * cdb.c). Every position in the file is checked before it is used, so that a damaged file ends in a CdbError and never
 * in a loop or a read outside of the file.
 */
export class Cdb {
  readonly #bytes: Buffer;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Takes the bytes of a whole file, which must not change afterwards. Throws CdbError when the header is cut short. */
  static parse(bytes: Buffer): Cdb {
    if (bytes.length < HEADER) {
      throw new CdbError(`not a cdb file: ${bytes.length} bytes, and its header alone is ${HEADER}`);
    }
    return new Cdb(bytes);
  }

  /**
   * The value of the first record with this key (a string is latin1), or null. Throws CdbError when the search leads
   * to a damaged place.
   */
  find(key: Buffer | string): Buffer | null {
    const wanted = typeof key === 'string' ? Buffer.from(key, 'latin1') : key;
    const hash = cdbHash(wanted);
    const { position, slots } = this.#table(hash & 0xff);
    if (slots === 0) return null;
    let slot = (hash >>> 8) % slots;
    for (let tried = 0; tried < slots; tried++) {
      const at = position + slot * 8;
      const record = this.#bytes.readUInt32LE(at + 4);
      if (record === 0) return null;
      if (this.#bytes.readUInt32LE(at) === hash) {
        const [found, value] = this.#record(record, this.#bytes.length);
        if (found.equals(wanted)) return value;
      }
      slot = slot + 1 === slots ? 0 : slot + 1;
    }
    return null;
  }

  /** All records in file order, duplicates included. Throws CdbError on the way when the file is damaged. */
  *entries(): Generator<[key: Buffer, value: Buffer], void, void> {
    const end = this.#endOfRecords();
    let at = HEADER;
    while (at < end) {
      const [key, value] = this.#record(at, end);
      yield [key, value];
      at += 8 + key.length + value.length;
    }
  }

  /** The hash tables follow the records, so the first of them ends the records. Empty tables have no true position. */
  #endOfRecords(): number {
    let end = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 256; i++) {
      const { position, slots } = this.#table(i);
      if (slots > 0 && position < end) end = position;
    }
    return end === Number.POSITIVE_INFINITY ? HEADER : end;
  }

  #table(index: number): { position: number; slots: number } {
    const position = this.#bytes.readUInt32LE(index * 8);
    const slots = this.#bytes.readUInt32LE(index * 8 + 4);
    if (slots > 0 && (position < HEADER || position + slots * 8 > this.#bytes.length)) {
      throw new CdbError(
        `damaged cdb file: hash table ${index} (${slots} slots at byte ${position}) lies outside of its ${this.#bytes.length} bytes`,
      );
    }
    return { position, slots };
  }

  #record(at: number, end: number): [key: Buffer, value: Buffer] {
    if (at < HEADER || at + 8 > end) {
      throw new CdbError(
        `damaged cdb file: a record at byte ${at} lies outside of bytes ${HEADER} to ${end}`,
      );
    }
    const value = at + 8 + this.#bytes.readUInt32LE(at);
    const next = value + this.#bytes.readUInt32LE(at + 4);
    if (next > end) {
      throw new CdbError(
        `damaged cdb file: the record at byte ${at} ends at byte ${next}, after byte ${end}`,
      );
    }
    return [this.#bytes.subarray(at + 8, value), this.#bytes.subarray(value, next)];
  }
}

function cdbHash(key: Buffer): number {
  let hash = 5381;
  for (const byte of key) hash = ((hash << 5) + hash) ^ byte;
  return hash >>> 0;
}
