import type { FileBudget } from '../mail/mime/file-bytes.ts';
import { eachFile } from '../mail/mime/file-bytes.ts';
import { cutShort, isEveryFile, unseenFiles } from '../mail/mime/unseen-files.ts';
import type { Message } from '../model/message.ts';
import type { MimeFacts, MimeLimits } from '../model/mime.ts';
import type { FilesOutcome, ScanError } from '../model/scan.ts';
import type { Services } from './run-stage.ts';

/** How the files of a message are scanned. */
export interface FileScans {
  /** Those that a scan of the whole message may have missed, or all. */
  readonly which: 'no' | 'doubtful' | 'all';
  readonly mime: () => MimeFacts | Promise<MimeFacts>;
  readonly limits: MimeLimits;
  readonly budget: FileBudget;
  readonly scan: Services['virus'];
  /** When it has to be over, as of `performance.now()`. */
  readonly until: number;
  readonly signal: AbortSignal;
}

/**
 * Has the files of a message scanned one by one. The first infected one ends it, so does the first that gets no answer. A
 * file that is too large, files beyond the budget and what could not be taken apart are an error `limit`, when nothing
 * worse was found. Never rejects.
 */
export async function virusInFiles(message: Message, order: FileScans): Promise<FilesOutcome> {
  const { which, mime, limits, budget, scan, until, signal } = order;
  if (which === 'no') return { kind: 'clean', files: 0 };
  const deadline = AbortSignal.timeout(Math.max(0, Math.ceil(until - performance.now())));
  const either = AbortSignal.any([signal, deadline]);
  const found: Exclude<FilesOutcome, { readonly kind: 'clean' }>[] = [];
  const unseen: string[] = [];
  const visit = async (file: { readonly name: string } & Pick<Message, 'size' | 'chunks'>) => {
    const outcome = await scan(file, either);
    if (outcome.kind === 'clean') return true;
    if (outcome.kind === 'infected') {
      found.push({ ...outcome, file: file.name });
      return false;
    }
    const why = `${file.name}: ${outcome.why}`;
    if (outcome.fault === 'limit') {
      unseen.push(why);
      return true;
    }
    found.push({ ...outcome, why });
    return false;
  };
  try {
    const facts = await mime();
    const wanted = which === 'all' ? isEveryFile : unseenFiles(facts);
    if (wanted === null) return { kind: 'clean', files: 0 };
    const { files, beyond } = await eachFile(message, limits, wanted, budget, visit, either);
    const [worst] = found;
    if (worst !== undefined) return worst;
    if (beyond)
      unseen.push(
        `files beyond ${budget.files}, or beyond ${budget.bytes} bytes, were not shown by themselves`,
      );
    const cut = cutShort(facts);
    if (cut !== null) unseen.push(cut);
    if (unseen.length > 0) return { kind: 'error', fault: 'limit', why: unseen.slice(0, 5).join('; ') };
    return { kind: 'clean', files };
  } catch (error) {
    return found[0] ?? failed(error, deadline.aborted);
  }
}

function failed(error: unknown, late: boolean): ScanError {
  if (late)
    return { kind: 'error', fault: 'timeout', why: 'the files of the message took longer than `clamtime`' };
  const why = error instanceof Error ? error.message : String(error);
  return { kind: 'error', fault: 'failed', why: `the files of the message: ${why}` };
}
