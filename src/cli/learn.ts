import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { printable, utf8 } from '../journal/printable.ts';
import type { Message } from '../model/message.ts';
import { HeldFiles } from '../quarantine/files.ts';
import { HeldFile } from '../quarantine/held-file.ts';
import { readMessage } from './dry-run.ts';
import type { PlaceOptions } from './places.ts';
import { quarantineFolder } from './places.ts';
import { Progress } from './progress.ts';
import { UsageError } from './quarantine-filter.ts';
import { EXIT, withConfiguration } from './quarantine-open.ts';
import { reason } from './quarantine-release.ts';
import { openTeacher, taughtText } from './teacher.ts';

export interface LearnOptions {
  readonly spam: boolean;
  readonly ham: boolean;
  readonly user?: string;
}

/** What every file of the quarantine begins with. */
const HELD = 'X-Postern-Held: ';

/**
 * `postern learn`: has the scoring engine learn saved messages and held copies as spam or as ham, and says what became of each.
 * Exit code 0: it has learned all of them, or knew them; 1: some it has not; 2: nothing could be tried.
 */
export async function learn(
  targets: readonly string[],
  options: PlaceOptions & LearnOptions,
  print: (line: string) => void,
): Promise<number> {
  return withConfiguration(options, async ({ site: { values } }, where) => {
    if (options.spam === options.ham) throw new UsageError('wanted --spam or --ham, and one of them only');
    const as = options.spam ? 'spam' : 'ham';
    const files = new HeldFiles(quarantineFolder(where, values));
    const teacher = openTeacher(values, options.user ?? null);
    const progress = new Progress();
    let troubled = false;
    try {
      for (const [i, target] of targets.entries()) {
        progress.show(i, targets.length);
        try {
          await using source = await messageOf(target, files, values.headerbytes);
          const outcome = await teacher.teach(source.message, as);
          if (outcome.kind === 'error') troubled = true;
          progress.clear();
          print(`${printable(utf8(target))}  ${taughtText(outcome, as)}`);
        } catch (error) {
          troubled = true;
          progress.clear();
          console.error(`postern: ${printable(utf8(target))} was not learned: ${reason(error)}`);
        }
      }
    } finally {
      progress.clear();
      teacher.close();
    }
    return troubled ? EXIT.NOTHING : EXIT.OK;
  });
}

interface Source extends AsyncDisposable {
  readonly message: Message;
}

/**
 * The message of a file, or of the held copy of that id; a file of the quarantine is a held copy, by its path too. Rejects when it
 * is neither, cannot be read, or is not what was received.
 */
async function messageOf(target: string, files: HeldFiles, headerBytes: number): Promise<Source> {
  const info = await stat(target).catch(() => null);
  if (info === null) {
    // A path that is not there is no id: what the system says about it helps more.
    if (target.includes('/')) await stat(target);
    return sourceOf((await files.open(target, 'r')).file);
  }
  if (!info.isFile()) throw new Error('it is no file');
  if (await isHeld(target))
    return sourceOf(await HeldFile.open(target, basename(target).replace(/:.*$/s, '')));
  const message = await readMessage(target, headerBytes);
  return {
    message,
    [Symbol.asyncDispose]: () => {
      message.release();
      return Promise.resolve();
    },
  };
}

async function isHeld(path: string): Promise<boolean> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(HELD.length), 0, HELD.length, 0);
  return bytesRead === HELD.length && buffer.toString('latin1') === HELD;
}

/** Without our fields and the header block that we add: as it was received, and scored. */
async function sourceOf(file: HeldFile): Promise<Source> {
  try {
    const { message } = await file.message();
    return { message, [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() };
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}
