import { checkSpf } from '../../src/auth/spf.ts';
import type { Dns, DnsAnswer } from '../../src/model/dns.ts';
import type { SpfOutcome, SpfQuestion } from '../../src/model/spf.ts';

/** Records by `TYPE name`: texts, or `fails`. MX hosts in order of preference. */
export type Names = Readonly<Record<string, readonly string[] | 'fails'>>;

/** A DNS in memory; what is not in it does not exist. `asked` are the questions in order. */
export function dnsOf(names: Names): Dns & { readonly asked: string[] } {
  const asked: string[] = [];
  const find = (type: string, name: string): DnsAnswer<string> => {
    asked.push(`${type} ${name}`);
    const found = names[`${type} ${name}`];
    if (found === undefined) return { kind: 'none', nxdomain: true };
    return found === 'fails' ? { kind: 'error', error: 'SERVFAIL' } : { kind: 'found', records: found };
  };
  const mapped = <T>(answer: DnsAnswer<string>, make: (text: string, i: number) => T): DnsAnswer<T> =>
    answer.kind === 'found' ? { kind: 'found', records: answer.records.map(make) } : answer;
  return {
    asked,
    a: async name => find('A', name),
    aaaa: async name => find('AAAA', name),
    txt: async name => mapped(find('TXT', name), text => [text]),
    mx: async name => mapped(find('MX', name), (host, preference) => ({ preference, host })),
    ptr: async ip => find('PTR', ip),
  };
}

const QUESTION: SpfQuestion = {
  ip: '192.0.2.1',
  ownAddress: false,
  helo: 'client.example',
  sender: 'user@example.net',
  receiver: 'mx.example.com',
  rules: '',
  guess: '',
  explanation: '',
  header: 'classic',
};

/** Asks about a client that is 192.0.2.1 and user@example.net unless the question says otherwise. */
export async function ask(
  dns: Dns,
  question: Partial<SpfQuestion> = {},
  maxMs?: number,
): Promise<SpfOutcome> {
  return checkSpf({ ...QUESTION, ...question }, dns, {
    now: () => 0,
    ...(maxMs === undefined ? {} : { maxMs }),
  });
}
