import type { LinePattern, LinePatterns } from '../control/line-patterns.ts';
import { lineWindows } from '../mail/line-windows.ts';
import type { LineWindow, WindowLine } from '../mail/line-windows.ts';
import { takeTurns } from '../mail/turns.ts';
import type { Turns } from '../mail/turns.ts';
import type { Finding } from '../model/finding.ts';
import type { Message } from '../model/message.ts';
import { definePlugin } from './define.ts';

/** Of a line, as many bytes are looked at as simscan reads of it (simscan.md 7.1). */
const LINE_BYTES = 499;

/** Line filters as simscan has them: expressions over the lines of header and body as they stand, undecoded. */
export const regex = definePlugin({
  name: 'regex',
  doc: 'Looks for the expressions of `regex` in every line of the message, header and body, as it stands on the wire.',
  tier: 'local',
  rules: {
    REGEX: { doc: 'An expression of `regex` matches a line of the message; the number counts from 0.' },
  },
  settings: ['regex'],
  onError: 'defer',
  sparesRelayClients: false,
  async message({ message }, { settings, origin, signal }) {
    const usable = settings.regex.filter(one => one.pattern !== null);
    if (usable.length === 0) return [];
    const hit = await firstMatch(message, usable, signal);
    if (hit === null) return [{ rule: 'REGEX', state: 'pass' }];
    const { number, source } = hit.pattern;
    const finding: Finding<'REGEX'> = {
      rule: 'REGEX',
      state: 'hit',
      text: `#${number}`,
      value: hit.line,
      detail: `#${number} ${source} matches line ${hit.number}`,
      source: origin('regex'),
    };
    return [finding];
  },
});

interface LineHit {
  readonly pattern: LinePattern;
  readonly line: string;
  /** 1-based. */
  readonly number: number;
}

/** The first line that one of them matches, and the first of them to match it. */
async function firstMatch(
  message: Message,
  patterns: LinePatterns,
  signal: AbortSignal,
): Promise<LineHit | null> {
  const turns = takeTurns(signal);
  let lines = 0;
  let before: LineWindow | null = null;
  for await (const window of lineWindows(message.chunks(), LINE_BYTES)) {
    // Counted only when there is more to come: most messages are one window.
    lines += before?.linesBefore(Infinity) ?? 0;
    before = window;
    const hit = await firstIn(window, patterns, turns);
    if (hit !== null) {
      const { pattern, line } = hit;
      return { pattern, line: line.text, number: lines + window.linesBefore(line.offset) + 1 };
    }
    if (turns.over()) await turns.yield();
  }
  return null;
}

async function firstIn(
  window: LineWindow,
  patterns: LinePatterns,
  turns: Turns,
): Promise<{ readonly pattern: LinePattern; readonly line: WindowLine } | null> {
  let first: { readonly pattern: LinePattern; readonly line: WindowLine } | null = null;
  for (const pattern of patterns) {
    const required = pattern.pattern?.required ?? [];
    // Text that is nowhere in the window is in none of its lines: most windows are done with that.
    if (required.some(text => !window.text.includes(text))) continue;
    for (const line of window.linesWith(required[0] ?? '')) {
      if (first !== null && line.offset >= first.line.offset) break;
      if (pattern.pattern?.matches(line.text) === true) {
        first = { pattern, line };
        break;
      }
      if (turns.over()) await turns.yield();
    }
  }
  return first;
}
