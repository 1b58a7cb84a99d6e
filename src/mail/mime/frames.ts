import type { BodySink } from './part-leaf.ts';
import type { PartNode } from './part-node.ts';

/** A part whose body is being read. */
export interface Frame {
  readonly node: PartNode;
  /** `around`: text before or after the parts of the multipart below it. */
  readonly kind: 'leaf' | 'multipart' | 'message' | 'around';
  /** Of a multipart: without blanks around it; null until it is known. */
  boundary: string | null;
  /** The boundary as it was declared. */
  readonly declared: string;
  /** The multipart had this boundary when this one took it over. */
  reused: Frame | null;
  closed: boolean;
  children: number;
  /** The raw body of an encoded multipart: that it makes no sense is no news. */
  readonly quiet: boolean;
  /** Another walker reports on the multipart itself. */
  readonly borrowed: boolean;
  /** Who gets all bytes of the body. */
  sinks: BodySink[];
  /** Offsets in the stream: where the body begins, and up to where `sinks` have had it. */
  readonly bodyStart: number;
  fed: number;
}

/** What a line that begins with `--` is. */
export interface Delimiter {
  readonly frame: Frame;
  readonly closes: boolean;
  /** The line has more than the boundary. */
  readonly padded: boolean;
}

/** Sure: some multipart around here ends a part so. `odd`: only careless readers take it for a delimiter. */
export type LineKind = Delimiter | 'odd' | null;

/** The multiparts around the current byte, innermost last. */
export class Frames {
  readonly stack: Frame[] = [];
  /** Multiparts on the stack by boundary. */
  readonly #open = new Map<string, Frame>();
  /** Multiparts that ended without their closing delimiter: their boundary may still come. */
  readonly #left = new Map<string, Frame>();
  /** Lengths of boundaries on the stack, the longest first; null: not measured since they changed. */
  #lengths: readonly number[] | null = null;
  readonly #lenient: boolean;

  /** `lenient`: what is odd counts as a delimiter. */
  constructor(lenient: boolean) {
    this.#lenient = lenient;
  }

  get top(): Frame | undefined {
    return this.stack[this.stack.length - 1];
  }

  push(frame: Frame): void {
    this.stack.push(frame);
    if (frame.boundary !== null) this.#register(frame, frame.boundary);
  }

  /** Takes the top frame away. */
  pop(): Frame | undefined {
    const frame = this.stack.pop();
    if (frame === undefined || frame.boundary === null) return frame;
    if (frame.reused === null) this.#open.delete(frame.boundary);
    else this.#open.set(frame.boundary, frame.reused);
    if (!frame.closed) this.#left.set(frame.boundary, frame);
    this.#lengths = null;
    return frame;
  }

  /** The multipart on the stack with this boundary, if any. */
  holder(boundary: string): Frame | null {
    return this.#open.get(boundary) ?? null;
  }

  /** The multiparts of this stack, without their sinks, for another walker to go on with. */
  copyTo(other: Frames): void {
    for (const frame of this.stack) {
      if (frame.kind === 'leaf' || frame.kind === 'around') continue;
      other.push({ ...frame, reused: null, quiet: true, borrowed: true, sinks: [] });
    }
    for (const [boundary, frame] of this.#left)
      other.#left.set(boundary, { ...frame, reused: null, quiet: true, borrowed: true, sinks: [] });
  }

  /** Judges a line that begins with `--`: `text` is what follows, without its line end. */
  judge(text: string): LineKind {
    const exact = text.trim();
    const open = this.#open.get(exact);
    if (open !== undefined) return { frame: open, closes: false, padded: text !== open.declared };
    if (exact.endsWith('--')) {
      const inner = exact.slice(0, -2).trimEnd();
      const closing = this.#open.get(inner);
      if (closing !== undefined)
        return { frame: closing, closes: true, padded: text !== `${closing.declared}--` };
    }
    const guessing = this.#guessing();
    if (guessing !== null && exact !== '' && !exact.startsWith('-- ')) {
      guessing.boundary = exact;
      this.#register(guessing, exact);
      return { frame: guessing, closes: false, padded: false };
    }
    const odd = this.#odd(exact);
    if (odd === null) return null;
    return this.#lenient ? odd : 'odd';
  }

  #register(frame: Frame, boundary: string): void {
    frame.reused = this.#open.get(boundary) ?? null;
    this.#open.set(boundary, frame);
    this.#lengths = null;
  }

  #measured(): readonly number[] {
    return [...new Set([...this.#open.keys()].map(key => key.length))]
      .filter(length => length > 0)
      .toSorted((a, b) => b - a);
  }

  /** The multipart whose boundary is not known yet, when the current text is its own. */
  #guessing(): Frame | null {
    for (let i = this.stack.length - 1; i >= 0; i--) {
      const frame = this.stack[i] as Frame;
      if (frame.kind !== 'around')
        return frame.kind === 'multipart' && frame.boundary === null ? frame : null;
    }
    return null;
  }

  #odd(exact: string): Delimiter | null {
    this.#lengths ??= this.#measured();
    for (const length of this.#lengths) {
      const frame = exact.length > length ? this.#open.get(exact.slice(0, length)) : undefined;
      if (frame !== undefined) return { frame, closes: false, padded: true };
    }
    const left = this.#left.get(exact) ?? this.#left.get(exact.replace(/--$/, ''));
    if (left === undefined) return null;
    return { frame: left, closes: !this.#left.has(exact), padded: true };
  }
}
