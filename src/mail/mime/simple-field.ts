import { parseParameterised } from './parameters.ts';
import type { Parameter, Parameterised } from './parameterised.ts';

/** A first word as RFC 2045 5.1 has it. */
const WORD = /[a-z0-9][\w.+-]*(?:\/[a-z0-9][\w.+-]*)?/iy;

/** A parameter that nobody can read in two ways: no comment, no RFC 2231, nothing escaped. */
const PARAMETER = /;[ \t]*([a-z][a-z0-9-]*)=(?:"([^"\\()\x80-\xff\r\n;]*)"|([\w.+-]+))(?=;|$)/iy;

/**
 * The same answer as `parseParameterised`, which it leaves everything to that is not plain; most fields are, and take a
 * fraction of the time.
 */
export function parseField(value: string): Parameterised {
  WORD.lastIndex = 0;
  const word = WORD.exec(value)?.[0];
  if (word === undefined) return parseParameterised(value);
  const parameters: Parameter[] = [];
  let at = word.length;
  while (at < value.length) {
    PARAMETER.lastIndex = at;
    const match = PARAMETER.exec(value);
    if (match === null) return parseParameterised(value);
    const [whole, name = '', quoted, token = ''] = match;
    const key = name.toLowerCase();
    // Of several with one name readers choose differently.
    if (parameters.some(one => one.name === key)) return parseParameterised(value);
    parameters.push({
      name: key,
      value: quoted ?? token,
      charset: null,
      extended: false,
      raw: quoted === undefined ? token : `"${quoted}"`,
      inComment: false,
    });
    at += whole.length;
  }
  return { value: word.toLowerCase(), parameters, valid: true };
}
