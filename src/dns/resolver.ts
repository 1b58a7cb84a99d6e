import { promises } from 'node:dns';
import type { Dns, DnsAnswer } from '../model/dns.ts';
import { AnswerCache } from './cache.ts';
import { askRaw } from './odd-names.ts';
import { reverseLookupName } from './reverse.ts';
import type { RawRecord, RecordType } from './wire.ts';
import { DATA } from './wire.ts';

export interface ResolverOptions {
  /** `IP`, `IP:PORT` or `[IPv6]:PORT`; absent or empty: those of /etc/resolv.conf. A malformed one throws. */
  readonly servers?: readonly string[];
  /** Milliseconds for one question to one server. */
  readonly timeoutMs?: number;
  /** How often a question is asked. */
  readonly tries?: number;
  readonly cacheEntries?: number;
  readonly cacheBytes?: number;
  /** Milliseconds for which answers with records are kept; A and AAAA go by their TTL, up to five minutes. */
  readonly positiveMs?: number;
  /** ... answers that there are none. */
  readonly negativeMs?: number;
  /** ... failures, so that a dead list is not waited for by each connection in turn. */
  readonly errorMs?: number;
  /** A clock in milliseconds; monotonic by default. */
  readonly now?: () => number;
}

/** A resolver with a lifetime. After close() every look-up is an `error`. */
export interface Resolver extends Dns {
  close(): void;
}

const DEFAULT_TIMEOUT_MS = 3000;
const DEFAULT_TRIES = 2;
const DEFAULT_CACHE_ENTRIES = 50_000;
/** 50,000 usual answers with room to spare; only oversized TXT records get there. */
const DEFAULT_CACHE_BYTES = 32 * 1024 * 1024;
const DEFAULT_KEEP_MS = 60_000;
const DEFAULT_KEEP_ERROR_MS = 5000;
/** A list's operator takes an address off and wants to see it gone soon; no TTL is believed beyond this. */
const MAX_TTL_S = 300;
/** Node looks at c-ares' time-outs once in this many milliseconds, or in `timeoutMs` when that is less. */
const ARES_TICK_MS = 1000;

/**
 * A caching stub resolver over c-ares (node:dns). It never rejects and never takes longer than `timeoutMs * tries` and a
 * second: c-ares alone goes on to each further server, so our own deadline ends the wait. The same question asked at the same
 * time is sent once. /etc/hosts is not read. Not a validating resolver.
 */
export function createResolver(options: ResolverOptions = {}): Resolver {
  const timeout = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const tries = options.tries ?? DEFAULT_TRIES;
  const positiveMs = options.positiveMs ?? DEFAULT_KEEP_MS;
  const negativeMs = options.negativeMs ?? DEFAULT_KEEP_MS;
  const errorMs = options.errorMs ?? DEFAULT_KEEP_ERROR_MS;
  const now = options.now ?? (() => performance.now());
  const cache = new AnswerCache<DnsAnswer<unknown>>(
    options.cacheEntries ?? DEFAULT_CACHE_ENTRIES,
    options.cacheBytes ?? DEFAULT_CACHE_BYTES,
  );
  // The tick more, or the first server's time-out, seen late, would leave the second one no time.
  const deadline = timeout * tries + Math.min(timeout, ARES_TICK_MS);
  const asking = new Map<string, Promise<DnsAnswer<unknown>>>();
  // maxTimeout: c-ares would double the wait at the second try.
  const ares = new promises.Resolver({ timeout, tries, maxTimeout: timeout });
  if (options.servers && options.servers.length > 0) ares.setServers(options.servers);
  let closed = false;

  /** As c-ares would, for names that node:dns does not hand it. */
  const askOdd = async <T>(name: string, { type, read }: Query<T>): Promise<Records<T>> => {
    const raw = await askRaw({ name, type, servers: ares.getServers(), timeout, tries });
    const records: T[] = [];
    for (const record of raw) {
      const value = read(record);
      if (value !== null) records.push(value);
    }
    if (records.length < raw.length) throw Object.assign(new Error('broken record'), { code: 'EBADRESP' });
    return { records, ttl: raw.length === 0 ? null : Math.min(...raw.map(({ ttl }) => ttl)) };
  };

  const ask = async <T>(name: string, query: Query<T>): Promise<Found<T>> => {
    try {
      const asked = query.ask(ares, name).catch((error: unknown) => {
        if (errorCode(error) !== 'EBADNAME') throw error;
        return askOdd(name, query);
      });
      const { records, ttl } = await withDeadline(asked, deadline);
      const answer: DnsAnswer<T> =
        records.length > 0 ? { kind: 'found', records } : { kind: 'none', nxdomain: false };
      return { answer, keepMs: ttl === null ? positiveMs : Math.min(ttl, MAX_TTL_S) * 1000 };
    } catch (error) {
      const answer = answerOf<T>(errorCode(error));
      return { answer, keepMs: answer.kind === 'none' ? negativeMs : errorMs };
    }
  };

  const lookUp = <T>(type: string, name: string, query: Query<T>): Promise<DnsAnswer<T>> => {
    if (closed) return Promise.resolve({ kind: 'error', error: 'CLOSED' });
    if (!isAskable(name)) return Promise.resolve({ kind: 'error', error: 'BADNAME' });
    const key = `${type} ${name.toLowerCase()}`;
    const known = cache.get(key, now());
    // A key holds answers of its type only, whose records are T by construction.
    if (known) return Promise.resolve(known as DnsAnswer<T>);
    const underWay = asking.get(key);
    if (underWay) return underWay as Promise<DnsAnswer<T>>;
    const answer = ask(name, query).then(found => {
      asking.delete(key);
      if (!closed) cache.set(key, found.answer, now() + found.keepMs, bytesOf(found.answer));
      return found.answer;
    });
    asking.set(key, answer);
    return answer;
  };

  return {
    a: name => lookUp('A', name, queryA),
    aaaa: name => lookUp('AAAA', name, queryAaaa),
    txt: name => lookUp('TXT', name, queryTxt),
    mx: name => lookUp('MX', name, queryMx),
    ptr: ip => lookUp('PTR', reverseLookupName(ip) ?? '\0', queryPtr),
    close: () => {
      closed = true;
      ares.cancel();
      cache.clear();
    },
  };
}

