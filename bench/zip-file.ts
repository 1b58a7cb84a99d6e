import { crc32, deflateRawSync } from 'node:zlib';

/** A file to be packed; its name is ASCII. */
export interface ZipEntry {
  readonly name: string;
  readonly bytes: Buffer;
}

/** A zip file with `entries`, deflated, as ordinary programs write them (APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16). */
export function zipFile(entries: readonly ZipEntry[]): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes } of entries) {
    const packed = deflateRawSync(bytes);
    const common = entryFields(name, bytes, packed.length);
    const header = Buffer.concat([signature('PK\x03\x04'), common, Buffer.from(name)]);
    local.push(header, packed);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    central.push(signature('PK\x01\x02'), Buffer.from([20, 0]), common, rest, Buffer.from(name));
    offset += header.length + packed.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...local, directory, signature('PK\x05\x06'), end]);
}

function signature(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** What a local header and one of the central directory have in common: version needed to length of the extra field. */
function entryFields(name: string, bytes: Buffer, packed: number): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt16LE(8, 4);
  // 1 January 2026.
  fields.writeUInt16LE(((2026 - 1980) << 9) | (1 << 5) | 1, 8);
  fields.writeUInt32LE(crc32(bytes), 10);
  fields.writeUInt32LE(packed, 14);
  fields.writeUInt32LE(bytes.length, 18);
  fields.writeUInt16LE(name.length, 22);
  return fields;
}
