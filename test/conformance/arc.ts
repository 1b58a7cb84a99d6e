import type { Zone } from '../support/dns-server.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { fail, pass } from './outcome.ts';
import type { Outcome, Suite } from './outcome.ts';
import { probe } from './probe.ts';
import type { Answer } from './probe.ts';

interface Case {
  readonly id: string;
  /** LF line ends. */
  readonly message: string;
  readonly zone: Zone;
  /** The result; `''`: the newest seal says `cv=fail`, of which RFC 8617 5.2, step 2, makes a fail. */
  readonly cv: string;
}

/** Every case through `postern probe`, each with a DNS server of its own that knows its zone and nothing else. */
export const arc: Suite = {
  file: 'arc/validation.json',
  async run(content, wanted) {
    const cases = (content as readonly Case[]).filter(one => wanted(one.id));
    const servers = await Promise.all(cases.map(one => startDnsServer(one.zone)));
    try {
      const answers = await probe(
        cases.map(({ message }, id) => ({
          id,
          op: 'arc',
          message: Buffer.from(message).toString('base64'),
          dns: servers[id]?.address ?? '',
        })),
      );
      return cases.map((one, id) => judge(one, answers.get(id)));
    } finally {
      await Promise.all(servers.map(server => server.close()));
    }
  },
};

function judge({ id, cv }: Case, answer: Answer | undefined): Outcome {
  if (answer === undefined) return fail(id, 'answer', 'one', 'none');
  const wanted = cv === '' ? 'fail' : cv;
  return answer['result'] === wanted ? pass(id) : fail(id, 'result', wanted, answer);
}
