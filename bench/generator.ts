import { setTimeout as sleep } from 'node:timers/promises';
import { ClientConnection } from './client.ts';
import type { ServerReply, Target } from './client.ts';
import type { MessageTemplate } from './message.ts';

/** What became of one message. `failed`: no answer, so the server may or may not have taken it. */
export type Outcome = 'accepted' | 'refused' | 'failed';

export interface Load {
  readonly target: Target;
  readonly message: MessageTemplate;
  /** How many messages to try. */
  readonly messages: number;
  /** A connection for each message, or one that is kept for many. */
  readonly connections: 'fresh' | 'kept';
  /** Clients at work at a time, each with one connection; default 1. Not used with `rate`. */
  readonly clients?: number;
  /** Fresh connections a second, begun on time whether or not the earlier ones are done. */
  readonly rate?: number;
  /** No new message is begun after so many milliseconds. */
  readonly duration?: number;
  /** Everything still open after so many milliseconds is cut and counts as failed; default 60,000. */
  readonly deadline?: number;
  /** The IPv4 address to name in a PROXY v1 header on connection `n`, counted from 0. Without it, no header. */
  readonly proxyFrom?: (n: number) => string;
  readonly sender?: string;
  readonly recipient?: string;
  /** Called as each message ends. */
  readonly onOutcome?: (outcome: Outcome, marker: string) => void;
}

/** Milliseconds from connecting (fresh) or from MAIL (kept) to the 250 after the final dot. */
export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export interface LoadResult {
  readonly accepted: number;
  readonly refused: number;
  readonly failed: number;
  /** Markers of the accepted messages: each of them must be found behind the server. */
  readonly acceptedMarkers: readonly string[];
  /** How often each refusal and each failure was seen, by its text. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Of the accepted messages; null when there were none. */
  readonly latency: Latency | null;
  /** From the first connection to the end of the last message. */
  readonly seconds: number;
  /** Milliseconds by which the latest connection of a `rate` began too late; large figures mean that we were too slow. */
  readonly latestStart: number;
}

/** A pause (milliseconds) after a failure, so that a dead server does not eat up the messages in an instant. */
const PAUSE_AFTER_FAILURE = 20;
const EHLO = 'EHLO client.example\r\n';

class Refusal extends Error {}

interface Session {
  readonly connection: ClientConnection;
  readonly pipelining: boolean;
}

/** Sends `load` and reports what became of it. Never rejects: whatever goes wrong is counted. */
export async function sendLoad(load: Load): Promise<LoadResult> {
  const run = new Run(load);
  const deadline = setTimeout(() => run.cut(), load.deadline ?? 60_000);
  try {
    if (load.rate !== undefined) await run.atRate(load.rate);
    else await Promise.all(Array.from({ length: load.clients ?? 1 }, () => run.client()));
    return run.result();
  } finally {
    clearTimeout(deadline);
  }
}

/** One message's way through a connection, and the connections of one load. */
class Run {
  readonly #load: Load;
  readonly #started = performance.now();
  readonly #open = new Set<ClientConnection>();
  readonly #latencies: number[] = [];
  readonly #accepted: string[] = [];
  readonly #reasons: Record<string, number> = {};
  readonly #envelope: readonly string[];
  #refused = 0;
  #failed = 0;
  #next = 0;
  #connections = 0;
  #latestStart = 0;
  #cut = false;

  constructor(load: Load) {
    this.#load = load;
    const { sender = 'sender@client.example', recipient = 'recipient@sink.example' } = load;
    this.#envelope = [`MAIL FROM:<${sender}>\r\n`, `RCPT TO:<${recipient}>\r\n`, 'DATA\r\n'];
  }

