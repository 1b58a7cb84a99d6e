import { Cdb, CdbError } from './cdb.ts';
import type { Complaints } from './complaints.ts';
import { domainTails } from './domain-list.ts';
import { lines, withoutTrailingBlanks } from './readers.ts';
import type { TcpInstruction } from './tcp-instruction.ts';
import { decodeInstruction, parseInstruction } from './tcp-instruction.ts';
import { clientKey, ipBits, isIPv6Key, tcpKey } from './tcp-key.ts';

/**
 * One rule of tcp.smtp. A connection obeys exactly one; rules are never merged. Variables of a `deny` are left out, as
 * tcpserver drops the connection before it would set them.
 */
export interface TcpRule extends TcpInstruction {
  /** The address part as it is looked up: ranges expanded, IPv6 compressed, networks as `10.0.0.0/8`. */
  readonly key: string;
  /** `file:line`, or `file (key "…")` for a cdb. */
  readonly place: string;
}

/** A tcp.smtp file, from text or from its cdb. */
export interface TcpRules {
  /**
   * The rule that this client obeys, or null: allowed without variables. `ip` in any text form; `host` the reverse
   * name as DNS gave it and `info` the ident answer, each null when not known. Takes the same time however many rules
   * there are.
   */
  find(client: {
    readonly ip: string;
    readonly host: string | null;
    readonly info: string | null;
  }): TcpRule | null;
  /** The rules that can be found, in file order. */
  rules(): Iterable<TcpRule>;
  /** Some key asks for the reverse name. */
  readonly needsHost: boolean;
  /** Some key asks for the ident answer. */
  readonly needsInfo: boolean;
}

/** Ranges multiply: a short file could ask for more keys than there is memory. */
const MOST_KEYS = 500_000;

/**
 * Reads the text form (tcprules.md 2; ucspi-tcp 0.88 tcprules.c). What tcprules refuses is an error in its words, but
 * every such line is reported and not only the first; what it silently ignores is a warning. IPv6 rules are read in the
 * three syntaxes that are in use, CIDR networks also for IPv4 (tcprules.md 7).
 */
export function parseTcpRules(text: string, file: string, complaints: Complaints): TcpRules {
  const table = new RuleTable();
  for (const { text: raw, line } of lines(text)) {
    if (raw === '' || raw.startsWith('#')) continue;
    const rule = withoutTrailingBlanks(raw);
    if (rule === '' || rule === '\r') continue;
    if (!rule.includes(':')) {
      complaints.warn(file, line, `no colon, so the line is ignored: ${shown(rule)}`);
      continue;
    }
    const parsed = parseLine(rule);
    if (typeof parsed === 'string') {
      complaints.error(file, line, `unable to parse this line: ${shown(rule)}: ${parsed}`);
      continue;
    }
    if (table.size + parsed.addresses.length > MOST_KEYS) {
      complaints.error(
        file,
        line,
        `more than ${MOST_KEYS} addresses, ranges expanded; write networks instead`,
      );
      break;
    }
    if (parsed.oddity !== null) complaints.warn(file, line, parsed.oddity);
    const place = `${file}:${line}`;
    let warned = false;
    const complain = (text: string) => {
      // Once for a whole range.
      if (!warned) complaints.warn(file, line, text);
      warned = true;
    };
    for (const address of parsed.addresses) table.add(address, parsed.instruction, place, complain);
  }
  return table;
}

/**
 * Reads the compiled form, as tcprules, its IPv6 patch or ucspi-tcp6 wrote it. A damaged file is an error, and the
 * rules before the damage are returned: the caller must not use them for connections.
 */
export function tcpRulesFromCdb(bytes: Buffer, file: string, complaints: Complaints): TcpRules {
  const table = new RuleTable();
  const complain = (text: string) => complaints.warn(file, 0, text);
  try {
    for (const [key, value] of Cdb.parse(bytes).entries()) {
      const address = key.toString('latin1');
      const place = `${file} (key ${JSON.stringify(address)})`;
      table.add(address, decodeInstruction(value.toString('latin1')), place, complain);
    }
  } catch (error) {
    if (!(error instanceof CdbError)) throw error;
    complaints.error(file, 0, error.message);
  }
  return table;
}

class RuleTable implements TcpRules {
  readonly #rules = new Map<string, TcpRule>();
  readonly #networks = new Map<string, TcpRule>();
  /** Prefix lengths that occur, longest first: of IPv4 and of IPv6. */
  #lengths: { _: number[]; '^': number[] } = { _: [], '^': [] };
  needsHost = false;
  needsInfo = false;

  get size(): number {
    return this.#rules.size + this.#networks.size;
  }

  /** The first rule for a key wins, as the first record does in a cdb. */
  add(address: string, instruction: TcpInstruction, place: string, complain: (text: string) => void): void {
    const { key, kind, name, oddity } = tcpKey(address);
    if (oddity !== null) complain(oddity);
    const table = kind === 'cidr' ? this.#networks : this.#rules;
    const before = table.get(key);
    if (before !== undefined) {
      complain(
        `${name === '' ? 'the default' : name} has a rule already, at ${before.place}, so this one is never used`,
      );
      return;
    }
    const { action, variables } = instruction;
    table.set(key, { key: name, action, variables: action === 'deny' ? [] : variables, place });
    if (kind === 'cidr') this.#noteLength(key);
    else {
      this.needsHost ||= key.includes('=');
      this.needsInfo ||= key.includes('@');
    }
  }

