import type { Zone, ZoneEntry } from '../support/dns-server.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { fail, pass } from './outcome.ts';
import type { Outcome, Suite } from './outcome.ts';
import { probe } from './probe.ts';
import type { Answer } from './probe.ts';

interface Scenario {
  readonly description: string;
  readonly zone: Zone;
  readonly tests: readonly Case[];
}

interface Case {
  readonly id: string;
  readonly ip: string;
  readonly helo: string;
  readonly sender: string;
  /** Any of these. */
  readonly result: readonly string[];
  /** `DEFAULT`: the domain has none that could be used. */
  readonly explanation?: string;
}

/** Every case through `postern probe`, each scenario with a DNS server of its own that knows its zone and nothing else. */
const suite = (file: string): Suite => ({
  file,
  async run(content, wanted) {
    const scenarios = (content as readonly Scenario[]).map(({ zone, tests }) => ({
      zone,
      tests: tests.filter(one => wanted(one.id)),
    }));
    const asked = scenarios.filter(({ tests }) => tests.length > 0);
    const servers = await Promise.all(asked.map(({ zone }) => startDnsServer(answerable(zone))));
    try {
      const questions = asked.flatMap(({ tests }, i) =>
        tests.map(one => ({ one, dns: servers[i]?.address ?? '' })),
      );
      const answers = await probe(
        questions.map(({ one: { ip, helo, sender }, dns }, id) => ({ id, op: 'spf', ip, helo, sender, dns })),
      );
      return questions.map(({ one }, id) => judge(one, answers.get(id)));
    } finally {
      await Promise.all(servers.map(server => server.close()));
    }
  },
});

export const rfc7208 = suite('spf/rfc7208.json');
export const diffSeeds = suite('spf/diff-seeds.json');

/** A bare failure beside records means the other types, as the suite's own driver has it. */
function answerable(zone: Zone): Zone {
  return Object.fromEntries(
    Object.entries(zone).map(([name, entries]): [string, readonly ZoneEntry[]] => {
      const records = entries.filter(entry => typeof entry !== 'string');
      const failure = entries.find(entry => typeof entry === 'string');
      if (failure === undefined || records.length === 0) return [name, entries];
      const present = new Set(records.flatMap(record => Object.keys(record)));
      const others = ['A', 'AAAA', 'MX', 'PTR', 'TXT'].filter(type => !present.has(type));
      return [name, [...records, ...others.map(type => ({ [type]: failure }))]];
    }),
  );
}

function judge(one: Case, answer: Answer | undefined): Outcome {
  if (answer === undefined) return fail(one.id, 'answer', 'one', 'none');
  const { result, explanation } = answer;
  if (typeof result !== 'string' || !one.result.includes(result))
    return fail(one.id, 'result', one.result, answer);
  if (one.explanation !== undefined && one.explanation !== explanation)
    return fail(one.id, 'explanation', one.explanation, explanation);
  return pass(one.id);
}
