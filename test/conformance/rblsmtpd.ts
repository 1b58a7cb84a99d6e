import { join } from 'node:path';
import { startDnsServer } from '../support/dns-server.ts';
import type { Zone } from '../support/dns-server.ts';
import { ROOT, start } from '../support/processes.ts';
import { bytesOf, fail, pass } from './outcome.ts';
import type { Outcome, Suite } from './outcome.ts';

/** A session recorded from Debian's rblsmtpd. */
interface Case {
  readonly id: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly input: string;
  /** stdin stays open after the input. */
  readonly hold: boolean;
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** What the original took, which asks one list after the other and waits long for DNS: we may be faster. */
  readonly seconds: number;
}

/** What rblsmtpd is to run when the client may come in. */
const PROGRAM = ['sh', '-c', 'echo PASSED'];
/** Programs at a time. */
const AT_ONCE = 4;
/** How much longer than the original a case may take, on a busy machine. Seconds. */
const SLACK = 20;

/** Every session through `postern rblsmtpd`, with a DNS server that knows the suite's zone and nothing else. */
export const rblsmtpd: Suite = {
  file: 'ucspi/rblsmtpd.json',
  async run(content, wanted) {
    const { zone, cases } = content as { readonly zone: Zone; readonly cases: readonly Case[] };
    const dns = await startDnsServer(zone);
    try {
      const waiting = cases.filter(one => wanted(one.id)).map((one, at) => ({ one, at }));
      const outcomes: Outcome[] = [];
      const work = async () => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
          outcomes[next.at] = await session(next.one, dns.address);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      return outcomes;
    } finally {
      await dns.close();
    }
  },
};

async function session(one: Case, dns: string): Promise<Outcome> {
  const surroundings = { RBLSMTPD: undefined, TCPREMOTEIP: undefined, DNSCACHEIP: dns };
  await using program = await start(join(ROOT, 'bin/postern'), ['rblsmtpd', ...one.args, ...PROGRAM], {
    env: { ...surroundings, ...one.env },
    input: bytesOf(one.input),
    holdInput: one.hold,
  });
  const limit = ((one.seconds ?? 0) + SLACK) * 1000;
  const exit = await program.until('the end', () => program.exit ?? undefined, limit).catch(() => null);
  const out = program.bytes.stdout.toString('latin1');
  if (exit === null)
    return fail(one.id, 'end', `within ${limit} ms`, `still running after ${JSON.stringify(out)}`);
  const err = program.bytes.stderr.toString('latin1');
  const wantedOut = bytesOf(one.out).toString('latin1');
  const wantedErr = bytesOf(one.err).toString('latin1');
  if (withoutHost(out) !== withoutHost(wantedOut)) return fail(one.id, 'out', wantedOut, out);
  if (withoutPid(err) !== withoutPid(wantedErr)) return fail(one.id, 'err', wantedErr, err);
  if (exit.code !== one.code) return fail(one.id, 'exit code', one.code, exit.code ?? exit.signal);
  return pass(one.id);
}

/** The host that the greeting names is the server's own affair, as long as it names the same one in every line. */
function withoutHost(out: string): string {
  const host = /^220 (\S+)\r\n/.exec(out)?.[1];
  if (host === undefined) return out;
  return out.replace(/^(2[0-9]{2}) (\S+)\r$/gm, (line, code: string, name: string) =>
    name === host ? `${code} HOST\r` : line,
  );
}

function withoutPid(err: string): string {
  return err.replace(/ pid \S+:/g, ' pid x:');
}
