import type { SettingValues } from '../control/settings.ts';
import type { Message } from '../model/message.ts';
import type { ScannerAddress } from '../model/scanner-address.ts';
import { parseScannerAddress } from '../model/scanner-address.ts';
import type { ScanError, ScannerState, SpamOutcome, SpamQuestion, VirusOutcome } from '../model/scan.ts';
import type { ClamdClient } from '../scanners/clamd.ts';
import { createClamd } from '../scanners/clamd.ts';
import { createRspamd } from '../scanners/rspamd.ts';
import { createSpamd } from '../scanners/spamd.ts';
import type { SpamEngine } from '../scanners/spam-engine.ts';

/** The scanners that a configuration names, for one process. */
export class Scanners {
  readonly clamd: ClamdClient | null;
  readonly engine: SpamEngine | null;

  constructor(values: SettingValues) {
    const { clamd, clamtime, clamscans, clambytes } = values;
    this.clamd =
      clamd.length === 0
        ? null
        : createClamd({
            addresses: addresses(clamd),
            timeoutMs: clamtime * 1000,
            maxParallel: clamscans,
            maxBytes: clambytes,
          });
    this.engine = engineOf(values);
  }

  virus(message: Pick<Message, 'size' | 'chunks'>, signal: AbortSignal): Promise<VirusOutcome> {
    return this.clamd?.scan(message, signal) ?? Promise.resolve(unset('clamd'));
  }

  score(message: Message, question: SpamQuestion, signal: AbortSignal): Promise<SpamOutcome> {
    const { engine } = this;
    if (engine === null) return Promise.resolve(unset('spamd or rspamd'));
    const { head = '' } = question;
    const seen = engine.name === 'spamd' && head !== '' ? withHead(head, message) : message;
    return engine.score(seen, question, signal);
  }

  state(): readonly ScannerState[] {
    return [...(this.clamd?.state() ?? []), ...(this.engine?.state() ?? [])];
  }

  close(): void {
    this.clamd?.close();
    this.engine?.close();
  }
}

/** The scanners of the configuration in force: both edges of a process share their slots and what they know of their health. */
export class ScannerSet {
  #values: SettingValues;
  #current: Scanners;

  constructor(values: SettingValues) {
    this.#values = values;
    this.#current = new Scanners(values);
  }

  get current(): Scanners {
    return this.#current;
  }

  /** From now on those of `values`; scans that are under way end where they are. */
  use(values: SettingValues): void {
    const before = this.#values;
    this.#values = values;
    if (scannersKey(before) === scannersKey(values)) return;
    const old = this.#current;
    this.#current = new Scanners(values);
    setTimeout(() => old.close(), before.datatime * 1000).unref();
  }

  close(): void {
    this.#current.close();
  }
}

/** The message with lines on top of it, as a scanner sees it. */
function withHead(head: string, message: Message): Pick<Message, 'size' | 'chunks'> {
  const first = Buffer.from(head, 'latin1');
  return {
    size: first.length + message.size,
    chunks() {
      const chunks = message.chunks();
      return Symbol.iterator in chunks ? firstThen(first, chunks) : firstThenLater(first, chunks);
    },
  };
}

function* firstThen(first: Buffer, rest: Iterable<Buffer>): Iterable<Buffer> {
  yield first;
  yield* rest;
}

async function* firstThenLater(first: Buffer, rest: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  yield first;
  yield* rest;
}

/** What makes two configurations need different clients. */
function scannersKey(v: SettingValues): string {
  return JSON.stringify([
    [v.clamd, v.clamtime, v.clamscans, v.clambytes],
    [v.spamd, v.rspamd, v.rspamdcontroller, v.rspamdpassword, v.spamtime, v.spamscans],
  ]);
}

function engineOf(values: SettingValues): SpamEngine | null {
  const { spamd, rspamd, rspamdcontroller, rspamdpassword, spamtime, spamscans } = values;
  const limits = { timeoutMs: spamtime * 1000, maxParallel: spamscans };
  if (spamd.length > 0) return createSpamd({ addresses: addresses(spamd), ...limits });
  if (rspamd.length === 0) return null;
  return createRspamd({
    addresses: addresses(rspamd),
    controllers: addresses(rspamdcontroller),
    ...(rspamdpassword === '' ? {} : { controllerPassword: rspamdpassword }),
    ...limits,
  });
}

/** They were checked when the configuration was read. */
function addresses(entries: readonly string[]): ScannerAddress[] {
  return entries.flatMap(entry => {
    const parsed = parseScannerAddress(entry);
    return 'value' in parsed ? [parsed.value] : [];
  });
}

function unset(name: string): ScanError {
  return { kind: 'error', fault: 'refused', why: `no ${name} is set` };
}
