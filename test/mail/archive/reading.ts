import type { TestContext } from 'node:test';
import { BUILT_IN } from '../../../src/control/settings.ts';
import { archiveConsumer } from '../../../src/mail/archive/archive-consumer.ts';
import { ArchiveBudget } from '../../../src/mail/archive/budget.ts';
import { fileType } from '../../../src/mail/mime/file-type.ts';
import type { Consumed } from '../../../src/mail/mime/consumer.ts';
import type { FileName, MimeLimits } from '../../../src/model/mime.ts';
import { mimeLimits } from '../../../src/pipeline/mime-limits.ts';
import { temporaryFolder } from '../../support/processes.ts';

/** How an archive is handed over. */
export interface Handing {
  /** Of the part; empty for none. */
  readonly name?: string;
  readonly limits?: Partial<MimeLimits>;
  /** Bytes in a piece; all at once without it. */
  readonly piece?: number;
  readonly spoolFolder?: string;
}

/** What the archive reader finds in `bytes`; null when it takes them for no archive. */
export async function consumed(bytes: Buffer, handing: Handing = {}): Promise<Consumed | null> {
  const { name = 'a.zip', piece = Math.max(1, bytes.length), spoolFolder = '/nonexistent' } = handing;
  const names: FileName[] = name === '' ? [] : [{ text: name, raw: name, source: 'filename' }];
  const budget = new ArchiveBudget({ ...mimeLimits(BUILT_IN, spoolFolder), ...handing.limits });
  const leading = bytes.subarray(0, 512);
  const consumer = archiveConsumer({ names, leading, magic: fileType(leading) }, [], budget, spoolFolder);
  if (consumer === null) return null;
  const shared = Buffer.alloc(piece);
  for (let at = 0; at < bytes.length; at += piece) {
    // The same memory for each piece, as a decoder does it.
    const length = bytes.copy(shared, 0, at, at + piece);
    consumer.write(shared.subarray(0, length));
    if (consumer.pending) await consumer.pending;
  }
  return consumer.end();
}

/** The same as lines: `in.zip > e.exe|other reading`, and `in.zip: state detail`; null when it is no archive. */
export async function seen(
  bytes: Buffer,
  handing: Handing = {},
): Promise<{ readonly names: string[]; readonly states: string[] } | null> {
  const found = await consumed(bytes, handing);
  if (found === null) return null;
  return {
    names: found.members.map(member =>
      [...member.within.slice(1), member.names.map(name => name.text).join('|')].join(' > '),
    ),
    states: found.archives.map(archive => {
      const place = archive.within.slice(1).join(' > ');
      return [place === '' ? '' : `${place}: `, archive.state, detailOf(archive)].join('');
    }),
  };
}

function detailOf({ state, detail }: { readonly state: string; readonly detail: string }): string {
  return state === 'read' || state === 'encrypted' ? '' : ` (${detail})`;
}

/** A folder for spool files, removed after the test. */
export async function spoolFolder(t: TestContext): Promise<string> {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  return folder.path;
}
