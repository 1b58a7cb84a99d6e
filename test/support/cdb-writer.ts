const HEADER = 2048;
const LARGEST = 0xffff_ffff;

/**
 * The bytes of a cdb file with these records in this order, byte for byte as cdb 0.75 (and so tcprules) writes it.
 * Throws RangeError when the file would be larger than the format's 4 GiB.
 */
export function writeCdb(records: Iterable<readonly [key: Buffer, value: Buffer]>): Buffer {
  const parts: Buffer[] = [Buffer.alloc(HEADER)];
  const tables: { hash: number; at: number }[][] = Array.from({ length: 256 }, () => []);
  let at = HEADER;
  for (const [key, value] of records) {
    const lengths = Buffer.allocUnsafe(8);
    lengths.writeUInt32LE(key.length, 0);
    lengths.writeUInt32LE(value.length, 4);
    parts.push(lengths, key, value);
    const hash = cdbHash(key);
    tables[hash & 0xff]?.push({ hash, at });
    at += 8 + key.length + value.length;
    if (at > LARGEST) throw new RangeError('a cdb file cannot be larger than 4 GiB');
  }
  const header = parts[0] as Buffer;
  for (const [index, entries] of tables.entries()) {
    const slots = entries.length * 2;
    header.writeUInt32LE(at, index * 8);
    header.writeUInt32LE(slots, index * 8 + 4);
    const table = Buffer.alloc(slots * 8);
    for (const entry of entries) {
      let slot = (entry.hash >>> 8) % slots;
      while (table.readUInt32LE(slot * 8 + 4) !== 0) slot = slot + 1 === slots ? 0 : slot + 1;
      table.writeUInt32LE(entry.hash, slot * 8);
      table.writeUInt32LE(entry.at, slot * 8 + 4);
    }
    parts.push(table);
    at += table.length;
    if (at > LARGEST) throw new RangeError('a cdb file cannot be larger than 4 GiB');
  }
  return Buffer.concat(parts);
}

function cdbHash(key: Buffer): number {
  let hash = 5381;
  for (const byte of key) hash = ((hash << 5) + hash) ^ byte;
  return hash >>> 0;
}
