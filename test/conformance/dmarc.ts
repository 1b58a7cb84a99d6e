import type { Zone } from '../support/dns-server.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { fail, pass } from './outcome.ts';
import type { Outcome, Suite } from './outcome.ts';
import { probe } from './probe.ts';
import type { Answer } from './probe.ts';

interface Case {
  readonly id: string;
  readonly from: string;
  readonly zone: Zone;
  readonly spf: object | null;
  readonly dkim: readonly object[];
  /** The result. */
  readonly want: string;
  /** Null: the case does not say. */
  readonly policy: string | null;
  readonly disposition: string | null;
}

/** Every case through `postern probe`, each with a DNS server of its own that knows its zone and nothing else. */
export const dmarc: Suite = {
  file: 'dmarc/cases.json',
  async run(content, wanted) {
    const cases = (content as readonly Case[]).filter(one => wanted(one.id));
    const servers = await Promise.all(cases.map(one => startDnsServer(one.zone)));
    try {
      const answers = await probe(
        cases.map(({ from, spf, dkim }, id) => {
          const dns = servers[id]?.address ?? '';
          return { id, op: 'dmarc', from, spf, dkim, dns };
        }),
      );
      return cases.map((one, id) => judge(one, answers.get(id)));
    } finally {
      await Promise.all(servers.map(server => server.close()));
    }
  },
};

function judge({ id, want, policy, disposition }: Case, answer: Answer | undefined): Outcome {
  if (answer === undefined) return fail(id, 'answer', 'one', 'none');
  if (answer['result'] !== want) return fail(id, 'result', want, answer);
  if (policy !== null && answer['policy'] !== policy) return fail(id, 'policy', policy, answer);
  if (disposition !== null && answer['disposition'] !== disposition)
    return fail(id, 'disposition', disposition, answer);
  return pass(id);
}
