import type { RecordedFinding } from '../model/finding.ts';
import type { Reply } from '../model/reply.ts';
import { reply } from '../model/reply.ts';
import type { Stage } from '../model/stage.ts';
import type { Action, Verdict } from '../model/verdict.ts';

/** What the policy knows besides the findings: all of it settings. */
export interface PolicyRules {
  /** What a rule does when it hits. */
  action(rule: string): Action;
  /** What it means that a plugin could not find out. */
  errorAction(plugin: string): Action;
  /** True for rules that are only recorded. */
  observed(rule: string): boolean;
  /** Scores from which on a message is tagged, held or refused; 0: never. */
  readonly tagScore: number;
  readonly quarantineScore: number;
  readonly rejectScore: number;
  /** What becomes of quarantine, discard and reject for findings about the message itself. */
  readonly messageMode: 'rule' | 'refuse' | 'quarantine' | 'discard';
}

/** Rule names for verdicts that no single rule brought about. */
export const SCORE_RULE = 'SCORE';

const SCORE_REPLY = reply(554, '5.7.1', 'sorry, this message is considered spam (#5.7.1)');

/**
 * Turns findings into a verdict. Pure: no I/O, no clock. The strongest action wins: reject, defer, discard,
 * quarantine, tag; among equals the first finding. What is only observed, and what was skipped, changes nothing; an
 * error does what the table says an error of that plugin does.
 */
export function decide(findings: readonly RecordedFinding[], rules: PolicyRules): Verdict {
  const sum = new Sum();
  let stage: Stage = 'connect';
  for (const finding of findings) {
    stage = finding.stage;
    if (finding.state === 'pass' || finding.state === 'skipped') continue;
    if (rules.observed(finding.rule)) continue;
    const wanted = finding.state === 'hit' ? rules.action(finding.rule) : rules.errorAction(finding.plugin);
    sum.add(finding, stage === 'message' ? inMode(wanted, rules.messageMode) : wanted);
  }
  const byScore = scoreAction(sum.score, rules);
  if (byScore !== null) {
    const atMessage = findings.some(finding => finding.stage === 'message');
    const finding = { rule: SCORE_RULE, state: 'hit', stage, plugin: 'policy', ms: 0 } as const;
    sum.add(finding, atMessage ? inMode(byScore, rules.messageMode) : byScore);
  }
  return sum.verdict;
}

/** What the findings so far come to. */
class Sum {
  score = 0;
  #reject: { rule: string; reply: Reply } | null = null;
  #defer: { rule: string; reply: Reply } | null = null;
  #discard: string | null = null;
  #quarantine: string | null = null;
  #delaySeconds = 0;
  readonly #tags: string[] = [];

  add(finding: RecordedFinding, action: Action): void {
    const { rule } = finding;
    if (finding.state === 'hit' && action.kind !== 'observe') this.#delaySeconds += finding.delaySeconds ?? 0;
    switch (action.kind) {
      case 'observe':
        break;
      case 'tag':
        if (!this.#tags.includes(rule)) this.#tags.push(rule);
        break;
      case 'score':
        this.score += finding.score ?? action.points;
        break;
      case 'quarantine':
        this.#quarantine ??= rule;
        break;
      case 'discard':
        this.#discard ??= rule;
        break;
      case 'defer':
        this.#defer ??= { rule, reply: refusalReply(action.reply, finding, '4') };
        break;
      case 'reject':
        this.#reject ??= { rule, reply: refusalReply(action.reply, finding, '5') };
        break;
    }
  }

  get verdict(): Verdict {
    const delaySeconds = this.#delaySeconds;
    const [score, tags] = [this.score, this.#tags];
    if (this.#reject !== null) return { kind: 'reject', ...this.#reject, delaySeconds };
    if (this.#defer !== null) return { kind: 'defer', ...this.#defer, delaySeconds };
    if (this.#discard !== null) return { kind: 'discard', rule: this.#discard, score, tags };
    if (this.#quarantine !== null) return { kind: 'quarantine', rule: this.#quarantine, score, tags };
    return { kind: 'continue', score, tags, delaySeconds };
  }
}

/** What the score alone asks for. */
function scoreAction(score: number, rules: PolicyRules): Action | null {
  if (reaches(score, rules.rejectScore)) return { kind: 'reject', reply: SCORE_REPLY };
  if (reaches(score, rules.quarantineScore)) return { kind: 'quarantine' };
  return reaches(score, rules.tagScore) ? { kind: 'tag' } : null;
}

const IN_MODE: Readonly<Record<Exclude<PolicyRules['messageMode'], 'rule'>, Action>> = {
  refuse: { kind: 'reject', reply: null },
  quarantine: { kind: 'quarantine' },
  discard: { kind: 'discard' },
};

/** The action that `quarantinemode` makes of it; what lets a message pass, or asks for it again, stays as it is. */
function inMode(action: Action, mode: PolicyRules['messageMode']): Action {
  if (mode === 'rule' || (mode === 'refuse' && action.kind === 'reject')) return action;
  const final = action.kind === 'reject' || action.kind === 'quarantine' || action.kind === 'discard';
  return final ? IN_MODE[mode] : action;
}

function reaches(score: number, threshold: number): boolean {
  return threshold > 0 && score >= threshold;
}

/** The reply of the action, with the finding's own text in the place of %TEXT%; a text of several lines makes as many. */
function refusalReply(template: Reply | null, finding: RecordedFinding, digit: '4' | '5'): Reply {
  if (template === null) {
    const code = digit === '4' ? 451 : 554;
    return reply(
      code,
      `${digit}.7.1`,
      finding.state === 'error' ? 'temporary failure, try again later' : `refused (${finding.rule})`,
    );
  }
  if (!template.lines.some(line => line.includes('%TEXT%'))) return template;
  const texts = (finding.lines ?? [finding.text ?? '']).map(printable);
  return { ...template, lines: template.lines.flatMap(line => withTexts(line, texts)) };
}

/** What stands before %TEXT% goes with the first of `texts`, what stands behind it with the last. */
function withTexts(line: string, texts: readonly string[]): string[] {
  const [before = '', ...rest] = line.split('%TEXT%');
  if (rest.length === 0) return [line];
  if (rest.length > 1) return [line.replaceAll('%TEXT%', () => texts.join(' '))];
  const last = texts.length - 1;
  return texts.map((text, i) => (i === 0 ? before : '') + text + (i === last ? (rest[0] ?? '') : ''));
}

/** As rblsmtpd does with text from outside: 200 bytes, and `?` for what is not printable ASCII. */
function printable(text: string): string {
  return text.slice(0, 200).replace(/[^\x20-\x7e]/g, '?');
}
