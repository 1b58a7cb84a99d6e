import type { Reply } from '../model/reply.ts';
import { reply } from '../model/reply.ts';
import type { Action } from '../model/verdict.ts';
import type { Complaints, Parse } from './complaints.ts';
import { listEntries } from './readers.ts';

/** An action and the line that asked for it. */
export interface ActionEntry {
  readonly action: Action;
  readonly place: string;
}

/** What each rule does when it hits, and what an error of a plugin means (`error PLUGIN`). */
export interface Actions {
  readonly rules: ReadonlyMap<string, ActionEntry>;
  readonly errors: ReadonlyMap<string, ActionEntry>;
}

export const NO_ACTIONS: Actions = { rules: new Map(), errors: new Map() };

const WANTED = 'observe, tag, score N, quarantine, defer, reject or discard';

/**
 * The `actions` file: `RULE:ACTION` or `RULE:ACTION:REPLY`, one a line; `error PLUGIN:ACTION` says what it means when
 * a plugin could not find out. REPLY is `CODE ENHANCED text` (`553 5.7.1 sorry, …`); in it `%TEXT%` stands for the
 * text of the list that hit. Without a reply, the rule's own (from the weaker layer) is used.
 */
export const parseActions: Parse<Actions> = (text, file, complaints) => {
  const rules = new Map<string, ActionEntry>();
  const errors = new Map<string, ActionEntry>();
  for (const entry of listEntries(text, file, complaints)) {
    const parsed = parseLine(entry.text, file, entry.line, complaints);
    if (parsed === null) continue;
    const isError = /^error\s+/.exec(parsed.key);
    const table = isError ? errors : rules;
    const key = isError ? parsed.key.slice(isError[0].length) : parsed.key;
    const before = table.get(key);
    if (before) {
      complaints.error(
        file,
        entry.line,
        `${parsed.key} has an action already, at ${before.place}; keep one of the two`,
      );
      continue;
    }
    table.set(key, { action: parsed.action, place: `${file}:${entry.line}` });
  }
  return { rules, errors };
};

function parseLine(
  text: string,
  file: string,
  line: number,
  complaints: Complaints,
): { key: string; action: Action } | null {
  const colon = text.indexOf(':');
  if (colon < 1) {
    complaints.error(file, line, `"${text}" has no RULE: in front; wanted RULE:ACTION or RULE:ACTION:REPLY`);
    return null;
  }
  const key = text.slice(0, colon).trim();
  const rest = text.slice(colon + 1);
  const second = rest.indexOf(':');
  const word = (second < 0 ? rest : rest.slice(0, second)).trim();
  const replyText = second < 0 ? null : rest.slice(second + 1).trim();
  const score = /^score\s+(-?[0-9]{1,6}(?:\.[0-9]{1,4})?)$/.exec(word);
  if (score && replyText === null) return { key, action: { kind: 'score', points: Number(score[1]) } };
  switch (word) {
    case 'observe':
    case 'tag':
    case 'quarantine':
    case 'discard':
      if (replyText !== null) {
        complaints.error(file, line, `${word} sends no refusal, so it can have no reply text`);
        return null;
      }
      return { key, action: { kind: word } };
    case 'defer':
    case 'reject': {
      const answer = replyText === null ? null : parseReply(replyText, word, file, line, complaints);
      if (answer === undefined) return null;
      return { key, action: { kind: word, reply: answer } };
    }
    default:
      complaints.error(file, line, `"${word}" is not an action; wanted ${WANTED}`);
      return null;
  }
}

function parseReply(
  text: string,
  kind: 'defer' | 'reject',
  file: string,
  line: number,
  complaints: Complaints,
): Reply | undefined {
  const match = /^([45][0-9]{2}) ([45]\.[0-9]{1,3}\.[0-9]{1,3}) ([\x20-\x7e]{1,400})$/.exec(text);
  const first = kind === 'defer' ? '4' : '5';
  if (!match || match[1]?.[0] !== first || match[2]?.[0] !== first) {
    complaints.error(
      file,
      line,
      `the reply "${text}" must be a ${first}xx code, an enhanced status ${first}.x.y and printable ASCII text`,
    );
    return undefined;
  }
  return reply(Number(match[1]), match[2] ?? '', match[3] ?? '');
}

/** Lays `stronger` over `weaker`; a rule without a reply of its own keeps the reply it had, turned to fit. */
export function mergeActions(weaker: Actions, stronger: Actions): Actions {
  const merge = (below: ReadonlyMap<string, ActionEntry>, above: ReadonlyMap<string, ActionEntry>) => {
    const merged = new Map(below);
    for (const [key, entry] of above) {
      merged.set(key, { ...entry, action: withReply(entry.action, below.get(key)?.action) });
    }
    return merged;
  };
  return { rules: merge(weaker.rules, stronger.rules), errors: merge(weaker.errors, stronger.errors) };
}

function withReply(action: Action, before: Action | undefined): Action {
  if ((action.kind !== 'defer' && action.kind !== 'reject') || action.reply !== null) return action;
  if (before === undefined || (before.kind !== 'defer' && before.kind !== 'reject') || before.reply === null)
    return action;
  return {
    kind: action.kind,
    reply: action.kind === before.kind ? before.reply : turned(before.reply, action.kind),
  };
}

/** The same words with another severity: 553 5.7.1 becomes 451 4.7.1 and the other way round. */
function turned(answer: Reply, kind: 'defer' | 'reject'): Reply {
  const digit = kind === 'defer' ? '4' : '5';
  return { ...answer, code: kind === 'defer' ? 451 : 554, enhanced: digit + answer.enhanced.slice(1) };
}

/** For `config show`: how many rules do what. */
export function showActions(actions: Actions): string {
  return `${actions.rules.size} rules, ${actions.errors.size} plugins on error`;
}
