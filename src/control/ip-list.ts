import type { Complaints, Parse } from './complaints.ts';
import { filled, ipv4Number, ipv6Network, octets, prefixRange } from './ip-list-lines.ts';
import type { Ipv4Range } from './ip-list-lines.ts';
import { DEFAULT_A, listValue, rbldnsdText, rbldnsText } from './ip-list-values.ts';
import type { ListValue } from './ip-list-values.ts';
import { IpNetworks } from './ip-networks.ts';

/** A listed address, and what the list says of it. */
export interface IpListHit {
  /** `control/iplist:12`. */
  readonly place: string;
  readonly a: string;
  readonly txt: string | null;
}

/** Addresses and networks from a file, looked up without DNS. */
export interface IpList {
  /** Entries read, exclusions included. */
  readonly size: number;
  /** What the list says of `ip` (dotted IPv4, IPv6, mapped IPv6 as IPv4); null when it is not listed or no address. */
  find(ip: string): IpListHit | null;
}

/** Whose rules a file is read by; `either`: as both, where they agree. */
type Format = 'either' | 'rbldns' | 'rbldnsd';

interface Entry {
  readonly line: number;
  readonly value: ListValue;
  /** `!`. */
  readonly excluded: boolean;
}

const FORMAT_LINE = /^[#;]\s*format:\s*(\S+)\s*$/i;
/** `$SOA …`, `$1 …`, `$= …`; also behind `#`, `;` or `:`, for files that rbldns reads too. */
const SPECIAL = /^[#;:]?\$(SOA|NS|TTL|TIMESTAMP|MAXRANGE4|DATASET|[0-9]|=)\s+(.*)$/i;
const IPV4_ENTRY = /^([0-9.]+)(?:\/([0-9]+)|-([0-9.]+))?(?=[\s:#;]|$)/;
const IPV6_ENTRY = /^[0-9a-f]{0,4}:[0-9a-f:]*(?:\/[0-9]+)?(?=[\s#;]|$)/i;
const SAY_WHICH = "say which with a line '# format: rbldns' or '# format: rbldnsd'";
/** Text that djbdns rbldns gives when the file has none. */
const RBLDNS_DEFAULT_TEXT = 'Listed $';
/** rbldns-data: address and text together, before the address is put in. */
const RBLDNS_MAX_VALUE = 100;

/**
 * A local address list, in the format of djbdns rbldns (`data`) or of rbldnsd (ip4set, ip4trie, ip6trie and the like).
 * A line such as `# format: rbldnsd`, before the first entry, says which; without one the file is read as rbldnsd would,
 * and a line that rbldns reads as something else is an error, unless other lines show that rbldns could not load the
 * file at all. Of several entries the most specific one wins (see IpNetworks for exclusions).
 */
export const parseIpList: Parse<IpList> = (text, file, complaints) => {
  const reader = new ListReader(file, complaints);
  text.split('\n').forEach((raw, index) => reader.line(raw.trim(), index + 1));
  return reader.finish();
};

class ListReader {
  readonly #file: string;
  readonly #complaints: Complaints;
  readonly #networks = new IpNetworks<Entry>();
  readonly #variables = new Map<string, string>();
  /** Lines that the two programs read differently. */
  readonly #unlike: { readonly line: number; readonly text: string }[] = [];
  #base: string | null = null;
  #default: ListValue = { a: DEFAULT_A, template: '' };
  #maxRange = 2 ** 32;
  #format: Format = 'either';
  #onlyRbldnsd = false;
  #defaults = 0;
  #size = 0;

  constructor(file: string, complaints: Complaints) {
    this.#file = file;
    this.#complaints = complaints;
  }

  line(text: string, line: number): void {
    if (text === '') return;
    const special = this.#format === 'rbldns' ? null : SPECIAL.exec(text);
    if (special) this.#special(special[1]?.toUpperCase() ?? '', special[2] ?? '', line);
    else if (text.startsWith('#') || (text.startsWith(';') && this.#format !== 'rbldns'))
      this.#comment(text, line);
    else if (/^:(?!:)/.test(text)) this.#defaultValue(text, line);
    else this.#entry(text, line);
  }

  #comment(text: string, line: number): void {
    if (text.startsWith(';')) this.#onlyRbldnsd = true;
    const name = FORMAT_LINE.exec(text)?.[1]?.toLowerCase();
    if (name === undefined) return;
    if (name !== 'rbldns' && name !== 'rbldnsd') {
      this.#error(line, `format "${name}" is neither rbldns nor rbldnsd`);
    } else if (this.#size > 0 || this.#defaults > 0) {
      this.#error(line, 'the format must be said before the first entry');
    } else {
      this.#format = name;
      if (name === 'rbldns') this.#default = { a: DEFAULT_A, template: RBLDNS_DEFAULT_TEXT };
    }
  }

  #special(name: string, text: string, line: number): void {
    this.#onlyRbldnsd = true;
    if (name === 'DATASET')
      this.#error(line, 'combined data sets are not read: give each set a file of its own');
    else if (name === '=') this.#base ??= text;
    else if (name === 'MAXRANGE4') {
      const bits = /^\/([0-9]{1,2})$/.exec(text)?.[1];
      const size = bits === undefined ? Number(text) : 2 ** (32 - Number(bits));
      if (size >= 1) this.#maxRange = Math.min(this.#maxRange, size);
      else this.#error(line, `$MAXRANGE4 "${text}" is neither a number of addresses nor /bits`);
    } else if (name === 'TIMESTAMP' && text.trim().includes(' ')) {
      this.#warn(line, 'the expiry time is not looked at');
    } else if (/^[0-9]$/.test(name) && !this.#variables.has(name)) this.#variables.set(name, text);
  }

  #defaultValue(text: string, line: number): void {
    const value = listValue(text, { a: DEFAULT_A, template: '' });
    const isFirst = this.#defaults++ === 0;
    if (this.#format === 'rbldns') {
      const address = ipv4Number(text.slice(1, Math.max(text.indexOf(':', 1), 1)));
      if (address === null || value === null)
        this.#error(line, `"${text}" is not :A:TEXT with a whole address`);
      else if (text.length - 1 > RBLDNS_MAX_VALUE) {
        this.#error(line, `address and text are longer than ${RBLDNS_MAX_VALUE} bytes`);
      } else if (isFirst) this.#default = value;
      else this.#warn(line, 'only the first line of this kind counts');
      return;
    }
    if (value === null) {
      this.#error(line, `"${text}" does not begin with :A: (an address, or its last octet)`);
      return;
    }
    if (!/^:[0-9]+(\.[0-9]+){3}:/.test(text)) this.#onlyRbldnsd = true;
    if (!isFirst || this.#size > 0) {
      this.#differs(line, 'rbldns takes the first :A:TEXT for all entries, rbldnsd each for those after it');
    }
    if (value.template.slice(0, -1).includes('$')) {
      this.#differs(line, 'rbldns puts the address in place of a final $ only, rbldnsd of each');
    }
    this.#default = value;
  }

  #entry(text: string, line: number): void {
    const excluded = text.startsWith('!') && this.#format !== 'rbldns';
    const rest = excluded ? text.slice(1).trimStart() : text;
    if (excluded) this.#onlyRbldnsd = true;
    const v6 = this.#format === 'rbldns' ? null : IPV6_ENTRY.exec(rest)?.[0];
    const v4 = v6 ? null : IPV4_ENTRY.exec(rest);
    const token = v6 ?? v4?.[0];
    if (token === undefined) {
      this.#error(line, `"${text}" does not begin with an address, a network or a range`);
      return;
    }
    const value = excluded ? this.#default : this.#value(rest.slice(token.length).trim(), line);
    if (value === null) return;
    this.#size++;
    const entry = { line, value, excluded };
    if (v6) this.#addIpv6(v6, entry);
    else if (v4) this.#addIpv4(token, v4[1] ?? '', v4[2], v4[3], entry);
  }

  /** The value after an entry; null after a complaint. */
  #value(text: string, line: number): ListValue | null {
    if (text === '') return this.#default;
    if (this.#format === 'rbldns') {
      this.#error(line, `"${text}" after the address: rbldns knows no values of single entries`);
      return null;
    }
    this.#onlyRbldnsd = true;
    if (text.startsWith('#') || text.startsWith(';')) return this.#default;
    const value = listValue(text, this.#default);
    if (value === null) this.#error(line, `"${text}" is neither :A:TEXT nor a text`);
    return value;
  }

  #addIpv6(text: string, entry: Entry): void {
    this.#onlyRbldnsd = true;
    const found = ipv6Network(text);
    if (found === null) this.#error(entry.line, `"${text}" is no IPv6 network`);
    else if (found.host) this.#warn(entry.line, `${text} never matches: bits are set beyond the prefix`);
    else this.#networks.addIpv6(found, entry);
  }

  #addIpv4(
    token: string,
    address: string,
    bits: string | undefined,
    to: string | undefined,
    entry: Entry,
  ): void {
    const begin = octets(address);
    let range: Ipv4Range | 'reported' | null = null;
    if (to !== undefined && this.#format !== 'rbldns') {
      this.#onlyRbldnsd = true;
      range = prefixRange(address, to);
    } else if (begin !== null && to === undefined) {
      range =
        bits === undefined
          ? this.#address(token, begin, entry.line)
          : this.#network(token, begin, Number(bits), entry.line);
    }
    if (range === null) this.#error(entry.line, `"${token}" is no address, network or range`);
    else if (range === 'reported') return;
    else if (range.last - range.first >= this.#maxRange) {
      this.#warn(entry.line, `${token} is larger than $MAXRANGE4 and is left out`);
    } else this.#networks.addIpv4(range, entry);
  }

  /** One address, or the prefix of many. */
  #address(token: string, begin: readonly number[], line: number): Ipv4Range | 'reported' {
    const first = filled(begin, 0);
    if (this.#format === 'rbldns' || begin.length === 4) return { first, last: first };
    const wide = `${token}/${begin.length * 8}`;
    const single = [...begin, 0, 0, 0].slice(0, 4).join('.');
    if (begin.length === 1) {
      // rbldnsd does not take a lone number, rbldns takes it for one address: whoever writes it means neither.
      this.#error(line, `"${token}" is no network: write ${wide}, or ${single} for that address alone`);
      return 'reported';
    }
    this.#differs(line, `"${token}" is ${single} to rbldns and ${wide} to rbldnsd`);
    return { first, last: filled(begin, 255) };
  }

  /** A network with its prefix length. One with host bits set never matches in either program, and does nothing here. */
  #network(
    token: string,
    begin: readonly number[],
    bits: number,
    line: number,
  ): Ipv4Range | 'reported' | null {
    const first = filled(begin, 0);
    const isRbldns = this.#format === 'rbldns';
    const prefix = isRbldns ? Math.min(bits, 32) : bits;
    if (isRbldns && prefix < 8) {
      this.#warn(line, `${token} never matches: rbldns looks no further than /8`);
      return 'reported';
    }
    if (prefix < 1 || prefix > 32) return null;
    if (prefix < 8) this.#differs(line, `"${token}" never matches in rbldns, which looks no further than /8`);
    const size = 2 ** (32 - prefix);
    if (first % size === 0) return { first, last: first + size - 1 };
    this.#warn(line, `${token} never matches: bits are set beyond the prefix`);
    return 'reported';
  }

  finish(): IpList {
    if (this.#format === 'either' && !this.#onlyRbldnsd) {
      for (const { line, text } of this.#unlike) this.#error(line, `${text}: ${SAY_WHICH}`);
    }
    const networks = this.#networks;
    const texts = { variables: this.#variables, base: this.#base };
    const forAll = this.#format === 'rbldns' ? this.#default : null;
    const file = this.#file;
    return {
      size: this.#size,
      find: ip => {
        const entry = networks.find(ip);
        if (!entry) return null;
        const { a, template } = forAll ?? entry.value;
        const txt = forAll ? rbldnsText(template, ip) : rbldnsdText(template, ip, texts);
        return { place: `${file}:${entry.line}`, a, txt };
      },
    };
  }

  #differs(line: number, text: string): void {
    if (this.#format === 'either') this.#unlike.push({ line, text });
  }

  #error(line: number, text: string): void {
    this.#complaints.error(this.#file, line, text);
  }

  #warn(line: number, text: string): void {
    this.#complaints.warn(this.#file, line, text);
  }
}
