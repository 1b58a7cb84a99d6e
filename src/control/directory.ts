import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Complaints } from './complaints.ts';

/** No control file is anywhere near this; a larger one is a mistake (a log, a device). */
const MAX_FILE_BYTES = 128 * 1024 * 1024;

/** A control directory as read: names to bytes. The file system stays outside of the parsers. */
export interface ControlDirectory {
  readonly path: string;
  /** What every entry is called, also those that nobody reads: for "did you mean". */
  readonly names: readonly string[];
  readonly files: ReadonlyMap<string, ControlFile>;
}

export interface ControlFile {
  /** Path as shown in complaints and origins. */
  readonly path: string;
  readonly bytes: Buffer;
  readonly modified: number;
}

/** The bytes of a control file as a byte string. */
export function textOf(file: ControlFile): string {
  return file.bytes.toString('latin1');
}

/**
 * Reads those files of `path` whose names `wanted` accepts. A file that exists but cannot be read is an error: taking
 * the default for it would be guessing (control-files.md 1).
 */
export async function readControlDirectory(
  path: string,
  wanted: (name: string) => boolean,
  complaints: Complaints,
): Promise<ControlDirectory> {
  const files = new Map<string, ControlFile>();
  let names: string[] = [];
  try {
    names = await readdir(path);
  } catch (error) {
    complaints.error(path, 0, `cannot read the control directory: ${reason(error)}`);
  }
  for (const name of names.filter(wanted)) {
    const file = await readControlFile(join(path, name), complaints);
    if (file) files.set(name, file);
  }
  return { path, names, files };
}

/** One file; null when it does not exist, or is not a file, or could not be read (then with a complaint). */
export async function readControlFile(path: string, complaints: Complaints): Promise<ControlFile | null> {
  try {
    const info = await stat(path);
    if (!info.isFile()) return null;
    if (info.size > MAX_FILE_BYTES) {
      complaints.error(
        path,
        0,
        `${info.size} bytes are too many for a control file (limit ${MAX_FILE_BYTES})`,
      );
      return null;
    }
    return { path, bytes: await readFile(path), modified: info.mtimeMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      complaints.error(path, 0, `cannot read it: ${reason(error)}`);
    return null;
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
