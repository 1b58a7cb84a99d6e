import type { AnomalyName, FileName } from '../../model/mime.ts';
import { decodeCharset, decodeUndeclared } from '../charset.ts';
import { ByteFeed, ByteRoom } from './byte-script.ts';
import type { Request } from './byte-script.ts';
import type { Consumed, OpenConsumer, PartConsumer } from './consumer.ts';
import { InnerFile, InnerFinds } from './inner-file.ts';
import { NAME_PROPERTIES, PROPERTY, readProperties } from './tnef-properties.ts';
import type { Property } from './tnef-properties.ts';

/** First four bytes of a TNEF stream, little-endian (MS-OXTNEF 2.1.3.1). */
const SIGNATURE = 0x223e9f78;

/** Attributes that matter here, by their id with type (MS-OXTNEF 2.1.3.2). */
const ATTACH_RENDER_DATA = 0x00069002;
const ATTACH_TITLE = 0x00018010;
const ATTACH_DATA = 0x0006800f;
const ATTACH_TRANSPORT_NAME = 0x00069001;
const ATTACHMENT_PROPERTIES = 0x00069005;
const OEM_CODE_PAGE = 0x00069007;

/** The longest name that is read; of a longer one the rest is passed over. */
const MAX_NAME = 4096;

/** Attachments of one winmail.dat, those of messages within included. */
const MAX_ATTACHMENTS = 1000;

const MAX_NAMES = 32;

/** The name that says what is inside often comes behind the bytes: these wait for it. */
const HOLD = 262_144;

/**
 * Reads TNEF (application/ms-tnef, winmail.dat; MS-OXTNEF): the attachments with all their names (title, transport
 * name, and the MAPI properties), sizes and hashes; also those of messages within. In: the bytes of the part; `open` is
 * asked for what lies in an attachment, `within` are the names of the files round this one. Wrong check sums, damage and
 * truncation are the anomaly MIME_TNEF_UNREADABLE; what was found so far stays. Memory: 256 KiB and one name.
 */
export function tnefConsumer(open: OpenConsumer, within: readonly string[] = []): PartConsumer {
  return new TnefReader(open, within);
}

/** TNEF begins so. */
export function hasTnefSignature(leading: Buffer): boolean {
  return leading.length >= 4 && leading.readUInt32LE(0) === SIGNATURE;
}

/** Messages within messages. */
const MAX_DEPTH = 8;

/** Data of one attachment, in the several places that TNEF has for it. */
const MAX_FILES = 8;

const MAX_ANOMALIES = 10;

/** What a step of the reader is: it asks for bytes and goes on when they are here. */
type Step = Generator<Request, void, Buffer>;

/** One attachment while its attributes come by. Data in several places are several files under the same names. */
interface Attachment {
  readonly names: FileName[];
  readonly within: readonly string[];
  readonly files: InnerFile[];
  /** All of every file was here. */
  whole: boolean;
  /** A message within. */
  message: boolean;
}

class TnefReader implements PartConsumer {
  readonly #open: OpenConsumer;
  readonly #feed = new ByteFeed();
  readonly #finds = new InnerFinds();
  readonly #anomalies: { rule: AnomalyName; detail: string }[] = [];
  /** The open attachment of each message within a message, innermost last. */
  readonly #attachments: (Attachment | null)[] = [];
  #codePage: string | null = null;
  #count = 0;
  /** Everything so far was whole attributes of the outermost stream. */
  #complete = false;

  constructor(open: OpenConsumer, within: readonly string[]) {
    this.#open = open;
    this.#feed.start(this.#outermost(within));
  }

  get pending(): Promise<void> | null {
    for (const attachment of this.#attachments) {
      for (const file of attachment?.files ?? []) if (file.pending !== null) return file.pending;
    }
    return this.#finds.pending;
  }

  write(bytes: Buffer): void {
    this.#feed.write(bytes);
  }

