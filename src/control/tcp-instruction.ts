/** What a rule of tcp.smtp does to the connections it applies to. */
export interface TcpInstruction {
  readonly action: 'allow' | 'deny';
  /** Environment variables to set, in order; a name that stands twice is kept twice, and the last one counts. */
  readonly variables: readonly (readonly [name: string, value: string])[];
}

/**
 * Reads what follows the colon of a rule, from `start` to the end of `line`: `allow` or `deny`, then any number of
 * `,NAME=` q value q, where q is any one byte (ucspi-tcp 0.88 tcprules.c). A string says what was wanted.
 */
export function parseInstruction(line: string, start: number): TcpInstruction | string {
  const action = line.startsWith('deny', start) ? 'deny' : line.startsWith('allow', start) ? 'allow' : null;
  if (action === null) return 'wanted allow or deny right after the colon, in lower case';
  const variables: [string, string][] = [];
  let at = start + action.length;
  while (at < line.length) {
    if (line[at] !== ',')
      return `wanted a comma or the end of the line after ${quoted(line.slice(start, at))}`;
    const equals = line.indexOf('=', at);
    const delimiter = line[equals + 1];
    if (equals < 0) return `wanted NAME="value" after ${quoted(line.slice(start, at + 1))}`;
    const name = line.slice(at + 1, equals);
    if (delimiter === undefined) return `wanted a value in quotes after ${quoted(`${name}=`)}`;
    const end = line.indexOf(delimiter, equals + 2);
    if (end < 0) return `wanted a second ${delimiter} at the end of the value of ${quoted(name)}`;
    variables.push([name, line.slice(equals + 2, end)]);
    at = end + 1;
  }
  return { action, variables };
}

/**
 * Reads the value of a compiled rule (tcprules.md 5): items that end in a zero byte. `D` denies, `+NAME=value` sets a
 * variable, anything else is ignored, and so is what follows the last zero byte.
 */
export function decodeInstruction(value: string): TcpInstruction {
  const items = value.split('\0').slice(0, -1);
  const variables: [string, string][] = [];
  for (const item of items) {
    const equals = item.indexOf('=');
    if (item.startsWith('+') && equals > 0) variables.push([item.slice(1, equals), item.slice(equals + 1)]);
  }
  return { action: items.some(item => item.startsWith('D')) ? 'deny' : 'allow', variables };
}

function quoted(text: string): string {
  return `"${text.length > 60 ? `…${text.slice(-60)}` : text}"`;
}
