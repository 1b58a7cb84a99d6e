/**
 * Whether `domain` may stand in `d=` and in the path of a key: labels of lower-case letters, digits and inner hyphens, 253
 * characters in all. So it holds no `/`, no `..` and no NUL.
 */
export function isSigningDomain(domain: string): boolean {
  return domain.length <= 253 && domain.split('.').every(label => LABEL.test(label));
}

/**
 * Whether `text` may stand in `s=` (RFC 6376 3.1), 190 characters at most. Underscores, which the RFC does not have and
 * some selectors have, are let through.
 */
export function isSelector(text: string): boolean {
  return text.length <= 190 && text.split('.').every(label => SELECTOR_LABEL.test(label));
}

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const SELECTOR_LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;
