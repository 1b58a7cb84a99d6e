import type { DkimSignOptions, SigningAlgorithm } from '../model/dkim-signing.ts';
import { DKIM_SIGN_DEFAULTS } from '../model/dkim-signing.ts';
import type { Parsed } from './kinds.ts';

type Canonicalization = DkimSignOptions['header'];

const CANONICALIZATIONS = new Map<string, readonly [header: Canonicalization, body: Canonicalization]>([
  ['r', ['relaxed', 'relaxed']],
  ['s', ['simple', 'simple']],
  ['t', ['relaxed', 'simple']],
  ['u', ['simple', 'relaxed']],
]);

const ALGORITHMS = new Map<string, readonly [SigningAlgorithm, warning?: string]>([
  ['1', ['rsa-sha256', '-z 1: verifiers refuse rsa-sha1 (RFC 8301); rsa-sha256 is used instead']],
  ['2', ['rsa-sha256']],
  [
    '3',
    ['rsa-sha256', '-z 3: there is no second signature with rsa-sha1 (RFC 8301); rsa-sha256 is used alone'],
  ],
  ['4', ['ed25519-sha256']],
]);

/** Options that take a value: qmail-dkim's getopt string is `b:c:li:qthx:z:`. */
const WITH_VALUE = 'bcixz';

const WANTED = 'wanted -c r|s|t|u, -q, -t, -i IDENTITY, -x SECONDS, -z 1|2|3|4';

/** Longer is nobody's; and seconds since 1970, which qmail-dkim's manual speaks of, its code does not take either. */
const MAX_EXPIRE = 10 * 365 * 86_400;

/**
 * DKIMSIGNOPTIONS of qmail-dkim, getopt style (`-c r -z 2`, `-qt`, `-cr`): `-c` r, s, t or u is relaxed, simple,
 * relaxed/simple, simple/relaxed; `-i` the identity or `-`; `-x` seconds that a signature is good for, or `-`; `-z` the
 * hash; `-q` and `-t` add `q=` and `t=`. A warning says what is done instead of what we do not do.
 */
export function parseDkimSignOptions(text: string): Parsed<DkimSignOptions> {
  const warnings: string[] = [];
  let options = DKIM_SIGN_DEFAULTS;
  const words = text.split(/[ \t]+/).filter(word => word !== '');
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (!/^-[^-]/.test(word)) return { wanted: `${word} is no option; ${WANTED}` };
    for (let i = 1; i < word.length; i++) {
      const letter = word.charAt(i);
      let value = '';
      if (WITH_VALUE.includes(letter)) {
        value = word.slice(i + 1) || (words[++at] ?? '');
        if (value === '') return { wanted: `-${letter} has no value; ${WANTED}` };
        i = word.length;
      }
      const change = changeOf(letter, value, warnings);
      if ('wanted' in change) return change;
      options = { ...options, ...change.value };
    }
  }
  return { value: options, ...(warnings.length > 0 ? { warnings } : {}) };
}

function changeOf(letter: string, value: string, warnings: string[]): Parsed<Partial<DkimSignOptions>> {
  switch (letter) {
    case 'b':
      return { value: {} };
    case 'c': {
      const pair = CANONICALIZATIONS.get(value);
      if (pair === undefined) return { wanted: `-c ${value}: wanted r, s, t or u` };
      return { value: { header: pair[0], body: pair[1] } };
    }
    case 'l':
      warnings.push('-l: there is no l= tag, which lets anybody add to a message; the whole body is signed');
      return { value: {} };
    case 'h':
      warnings.push('-h: there is no z= tag with a copy of the header; the signature is the same without');
      return { value: {} };
    case 'q':
      return { value: { queryMethod: true } };
    case 't':
      return { value: { timestamp: true } };
    case 'i': {
      const parsed = parseDkimIdentity(value === '-' ? '' : value);
      return 'wanted' in parsed ? { wanted: `-i ${parsed.wanted}` } : { value: { identity: parsed.value } };
    }
    case 'x': {
      const parsed = parseDkimExpire(value);
      return 'wanted' in parsed
        ? { wanted: `-x ${parsed.wanted}` }
        : { value: { expireSeconds: parsed.value } };
    }
    case 'z': {
      const [algorithm, warning] = ALGORITHMS.get(value) ?? [];
      if (algorithm === undefined) return { wanted: `-z ${value}: wanted 1, 2, 3 or 4` };
      if (warning !== undefined) warnings.push(warning);
      return { value: { algorithm } };
    }
    default:
      return { wanted: `-${letter} is no option; ${WANTED}` };
  }
}

/** DKIMIDENTITY: `user@example.com`, `@example.com`, or empty. */
export function parseDkimIdentity(text: string): Parsed<string | null> {
  if (text === '') return { value: null };
  if (/^[!#-:<->A-Z[\]-~]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/.test(text) && text.length <= 320)
    return { value: text };
  return { wanted: `"${text}" is no identity; wanted user@example.com or @example.com` };
}

/** DKIMEXPIRE: seconds; empty or `-`: signatures do not expire. */
export function parseDkimExpire(text: string): Parsed<number | null> {
  if (text === '' || text === '-') return { value: null };
  const seconds = /^[0-9]{1,15}$/.test(text) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= MAX_EXPIRE) return { value: seconds };
  return {
    wanted: `"${text}" is not a number of seconds from 1 to ${MAX_EXPIRE}, counted from signing, or -`,
  };
}

/** The options as the text that gives them. */
export function showDkimSignOptions(options: DkimSignOptions): string {
  const pair = [...CANONICALIZATIONS].find(
    ([, [header, body]]) => header === options.header && body === options.body,
  );
  return [
    `-c ${pair?.[0] ?? 'r'}`,
    `-z ${options.algorithm === 'rsa-sha256' ? 2 : 4}`,
    `-x ${options.expireSeconds ?? '-'}`,
    ...(options.identity === null ? [] : [`-i ${options.identity}`]),
    ...(options.queryMethod ? ['-q'] : []),
    ...(options.timestamp ? ['-t'] : []),
  ].join(' ');
}
