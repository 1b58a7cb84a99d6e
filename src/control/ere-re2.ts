import type { EreAnchor, EreNode } from './ere-nodes.ts';
import { EreError, isWord } from './ere-nodes.ts';

/**
 * An expression in RE2's syntax, for subjects folded to capitals and the flag DOTALL. Throws EreError for `\<` and `\>`
 * where RE2 cannot tell them from `\b`.
 */
export function re2Source(nodes: readonly EreNode[]): string {
  let source = '';
  for (const [i, node] of nodes.entries()) {
    switch (node.kind) {
      case 'char':
        source += re2Byte(node.char);
        break;
      case 'any':
        source += '.';
        break;
      case 'set':
        source += setSource(node.members);
        break;
      case 'anchor':
        source += emitAnchor(node.anchor, nodes, i);
        break;
      case 'choice':
        source += `(?:${node.branches.map(re2Source).join('|')})`;
        break;
      case 'repeat':
        source += `(?:${re2Source(node.nodes)})${node.suffix}`;
        break;
    }
  }
  return source;
}

/** RE2 has `\b` only, which is the same as `\<` where a word character follows, and as `\>` where one stands before. */
function emitAnchor(anchor: EreAnchor, nodes: readonly EreNode[], i: number): string {
  if (anchor === '\\<' && !edgeIsWord(nodes.slice(i + 1))) {
    throw new EreError(
      '\\< is available only directly before something that begins with a letter, a digit or _',
    );
  }
  if (anchor === '\\>' && !edgeIsWord(nodes.slice(0, i).toReversed(), true)) {
    throw new EreError('\\> is available only directly after something that ends in a letter, a digit or _');
  }
  return anchor === '\\<' || anchor === '\\>' ? '\\b' : anchor;
}

/** True when whatever the nodes match begins (`backwards`, with the nodes turned round: ends) with a word character. */
function edgeIsWord(nodes: readonly EreNode[], backwards = false): boolean {
  const node = nodes[0];
  if (node === undefined) return false;
  const inner = (list: readonly EreNode[]) => edgeIsWord(backwards ? list.toReversed() : list, backwards);
  switch (node.kind) {
    case 'char':
      return isWord(node.char.charCodeAt(0));
    case 'any':
      return false;
    case 'set':
      return node.members.every((member, code) => member === 0 || isWord(code));
    case 'anchor':
      return edgeIsWord(nodes.slice(1), backwards);
    case 'choice':
      return node.branches.every(inner);
    case 'repeat':
      return node.min > 0 && inner(node.nodes);
  }
}

/** One byte as RE2 wants to see it in an expression. */
export function re2Byte(char: string): string {
  return ESCAPED[char.charCodeAt(0)] ?? '';
}

function setSource(members: Uint8Array): string {
  let ranges = '';
  for (let code = 0; code < 256; code++) {
    if (members[code] === 0) continue;
    const first = code;
    while (code < 255 && members[code + 1] === 1) code++;
    ranges += code === first ? hex(first) : `${hex(first)}-${hex(code)}`;
  }
  return `[${ranges}]`;
}

const ESCAPED: readonly string[] = Array.from({ length: 256 }, (_, code) => {
  const char = String.fromCharCode(code);
  return /[A-Z0-9]/.test(char) ? char : hex(code);
});

function hex(code: number): string {
  return `\\x${code.toString(16).padStart(2, '0')}`;
}
