import type { FileName, MimeFacts } from '../../model/mime.ts';
import { judgedNames } from './judged-names.ts';

/** A file of a message, wherever it lies, as rules about names and sizes look at it. */
export interface JudgedFile {
  /** Every form of every name it has, lower case, Unicode. */
  readonly forms: readonly string[];
  readonly names: readonly FileName[];
  /** Decoded bytes; null when nobody knows. */
  readonly size: number | null;
  /** It lies inside an archive. */
  readonly archived: boolean;
  readonly encrypted: boolean;
  /** For the operator: `part 1.2`, `part 1.2 in a.zip`; a byte string. */
  readonly place: string;
}

const known = new WeakMap<MimeFacts, readonly JudgedFile[]>();

/** The files of a message that have a name, in the order of its parts; worked out once for each message. */
export function judgedFiles(mime: MimeFacts): readonly JudgedFile[] {
  let files = known.get(mime);
  if (files === undefined) {
    files = [...partsOf(mime), ...membersOf(mime)];
    known.set(mime, files);
  }
  return files;
}

function* partsOf(mime: MimeFacts): Generator<JudgedFile, void, void> {
  for (const { names, size, place } of mime.parts) {
    if (names.length === 0) continue;
    const forms = judgedNames(names);
    yield { forms, names, size, archived: false, encrypted: false, place: `part ${place}` };
  }
}

function* membersOf(mime: MimeFacts): Generator<JudgedFile, void, void> {
  for (const { names, size, container, within, encrypted, part } of mime.members) {
    if (names.length === 0) continue;
    const around = within.length > 0 ? ` in ${byteString(within.join(' in '))}` : ` in ${container}`;
    const place = `part ${mime.parts[part]?.place ?? '?'}${around}`;
    const archived = container === 'archive' || within.length > 0;
    yield { forms: judgedNames(names), names, size, archived, encrypted, place };
  }
}

/** Unicode as the bytes of its UTF-8 form, the way findings carry text from outside. */
export function byteString(text: string): string {
  return Buffer.from(text).toString('latin1');
}
