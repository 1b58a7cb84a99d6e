import type { VirtualHeader } from '../control/quarantine-event-line.ts';
import type { EventRule, EventRules } from '../control/quarantine-events.ts';
import { fieldValue, headerFields } from '../mail/header.ts';
import type { JudgedFile } from '../mail/mime/judged-files.ts';
import { byteString, judgedFiles } from '../mail/mime/judged-files.ts';
import { nameAnomalies } from '../mail/mime/name-anomalies.ts';
import { takeTurns } from '../mail/turns.ts';
import { decodeWords } from '../mail/words.ts';
import type { Finding } from '../model/finding.ts';
import type { MessageFacts } from '../model/message.ts';
import type { AnomalyName, MimeFacts } from '../model/mime.ts';
import { definePlugin } from './define.ts';

type Rule = 'QS_ATTACHMENT' | 'QS_POLICY' | 'QS_VIRUS';

/** A rule of the file, and what it matched. */
interface Match {
  readonly rule: EventRule;
  /** A byte string. */
  readonly value: string;
  readonly where: string;
}

/** Of one message, as many matches are recorded; the file may have thousands of rules. */
const MOST_FINDINGS = 10;

/**
 * The rule file of qmail-scanner (qmail-scanner.md 2). All rules are looked at; the first in the order of the file
 * comes first. RCPTTO rules run for each recipient, at RCPT, so that they hit nobody else.
 */
export const events = definePlugin({
  name: 'events',
  doc: 'Compares attachments, header and envelope with quarantine-events.txt, the rule file of qmail-scanner.',
  tier: 'local',
  rules: {
    QS_ATTACHMENT: {
      doc: 'A `SIZE=` rule matches the name and size of an attachment, also inside archives.',
    },
    QS_POLICY: { doc: 'A `Policy-` rule matches a header, or something of the envelope.' },
    QS_VIRUS: { doc: 'A `Virus-` rule matches a header, or something of the envelope.' },
  },
  settings: ['quarantineevents', 'headerfields'],
  onError: 'defer',
  sparesRelayClients: false,
  rcpt({ recipient }, { settings }) {
    return found(envelopeMatches(settings.quarantineevents, 'rcptto', recipient.text));
  },
  message(facts, { settings, signal }) {
    const rules = settings.quarantineevents;
    if (rules.size === 0) return [];
    const fields = [...fieldMatches(rules, facts, settings.headerfields)];
    if (facts.message.header.length > LARGE_HEADER) return judgeSlowly(rules, facts, fields, signal);
    const matches = fields.flatMap(look => look());
    const mime = partsOf(rules, facts);
    return mime instanceof Promise
      ? mime.then(parts => judged(rules, facts, matches, parts))
      : judged(rules, facts, matches, mime);
  },
});

/** A header up to this size is compared without a pause, bytes. */
const LARGE_HEADER = 16 * 1024;

/** The same with pauses: a header of 256 KiB and a hundred expressions take a while. */
async function judgeSlowly(
  rules: EventRules,
  facts: MessageFacts,
  fields: readonly Look[],
  signal: AbortSignal,
): Promise<Finding<Rule>[]> {
  const turns = takeTurns(signal);
  const matches: Match[] = [];
  for (const look of fields) {
    matches.push(...look());
    if (turns.over()) await turns.yield();
  }
  return judged(rules, facts, matches, await partsOf(rules, facts));
}

function judged(
  rules: EventRules,
  { client, sender }: MessageFacts,
  fields: readonly Match[],
  parts: MimeFacts,
): Finding<Rule>[] {
  const findings = found([
    ...fields,
    ...(client === null ? [] : envelopeMatches(rules, 'remoteipaddr', client.ip)),
    ...envelopeMatches(rules, 'mailfrom', sender?.text ?? ''),
    ...fileMatches(rules, parts),
    ...oddityMatches(rules, parts),
  ]);
  return findings.length > 0 ? findings : [{ rule: 'QS_ATTACHMENT', state: 'pass' }];
}

function partsOf(rules: EventRules, facts: MessageFacts): MimeFacts | Promise<MimeFacts> {
  const asked = rules.aboutFiles || ODDITIES.some(([header]) => rules.aboutVirtual(header));
  return asked ? facts.mime() : NO_PARTS;
}

