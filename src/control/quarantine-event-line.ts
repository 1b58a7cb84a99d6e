/** Virtual headers of qmail-scanner 2.03 (qmail-scanner.md 2.3), in lower case, that are tested here. */
const VIRTUAL_HEADERS = [
  'mailfrom',
  'rcptto',
  'remoteipaddr',
  'zippasswordprotected',
  'filelengthtoolong',
  'filedoublebarreled',
  'fileclsid',
] as const;

export type VirtualHeader = (typeof VIRTUAL_HEADERS)[number];

export function isVirtualHeader(name: string): name is VirtualHeader {
  return (VIRTUAL_HEADERS as readonly string[]).includes(name);
}

/** Those that are not: nobody here knows how to tell. */
const UNAVAILABLE: readonly string[] = ['issensitiveandnocrypto', 'cryptodetails'];

/** Sizes that a file rule is about, bytes. */
export type SizeTest =
  | { readonly kind: 'any' }
  | { readonly kind: 'equal' | 'below' | 'above'; readonly bytes: number };

/** One rule as it is written, its columns taken apart. */
export type EventLine =
  | { readonly kind: 'file'; readonly name: string; readonly size: SizeTest; readonly description: string }
  | {
      readonly kind: 'policy' | 'virus';
      readonly expression: string;
      /** Lower case. */
      readonly header: string;
      /** The second column, as it is written. */
      readonly type: string;
      readonly description: string;
    };

type HeaderLine = Exclude<EventLine, { kind: 'file' }>;

/**
 * Takes a line of quarantine-events.txt apart (qmail-scanner.md 2). Null: nothing to read there; a string: why the line
 * is ignored. What is read although it is not as it should be is told to `warn`.
 */
export function parseEventLine(raw: string, warn: (text: string) => void): EventLine | string | null {
  const line = raw.replace(/^[ \t]+|[ \t\r]+$/g, '');
  if (line === '' || line.startsWith('#')) return null;
  const columns = columnsOf(line, warn);
  if (columns === null) {
    return 'wanted NAME or EXPRESSION, TAB, SIZE=… or Policy-HEADER:, TAB, description; this line is ignored';
  }
  const [first, type, description] = columns;
  if (description === '') warn('no description, so that nobody is told why');
  const header = /^(Policy|Virus)-(.*)$/i.exec(type);
  if (header === null) return fileRule(first, type, description, warn);
  const kind = header[1]?.toLowerCase() === 'virus' ? 'virus' : 'policy';
  const rule = headerRule(kind, first, header[2] ?? '', description, warn);
  return typeof rule === 'string' ? rule : { ...rule, type };
}

type Columns = readonly [first: string, type: string, description: string];

const TYPE = /^(?:SIZE=|Policy-|Virus-)/i;

/** By TABs, one or more; where copying has turned them into blanks, round the word that only the second column can be. */
function columnsOf(line: string, warn: (text: string) => void): Columns | null {
  const [first = '', type = '', ...rest] = line.split(/[ ]*\t[ \t]*/);
  if (TYPE.test(type) || /^[<>]?-?\d+$/.test(type)) return [first, type, rest.join(' ')];
  const flat = /^(\S.*?)[ \t]+((?:SIZE=|Policy-|Virus-)\S*)(?:[ \t]+(.*))?$/is.exec(line);
  if (flat === null) return null;
  warn('the columns are not separated by TABs; read as if they were');
  return [flat[1] ?? '', flat[2] ?? '', (flat[3] ?? '').replaceAll('\t', ' ')];
}

function fileRule(
  name: string,
  type: string,
  description: string,
  warn: (text: string) => void,
): EventLine | string {
  const bare = !/^SIZE=/i.test(type);
  const [, sign = '', digits = ''] = /^(?:SIZE=)?([<>]?)(-?\d{1,15})$/i.exec(type) ?? [];
  const bytes = Number(digits);
  if (digits === '' || bytes < -1 || (sign !== '' && bytes < 0)) {
    return `"${type}" is no size; wanted SIZE=-1 (any), SIZE=n, SIZE=<n or SIZE=>n; this line is ignored`;
  }
  if (bare) {
    const only = bytes === 0 ? 'only empty files' : `only files of ${bytes} bytes`;
    const means = bytes < 0 ? 'any size' : `${only}; for any size write SIZE=-1`;
    warn(`a number alone is the form of qmail-scanner 1.0; read as SIZE=${type}: ${means}`);
  }
  if (/[*?]/.test(name)) {
    warn(`a name is compared as it stands, so that ${name} matches no file; for every .exe file write .exe`);
  }
  if (bytes < 0) return { kind: 'file', name, size: { kind: 'any' }, description };
  const kind = sign === '<' ? 'below' : sign === '>' ? 'above' : 'equal';
  return { kind: 'file', name, size: { kind, bytes }, description };
}

function headerRule(
  kind: 'policy' | 'virus',
  expression: string,
  column: string,
  description: string,
  warn: (text: string) => void,
): Omit<HeaderLine, 'type'> | string {
  const header = column.replace(/:$/, '').toLowerCase();
  if (!column.endsWith(':')) warn('the header name has no colon behind it; read as if it had');
  if (!/^[!-9;-~]+$/.test(header)) return `"${column}" is no header name; this line is ignored`;
  if (UNAVAILABLE.includes(header)) {
    return `the virtual header ${header.toUpperCase()} is not available; this line is ignored`;
  }
  return { kind, expression, header, description };
}
