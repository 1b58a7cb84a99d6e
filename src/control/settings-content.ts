import { attachList, parseAttachValue, parseSsattach } from './attach-list.ts';
import { flag, format } from './kinds.ts';
import { addLinePatterns, parseLinePatternFile, parseLinePatterns } from './line-patterns.ts';
import type { LinePatterns } from './line-patterns.ts';
import { nothing } from './list-kinds.ts';
import { parseQuarantineEvents } from './quarantine-events.ts';
import { EVERYWHERE, file } from './setting.ts';
import type { Setting } from './setting.ts';

/** What is checked in a message. */
export const CONTENT_SETTINGS = {
  // Content checks
  quarantineevents: file(
    format(
      'NAME or EXPRESSION, TAB, SIZE= or Policy-HEADER:, TAB, description',
      parseQuarantineEvents,
      rules => `${rules.size} rules`,
    ),
    nothing(parseQuarantineEvents),
    'events',
    'Rules of qmail-scanner for attachments and headers. A site’s own file replaces the shipped one, which stands beside `rules/`.',
    ['quarantine-events.txt', 'quarantine-attachments.txt'],
  ),
  attach: {
    kind: {
      syntax: 'ends of names, one a line; joined by `:` in simcontrol',
      file: parseSsattach,
      value: parseAttachValue,
      show: list => list.patterns.map(pattern => Buffer.from(pattern).toString('latin1')).join(':') || 'none',
    },
    builtIn: attachList([]),
    layers: ['default', 'site', 'recipient'],
    variables: [],
    usedBy: 'attach',
    doc: 'Refused attachment names, by their ends: simscan’s list. In simcontrol, a list replaces the one before it.',
    alsoFiles: ['ssattach'],
  } as Setting<ReturnType<typeof attachList>>,
  attacharchives: {
    kind: flag,
    builtIn: true,
    layers: EVERYWHERE,
    variables: ['ATTACHARCHIVES'],
    usedBy: 'attach',
    doc: 'Compare names inside archives with `attach`, too; simscan did not see them.',
  } as Setting<boolean>,
  regex: {
    kind: {
      syntax: 'expressions, one a line; joined by `:` in simcontrol',
      file: parseLinePatternFile,
      value: parseLinePatterns,
      show: list => list.map(one => one.source).join(':') || 'none',
    },
    builtIn: [],
    layers: ['default', 'site', 'recipient'],
    variables: [],
    usedBy: 'regex',
    doc: 'Expressions that refuse a message when one matches a line of it. In simcontrol, each list goes behind the one before it.',
    add: addLinePatterns,
  } as Setting<LinePatterns>,
};
