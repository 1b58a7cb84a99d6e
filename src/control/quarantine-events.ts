import type { Complaints } from './complaints.ts';
import type { PerlPattern } from './perl-pattern.ts';
import { perlPattern } from './perl-pattern.ts';
import type { EventLine, SizeTest, VirtualHeader } from './quarantine-event-line.ts';
import { isVirtualHeader, parseEventLine } from './quarantine-event-line.ts';
import { lines } from './readers.ts';
import { charactersOf } from './utf8-text.ts';

/** One rule in force. */
export interface EventRule {
  /** Its place among the rules: of several that match, the lowest is the one to report. */
  readonly index: number;
  /** `file` is about attachments; the others are Policy- and Virus- rules. */
  readonly kind: 'file' | 'policy' | 'virus';
  /** First and second column, for `postern rules -r` and the record. */
  readonly pattern: string;
  readonly type: string;
  /** Third column, a byte string. */
  readonly description: string;
  /** `file:line`. */
  readonly place: string;
}

/** The rules of a quarantine-events.txt. */
export interface EventRules {
  /** In the order of the file. */
  readonly rules: readonly EventRule[];
  readonly size: number;
  /** Some rule is about attachments. */
  readonly aboutFiles: boolean;
  /**
   * The rules for a file of this name (lower case, Unicode) and this decoded size; null: nobody knows the size, so that
   * only rules for any size can match. Takes no longer for a longer list.
   */
  file(name: string, size: number | null): readonly EventRule[];
  /** Some rule is about the header field of this name (lower case). */
  aboutField(name: string): boolean;
  /**
   * The rules whose expression is the whole of a header field's text. `raw` is the byte string as it stands, unfolded
   * and trimmed, `decoded` the same with its encoded words read, Unicode; either may match. Of each, the first 8192
   * characters are looked at.
   */
  field(name: string, raw: string, decoded: string): readonly EventRule[];
  aboutVirtual(header: VirtualHeader): boolean;
  /** The same for a virtual header, which no field of a message can stand in for. */
  virtual(header: VirtualHeader, raw: string, decoded: string): readonly EventRule[];
}

interface FileRule {
  readonly rule: EventRule;
  readonly size: SizeTest;
}

interface HeaderRule {
  readonly rule: EventRule;
  /** For the raw text. */
  readonly bytes: PerlPattern;
  /** For the decoded text; another than `bytes` when the expression has characters in UTF-8. */
  readonly characters: PerlPattern;
}

/** Characters of a header's text that are tested. */
const LONGEST_VALUE = 8192;

/**
 * Reads quarantine-events.txt, or quarantine-attachments.txt of 1.x (qmail-scanner.md 2). Nothing in it is an error:
 * what cannot be used is a warning, and the rule is left out.
 */
export function parseQuarantineEvents(text: string, file: string, complaints: Complaints): EventRules {
  const table = new EventTable();
  let indented = 0;
  let firstIndented = 0;
  for (const { text: raw, line } of lines(text)) {
    const parsed = parseEventLine(raw, warning => complaints.warn(file, line, warning));
    if (parsed === null) continue;
    if (/^[ \t]/.test(raw)) {
      indented++;
      firstIndented ||= line;
    }
    const why = typeof parsed === 'string' ? parsed : table.add(parsed, `${file}:${line}`);
    if (why !== null) complaints.warn(file, line, why);
  }
  if (indented > 0) {
    const more = indented > 1 ? ` (and so do ${indented - 1} more lines)` : '';
    complaints.warn(file, firstIndented, `the line begins with blanks, which are left out${more}`);
  }
  return table;
}

class EventTable implements EventRules {
  readonly rules: EventRule[] = [];
  readonly #names = new Map<string, FileRule[]>();
  readonly #extensions = new Map<string, FileRule[]>();
  readonly #extensionLengths = new Set<number>();
  readonly #fields = new Map<string, HeaderRule[]>();
  readonly #virtual = new Map<string, HeaderRule[]>();

  get size(): number {
    return this.rules.length;
  }

  get aboutFiles(): boolean {
    return this.#names.size + this.#extensions.size > 0;
  }

  /** Null, or why the line is no rule. */
  add(line: EventLine, place: string): string | null {
    const index = this.rules.length;
    const { kind, description } = line;
    if (line.kind === 'file') {
      const rule: EventRule = {
        index,
        kind,
        pattern: line.name,
        type: typeOf(line.size),
        description,
        place,
      };
      const name = charactersOf(line.name).toLowerCase();
      if (name.startsWith('.')) this.#extensionLengths.add(name.length);
      put(name.startsWith('.') ? this.#extensions : this.#names, name, { rule, size: line.size });
      this.rules.push(rule);
      return null;
    }
    const bytes = perlPattern(line.expression, true);
    if (typeof bytes === 'string') return `this expression matches nothing: ${bytes}`;
    const text = charactersOf(line.expression);
    const characters = text === line.expression ? bytes : perlPattern(text, true);
    if (typeof characters === 'string') return `this expression matches nothing: ${characters}`;
    const { expression: pattern, type } = line;
    const rule: EventRule = { index, kind, pattern, type, description, place };
    put(isVirtualHeader(line.header) ? this.#virtual : this.#fields, line.header, {
      rule,
      bytes,
      characters,
    });
    this.rules.push(rule);
    return null;
  }

  file(name: string, size: number | null): readonly EventRule[] {
    const found: FileRule[] = [...(this.#names.get(name) ?? [])];
    for (const length of this.#extensionLengths) {
      if (length <= name.length) found.push(...(this.#extensions.get(name.slice(-length)) ?? []));
    }
    return found.filter(({ size: test }) => fits(test, size)).map(({ rule }) => rule);
  }

  aboutField(name: string): boolean {
    return this.#fields.has(name);
  }

  field(name: string, raw: string, decoded: string): readonly EventRule[] {
    return matching(this.#fields.get(name) ?? [], raw, decoded);
  }

  aboutVirtual(header: VirtualHeader): boolean {
    return this.#virtual.has(header);
  }

  virtual(header: VirtualHeader, raw: string, decoded: string): readonly EventRule[] {
    return matching(this.#virtual.get(header) ?? [], raw, decoded);
  }
}

function matching(rules: readonly HeaderRule[], raw: string, decoded: string): readonly EventRule[] {
  const bytes = raw.slice(0, LONGEST_VALUE);
  const characters = decoded.slice(0, LONGEST_VALUE);
  return rules
    .filter(
      rule => rule.bytes.matches(bytes) || (characters !== bytes && rule.characters.matches(characters)),
    )
    .map(({ rule }) => rule);
}

function put<T>(table: Map<string, T[]>, key: string, entry: T): void {
  const entries = table.get(key);
  if (entries) entries.push(entry);
  else table.set(key, [entry]);
}

function typeOf(size: SizeTest): string {
  if (size.kind === 'any') return 'SIZE=-1';
  return `SIZE=${{ equal: '', below: '<', above: '>' }[size.kind]}${size.bytes}`;
}

function fits(test: SizeTest, size: number | null): boolean {
  if (test.kind === 'any') return true;
  if (size === null) return false;
  if (test.kind === 'equal') return size === test.bytes;
  return test.kind === 'below' ? size < test.bytes : size > test.bytes;
}
