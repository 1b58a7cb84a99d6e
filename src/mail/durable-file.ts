import { mkdir, open, rename, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';

/** Makes a directory (0700) and the missing ones above it, durably. Rejects with the system's error. */
export async function makeDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  const above = path.dirname(path.resolve(first));
  for (let at = path.dirname(path.resolve(directory)); at.length >= above.length; at = path.dirname(at)) {
    await syncDirectory(at);
    if (at === path.dirname(at)) break;
  }
}

/**
 * Creates `name`, which must not exist, lets `fill` write it, and brings it to the disk (fsync). The name itself is not
 * durable before the directory is: see `syncDirectory`. Rejects with the system's error; then no file is left.
 */
export async function writeDurably(name: string, fill: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(name, 'wx', 0o600);
  try {
    await fill(file);
    await file.sync();
    await file.close();
  } catch (error) {
    await file.close().catch(() => undefined);
    await remove(name);
    throw error;
  }
}

/** Renames a file that is on the disk; on failure the old name is removed too. Rejects with the system's error. */
export async function moveDurable(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    await remove(from);
    throw error;
  }
}

/** Brings the names in a directory to the disk (fsync(2): the entry of a file is synced with its directory, not with the file). */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes a file if it can be removed; for clearing up after an error, which is the one to report. */
export async function remove(name: string): Promise<void> {
  await unlink(name).catch(() => undefined);
}

/** Writes all of `bytes`; a short write is continued. Rejects with the system's error. */
export async function writeFully(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at);
    if (bytesWritten === 0) throw new Error('the file takes no more bytes');
    at += bytesWritten;
  }
}
