import type { ByteRoom, Request } from './byte-script.ts';

/** MAPI properties of an attachment that matter here (MS-OXPROPS 2). */
export const PROPERTY = {
  /** PidTagAttachDataBinary, PidTagAttachDataObject. */
  attachData: 0x3701,
  attachFilename: 0x3704,
  attachLongFilename: 0x3707,
  attachPathname: 0x3708,
  attachTransportName: 0x370c,
  attachLongPathname: 0x370d,
  displayName: 0x3001,
} as const;

/** Those that hold a name. */
export const NAME_PROPERTIES: ReadonlySet<number> = new Set([
  PROPERTY.attachFilename,
  PROPERTY.attachLongFilename,
  PROPERTY.attachPathname,
  PROPERTY.attachTransportName,
  PROPERTY.attachLongPathname,
  PROPERTY.displayName,
]);

/** A property of variable length. */
export interface Property {
  readonly id: number;
  /** Its bytes; whoever gets them need not read them all. */
  readonly value: ByteRoom;
  /** UTF-16, little-endian; else bytes in the code page of the message. */
  readonly unicode: boolean;
  /** PtypObject: it begins with 16 bytes that say of what kind. */
  readonly object: boolean;
}

const MULTIPLE = 0x1000;
const UNICODE = 0x001f;
const OBJECT = 0x000d;

/** PtypString8, PtypString, PtypBinary, PtypObject: a count, and a length for each (MS-OXTNEF 2.1.3.4.1). */
const VARIABLE = new Set([0x001e, UNICODE, 0x0102, OBJECT]);

/** Bytes of each other type, filled up to a multiple of four (MS-OXCDATA 2.11.1). */
const FIXED: ReadonlyMap<number, number> = new Map([
  [0x0001, 4],
  [0x0002, 4],
  [0x0003, 4],
  [0x0004, 4],
  [0x0005, 8],
  [0x0006, 8],
  [0x0007, 8],
  [0x000a, 4],
  [0x000b, 4],
  [0x0014, 8],
  [0x0040, 8],
  [0x0048, 16],
]);

const FIRST_NAMED = 0x8000;

/**
 * Reads a list of MAPI properties (MsgPropertyList, MS-OXTNEF 2.1.3.4), and gives those of variable length to `visit`.
 * Throws a RangeError when it does not fit into `room` or has a type that nobody defined.
 */
export function* readProperties(
  room: ByteRoom,
  visit: (property: Property) => Generator<Request, void, Buffer>,
): Generator<Request, void, Buffer> {
  const count = yield* room.uint32();
  for (let i = 0; i < count; i++) {
    const written = yield* room.uint16();
    const id = yield* room.uint16();
    if (id >= FIRST_NAMED) yield* skipName(room);
    const type = written & ~MULTIPLE;
    const fixed = FIXED.get(type);
    if (fixed === undefined && !VARIABLE.has(type))
      throw new RangeError(`property of type ${written.toString(16)}`);
    const values = fixed === undefined || written !== type ? yield* room.uint32() : 1;
    for (let n = 0; n < values; n++) {
      if (fixed !== undefined) {
        yield* room.pass(fixed);
        continue;
      }
      const length = yield* room.uint32();
      const value = room.inner(length);
      yield* visit({ id, value, unicode: type === UNICODE, object: type === OBJECT });
      yield* value.skipRest();
      yield* skipPadding(room, length);
    }
  }
}

/** Of a named property: a GUID, then a number or a name. */
function* skipName(room: ByteRoom): Generator<Request, void, Buffer> {
  yield* room.pass(16);
  const kind = yield* room.uint32();
  const length = yield* room.uint32();
  if (kind === 0) return;
  yield* room.pass(length);
  yield* skipPadding(room, length);
}

/** Values are filled up to a multiple of four; the last one not always. */
function* skipPadding(room: ByteRoom, length: number): Generator<Request, void, Buffer> {
  yield* room.pass(Math.min(room.left, (4 - (length % 4)) % 4));
}
