/** A dialogue with its settings, as the files of test/transcripts/ hold it (see the README there). */
export interface Transcript {
  readonly control: Readonly<Record<string, string>>;
  /** `EVENT RULE` of each record that must be there afterwards, in order; null: not looked at. */
  readonly records: readonly string[] | null;
  /** `SENDER > RECIPIENT,… : BODY` of each mail that a next hop must have got; null: not looked at. */
  readonly delivered: readonly string[] | null;
  readonly steps: readonly Step[];
}

/** Bytes that the client sends at once, or a line that the server says, or the end of the connection. */
export type Step =
  | { readonly kind: 'client'; readonly bytes: string; readonly shown: readonly string[] }
  | { readonly kind: 'server'; readonly line: string }
  | { readonly kind: 'closed' };

/** Reads a transcript; throws an Error that names the line when it cannot. */
export function parseTranscript(text: string, file: string): Transcript {
  const control: Record<string, string> = {};
  let records: string[] | null = null;
  let delivered: string[] | null = null;
  const steps: Step[] = [];
  let client: { kind: 'client'; bytes: string; shown: string[] } | null = null;
  for (const [index, line] of text.split('\n').entries()) {
    const setting = /^# control\/([a-z.]+): ?(.*)$/.exec(line);
    const list = /^# (records|delivered): ?(.*)$/.exec(line);
    if (setting) {
      const [, name = '', value = ''] = setting;
      control[name] = name in control ? `${control[name]}\n${value}` : value;
    } else if (list) {
      const values = list[2] === '' ? [] : (list[2] ?? '').split('; ');
      if (list[1] === 'records') records = [...(records ?? []), ...values];
      else delivered = [...(delivered ?? []), ...values];
    } else if (line.startsWith('C:')) {
      if (client === null) steps.push((client = { kind: 'client', bytes: '', shown: [] }));
      client.bytes += bytesOf(line.slice(2).replace(/^ /, ''));
      client.shown.push(line);
    } else if (line.startsWith('S:') || line === 'closed') {
      client = null;
      steps.push(
        line === 'closed' ? { kind: 'closed' } : { kind: 'server', line: line.slice(2).replace(/^ /, '') },
      );
    } else if (line !== '' && !line.startsWith('#')) {
      throw new Error(`${file}:${index + 1}: wanted "C: …", "S: …", "closed" or "# …"`);
    }
  }
  return { control, records, delivered, steps };
}

/** `\r \n \0 \\ \xE9` as one byte each, `{x*300}` as so many of them; CRLF at the end unless the line ends in `\c`. */
function bytesOf(text: string): string {
  const open = text.endsWith('\\c');
  const bytes = (open ? text.slice(0, -2) : text)
    .replace(/\{(.)\*([0-9]+)\}/g, (_, char: string, count: string) => char.repeat(Number(count)))
    .replace(
      /\\(x[0-9a-f]{2}|[rn0\\])/gi,
      (_, code: string) => ESCAPES[code] ?? String.fromCharCode(Number.parseInt(code.slice(1), 16)),
    );
  return open ? bytes : `${bytes}\r\n`;
}

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', '0': '\0', '\\': '\\' };

/** True when the server said `line`, in which `{id}` stands for any event id. */
export function matches(line: string, said: string): boolean {
  const parts = line.split('{id}').map(part => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('[0-9a-z.]+')}$`).test(said);
}