/** In place of what nobody asks for. */
const NO_PARTS: MimeFacts = { parts: [], members: [], anomalies: [], archives: [] };

/** First in the file, first in the record; one finding for each rule. */
function found(matches: readonly Match[]): Finding<Rule>[] {
  const byRule = new Map<EventRule, Match>();
  for (const match of matches) if (!byRule.has(match.rule)) byRule.set(match.rule, match);
  return [...byRule.values()]
    .toSorted((a, b) => a.rule.index - b.rule.index)
    .slice(0, MOST_FINDINGS)
    .map(({ rule, value, where }) => ({
      rule: RULE_OF[rule.kind],
      state: 'hit',
      value,
      detail: `${rule.pattern} ${rule.type} matches ${where}`,
      source: rule.place,
      text: rule.description || 'a rule of this site',
    }));
}

const RULE_OF = { file: 'QS_ATTACHMENT', policy: 'QS_POLICY', virus: 'QS_VIRUS' } as const;

function envelopeMatches(rules: EventRules, header: keyof typeof ENVELOPE_WORDS, value: string): Match[] {
  return rules
    .virtual(header, value, value)
    .map(rule => ({ rule, value, where: `the ${ENVELOPE_WORDS[header]}` }));
}

const ENVELOPE_WORDS = {
  rcptto: 'recipient',
  mailfrom: 'envelope sender',
  remoteipaddr: 'client’s address',
} as const;

/** Compares one field with the rules for its name. */
type Look = () => Match[];

/** Every field whose name some rule has, each of several with the same name. */
function* fieldMatches(
  rules: EventRules,
  { message }: MessageFacts,
  maxFields: number,
): Generator<Look, void, void> {
  const header = headerFields(message.header, maxFields);
  for (const field of header.fields) {
    if (!rules.aboutField(field.name)) continue;
    yield () => {
      const raw = fieldValue(header, field, LONGEST_FIELD);
      const where = `the field ${field.name}`;
      return rules.field(field.name, raw, decodeWords(raw)).map(rule => ({ rule, value: raw, where }));
    };
  }
}

/** Folding and encoded words take room in a field that its text does not; more than this is cut. */
const LONGEST_FIELD = 32 * 1024;

function fileMatches(rules: EventRules, mime: MimeFacts): Match[] {
  if (!rules.aboutFiles) return [];
  return judgedFiles(mime).flatMap(file =>
    file.forms.flatMap(form =>
      rules.file(form, file.size).map(rule => ({ rule, value: byteString(form), where: file.place })),
    ),
  );
}

/** The virtual headers that say something odd about a file, and how to tell. */
const ODDITIES: readonly (readonly [VirtualHeader, (file: JudgedFile) => boolean])[] = [
  ['filelengthtoolong', file => isOdd(file, 'MIME_NAME_LONG')],
  ['filedoublebarreled', file => isOdd(file, 'MIME_NAME_DOUBLE_EXTENSION')],
  ['fileclsid', file => isOdd(file, 'MIME_NAME_CLSID')],
  ['zippasswordprotected', file => file.encrypted],
];

function isOdd({ names }: JudgedFile, anomaly: AnomalyName): boolean {
  return nameAnomalies(names).some(({ rule }) => rule === anomaly);
}

/**
 * What qmail-scanner puts into these headers is not documented. An expression may match `1`, or the name of the file
 * that is odd; `.*` does both.
 */
function oddityMatches(rules: EventRules, mime: MimeFacts): Match[] {
  const matches: Match[] = [];
  for (const [header, isOne] of ODDITIES) {
    if (!rules.aboutVirtual(header)) continue;
    for (const file of judgedFiles(mime)) {
      if (!isOne(file)) continue;
      const name = file.names[0]?.text ?? '';
      const bytes = byteString(name);
      const hits = new Set([...rules.virtual(header, '1', '1'), ...rules.virtual(header, bytes, name)]);
      for (const rule of hits) matches.push({ rule, value: bytes, where: file.place });
    }
  }
  return matches;
}
