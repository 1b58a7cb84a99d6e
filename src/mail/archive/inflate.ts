import { pipeline, Readable } from 'node:stream';
import { constants, createGunzip, createInflateRaw, inflateRawSync } from 'node:zlib';
import type { InflateRaw } from 'node:zlib';
import type { ArchiveBytes } from './collected-bytes.ts';
import { LEADING_BYTES } from './unpack.ts';

/** Packed bytes that are enough for the leading bytes of an entry; they unpack to a megabyte at most. */
export const PEEK_BYTES = 1024;

/** As many are tried first. */
const FIRST_PEEK = 96;

/** Packed and unpacked no larger than this, data is unpacked at once: cheaper than a stream. Bytes. */
export const AT_ONCE = 64 * 1024;

/** Read, and unpacked, at a time. Bytes. */
const PIECE = 64 * 1024;

/** `length` bytes from `from` on as they are, fewer where the file ends. */
export async function* stored(file: ArchiveBytes, from: number, length: number): AsyncGenerator<Buffer> {
  for (let done = 0; done < length; ) {
    const bytes = await file.read(from + done, Math.min(PIECE, length - done));
    if (bytes.length === 0) return;
    done += bytes.length;
    yield bytes;
  }
}

/** The leading bytes of what `packed`, `PEEK_BYTES` at most, is the beginning of; null when it is no deflated data. */
export function inflatedStart(packed: Buffer): Buffer | null {
  const start = (length: number) =>
    inflateRawSync(packed.subarray(0, length), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(
      0,
      LEADING_BYTES,
    );
  try {
    // Of what is packed very tightly, few bytes are enough, and all of them would be much work.
    const first = start(FIRST_PEEK);
    return first.length === LEADING_BYTES || packed.length <= FIRST_PEEK ? first : start(PEEK_BYTES);
  } catch {
    return null;
  }
}

/** What the whole of `packed` is deflated from, which is said to be `size` bytes; null when that is not so. */
export function inflatedWhole(packed: Buffer, size: number): Buffer | null {
  try {
    // zlib throws beyond the limit: one byte too much is enough to see that the size is wrong.
    const { buffer, engine } = inflateRawSync(packed, {
      maxOutputLength: size + 1,
      info: true,
    }) as unknown as { readonly buffer: Buffer; readonly engine: InflateRaw };
    return buffer.length === size && engine.bytesWritten === packed.length ? buffer : null;
  } catch {
    return null;
  }
}

/**
 * What the `packed` bytes from `at` on are deflated from, `size` bytes as declared. Throws when they are damaged, or end
 * in a place of their own; with `size` null the packer did not know either, and they may.
 */
export async function* inflated(
  file: ArchiveBytes,
  at: number,
  packed: number,
  size: number | null,
): AsyncGenerator<Buffer> {
  if (size !== null && size <= AT_ONCE && packed <= AT_ONCE) {
    const whole = inflatedWhole(await file.read(at, packed), size);
    if (whole === null) throw new Error('not deflated from that many bytes');
    yield whole;
    return;
  }
  const inflate = createInflateRaw({ chunkSize: PIECE });
  // Its errors come out of the iteration below as well.
  pipeline(Readable.from(stored(file, at, packed), { objectMode: false }), inflate, () => undefined);
  yield* inflate as AsyncIterable<Buffer>;
  if (size !== null && inflate.bytesWritten !== packed) throw new Error('deflated data ends too early');
}

/** What a gzip file (RFC 1952), all its members one behind the other, is made from. Throws when it is damaged. */
export async function* gunzipped(file: ArchiveBytes): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: PIECE });
  pipeline(Readable.from(stored(file, 0, file.size), { objectMode: false }), gunzip, () => undefined);
  yield* gunzip as AsyncIterable<Buffer>;
}
