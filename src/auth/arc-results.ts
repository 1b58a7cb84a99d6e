import { lowerAscii } from '../model/address.ts';
import type { SignedHeader } from './signed-header.ts';

/** What the Authentication-Results fields of one server say together. */
export interface GatheredResults {
  /** On one line, without the authserv-id; `none` when they all say that nothing was looked at. */
  readonly payload: string;
  /** The words behind `arc=`, lower case. */
  readonly arc: readonly string[];
}

/**
 * Joins the Authentication-Results fields whose authserv-id is `authservId` (RFC 8617 4.1.1), from the top of the header
 * down, as dkimpy's arc_sign does; fields that are no such thing are passed over. Null: there are none.
 */
export function gatheredResults(header: SignedHeader, authservId: string): GatheredResults | null {
  const found: string[] = [];
  const arc: string[] = [];
  let any = false;
  for (const field of header.named('authentication-results').toReversed()) {
    const parts = topLevel(header.value(field).replace(/[\t\r\n ]+/g, ' '));
    const [server = '', ...results] = parts ?? [];
    if (serverOf(server) !== lowerAscii(authservId)) continue;
    const methods = results.map(methodOf);
    if (methods.length === 0 || methods.includes(null)) continue;
    any = true;
    for (const [i, method] of methods.entries()) {
      if (method === null || method.name === 'none') continue;
      found.push(results[i] as string);
      if (method.name === 'arc') arc.push(method.result);
    }
  }
  return any ? { payload: found.join('; ') || 'none', arc } : null;
}

/** The trimmed pieces between semicolons outside of comments and quotes, empty ones left out; null when those do not end. */
function topLevel(text: string): string[] | null {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (c === '\\' && (quoted || depth > 0)) i++;
    else if (c === '"' && depth === 0) quoted = !quoted;
    else if (quoted) continue;
    else if (c === '(') depth++;
    else if (c === ')' && depth > 0) depth--;
    else if (c === ';' && depth === 0) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  if (quoted || depth > 0) return null;
  return [...parts, text.slice(start)].map(part => part.trim()).filter(Boolean);
}

/** The authserv-id, lower case, of what stands before the first semicolon: id and version (RFC 8601 2.2). */
function serverOf(text: string): string | null {
  const [id = '', version, ...more] = withoutComments(text).split(/\s+/);
  if (more.length > 0 || (version !== undefined && version !== '1')) return null;
  return lowerAscii(/^"(.*)"$/.exec(id)?.[1] ?? id);
}

/** `method=result`, or `none`. */
function methodOf(text: string): { readonly name: string; readonly result: string } | null {
  const bare = withoutComments(text);
  if (lowerAscii(bare) === 'none') return { name: 'none', result: '' };
  const found =
    /^([A-Za-z0-9][A-Za-z0-9-]*)(?:\s*\/\s*[0-9]+)?\s*=\s*([A-Za-z0-9][A-Za-z0-9-]*)(?=\s|$)/.exec(bare);
  return found === null ? null : { name: lowerAscii(found[1] ?? ''), result: lowerAscii(found[2] ?? '') };
}

/** Comments become blanks. The text has balanced ones. */
function withoutComments(text: string): string {
  let out = '';
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    const escaped = c === '\\' && (quoted || depth > 0);
    if (c === '"' && depth === 0) quoted = !quoted;
    if (!quoted && c === '(') depth++;
    if (depth === 0) out += escaped ? c + (text[i + 1] ?? '') : c;
    if (!quoted && c === ')' && depth > 0) {
      depth--;
      if (depth === 0) out += ' ';
    }
    if (escaped) i++;
  }
  return out.trim();
}
