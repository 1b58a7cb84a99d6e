import type { Message } from '../model/message.ts';
import type { ScanError, ScannerState, SpamOutcome, SpamQuestion } from '../model/scan.ts';

/** What a scanner sees of a message: its exact size, and its bytes, which may be asked for more than once. */
export type Scanned = Pick<Message, 'size' | 'chunks'>;

/** What became of a message that the engine was to learn. */
export type LearnOutcome =
  | { readonly kind: 'learned'; readonly scanner: string }
  /** Nothing was changed. `why`: as far as the engine tells; printable. */
  | { readonly kind: 'already known'; readonly why: string; readonly scanner: string }
  | ScanError;

export type PingOutcome = { readonly kind: 'alive'; readonly scanner: string } | ScanError;

/**
 * An engine that scores messages. Nothing here rejects (an error while reading the message is `failed`) and nothing
 * takes longer than the engine's deadline. An abort of `signal` ends it at once, as the fault `timeout`.
 */
export interface SpamEngine {
  readonly name: 'spamd' | 'rspamd';
  /** Whether the message is too large for the engine is for the caller to say before. */
  score(message: Scanned, question: SpamQuestion, signal?: AbortSignal): Promise<SpamOutcome>;
  /** `user`: whose data base learns, as in SpamQuestion. */
  learn(
    message: Scanned,
    as: 'spam' | 'ham',
    user: string | null,
    signal?: AbortSignal,
  ): Promise<LearnOutcome>;
  ping(signal?: AbortSignal): Promise<PingOutcome>;
  /** One for each address, in their order. */
  state(): readonly ScannerState[];
  /** Ends everything under way; whatever is asked later is an error. */
  close(): void;
}

/**
 * The message's bytes, in front of them `head`, as they are written to a scanner that was told `message.size`. Throws when the
 * message turns out to have another size: half of it must not be judged in the place of the whole.
 */
export async function* withHead(
  head: Buffer | null,
  message: Scanned,
): AsyncGenerator<readonly Buffer[], void> {
  let before = head;
  let left = message.size;
  for await (const bytes of message.chunks()) {
    left -= bytes.length;
    if (left < 0) break;
    yield before === null ? [bytes] : [before, bytes];
    before = null;
  }
  if (left !== 0) throw new Error(`it is not ${message.size} bytes long`);
  if (before !== null) yield [before];
}

/** The outcome when a message could not be read: our trouble and not the scanner's, and never "clean". */
export function unreadable(scanner: string, error: unknown): ScanError {
  const why = error instanceof Error ? error.message : String(error);
  return { kind: 'error', fault: 'failed', why: `${scanner}: the message could not be read: ${why}` };
}
