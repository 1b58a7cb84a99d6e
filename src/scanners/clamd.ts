import type { Message } from '../model/message.ts';
import type { ScanError, ScannerState, VirusOutcome } from '../model/scan.ts';
import type { ScannerAddress } from '../model/scanner-address.ts';
import type { BreakerOptions } from './breaker.ts';
import { readInstreamReply, readLine, shown } from './clamd-reply.ts';
import type { Turn } from './pool.ts';
import { ScannerPool } from './pool.ts';
import type { Request } from './stream-client.ts';
import { exchange } from './stream-client.ts';

export interface ClamdOptions {
  /** Asked in this order, those that are down left out. At least one. */
  readonly addresses: readonly ScannerAddress[];
  /** Milliseconds for one scan, with its wait for a slot and all addresses that are tried. */
  readonly timeoutMs?: number;
  /** Milliseconds for one connection. */
  readonly connectMs?: number;
  /** Scans at a time; clamd's own `MaxThreads` is 10, and what is above only waits there. */
  readonly maxParallel?: number;
  /** Scans that wait for a slot. */
  readonly maxWaiting?: number;
  /** Bytes of the largest message that is sent: no more than clamd's `StreamMaxLength`. */
  readonly maxBytes?: number;
  readonly breaker?: BreakerOptions;
}

/**
 * A client of clamd. Nothing rejects: whatever goes wrong is an `error`, a message that cannot be read too (`failed`). After
 * `close` every question is an error.
 *
 * clamd answers `OK` for a file above its `MaxFileSize` or `MaxScanSize`, which it has not looked at to the end, unless
 * `AlertExceedsMax yes` stands in its configuration; nobody can tell from outside.
 */
export interface ClamdClient {
  /** Scans a whole message. Aborting `signal` ends it with `timeout`. */
  scan(message: Pick<Message, 'size' | 'chunks'>, signal?: AbortSignal): Promise<VirusOutcome>;
  /** Scans bytes that clamd cannot see in the message itself, such as an attachment that we have decoded. */
  scanBytes(bytes: Buffer, signal?: AbortSignal): Promise<VirusOutcome>;
  /** Null when a clamd answers. */
  ping(signal?: AbortSignal): Promise<ScanError | null>;
  /** Its version line, printable: `ClamAV 1.4.6/27378/Mon Aug 26 08:36:48 2024`. */
  version(signal?: AbortSignal): Promise<{ readonly kind: 'version'; readonly text: string } | ScanError>;
  /** One state for each address, in their order. */
  state(): readonly ScannerState[];
  /** Ends the scans under way with an error. */
  close(): void;
}

/** DESIGN: clamd 60 s. */
const DEFAULT_TIMEOUT_MS = 60_000;
const DEFAULT_CONNECT_MS = 5000;
const DEFAULT_PARALLEL = 10;
/** `StreamMaxLength` of clamd 1.4 as shipped; older ones had 25 MiB. */
const DEFAULT_MAX_BYTES = 100 * 1024 * 1024;
/** An answer is a line with a virus name in it. */
const MAX_ANSWER = 4096;
/** Larger pieces are cut, so that an early answer is seen before all of a large attachment was sent. */
const PIECE = 256 * 1024;

export function createClamd(options: ClamdOptions): ClamdClient {
  const connectMs = options.connectMs ?? DEFAULT_CONNECT_MS;
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;

  const put = (request: Request, { address, timeoutMs, signal }: Turn) =>
    exchange(request, { address, timeoutMs, signal, connectMs, maxAnswer: MAX_ANSWER, terminator: 0 });

  const ping = async (turn: Turn): Promise<ScanError | null> => {
    const answer = await put([[Buffer.from('zPING\0')]], turn);
    if (answer.kind === 'error') return answer;
    const line = readLine(answer);
    if (typeof line !== 'string') return line;
    if (line === 'PONG') return null;
    return { kind: 'error', fault: 'garbage', why: `it said ${shown(line)} to PING` };
  };

  const pool = new ScannerPool({
    scanner: 'clamd',
    addresses: options.addresses,
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    maxParallel: options.maxParallel ?? DEFAULT_PARALLEL,
    maxWaiting: options.maxWaiting,
    breaker: options.breaker,
    ping,
  });

  const scan: ClamdClient['scan'] = async (message, signal) => {
    if (message.size > maxBytes) {
      const why = `clamd: ${message.size} bytes are more than the ${maxBytes} that are sent to it`;
      return { kind: 'error', fault: 'limit', why };
    }
    const ask = async (turn: Turn): Promise<VirusOutcome> => {
      const answer = await put(instream(message), turn);
      if (answer.kind === 'error') return answer;
      const verdict = readInstreamReply(answer);
      return verdict.kind === 'error' ? verdict : { ...verdict, scanner: turn.scanner };
    };
    try {
      return await pool.ask(ask, signal);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { kind: 'error', fault: 'failed', why: `clamd: the message could not be read: ${shown(why)}` };
    }
  };

  return {
    scan,
    scanBytes: (bytes, signal) => scan({ size: bytes.length, chunks: () => [bytes] }, signal),
    ping: async signal => {
      const outcome = await pool.ask(
        async turn => (await ping(turn)) ?? ({ kind: 'alive' } as const),
        signal,
      );
      return outcome.kind === 'error' ? outcome : null;
    },
    version: signal =>
      pool.ask(async turn => {
        const answer = await put([[Buffer.from('zVERSION\0')]], turn);
        if (answer.kind === 'error') return answer;
        const line = readLine(answer);
        return typeof line === 'string' ? ({ kind: 'version', text: shown(line) } as const) : line;
      }, signal),
    state: () => pool.state(),
    close: () => pool.close(),
  };
}

/**
 * `zINSTREAM`, each piece behind its length (32 bits, network order), and a length of 0 at the end (clamd(8)). Rejects when the
 * message has another size than it says: clamd would be asked about something else.
 */
async function* instream(message: Pick<Message, 'size' | 'chunks'>): AsyncIterable<readonly Buffer[]> {
  let command: readonly Buffer[] = [Buffer.from('zINSTREAM\0')];
  let size = 0;
  for await (const chunk of message.chunks()) {
    size += chunk.length;
    // An empty piece would be the end.
    for (let at = 0; at < chunk.length; at += PIECE) {
      const piece = chunk.subarray(at, at + PIECE);
      yield [...command, length(piece.length), piece];
      command = [];
    }
  }
  if (size !== message.size) throw new Error(`the message has ${size} bytes and not ${message.size}`);
  yield [...command, length(0)];
}

function length(bytes: number): Buffer {
  const frame = Buffer.allocUnsafe(4);
  frame.writeUInt32BE(bytes);
  return frame;
}
