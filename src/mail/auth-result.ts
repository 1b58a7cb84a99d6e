/** Longest value of a property; names are shorter. */
const MAX_VALUE = 255;
const MAX_REASON = 120;

/**
 * One result for an Authentication-Results field (RFC 8601 2.2 resinfo): `dkim=pass header.d=example.com`. `method` and
 * `result` are our own words; properties with an empty value are left out; values and `comment`, which may come from
 * outside, are quoted or cleaned where they have to be.
 */
export function authResult(
  method: string,
  result: string,
  properties: readonly (readonly [name: string, value: string])[],
  comment = '',
): string {
  const words = [`${method}=${result}`];
  // Without `;` and quotes: not every reader knows comments.
  if (comment !== '') words.push(`(${comment.slice(0, MAX_REASON).replace(/[^\x20-\x7e]|[()\\;"]/g, '?')})`);
  for (const [name, value] of properties) if (value !== '') words.push(`${name}=${pvalue(value)}`);
  return words.join(' ');
}

/** A token, domain or plain address as it is; everything else as a quoted-string (RFC 2045 5.1, RFC 8601 2.2). */
function pvalue(value: string): string {
  const text = value.slice(0, MAX_VALUE).replace(/[^\x20-\x7e]/g, '?');
  if (/^[A-Za-z0-9!#$%&'*+\-^_`{|}~.]*@?[A-Za-z0-9!#$%&'*+\-^_`{|}~.]+$/.test(text)) return text;
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
