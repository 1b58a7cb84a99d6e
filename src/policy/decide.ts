import type { RecordedFinding } from '../model/finding.ts';
import type { Reply } from '../model/reply.ts';
import { reply } from '../model/reply.ts';
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
  let reject: { rule: string; reply: Reply } | null = null;
  let defer: { rule: string; reply: Reply } | null = null;
  let discard: string | null = null;
  let quarantine: string | null = null;
  let score = 0;
  let delaySeconds = 0;
  const tags: string[] = [];
  for (const finding of findings) {
    if (finding.state === 'pass' || finding.state === 'skipped') continue;
    if (rules.observed(finding.rule)) continue;
    const action = finding.state === 'hit' ? rules.action(finding.rule) : rules.errorAction(finding.plugin);
    if (finding.state === 'hit' && action.kind !== 'observe') delaySeconds += finding.delaySeconds ?? 0;
    switch (action.kind) {
      case 'observe':
        break;
      case 'tag':
        if (!tags.includes(finding.rule)) tags.push(finding.rule);
        break;
      case 'score':
        score += finding.score ?? action.points;
        break;
      case 'quarantine':
        quarantine ??= finding.rule;
        break;
      case 'discard':
        discard ??= finding.rule;
        break;
      case 'defer':
        defer ??= { rule: finding.rule, reply: refusalReply(action.reply, finding, '4') };
        break;
      case 'reject':
        reject ??= { rule: finding.rule, reply: refusalReply(action.reply, finding, '5') };
        break;
    }
  }
  if (reject === null && reaches(score, rules.rejectScore)) reject = { rule: SCORE_RULE, reply: SCORE_REPLY };
  if (reject !== null) return { kind: 'reject', ...reject, delaySeconds };
  if (defer !== null) return { kind: 'defer', ...defer, delaySeconds };
  if (discard !== null) return { kind: 'discard', rule: discard, score, tags };
  if (quarantine === null && reaches(score, rules.quarantineScore)) quarantine = SCORE_RULE;
  if (quarantine !== null) return { kind: 'quarantine', rule: quarantine, score, tags };
  if (reaches(score, rules.tagScore)) tags.push(SCORE_RULE);
  return { kind: 'continue', score, tags, delaySeconds };
}

function reaches(score: number, threshold: number): boolean {
  return threshold > 0 && score >= threshold;
}

/** The reply of the action, with the finding's own text in the place of %TEXT%. */
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
  const text = printable(finding.text ?? '');
  return { ...template, lines: template.lines.map(line => line.replaceAll('%TEXT%', () => text)) };
}

/** As rblsmtpd does with text from outside: 200 bytes, and `?` for what is not printable ASCII. */
function printable(text: string): string {
  return text.slice(0, 200).replace(/[^\x20-\x7e]/g, '?');
}
