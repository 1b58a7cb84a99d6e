import type { ArchiveFacts, FileName, Member, MimePart } from '../../model/mime.ts';
import type { PartDescription } from './part-description.ts';

/** Where an entity begins: the stream it is in, and its first byte there. */
export interface Origin {
  /** `''` for the message itself; decoded bodies are streams of their own. */
  readonly stream: string;
  readonly start: number;
  /** How far from what most readers do: 0 for the main reading, one more for each alternative within another. */
  readonly rank: number;
}

/** A part while the message is being read. */
export class PartNode {
  readonly parent: PartNode | null;
  readonly place: string;
  readonly depth: number;
  readonly origin: Origin;
  readonly description: PartDescription;
  kind: MimePart['kind'];
  size = 0;
  sha256: string | null = null;
  magic: string | null = null;
  readonly children: PartNode[] = [];
  readonly members: Omit<Member, 'part'>[] = [];
  readonly archives: Omit<ArchiveFacts, 'part'>[] = [];

  constructor(
    parent: PartNode | null,
    place: string,
    kind: MimePart['kind'],
    origin: Origin,
    description: PartDescription,
  ) {
    this.parent = parent;
    this.place = place;
    this.depth = parent === null ? 1 : parent.depth + 1;
    this.kind = kind;
    this.origin = origin;
    this.description = description;
    parent?.children.push(this);
  }

  get names(): readonly FileName[] {
    return this.description.names;
  }
}

/** The parts of these readings of a message and what is in them: children follow their parent. */
export function numbered(roots: readonly PartNode[]): {
  readonly parts: MimePart[];
  readonly members: Member[];
  readonly archives: ArchiveFacts[];
} {
  const parts: MimePart[] = [];
  const members: Member[] = [];
  const archives: ArchiveFacts[] = [];
  const add = (node: PartNode, parent: number | null) => {
    const part = parts.length;
    const { type, types, charset, disposition, encoding, names } = node.description;
    const { place, kind, size, sha256, magic } = node;
    parts.push({
      number: part,
      parent,
      place,
      kind,
      type,
      types,
      charset,
      disposition,
      encoding,
      names,
      size,
      sha256,
      magic,
    });
    for (const member of node.members) members.push({ part, ...member });
    for (const archive of node.archives) archives.push({ part, ...archive });
    for (const child of node.children) add(child, part);
  };
  for (const root of roots) add(root, null);
  return { parts, members, archives };
}

/**
 * Puts several readings of one message into one tree: what two of them see alike is there once. The children of each
 * part are put in the order of their first byte.
 */
export function mergeReadings(nodes: readonly PartNode[]): PartNode[] {
  const kept: PartNode[] = [];
  const known = new Map<string, PartNode[]>();
  for (const node of nodes) {
    const place = `${node.origin.start} ${node.origin.stream}`;
    const there = known.get(place);
    const same = there?.find(other => other === node || likeness(other) === likeness(node));
    if (same === undefined) {
      if (there === undefined) known.set(place, [node]);
      else there.push(node);
      kept.push(node);
    } else if (same !== node) same.children.push(...node.children);
  }
  for (const node of kept) {
    const children = mergeReadings(node.children);
    node.children.splice(0, node.children.length, ...children);
  }
  return kept.toSorted(byOrigin);
}

/** Equal for what readers cannot tell apart. */
function likeness({ kind, size, sha256, description, place }: PartNode): string {
  const { type, encoding, names } = description;
  const texts = names.map(name => name.text);
  // An encoded multipart that could be read both ways has children from streams of their own.
  return JSON.stringify([kind, size, sha256, type, encoding, texts, kind === 'leaf' ? '' : place]);
}

function byOrigin(a: PartNode, b: PartNode): number {
  if (a.origin.stream !== b.origin.stream) return a.origin.stream < b.origin.stream ? -1 : 1;
  const order = a.origin.start - b.origin.start || a.origin.rank - b.origin.rank || b.size - a.size;
  if (order !== 0) return order;
  return rest(a) < rest(b) ? -1 : 1;
}

function rest({ place, kind, sha256, description }: PartNode): string {
  return [place, kind, sha256, description.type, description.encoding].join(' ');
}
