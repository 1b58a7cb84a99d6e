import { crc32 } from 'node:zlib';

/** A zip with one file in it, stored (APPNOTE.TXT 6.3.10, 4.3.7, 4.3.12, 4.3.16). `name` is ASCII. */
export function zipOf(name: string, file: Buffer): Buffer {
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  // 1 January 2026; method 0 and time 0 before it.
  common.writeUInt16LE(((2026 - 1980) << 9) | (1 << 5) | 1, 8);
  common.writeUInt32LE(crc32(file), 10);
  common.writeUInt32LE(file.length, 14);
  common.writeUInt32LE(file.length, 18);
  common.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name)]);
  const central = Buffer.concat([
    Buffer.from('PK\x01\x02'),
    Buffer.from([20, 0]),
    common,
    Buffer.alloc(14),
    Buffer.from(name),
  ]);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(1, 4);
  end.writeUInt16LE(1, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(local.length + file.length, 12);
  return Buffer.concat([local, file, central, Buffer.from('PK\x05\x06'), end]);
}
