import { checkSpf } from '../auth/spf.ts';
import { CLASSIC_WORDS } from '../auth/spf-words.ts';
import { createResolver } from '../dns/resolver.ts';
import { normalAddress } from '../smtp/client-address.ts';
import { configure } from './configure.ts';
import type { PlaceOptions } from './places.ts';
import { places } from './places.ts';

const USAGE =
  'usage: spfquery <sender-ip> <sender-helo/ehlo> <envelope-from> [<local rules>] [<best guess rules>]';
const EXIT_USAGE = 100;
const EXIT_TEMPORARY = 111;

/** Where the two lines go, and what is wrong. */
export interface SpfQueryOutput {
  readonly print: (line: string) => void;
  readonly complain: (line: string) => void;
}

/**
 * The program spfquery of qmail-spf rc5: `IP HELO SENDER [LOCAL [GUESS [EXP]]]` to the two lines `result=…` and
 * `Received-SPF: …`; 0 whatever the result, 100 for a wrong call, 111 when the configuration that `--control` names
 * (it tells the DNS servers) cannot be used. Evaluation is RFC 7208's, so that IPv6 works.
 */
export async function spfquery(
  args: readonly string[],
  options: PlaceOptions,
  { print, complain }: SpfQueryOutput,
): Promise<number> {
  const [ip = '', helo = '', sender = '', rules = '', guess = '', explanation = ''] = args.map(bytes);
  if (args.length < 3) {
    complain('fatal: invalid usage');
    complain(USAGE);
    return EXIT_USAGE;
  }
  const { configuration, complaints } = await configure(places(options));
  if (configuration === null) {
    for (const complaint of complaints) complain(complaint);
    return EXIT_TEMPORARY;
  }
  const { dnsservers, dnstimeout } = configuration.site.values;
  const resolver = createResolver({ servers: dnsservers, timeoutMs: dnstimeout });
  try {
    const question = { helo, sender, rules, guess, explanation, receiver: 'localhost' } as const;
    const outcome = await checkSpf(
      { ...question, ip: normalAddress(ip), ownAddress: false, header: 'classic' },
      resolver,
    );
    const why = outcome.result === 'fail' ? `: ${outcome.explanation}` : '';
    print(`result=${CLASSIC_WORDS[outcome.result]}${why}`);
    print(outcome.header.trimEnd());
    return 0;
  } finally {
    resolver.close();
  }
}

/** Command-line text as a byte string. */
function bytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}
