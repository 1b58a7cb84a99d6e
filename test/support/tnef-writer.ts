/** What `tnef` writes for one attachment; what is left out is not in the stream. */
export interface TnefAttachment {
  /** attAttachTitle. */
  readonly title?: string | Buffer;
  /** attAttachTransportFilename. */
  readonly transportName?: string;
  /** attAttachData. */
  readonly data?: Buffer;
  /** PidTagAttachLongFilename, in UTF-16. */
  readonly longName?: string;
  /** PidTagAttachFilename, in the code page. */
  readonly shortName?: string;
  /** PidTagAttachDataBinary. */
  readonly binary?: Buffer;
  /** PidTagAttachDataObject: a message, as a TNEF stream of its own. */
  readonly message?: Buffer;
  /** Without attAttachRenddata in front. */
  readonly bare?: boolean;
}

export interface TnefOptions {
  /** attOemCodepage; 1252 when left out. */
  readonly codePage?: number;
  /** Adds this to every check sum. */
  readonly wrongSum?: number;
}

const IID_IMESSAGE = Buffer.from('0703020000000000c000000000000046', 'hex');

/**
 * A TNEF stream (MS-OXTNEF), as winmail.dat holds it: version, code page, message class, subject, then the attachments.
 * Attributes come in the order in which Outlook writes them: title and data before the properties.
 */
export function tnef(attachments: readonly TnefAttachment[], options: TnefOptions = {}): Buffer {
  const sum = options.wrongSum ?? 0;
  const attribute = (level: number, id: number, value: Buffer) => attributeOf(level, id, value, sum);
  const parts: Buffer[] = [
    Buffer.from('789f3e220100', 'hex'),
    attribute(1, 0x00089006, uint32(0x00010000)),
    attribute(1, 0x00069007, Buffer.concat([uint32(options.codePage ?? 1252), uint32(0)])),
    attribute(1, 0x00078008, Buffer.from('IPM.Microsoft Mail.Note\0')),
    attribute(1, 0x00018004, Buffer.from('subject\0')),
  ];
  for (const it of attachments) {
    if (it.bare !== true)
      parts.push(attribute(2, 0x00069002, Buffer.from(`0100${'ff'.repeat(4)}${'00'.repeat(8)}`, 'hex')));
    if (it.title !== undefined)
      parts.push(attribute(2, 0x00018010, Buffer.concat([Buffer.from(it.title), Buffer.alloc(1)])));
    if (it.data !== undefined) parts.push(attribute(2, 0x0006800f, it.data));
    if (it.transportName !== undefined)
      parts.push(attribute(2, 0x00069001, Buffer.from(`${it.transportName}\0`)));
    const properties = attachmentProperties(it);
    if (properties.length > 0)
      parts.push(attribute(2, 0x00069005, Buffer.concat([uint32(properties.length), ...properties])));
  }
  return Buffer.concat(parts);
}

function attachmentProperties(it: TnefAttachment): readonly Buffer[] {
  const properties: Buffer[] = [
    Buffer.concat([property(0x0003, 0x3705), uint32(it.message === undefined ? 1 : 5)]),
  ];
  if (it.binary !== undefined) properties.push(variable(0x0102, 0x3701, it.binary));
  if (it.message !== undefined)
    properties.push(variable(0x000d, 0x3701, Buffer.concat([IID_IMESSAGE, it.message])));
  if (it.shortName !== undefined) properties.push(variable(0x001e, 0x3704, Buffer.from(`${it.shortName}\0`)));
  if (it.longName !== undefined)
    properties.push(variable(0x001f, 0x3707, Buffer.from(`${it.longName}\0`, 'utf16le')));
  return properties.length === 1 ? [] : properties;
}

/** One attribute: level, id, length, value, check sum. */
export function attributeOf(level: number, id: number, value: Buffer, wrong = 0): Buffer {
  let sum = wrong;
  for (const b of value) sum += b;
  return Buffer.concat([Buffer.from([level]), uint32(id), uint32(value.length), value, uint16(sum & 0xffff)]);
}

function property(type: number, id: number): Buffer {
  return Buffer.concat([uint16(type), uint16(id)]);
}

function variable(type: number, id: number, value: Buffer): Buffer {
  const padding = Buffer.alloc((4 - (value.length % 4)) % 4);
  return Buffer.concat([property(type, id), uint32(1), uint32(value.length), value, padding]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
