/** One entry of a tar to be written. */
export interface TarWish {
  /** Byte strings. */
  readonly name: string;
  readonly data?: string;
  /** The typeflag; a file without it. */
  readonly kind?: string;
  readonly prefix?: string;
  /** What the header says instead. */
  readonly size?: number;
  /** GNU's way of writing sizes from 8 GiB on. */
  readonly binarySize?: boolean;
  readonly checksum?: 'signed' | 'wrong';
  /** v7: without a magic. */
  readonly old?: boolean;
}

const BLOCK = 512;

/** A tar file (tar(5)) with its end mark, names beyond 100 bytes in GNU's way. */
export function tar(entries: readonly TarWish[]): Buffer {
  const parts = entries.flatMap(entry =>
    entry.name.length > 100
      ? [record({ name: '././@LongLink', kind: 'L', data: `${entry.name}\0` }), record(entry)]
      : [record(entry)],
  );
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

/** The attributes of the next entry, as pax(1) writes them. */
export function pax(attributes: string): TarWish {
  return { name: 'PaxHeaders/0', kind: 'x', data: attributes };
}

function record(entry: TarWish): Buffer {
  const data = Buffer.from(entry.data ?? '', 'latin1');
  const header = Buffer.alloc(BLOCK);
  const size = entry.size ?? data.length;
  header.write(entry.name.slice(0, 100), 0, 'latin1');
  header.write('0000644\0', 100);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  if (entry.binarySize === true) {
    header.fill(0, 124, 136);
    header.writeUInt8(0x80, 124);
    header.writeUInt32BE(size, 132);
  }
  header.write(entry.kind ?? '0', 156, 'latin1');
  if (entry.old !== true) header.write('ustar\x0000', 257, 'latin1');
  header.write(entry.prefix ?? '', 345, 'latin1');
  header.write('        ', 148);
  let sum = 0;
  for (const byte of header) sum += entry.checksum === 'signed' && byte > 127 ? byte - 256 : byte;
  if (entry.checksum === 'wrong') sum++;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]);
}
