import { isDeepStrictEqual } from 'node:util';
import { join } from 'node:path';
import { ROOT, run } from '../support/processes.ts';
import { fail, pass } from './outcome.ts';
import type { Outcome, Suite } from './outcome.ts';

/** A case of ucspi/tcprules.json: rules as text and compiled, a client, and what tcprulescheck said. */
interface Case {
  readonly id: string;
  readonly rules: string;
  /** Absent where tcprules refused the text. */
  readonly cdb?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The address part that won; `default` when none did. */
  readonly rule?: string;
  readonly action?: string;
  readonly vars?: Readonly<Record<string, string>>;
  /** tcprules' complaint about the text; ours has words of its own. */
  readonly error?: string;
}

type Answer = Readonly<Record<string, unknown>>;

/** Generous: thousands of cases take a second or two. Milliseconds. */
const PATIENCE = 120_000;

/** Every case through text and through cdb, by one `postern probe`. */
export const tcprules: Suite = {
  file: 'ucspi/tcprules.json',
  async run(content, wanted) {
    const cases = (content as readonly Case[]).filter(one => wanted(one.id));
    const questions = cases.flatMap(one => ways(one).map(way => ({ one, ...way })));
    const answers = await probe(
      questions.map(({ one, request }, id) => ({ id, op: 'tcprules', env: one.env ?? {}, ...request })),
    );
    return questions.map(({ one, form }, id) => judge(`${one.id} (${form})`, one, answers.get(id)));
  },
};

function ways(one: Case): { readonly form: string; readonly request: Readonly<Record<string, string>> }[] {
  const text = { form: 'text', request: { rules: one.rules } };
  return one.cdb === undefined ? [text] : [text, { form: 'cdb', request: { cdb: one.cdb } }];
}

function judge(id: string, one: Case, answer: Answer | undefined): Outcome {
  if (answer === undefined) return fail(id, 'answer', 'one', 'none');
  if (one.error !== undefined) {
    const { error } = answer;
    return typeof error === 'string' && error !== '' ? pass(id) : fail(id, 'error', one.error, answer);
  }
  const { action, vars, rule } = answer;
  if (action !== one.action) return fail(id, 'action', one.action, answer);
  if (!isDeepStrictEqual(vars, one.vars ?? {})) return fail(id, 'vars', one.vars ?? {}, vars);
  if (one.rule !== undefined && (rule ?? 'default') !== one.rule) return fail(id, 'rule', one.rule, rule);
  return pass(id);
}

async function probe(requests: readonly object[]): Promise<ReadonlyMap<unknown, Answer>> {
  const input = requests.map(request => `${JSON.stringify(request)}\n`).join('');
  const done = await run(join(ROOT, 'bin/postern'), ['probe'], { input }, PATIENCE);
  if (done.code !== 0)
    throw new Error(`postern probe ended with ${done.code ?? done.signal}: ${done.stderr.toString()}`);
  const lines = done.stdout.toString().split('\n').filter(Boolean);
  return new Map(lines.map(line => JSON.parse(line) as Answer).map(answer => [answer['id'], answer]));
}
