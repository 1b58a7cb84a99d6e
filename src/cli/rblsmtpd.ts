import { writeSync } from 'node:fs';
import { isIP, isIPv4, isIPv6 } from 'node:net';
import { parseRblsmtpdArguments } from '../control/dns-lists.ts';
import type { DnsListSource } from '../control/dns-lists.ts';
import { advance, UNDECIDED } from '../dns/list-decision.ts';
import type { ListState } from '../dns/list-decision.ts';
import { askList, listedClient } from '../dns/lists.ts';
import { createResolver } from '../dns/resolver.ts';
import { refusalLine, refuseOnStdio } from './rblsmtpd-dialogue.ts';
import { becomeProgram, errorText, findProgram } from './run-program.ts';

const USAGE =
  'rblsmtpd: usage: rblsmtpd [ -b ] [ -R ] [ -t timeout ] [ -r base ] [ -a base ] smtpd [ arg ... ]\n';
const EXIT_USAGE = 100;
const EXIT_TEMPORARY = 111;

interface Refusal {
  readonly code: 451 | 553;
  /** A byte string. */
  readonly text: string;
}

/**
 * The program rblsmtpd of ucspi-tcp 0.88, as Debian has it (without `-r` nothing is asked): becomes the program in `argv`
 * when the client may come in, and otherwise tells it no and exits. All lists are asked at once; the answers are judged in
 * the order of the options. Differs from the original where a list answers with an error code in place of a listing:
 * that is a temporary failure here. Servers: $DNSCACHEIP, else /etc/resolv.conf.
 */
export async function rblsmtpd(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<never> {
  const args = parseRblsmtpdArguments(argv);
  if (args.kind === 'usage') {
    log(`${args.problem === null ? '' : `rblsmtpd: ${args.problem}\n`}${USAGE}`);
    process.exit(EXIT_USAGE);
  }
  const ip = env['TCPREMOTEIP'] ?? '';
  const order = env['RBLSMTPD'];
  const refusal =
    order === undefined ? await askedRefusal(args.sources, ip, env['DNSCACHEIP']) : orderedRefusal(order);
  if (refusal !== null) {
    const line = refusalLine(refusal.code, refusal.text);
    log(`rblsmtpd: ${ip} pid ${process.pid}: ${line}\n`);
    refuseOnStdio(line, args.timeoutSeconds);
    // Ends by process.exit.
    return new Promise<never>(() => {});
  }
  const [name = ''] = args.program;
  const program = findProgram(name, env['PATH']);
  if ('path' in program) becomeProgram(program.path, args.program, env);
  log(`rblsmtpd: fatal: unable to run ${name}: ${errorText(program.error)}\n`);
  process.exit(EXIT_TEMPORARY);
}

/** What the variable RBLSMTPD says, options or not; null: let in. */
function orderedRefusal(order: string): Refusal | null {
  if (order === '') return null;
  // Node has read the environment as UTF-8; what was none is one byte each time, and shown as `?` in any case.
  const text = Buffer.from(order.replaceAll('\ufffd', '?')).toString('latin1');
  return text.startsWith('-') ? { code: 553, text: text.slice(1) } : { code: 451, text };
}

async function askedRefusal(
  sources: readonly DnsListSource[],
  ip: string,
  servers: string | undefined,
): Promise<Refusal | null> {
  if (sources.length === 0) return null;
  const resolver = createResolver({ servers: dnsCacheServers(servers ?? ''), cacheEntries: 0 });
  const client = listedClient(ip);
  const asked = sources.map(source => ({ source, outcome: askList(resolver, client, source) }));
  let state: ListState<DnsListSource> = UNDECIDED;
  for (const { source, outcome } of asked) {
    state = advance(state, source, await outcome);
    if (state.decision.kind !== 'undecided') break;
  }
  resolver.close();
  return state.decision.kind === 'block' ? state.decision : null;
}

/**
 * The servers in $DNSCACHEIP: addresses with or without a port, parted by blanks, or djb's own form of up to 16 IPv4
 * addresses parted by dots. What is no address is passed over, as djb's library does; an empty list means the system's.
 */
export function dnsCacheServers(text: string): string[] {
  return text.split(/[\s,]+/).flatMap(word => {
    const octets = word.split('.');
    if (octets.length > 4 && octets.length % 4 === 0) {
      const all = octets.flatMap((_, i) => (i % 4 === 0 ? [octets.slice(i, i + 4).join('.')] : []));
      return all.every(ip => isIPv4(ip)) ? all : [];
    }
    const [, v4, v6, port] = /^(?:([0-9.]+)|\[([0-9a-f:.]+)\]):([0-9]{1,5})$/i.exec(word) ?? [];
    if (port !== undefined)
      return (isIPv4(v4 ?? '') || isIPv6(v6 ?? '')) && Number(port) < 65536 ? [word] : [];
    return isIP(word) ? [word] : [];
  });
}

/** One write on descriptor 2, so that lines of several processes do not mix. A log that is gone stops nobody's mail. */
function log(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // There is no other place to tell it.
  }
}
