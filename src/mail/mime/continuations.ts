import type { Parameter } from './parameterised.ts';

/** A parameter as it is written, before RFC 2231 continuations are joined. */
export interface Segment {
  /** Lower case, without `*`. */
  readonly name: string;
  /** N of `name*N`; null for a parameter that is whole. */
  readonly number: number | null;
  /** Written with a final `*`: percent-encoded. */
  readonly extended: boolean;
  /** Byte strings, the most plausible first; never empty. */
  readonly readings: readonly string[];
  readonly raw: string;
  readonly inComment: boolean;
}

/** Splits `filename*0*` into its name, number and mark (RFC 2231 3, 4.1). */
export function splitExtended(name: string): Pick<Segment, 'name' | 'number' | 'extended'> {
  const match = /^([^*]*)(?:\*(\d{1,9}))?(\*)?$/.exec(name);
  if (match === null) return { name: name.replace(/\*.*/s, ''), number: null, extended: true };
  const [, base = '', number, star] = match;
  return { name: base, number: number === undefined ? null : Number(number), extended: star === '*' };
}

/**
 * Whole parameters as they are; the pieces of the others joined under every plausible order: by number up to the first
 * gap (RFC 2231 3), by number over gaps, with the last of doubled numbers, as they stand in the field.
 */
export function joinContinuations(segments: readonly Segment[]): readonly Parameter[] {
  const parameters: Parameter[] = [];
  const pieces = new Map<string, Segment[]>();
  for (const segment of segments) {
    if (segment.number === null) {
      for (const value of segment.readings) parameters.push(...whole(segment, value));
      continue;
    }
    const known = pieces.get(segment.name);
    if (known === undefined) pieces.set(segment.name, [segment]);
    else known.push(segment);
  }
  for (const group of pieces.values()) parameters.push(...joined(group));
  return parameters;
}

function whole(segment: Segment, value: string): readonly Parameter[] {
  const { name, raw, inComment } = segment;
  if (!segment.extended) return [{ name, value, charset: null, extended: false, raw, inComment }];
  return extendedReadings(value).map(it => ({ name, ...it, extended: true, raw, inComment }));
}

/** `charset'language'text`; without both apostrophes it is text alone, and perhaps a charset before the first one. */
function extendedReadings(value: string): readonly { value: string; charset: string | null }[] {
  const first = value.indexOf("'");
  const second = first < 0 ? -1 : value.indexOf("'", first + 1);
  if (second >= 0)
    return [{ value: percentDecoded(value.slice(second + 1)), charset: value.slice(0, first) || null }];
  const bare = { value: percentDecoded(value), charset: null };
  if (first < 0) return [bare];
  return [bare, { value: percentDecoded(value.slice(first + 1)), charset: value.slice(0, first) }];
}

function joined(group: readonly Segment[]): readonly Parameter[] {
  const sorted = group.toSorted((a, b) => (a.number ?? 0) - (b.number ?? 0));
  const firsts = sorted.filter((it, i) => it.number !== sorted[i - 1]?.number);
  const lasts = sorted.filter((it, i) => it.number !== sorted[i + 1]?.number);
  const orders = [upToGap(firsts), firsts, upToGap(lasts), lasts, group];
  const parameters: Parameter[] = [];
  const seen = new Set<string>();
  for (const order of orders) {
    for (const pick of [firstReading, lastReading]) {
      if (order.length === 0) continue;
      const parameter = join(order, pick);
      const key = `${parameter.charset ?? ''}\0${parameter.value}`;
      if (seen.has(key)) continue;
      seen.add(key);
      parameters.push(parameter);
    }
  }
  return parameters;
}

function upToGap(sorted: readonly Segment[]): readonly Segment[] {
  const gap = sorted.findIndex((it, i) => it.number !== i);
  return gap < 0 ? sorted : sorted.slice(0, gap);
}

const firstReading = (segment: Segment): string => segment.readings[0] ?? '';
const lastReading = (segment: Segment): string => segment.readings.at(-1) ?? '';

function join(order: readonly Segment[], pick: (segment: Segment) => string): Parameter {
  let value = '';
  let charset: string | null = null;
  let extended = false;
  for (const [index, segment] of order.entries()) {
    let text = pick(segment);
    if (segment.extended) {
      if (index === 0) {
        const match = /^([^']*)'[^']*'/.exec(text);
        if (match !== null) {
          charset = match[1] || null;
          text = text.slice(match[0].length);
        }
      }
      extended = true;
      text = percentDecoded(text);
    }
    value += text;
  }
  const raw = order
    .map(it => it.raw)
    .join(' ')
    .slice(0, 4096);
  return {
    name: order[0]?.name ?? '',
    value,
    charset,
    extended,
    raw,
    inComment: order.some(it => it.inComment),
  };
}

/** Byte string with every `%XX` decoded; other percent signs stay. */
export function percentDecoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