  #noteLength(key: string): void {
    const lengths = this.#lengths[key.startsWith('_') ? '_' : '^'];
    if (lengths.includes(key.length)) return;
    lengths.push(key.length);
    lengths.sort((a, b) => b - a);
  }

  find(client: {
    readonly ip: string;
    readonly host: string | null;
    readonly info: string | null;
  }): TcpRule | null {
    const ip = clientKey(client.ip);
    for (const key of exactKeys(ip, client.host, client.info)) {
      const rule = this.#rules.get(key);
      if (rule !== undefined) return rule;
    }
    for (let i = ip.length; i > 0; i--) {
      const last = ip[i - 1];
      const rule = last === '.' || last === ':' ? this.#rules.get(ip.slice(0, i)) : undefined;
      if (rule !== undefined) return rule;
    }
    const network = this.#networks.size > 0 ? this.#network(ip) : null;
    if (network !== null) return network;
    if (client.host !== null) {
      for (const tail of hostTails(client.host)) {
        const rule = this.#rules.get(`=${tail}`);
        if (rule !== undefined) return rule;
      }
    }
    return this.#rules.get('') ?? null;
  }

  #network(ip: string): TcpRule | null {
    const bits = ipBits(ip);
    if (bits === null) return null;
    for (const length of this.#lengths[bits.startsWith('_') ? '_' : '^']) {
      const rule = this.#networks.get(bits.slice(0, length));
      if (rule !== undefined) return rule;
    }
    return null;
  }

  *rules(): Generator<TcpRule, void, void> {
    yield* this.#rules.values();
    yield* this.#networks.values();
  }
}

function exactKeys(ip: string, host: string | null, info: string | null): string[] {
  const keys: string[] = [];
  if (info !== null) {
    keys.push(`${info}@${ip}`);
    if (host !== null) keys.push(`${info}@=${host}`);
  }
  keys.push(ip);
  if (host !== null) keys.push(`=${host}`);
  return keys;
}

/** From every dot of the name on, the first byte included, and at last nothing: the key `=`. */
function* hostTails(host: string): Generator<string, void, void> {
  if (host.startsWith('.')) yield host;
  yield* domainTails(host);
  yield '';
}

interface ParsedLine {
  readonly addresses: readonly string[];
  readonly instruction: TcpInstruction;
  readonly oddity: string | null;
}

/** A line with its trailing blanks removed and at least one colon. A string says what was wanted. */
function parseLine(line: string): ParsedLine | string {
  if (line.endsWith('\r'))
    return 'it ends in a carriage return (a CRLF file); wanted lines that end in LF alone';
  if (line.includes('\0')) return 'it has a NUL byte';
  const colon = line.indexOf(':');
  const instruction = parseInstruction(line, colon + 1);
  if (typeof instruction !== 'string') return expand(line.slice(0, colon), instruction);
  // tcprules fails here. IPv6 addresses have colons of their own, so a later one may be the end of the address.
  for (let next = line.indexOf(':', colon + 1); next >= 0 && next < 300; next = line.indexOf(':', next + 1)) {
    const later = parseInstruction(line, next + 1);
    if (typeof later === 'string') continue;
    const address = line.slice(0, next);
    if (isIPv6Key(address)) return { addresses: [address], instruction: later, oddity: null };
  }
  return instruction;
}

/** Writes out a range such as `1.2.3.10-20` as tcprules does: the first `-` only, and no further than 255. */
function expand(address: string, instruction: TcpInstruction): ParsedLine | string {
  const hyphen = address.indexOf('-');
  if (hyphen < 0 || address.includes('=') || address.includes('@')) {
    return { addresses: [address], instruction, oddity: null };
  }
  const left = address.lastIndexOf('.', hyphen) + 1;
  const dot = address.indexOf('.', hyphen + 1);
  const right = dot < 0 ? address.length : dot;
  const low = rangeEnd(address.slice(left, hyphen));
  const high = rangeEnd(address.slice(hyphen + 1, right));
  if (low === null || high === null) {
    return `${shown(address.slice(left, right))} is no range of numbers; wanted 10-20, or = in front of a host name`;
  }
  const addresses: string[] = [];
  for (let n = low; n <= Math.min(high, 255); n++) {
    addresses.push(address.slice(0, left) + n + address.slice(right));
  }
  const oddity =
    addresses.length > 0 ? null : `the range in ${shown(address)} is empty, so the line is ignored`;
  return { addresses, instruction, oddity };
}

/** One end of a range: digits, or nothing, which tcprules counts as 0; numbers wrap at 64 bits as they do there. */
function rangeEnd(text: string): number | null {
  if (!/^[0-9]*$/.test(text)) return null;
  return text.length < 16 ? Number(text) : Number(BigInt.asUintN(64, BigInt(text)));
}

function shown(text: string): string {
  const visible = text.endsWith('\r') ? text.slice(0, -1) : text;
  return visible.length > 200 ? `${visible.slice(0, 200)}…` : visible;
}
