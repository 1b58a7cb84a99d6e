import { ByteWindow } from './byte-window.ts';
import { Frames } from './frames.ts';
import type { Delimiter, Frame } from './frames.ts';
import { LineCheck } from './line-check.ts';
import { describePart } from './part-description.ts';
import type { BodyReading, PartDescription } from './part-description.ts';
import { PartHeader } from './part-header.ts';
import { PartLeaf, TextAroundParts } from './part-leaf.ts';
import type { BodySink } from './part-leaf.ts';
import { PartNode } from './part-node.ts';
import type { Reading } from './reading.ts';
import { openDecoder } from './transfer-decoders.ts';
import type { Decoder } from './decoder.ts';
import type { Coding } from './transfer-decoders.ts';

const CR = 13;
const LF = 10;
const DASH = 45;

/** A delimiter line longer than this is judged by its beginning. */
const MAX_DELIMITER = 2048;

/** Named messages deeper than this are not hashed: each costs the bytes of all that is in it. */
const MAX_FILE_DEPTH = 8;

const NOTHING = Buffer.alloc(0);

const NEXT_DASHES = Buffer.from('\n--');

/** The entity whose header is being read. */
interface Entity {
  readonly parent: PartNode | null;
  readonly place: string;
  readonly inDigest: boolean;
}

/** How a walker reads, and where it begins. */
export interface WalkerOptions {
  /** The first entity; absent for a walker that takes up another one's frames. */
  readonly entity?: Entity;
  /** `''` for the bytes of the message itself. */
  readonly stream?: string;
  /** Offset in the stream of the first byte. */
  readonly start?: number;
  /** Of its parts, see `Origin`. */
  readonly rank?: number;
  /** The header ends at the first line that is no field. */
  readonly strict?: boolean;
  /** What begins like a delimiter is one; boundaries of parts that are over still count. */
  readonly lenient?: boolean;
  /** Reports bare line ends and the like: only where the bytes are those of the message. */
  readonly checksLines?: boolean;
  /** A guess: it leaves nothing behind when what it reads has no MIME header. */
  readonly tentative?: boolean;
}

/** What to do with the bytes at hand: go on, or wait for more. */
type Step = 'on' | 'wait';

/**
 * Takes one stream of mail apart (a message, or the decoded body of a part) as its bytes come in: finds headers,
 * delimiters and bodies, and hands bodies to whoever reads them. Where readers differ, further walkers follow the
 * other readings of the same bytes. Keeps the header that is being read (up to `headerBytes`), one block and the part
 * tree; nothing of a body. Never throws.
 */
export class Walker implements BodySink {
  readonly #reading: Reading;
  readonly #stream: string;
  readonly #rank: number;
  readonly #strict: boolean;
  readonly #lenient: boolean;
  readonly #tentative: boolean;
  readonly #window: ByteWindow;
  readonly #frames: Frames;
  readonly #lineCheck: LineCheck | null;
  /** Bytes since the last block. */
  #filled = 0;
  /** The bytes at hand while they are looked at, and the next of them. */
  #bytes: Buffer = NOTHING;
  #at = 0;
  #state: 'header' | 'skip' | 'body' | 'over' = 'header';
  #entity: Entity | null;
  #header = new PartHeader();
  /** Bytes of the header that were looked at. */
  #scanned = 0;
  /** `#at` is at the beginning of a line that may be a delimiter. */
  #lineStart = false;
  /** In a header that is too long: in the middle of a line. */
  #midLine = false;
  #parts = 0;
  /** Offset in the stream up to which lines were checked. */
  #checked = 0;
  #place: string;
  /** A walker follows what careless readers take for delimiters. */
  #shadowed = false;
  #first: PartNode | null = null;