  cut(): void {
    this.#cut = true;
    for (const connection of this.#open) connection.destroy(new Error('deadline'));
  }

  async client(): Promise<void> {
    let kept: Session | null = null;
    for (let number = this.#take(); number !== null; number = this.#take()) {
      const started = performance.now();
      let session: Session | null = kept;
      try {
        session ??= await this.#connect();
        await this.#deliver(session, number, kept ? performance.now() : started);
        if (this.#load.connections === 'fresh') await this.#quit(session);
        else kept = session;
      } catch (error) {
        kept = this.#settle(error, number, session);
        if (!kept && session) this.#leave(session);
        if (!(error instanceof Refusal)) await sleep(PAUSE_AFTER_FAILURE);
      }
    }
    if (kept) await this.#quit(kept);
  }

  async atRate(rate: number): Promise<void> {
    const all: Promise<void>[] = [];
    for (let number = this.#take(); number !== null; number = this.#take()) {
      const due = this.#started + (number * 1000) / rate;
      if (due > performance.now()) await sleep(due - performance.now());
      this.#latestStart = Math.max(this.#latestStart, performance.now() - due);
      all.push(this.#once(number));
    }
    await Promise.all(all);
  }

  result(): LoadResult {
    return {
      accepted: this.#accepted.length,
      refused: this.#refused,
      failed: this.#failed,
      acceptedMarkers: this.#accepted,
      reasons: this.#reasons,
      latency: latencyOf(this.#latencies),
      seconds: (performance.now() - this.#started) / 1000,
      latestStart: this.#latestStart,
    };
  }

  #take(): number | null {
    const { messages, duration = Infinity } = this.#load;
    if (this.#cut || this.#next >= messages || performance.now() - this.#started > duration) return null;
    return this.#next++;
  }

  async #once(number: number): Promise<void> {
    const started = performance.now();
    let session: Session | null = null;
    try {
      session = await this.#connect();
      await this.#deliver(session, number, started);
      await this.#quit(session);
    } catch (error) {
      this.#settle(error, number, session);
      if (session) this.#leave(session);
    }
  }

  async #connect(): Promise<Session> {
    const { target, deadline = 60_000, proxyFrom } = this.#load;
    const connection = new ClientConnection(target, deadline, proxyFrom?.(this.#connections++));
    this.#open.add(connection);
    try {
      expect(await connection.reply(), 220);
      connection.send(EHLO);
      const hello = await connection.reply();
      expect(hello, 250);
      return { connection, pipelining: /^250[- ]PIPELINING/im.test(hello.text) };
    } catch (error) {
      this.#open.delete(connection);
      connection.destroy();
      throw error;
    }
  }

  async #deliver({ connection, pipelining }: Session, number: number, started: number): Promise<void> {
    const { message } = this.#load;
    if (pipelining) connection.send(this.#envelope.join(''));
    let refusal: ServerReply | null = null;
    let last: ServerReply | null = null;
    for (const command of this.#envelope) {
      if (!pipelining) connection.send(command);
      last = await connection.reply();
      if (last.code >= 400) refusal ??= last;
      if (refusal && (!pipelining || last.code === 421)) break;
    }
    if (last?.code === 354) {
      // Without a recipient the server should not have said 354; an empty message gets us out of it (RFC 2920 3.1).
      if (refusal) connection.send('.\r\n');
      else connection.send(message.head(number), message.body);
      last = await connection.reply();
    }
    const answer = refusal ?? last;
    if (answer?.code !== 250) {
      if (answer?.code !== 421) await exchange(connection, 'RSET\r\n');
      throw new Refusal(answer?.text ?? '');
    }
    this.#latencies.push(performance.now() - started);
    this.#accepted.push(message.marker(number));
    this.#load.onOutcome?.('accepted', message.marker(number));
  }

  /** Counts the message; the session is given back when more can be sent over it. */
  #settle(error: unknown, number: number, session: Session | null): Session | null {
    const refused = error instanceof Refusal;
    if (refused) this.#refused++;
    else this.#failed++;
    const reason = (error instanceof Error ? error.message : String(error)).slice(0, 200);
    this.#reasons[reason] = (this.#reasons[reason] ?? 0) + 1;
    this.#load.onOutcome?.(refused ? 'refused' : 'failed', this.#load.message.marker(number));
    const goesOn = refused && this.#load.connections === 'kept' && !reason.startsWith('421');
    return goesOn ? session : null;
  }

  async #quit(session: Session): Promise<void> {
    await exchange(session.connection, 'QUIT\r\n');
    this.#leave(session);
  }

  #leave({ connection }: Session): void {
    this.#open.delete(connection);
    connection.destroy();
  }
}

function expect(reply: ServerReply, code: number): void {
  if (reply.code >= 400) throw new Refusal(reply.text);
  if (reply.code !== code) throw new Error(`unexpected: ${reply.text}`);
}

/** For commands whose answer changes nothing: the message before them is counted already. */
async function exchange(connection: ClientConnection, command: string): Promise<void> {
  connection.send(command);
  await connection.reply().catch(() => null);
}

function latencyOf(values: readonly number[]): Latency | null {
  const sorted = Float64Array.from(values).toSorted();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return sorted.length === 0 ? null : { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}