  abandon(): void {
    for (const attachment of this.#attachments) for (const file of attachment?.files ?? []) file.abandon();
  }

  end(): Consumed | Promise<Consumed> {
    if (!this.#complete) this.#anomaly('breaks off');
    while (this.#attachments.length > 0) {
      this.#endAttachment();
      this.#attachments.pop();
    }
    return this.#finds.consumed(this.#anomalies);
  }

  *#outermost(within: readonly string[]): Step {
    const room = new ByteRoom(this.#feed, Number.MAX_SAFE_INTEGER);
    const signature = yield* room.uint32();
    if (signature === SIGNATURE) yield* this.#stream(room, within);
    else this.#anomaly('no TNEF signature');
    this.#complete = true;
    yield* room.skipRest();
  }

  /** What follows the signature: a key, then attributes to the end. */
  *#stream(room: ByteRoom, within: readonly string[]): Step {
    const depth = this.#attachments.push(null);
    yield* room.pass(2);
    while (room.left > 0) {
      if (depth === 1) this.#complete = true;
      const level = (yield* room.take(1))[0] ?? 0;
      if (level !== 1 && level !== 2) {
        // Line ends and zeros stand behind the last attribute of some.
        if (level !== 0 && level !== 10 && level !== 13) this.#anomaly(`an attribute of level ${level}`);
        return;
      }
      this.#complete = false;
      const id = yield* room.uint32();
      const value = room.inner(yield* room.uint32());
      const before = this.#feed.sum;
      try {
        yield* this.#attribute(id, value, within);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        this.#anomaly(`attribute ${id.toString(16)}: ${error.message}`);
      }
      yield* value.skipRest();
      const sum = (this.#feed.sum - before) & 0xffff;
      if ((yield* room.uint16()) !== sum) this.#anomaly(`check sum of attribute ${id.toString(16)}`);
    }
  }

  *#attribute(id: number, value: ByteRoom, within: readonly string[]): Step {
    switch (id) {
      case ATTACH_RENDER_DATA:
        this.#endAttachment();
        this.#attachment(within);
        return;
      case ATTACH_TITLE:
      case ATTACH_TRANSPORT_NAME:
        this.#addName(this.#attachment(within), yield* value.take(Math.min(value.left, MAX_NAME)), false);
        return;
      case ATTACH_DATA:
        yield* this.#data(value, this.#attachment(within));
        return;
      case ATTACHMENT_PROPERTIES: {
        const attachment = this.#attachment(within);
        yield* readProperties(value, property => this.#property(property, attachment));
        return;
      }
      case OEM_CODE_PAGE:
        this.#codePage = `cp${yield* value.uint32()}`;
        return;
      default:
    }
  }

  *#property(property: Property, attachment: Attachment): Step {
    const { id, value, unicode } = property;
    if (NAME_PROPERTIES.has(id)) {
      const bytes = yield* value.take(Math.min(value.left, MAX_NAME));
      // What Outlook shows.
      const best = id === PROPERTY.attachLongFilename;
      this.#addName(attachment, bytes, unicode, best);
    } else if (id === PROPERTY.attachData) {
      if (property.object) yield* this.#object(value, attachment);
      else yield* this.#data(value, attachment);
    }
  }

  /** An interface identifier, then TNEF again (a message) or the bytes of something (OLE). */
  *#object(value: ByteRoom, attachment: Attachment): Step {
    if (value.left < 20) return;
    const head = yield* value.take(20);
    if (head.readUInt32LE(16) !== SIGNATURE) {
      yield* this.#data(value, attachment, head.subarray(16));
      return;
    }
    attachment.message = true;
    if (this.#attachments.length >= MAX_DEPTH) {
      this.#anomaly(`messages nested deeper than ${MAX_DEPTH}`);
      return;
    }
    const depth = this.#attachments.length;
    const codePage = this.#codePage;
    const name = attachment.names[0]?.text ?? 'message';
    try {
      yield* this.#stream(value, [...attachment.within, name]);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#anomaly(`message within: ${error.message}`);
    }
    while (this.#attachments.length > depth) {
      this.#endAttachment();
      this.#attachments.pop();
    }
    this.#codePage = codePage;
  }

  *#data(value: ByteRoom, attachment: Attachment, first: Buffer | null = null): Step {
    if (attachment.files.length >= MAX_FILES) {
      this.#anomaly(`more than ${MAX_FILES} times data for one attachment`);
      return;
    }
    const file = new InnerFile('tnef', attachment.names, attachment.within, this.#open, HOLD);
    attachment.files.push(file);
    attachment.whole = false;
    if (first !== null) file.write(first);
    yield* value.pass(value.left, bytes => file.write(bytes));
    attachment.whole = true;
  }

  /** The attachment that attributes are for; a new one when none is open. */
  #attachment(within: readonly string[]): Attachment {
    const open = this.#attachments.at(-1);
    if (open !== undefined && open !== null) return open;
    const attachment = { names: [], within, files: [], whole: true, message: false };
    this.#attachments[this.#attachments.length - 1] = attachment;
    return attachment;
  }

  /** The innermost open attachment, if any, is over. */
  #endAttachment(): void {
    const attachment = this.#attachments.at(-1);
    if (attachment === undefined || attachment === null) return;
    this.#attachments[this.#attachments.length - 1] = null;
    const { names, within, files, whole, message } = attachment;
    this.#count++;
    if (this.#count > MAX_ATTACHMENTS) {
      if (this.#count === MAX_ATTACHMENTS + 1) this.#anomaly(`more than ${MAX_ATTACHMENTS} attachments`);
      for (const file of files) file.abandon();
      return;
    }
    for (const [index, file] of files.entries()) this.#finds.add(file.end(whole || index < files.length - 1));
    if (files.length > 0 || (names.length === 0 && !message)) return;
    const nothing = { size: null, sha256: null, encrypted: false, magic: null };
    this.#finds.add({ member: { within, container: 'tnef', names: [...names], ...nothing }, inside: null });
  }

  /** Adds a name of so many bytes, without the NULs at its end. */
  #addName(attachment: Attachment, bytes: Buffer, unicode: boolean, best = false): void {
    const text = (unicode ? bytes.toString('utf16le') : this.#text(bytes)).replace(/\0+$/, '');
    const { names } = attachment;
    if (text === '' || names.length >= MAX_NAMES || names.some(it => it.text === text)) return;
    const name = { text, raw: bytes.toString('latin1'), source: 'tnef' } as const;
    if (best) names.unshift(name);
    else names.push(name);
  }

  #text(bytes: Buffer): string {
    const declared = this.#codePage === null ? null : decodeCharset(bytes, this.#codePage);
    return declared ?? decodeUndeclared(bytes);
  }

  #anomaly(detail: string): void {
    if (this.#anomalies.length < MAX_ANOMALIES)
      this.#anomalies.push({ rule: 'MIME_TNEF_UNREADABLE', detail });
  }
}