  constructor(reading: Reading, options: WalkerOptions) {
    this.#reading = reading;
    this.#stream = options.stream ?? '';
    this.#rank = options.rank ?? 0;
    this.#strict = options.strict ?? false;
    this.#lenient = options.lenient ?? false;
    this.#tentative = options.tentative ?? false;
    this.#window = new ByteWindow(options.start ?? 0);
    this.#frames = new Frames(this.#lenient);
    this.#entity = options.entity ?? null;
    this.#place = this.#entity?.place ?? '';
    this.#lineCheck =
      options.checksLines === true
        ? new LineCheck((rule, detail) => reading.note(rule, this.#place, detail))
        : null;
  }

  /** The part that its first header describes; null before that is complete. */
  get first(): PartNode | null {
    return this.#first;
  }

  /** The next bytes. Cut into blocks of its own, so that the answer cannot depend on how they arrive. */
  write(bytes: Buffer): void {
    this.#take(bytes);
    this.#window.keep();
  }

  #take(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      const block = this.#reading.block;
      const end = Math.min(bytes.length, at + Math.max(1, block - this.#filled));
      this.#window.append(bytes, at, end);
      this.#filled += end - at;
      at = end;
      if (this.#filled < block) return;
      this.#filled = 0;
      this.#look(false);
    }
  }

  /** The stream is over, with these as its last bytes. */
  end(last: Buffer = NOTHING): void {
    this.#take(last);
    this.#look(true);
    this.#lineCheck?.end();
    while (this.#frames.top !== undefined) this.#pop(this.#window.base);
    const { first } = this;
    if (!this.#tentative || first === null || first.parent === null) return;
    const { type, names, encoding } = first.description;
    if (first.kind !== 'leaf' || type !== 'text/plain' || names.length > 0 || encoding !== '') return;
    if (first.members.length > 0) return;
    const siblings = first.parent.children;
    siblings.splice(siblings.indexOf(first), 1);
  }

  #look(final: boolean): void {
    this.#bytes = this.#window.bytes;
    this.#at = 0;
    while (this.#step(final) === 'on');
    const upTo = this.#window.base + this.#at;
    for (const frame of this.#frames.stack) this.#feed(frame, upTo);
    this.#checkLines(final ? this.#window.base + this.#bytes.length : upTo);
    this.#window.drop(this.#at);
    this.#bytes = NOTHING;
  }

  #step(final: boolean): Step {
    switch (this.#state) {
      case 'header':
        return this.#headerLine(final);
      case 'skip':
        return this.#skippedLine(final);
      case 'body':
        return this.#body(final);
      case 'over':
        this.#at = this.#bytes.length;
        return 'wait';
    }
  }

  /** One line of a header, which stays at hand until it is complete. */
  #headerLine(final: boolean): Step {
    const bytes = this.#bytes;
    const origin = this.#at;
    const start = origin + this.#scanned;
    const lf = bytes.indexOf(LF, start);
    if (lf < 0) {
      if (!final) {
        if (bytes.length - origin <= this.#reading.limits.headerBytes) return 'wait';
        this.#header.line(bytes, start, bytes.length, origin);
        this.#midLine = true;
        return this.#headerTooLong(bytes.length);
      }
      const end = lineEnd(bytes, start, bytes.length);
      if (end > start && this.#delimiterAt(start, bytes.length, bytes.length)) return 'on';
      if (end > start) this.#header.line(bytes, start, end, origin);
      this.#beginBody(bytes.length);
      return 'on';
    }
    const end = lineEnd(bytes, start, lf);
    if (end === start) {
      this.#beginBody(lf + 1);
      return 'on';
    }
    if (bytes[start] === DASH && this.#delimiterAt(start, end, lf + 1)) return 'on';
    const header = this.#header;
    header.line(bytes, start, end, origin);
    if (this.#strict && header.doubtfulAt >= 0) {
      this.#beginBody(header.noColonAt >= 0 ? start : lf + 1);
      return 'on';
    }
    this.#scanned = lf + 1 - origin;
    const { headerBytes, headerFields } = this.#reading.limits;
    if (this.#scanned > headerBytes || header.fields > headerFields) return this.#headerTooLong(lf + 1);
    return 'on';
  }

  /** What was read of the header must do; its rest goes by. */
  #headerTooLong(upTo: number): Step {
    this.#reading.note('MIME_HEADER_LONG', this.#place);
    this.#scanned = upTo - this.#at;
    this.#state = 'skip';
    this.#long = this.#header.contentFields(this.#bytes, this.#at);
    this.#longStart = this.#window.base + this.#at;
    this.#at = upTo;
    return 'on';
  }

  #long: ReturnType<PartHeader['contentFields']> | null = null;
  #longStart = 0;

  #skippedLine(final: boolean): Step {
    const bytes = this.#bytes;
    for (;;) {
      const start = this.#at;
      const lf = bytes.indexOf(LF, start);
      if (lf < 0) {
        // A line that has begun is over or goes on; nothing of it matters but that it is no delimiter and not empty.
        if (final || this.#midLine || bytes.length - start > MAX_DELIMITER) {
          if (final && !this.#midLine && this.#delimiterAt(start, bytes.length, bytes.length)) return 'on';
          if (start < bytes.length) this.#midLine = true;
          this.#at = bytes.length;
          if (!final) return 'wait';
          this.#beginBody(bytes.length);
          return 'on';
        }
        return 'wait';
      }
      const end = lineEnd(bytes, start, lf);
      const whole = !this.#midLine;
      this.#midLine = false;
      if (whole && end === start) {
        this.#beginBody(lf + 1);
        return 'on';
      }
      if (whole && bytes[start] === DASH && this.#delimiterAt(start, end, lf + 1)) return 'on';
      this.#at = lf + 1;
    }
  }

  /** The header is complete; the body begins at `bodyStart`. */
  #beginBody(bodyStart: number): void {
    const entity = this.#entity;
    if (entity === null) {
      this.#state = 'over';
      return;
    }
    this.#entity = null;
    const { base } = this.#window;
    const header = this.#header;
    const start = this.#long === null ? base + this.#at : this.#longStart;
    const fields = this.#long ?? header.contentFields(this.#bytes, this.#at);
    const headerBytes = this.#long === null ? this.#bytes.subarray(this.#at, bodyStart) : null;
    this.#long = null;
    this.#at = bodyStart;
    this.#state = 'body';
    this.#lineStart = true;
    if (!this.#reading.takePart(this.#parts)) {
      this.#reading.note('MIME_PARTS', entity.place);
      this.#state = 'over';
      return;
    }
    this.#parts++;
    if (header.noColonAt >= 0) this.#reading.note('MIME_HEADER_NO_COLON', entity.place);
    const description = describePart(fields, entity.inDigest);
    for (const { rule, detail } of description.anomalies) this.#reading.note(rule, entity.place, detail);
    const frame = this.#openPart(entity, description, start, base + bodyStart);
    if (
      header.doubtfulAt >= 0 &&
      !this.#strict &&
      headerBytes !== null &&
      this.#reading.takeFork(entity.place)
    ) {
      const strict = new Walker(this.#reading, {
        entity,
        stream: this.#stream,
        start,
        rank: this.#rank + 1,
        strict: true,
        lenient: this.#lenient,
      });
      strict.write(headerBytes);
      frame.sinks.push(new ForkSink(this.#reading, strict, entity.place));
    }
    if (frame.kind === 'message') {
      // What is odd about these lines is odd about the part, and not about the message in it.
      this.#checkLines(base + bodyStart);
      this.#beginEntity({ parent: frame.node, place: `${frame.node.place}.1`, inDigest: false });
    } else if (frame.kind === 'multipart') this.#around(frame, base + bodyStart);
  }

  /** Puts a part on the stack, with everybody who reads its body. */
  #openPart(entity: Entity, description: PartDescription, start: number, bodyStart: number): Frame {
    const origin = { stream: this.#stream, start, rank: this.#rank };
    const behind = { ...origin, rank: this.#rank + 1 };
    const tooDeep = entity.parent !== null && entity.parent.depth >= this.#reading.limits.depth;
    const main = description.readings[0] as BodyReading;
    const readings =
      tooDeep && main.kind !== 'leaf' ? [{ ...main, kind: 'leaf' as const }] : description.readings;
    if (readings !== description.readings) this.#reading.note('MIME_DEPTH', entity.place);
    const first = readings[0] as BodyReading;
    const node = new PartNode(entity.parent, entity.place, first.kind, origin, description);
    this.#first ??= node;
    if (node.parent === null) this.#reading.roots.push(node);
    const sinks: BodySink[] = [];
    const direct = first.kind === 'multipart' || (first.kind === 'message' && first.coding === 'none');
    if (first.kind === 'leaf') sinks.push(new PartLeaf(this.#reading, node, first.coding));
    else if (!direct) this.#follow(sinks, node, first, bodyStart);
    const asFile = first.kind === 'message' && node.names.length > 0 && node.depth <= MAX_FILE_DEPTH;
    // A message with a name can be saved and opened like any other file.
    if (asFile) sinks.push(new PartLeaf(this.#reading, node, first.coding));
    for (const reading of readings.slice(1)) {
      const other =
        reading.kind === 'leaf' || reading.kind !== first.kind
          ? new PartNode(entity.parent, entity.place, reading.kind, behind, description)
          : node;
      if (other !== node) this.#alternative(other);
      if (reading.kind === 'leaf') sinks.push(new PartLeaf(this.#reading, other, reading.coding));
      else this.#follow(sinks, other, reading, bodyStart);
    }
    const declared = direct && first.kind === 'multipart' ? first.boundary : null;
    const frame: Frame = {
      node,
      kind: direct || first.kind === 'leaf' ? first.kind : 'leaf',
      boundary: declared === null ? null : declared.trim(),
      declared: declared ?? '',
      reused: null,
      closed: false,
      children: 0,
      quiet: readings.some(reading => reading.coding !== 'none'),
      borrowed: false,
      sinks,
      bodyStart,
      fed: bodyStart,
    };
    if (frame.boundary !== null && this.#frames.holder(frame.boundary) !== null)
      this.#reading.note('MIME_BOUNDARY_REUSED', node.place, frame.boundary);
    this.#frames.push(frame);
    return frame;
  }

  #alternative(node: PartNode): void {
    this.#reading.forked = true;
    if (node.parent === null) this.#reading.roots.push(node);
  }

  /** A walker for another reading of a body. */
  #follow(sinks: BodySink[], node: PartNode, reading: BodyReading, bodyStart: number): void {
    if (!this.#reading.takeFork(node.place)) return;
    const { coding } = reading;
    const decoded = coding !== 'none';
    const walker = new Walker(this.#reading, {
      ...(reading.kind === 'message'
        ? { entity: { parent: node, place: `${node.place}.1`, inDigest: false } }
        : {}),
      stream: decoded ? `${this.#stream}/${bodyStart} ${coding}` : this.#stream,
      start: decoded ? 0 : bodyStart,
      rank: this.#rank + 1,
      strict: this.#strict,
      lenient: this.#lenient,
      tentative: reading.kind === 'message' && !decoded,
    });
    if (reading.kind === 'multipart') walker.#takeMultipart(node, reading.boundary, decoded ? 0 : bodyStart);
    sinks.push(new ForkSink(this.#reading, walker, node.place, coding));
  }

  /** Begins with the body of a multipart. */
  #takeMultipart(node: PartNode, boundary: string | null, bodyStart: number): void {
    this.#state = 'body';
    this.#lineStart = true;
    const frame: Frame = {
      node,
      kind: 'multipart',
      boundary: boundary === null ? null : boundary.trim(),
      declared: boundary ?? '',
      reused: null,
      closed: false,
      children: 0,
      quiet: true,
      borrowed: false,
      sinks: [],
      bodyStart,
      fed: bodyStart,
    };
    this.#frames.push(frame);
    this.#around(frame, bodyStart);
  }

  #beginEntity(entity: Entity): void {
    this.#entity = entity;
    this.#place = entity.place;
    this.#header = new PartHeader();
    this.#scanned = 0;
    this.#midLine = false;
    this.#state = 'header';
  }

  /** Text before or after the parts of `frame`. */
  #around(frame: Frame, start: number): void {
    const { node } = frame;
    this.#frames.push({
      node,
      kind: 'around',
      boundary: null,
      declared: '',
      reused: null,
      closed: false,
      children: 0,
      quiet: true,
      borrowed: false,
      sinks: [new TextAroundParts(this.#reading, node)],
      bodyStart: start,
      fed: start,
    });
  }

  /** Bytes of bodies, up to the next delimiter. */
  #body(final: boolean): Step {
    const bytes = this.#bytes;
    let from = this.#at;
    if (this.#lineStart) {
      if (bytes.length - from < 2 && !final) {
        if (from === bytes.length || bytes[from] === DASH) return 'wait';
      } else if (bytes[from] === DASH && bytes[from + 1] === DASH) {
        const found = this.#candidate(from, from, final);
        if (found !== null) return found;
      }
      this.#lineStart = false;
    }
    for (;;) {
      const lf = this.#frames.stack.length < 2 && this.#isPlain() ? -1 : bytes.indexOf(NEXT_DASHES, from);
      if (lf < 0) break;
      const contentEnd = lf > this.#at && bytes[lf - 1] === CR ? lf - 1 : lf;
      const found = this.#candidate(lf + 1, contentEnd, final);
      if (found !== null) return found;
      from = lf + 3;
    }
    this.#at = final ? bytes.length : lineEndHeld(bytes, this.#at);
    return 'wait';
  }

  /** Nothing on the stack has a boundary or may have one. */
  #isPlain(): boolean {
    const { top } = this.#frames;
    return top === undefined || top.kind === 'leaf';
  }

  /**
   * A line at `start` begins with `--`; what stands before it ends at `contentEnd`. Null: it is nothing but content.
   */
  #candidate(start: number, contentEnd: number, final: boolean): Step | null {
    const bytes = this.#bytes;
    const lf = bytes.indexOf(LF, start);
    if (lf < 0 && !final && bytes.length - start < MAX_DELIMITER) {
      this.#at = contentEnd;
      // The line end before it is looked at again together with the rest of the line.
      this.#lineStart = contentEnd === start;
      return 'wait';
    }
    const next = lf < 0 ? bytes.length : lf + 1;
    return this.#delimiter(start, lf < 0 ? next : lineEnd(bytes, start, lf), next, contentEnd) ? 'on' : null;
  }

  /** In a header: a line that ends the part before its body began. */
  #delimiterAt(start: number, end: number, next: number): boolean {
    const bytes = this.#bytes;
    if (bytes[start] !== DASH || bytes[start + 1] !== DASH) return false;
    const found = this.#judge(start, end);
    if (found === null) return false;
    this.#beginBody(start);
    if (this.#state === 'over') return true;
    // A message in the part would have begun with its header.
    if (this.#entity !== null) this.#entity = null;
    this.#delimit(found, next, start);
    return true;
  }

  #delimiter(start: number, end: number, next: number, contentEnd: number): boolean {
    const found = this.#judge(start, end);
    if (found === null) return false;
    this.#delimit(found, next, contentEnd);
    return true;
  }

  /** The delimiter that the line is, or null; an odd one calls for another reading. */
  #judge(start: number, end: number): Delimiter | null {
    const text = this.#bytes.toString('latin1', start + 2, Math.min(end, start + MAX_DELIMITER));
    const found = this.#frames.judge(text);
    if (found !== 'odd') return found;
    this.#reading.note('MIME_BOUNDARY_PADDED', this.#place, text);
    this.#shadow(start);
    return null;
  }

  /** Another walker goes on from here, to which everything that looks like a delimiter is one. */
  #shadow(start: number): void {
    const bottom = this.#frames.stack[0];
    if (this.#shadowed || bottom === undefined || !this.#reading.takeFork(this.#place)) return;
    this.#shadowed = true;
    const at = this.#window.base + start;
    const walker = new Walker(this.#reading, {
      stream: this.#stream,
      start: at,
      rank: this.#rank + 1,
      strict: this.#strict,
      lenient: true,
    });
    walker.#state = 'body';
    walker.#lineStart = true;
    this.#frames.copyTo(walker.#frames);
    for (const frame of walker.#frames.stack) frame.fed = at;
    if (bottom.sinks.length > 0) this.#feed(bottom, at);
    else bottom.fed = at;
    bottom.sinks.push(new ForkSink(this.#reading, walker, this.#place));
  }

  /** Acts on a delimiter; the content before it ends at `contentEnd`, what follows its line begins at `next`. */
  #delimit({ frame, closes, padded }: Delimiter, next: number, contentEnd: number): void {
    const { base } = this.#window;
    let owner = frame;
    const { stack } = this.#frames;
    // The inner one of two with the same boundary is over already: it is the outer one's.
    while (owner.closed && owner.reused !== null) owner = owner.reused;
    if (stack.includes(owner)) {
      while (this.#frames.top !== owner) this.#pop(base + contentEnd);
    } else {
      while (stack.length > 1) this.#pop(base + contentEnd);
      owner = {
        ...owner,
        reused: null,
        closed: false,
        quiet: true,
        borrowed: true,
        sinks: [],
        fed: base + next,
      };
      this.#frames.push(owner);
    }
    this.#checkLines(base + next);
    if (padded) this.#reading.note('MIME_BOUNDARY_PADDED', owner.node.place, owner.declared);
    this.#at = next;
    if (closes) {
      owner.closed = true;
      this.#place = owner.node.place;
      this.#state = 'body';
      this.#lineStart = true;
      this.#around(owner, base + next);
      return;
    }
    if (owner.closed && !owner.quiet) this.#reading.note('MIME_AFTER_CLOSE', owner.node.place);
    owner.children++;
    this.#beginEntity({
      parent: owner.node,
      place: `${owner.node.place}.${owner.children}`,
      inDigest: owner.node.description.type === 'multipart/digest',
    });
  }

  /** The part on top ends at `end`, an offset in the stream. */
  #pop(end: number): void {
    const { top } = this.#frames;
    if (top === undefined) return;
    this.#feed(top, end);
    this.#frames.pop();
    for (const sink of top.sinks) sink.end();
    if (top.kind === 'around' || top.borrowed) return;
    // Who reads it as a file has measured it.
    if (top.node.sha256 === null) top.node.size = Math.max(0, end - top.bodyStart);
    if (top.kind !== 'multipart' || top.quiet) return;
    if (top.children === 0) this.#reading.note('MIME_MULTIPART_EMPTY', top.node.place);
    if (!top.closed) this.#reading.note('MIME_UNCLOSED', top.node.place);
  }

  /** Gives the readers of a body what they have not had of it up to `end`, an offset in the stream. */
  #feed(frame: Frame, end: number): void {
    if (frame.fed >= end) return;
    if (frame.sinks.length > 0) {
      const { base } = this.#window;
      const bytes = this.#bytes.subarray(frame.fed - base, end - base);
      for (const sink of frame.sinks) sink.write(bytes);
    }
    frame.fed = end;
  }

  #checkLines(end: number): void {
    if (this.#lineCheck === null || end <= this.#checked) return;
    const { base } = this.#window;
    this.#lineCheck.check(this.#bytes.subarray(this.#checked - base, end - base));
    this.#checked = end;
  }
}

/** Another reading of a body: its bytes, decoded if need be, go to a walker of their own. */
class ForkSink implements BodySink {
  readonly #reading: Reading;
  readonly #walker: Walker;
  readonly #coding: Coding;
  readonly #place: string;
  readonly #decoder: Decoder | null;

  constructor(reading: Reading, walker: Walker, place: string, coding: Coding = 'none') {
    this.#reading = reading;
    this.#walker = walker;
    this.#place = place;
    this.#coding = coding;
    this.#decoder = openDecoder(coding, bytes => walker.write(bytes), reading.stopsAtPadding, true);
  }

  write(bytes: Buffer): void {
    if (this.#decoder === null) this.#walker.write(bytes);
    else this.#decoder.write(bytes);
  }

  end(): void {
    this.#decoder?.end();
    if (this.#decoder !== null) this.#reading.noteCoding(this.#decoder, this.#coding, this.#place);
    this.#walker.end();
    this.#reading.endFork();
  }
}

/** Offset of the line end before `lf`, or `lf`. */
function lineEnd(bytes: Buffer, start: number, lf: number): number {
  return lf > start && bytes[lf - 1] === CR ? lf - 1 : lf;
}

/** How far bytes are surely content: a line end at their end may belong to a delimiter that follows. */
function lineEndHeld(bytes: Buffer, from: number): number {
  let end = bytes.length;
  if (end > from && bytes[end - 1] === DASH && bytes[end - 2] === LF && end - 1 > from) end--;
  if (end > from && bytes[end - 1] === LF) end--;
  if (end > from && bytes[end - 1] === CR) end--;
  return end;
}