interface Records<T> {
  readonly records: readonly T[];
  /** Seconds, where c-ares tells. */
  readonly ttl: number | null;
}

interface Found<T> {
  readonly answer: DnsAnswer<T>;
  readonly keepMs: number;
}

interface Query<T> {
  readonly type: RecordType;
  ask(ares: promises.Resolver, name: string): Promise<Records<T>>;
  /** Reads a record that c-ares has not read for us; null when it is broken. */
  readonly read: (record: RawRecord) => T | null;
}

const queryA: Query<string> = {
  type: 'A',
  ask: async (ares, name) => addresses(await ares.resolve4(name, { ttl: true })),
  read: DATA.A,
};
const queryAaaa: Query<string> = {
  type: 'AAAA',
  ask: async (ares, name) => addresses(await ares.resolve6(name, { ttl: true })),
  read: DATA.AAAA,
};
// c-ares hands the strings over one char a byte: 0xE9 comes as U+00E9, NUL as NUL.
const queryTxt: Query<readonly string[]> = {
  type: 'TXT',
  ask: async (ares, name) => ({ records: await ares.resolveTxt(name), ttl: null }),
  read: DATA.TXT,
};
const queryMx: Query<{ readonly preference: number; readonly host: string }> = {
  type: 'MX',
  ask: async (ares, name) => ({
    records: (await ares.resolveMx(name)).map(mx => ({
      preference: mx.priority,
      host: withoutDot(mx.exchange),
    })),
    ttl: null,
  }),
  read: DATA.MX,
};
const queryPtr: Query<string> = {
  type: 'PTR',
  ask: async (ares, name) => ({ records: (await ares.resolvePtr(name)).map(withoutDot), ttl: null }),
  read: DATA.PTR,
};

function addresses(found: readonly { readonly address: string; readonly ttl: number }[]): Records<string> {
  return { records: found.map(r => r.address), ttl: Math.min(...found.map(r => r.ttl)) };
}

function withoutDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

/**
 * False for names that would be sent as another name than was meant: a NUL ends the name inside c-ares, a backslash
 * begins an escape, node converts non-ASCII text to punycode as if it were Unicode, and '' is the root.
 */
function isAskable(name: string): boolean {
  // oxlint-disable-next-line no-control-regex
  return name !== '' && name !== '.' && !/[\0\\\x80-\uffff]/.test(name);
}

/** NXDOMAIN and NODATA are answers; everything else is "could not find out". */
function answerOf<T>(code: string): DnsAnswer<T> {
  if (code === 'ENOTFOUND') return { kind: 'none', nxdomain: true };
  if (code === 'ENODATA') return { kind: 'none', nxdomain: false };
  return { kind: 'error', error: code.replace(/^E(?=[A-Z])/, '') };
}

function errorCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : String(error);
}

async function withDeadline<T>(answer: Promise<T>, ms: number): Promise<T> {
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(Object.assign(new Error('no answer in time'), { code: 'ETIMEOUT' })),
    ms,
  );
  try {
    // The loser of the race is handled by the race: no rejection is left over.
    return await Promise.race([answer, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

function bytesOf(answer: DnsAnswer<unknown>): number {
  if (answer.kind !== 'found') return 0;
  let bytes = 0;
  for (const record of answer.records) bytes += recordBytes(record);
  return bytes;
}

function recordBytes(record: unknown): number {
  if (typeof record === 'string') return record.length + 40;
  if (Array.isArray(record)) return record.reduce<number>((sum, item) => sum + recordBytes(item), 40);
  return 400; // an MX host is at most 255 chars
}
