import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { LineEnds } from '../mail/line-ends.ts';
import { writeFully } from '../mail/durable-file.ts';
import type { Message } from '../model/message.ts';

/** A folder gets no more than so many copies a second: names would run out before the disk does. */
const MAX_TRIES = 100;

/**
 * Writes a copy of a message, LF line ends and nothing added, to `msg.SEC.USEC.PID` in a folder, mode 0640 (simscan.md 8).
 * Nothing is promised about it. Gives its path; rejects with the system's error.
 */
export async function writePlainCopy(folder: string, message: Message, now: number): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o750 });
  for (let i = 0; ; i++) {
    const micros = ((now % 1000) * 1000 + i) % 1_000_000;
    const path = join(folder, `msg.${Math.floor(now / 1000)}.${micros}.${process.pid}`);
    try {
      const file = await open(path, 'wx', 0o640);
      try {
        const lf = new LineEnds();
        for await (const chunk of message.chunks()) await writeFully(file, lf.toLf(chunk));
        await writeFully(file, lf.end());
      } finally {
        await file.close();
      }
      return path;
    } catch (error) {
      const taken = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      if (!taken || i >= MAX_TRIES) throw error;
    }
  }
}
