/**
 * What a message consists of, under every plausible reading of its bytes. Where readers of mail differ (several
 * boundaries, several encodings, a name in two places), what any of them could see is here: rules judge attachments
 * under all readings, and the difference itself is an anomaly.
 */
export interface MimeFacts {
  /** Every part, the message itself first, in the order of their first byte; children follow their parent. */
  readonly parts: readonly MimePart[];
  /** Files inside parts: uuencoded in text, in TNEF, in archives. */
  readonly members: readonly Member[];
  /** What is odd, each a named fact; the first few of a kind, with their places. */
  readonly anomalies: readonly Anomaly[];
  /** Archives that were recognised, and how far they could be read. */
  readonly archives: readonly ArchiveFacts[];
}

/** One entity of the message. Strings from the wire are byte strings unless they say that they are decoded. */
export interface MimePart {
  /** Its index in `parts`. */
  readonly number: number;
  /** Index of the part it is in; null for the message itself. */
  readonly parent: number | null;
  /** Place in the tree: `1`, `1.2`, `1.2.1`; the message itself is `1`. */
  readonly place: string;
  readonly kind: 'leaf' | 'multipart' | 'message';
  /** `type/subtype`, lower case: what most readers take it for. */
  readonly type: string;
  /** Every type that some reader could take it for, `type` first. */
  readonly types: readonly string[];
  /** Lower case; null when none is given. */
  readonly charset: string | null;
  /** `attachment`, `inline`, another word in lower case, or `''`. */
  readonly disposition: string;
  /** Content-Transfer-Encoding, lower case; `''` when there is none. */
  readonly encoding: string;
  /** Every name that some reader could show for it; empty for a part without a name. */
  readonly names: readonly FileName[];
  /** Decoded size, bytes (of a leaf; else of the body as it stands). */
  readonly size: number;
  /**
   * SHA-256 of the decoded body of a leaf, or of an attached message with a name, hex; null for others. Text that is not
   * in base64 is hashed with LF line ends, since its CRLFs are the transport's.
   */
  readonly sha256: string | null;
  /** True type by leading bytes, of a leaf: `application/zip`, `application/x-dosexec`, …; null when not recognised. */
  readonly magic: string | null;
}

/** Where a name stands. */
export type NameSource =
  | 'filename'
  | 'filename*'
  | 'name'
  | 'name*'
  | 'content-description'
  | 'content-location'
  | 'uuencode'
  | 'tnef'
  | 'archive';

/** One reading of the name of a file. */
export interface FileName {
  /** Decoded: Unicode, as a reader would show it; never longer than 4096 characters. */
  readonly text: string;
  /** As it stands, a byte string. */
  readonly raw: string;
  readonly source: NameSource;
}

/** A file inside a part. */
export interface Member {
  /** Index of the part that holds it. */
  readonly part: number;
  /** Names of the archives around it, outermost first; empty for what lies in the part itself. */
  readonly within: readonly string[];
  readonly container: 'uuencode' | 'tnef' | 'archive';
  readonly names: readonly FileName[];
  /** Bytes, unpacked; as declared, when it was not unpacked; null when unknown. */
  readonly size: number | null;
  /** SHA-256, hex, when the whole member was unpacked. */
  readonly sha256: string | null;
  readonly encrypted: boolean;
  /** True type by leading bytes when they were read; null when not, or not recognised. */
  readonly magic: string | null;
}

/** An archive: in a part, or inside another. */
export interface ArchiveFacts {
  readonly part: number;
  /** Names of the archives around it and its own. */
  readonly within: readonly string[];
  /** Type by magic: `application/zip`, `application/x-rar`, … */
  readonly type: string;
  /**
   * `read`: every name is in `members`; `encrypted`: names are, contents are not readable; `limit`: a budget ended it;
   * `unreadable`: damaged or contradictory; `unsupported`: recognised, but nobody here reads it.
   */
  readonly state: 'read' | 'encrypted' | 'limit' | 'unreadable' | 'unsupported';
  /** For the operator. */
  readonly detail: string;
}

/** Something odd, with its rule name. */
export interface Anomaly {
  readonly rule: AnomalyName;
  /** Place of the part, as in `MimePart.place`. */
  readonly place: string;
  /** For the operator: what was seen; a byte string, at most 200 bytes. */
  readonly detail: string;
}

/** Every anomaly, and what it means; the rules of the plugin `mime` are these. */
export const ANOMALIES = {
  MIME_TYPE_MANY: 'Several Content-Type fields in one part.',
  MIME_TYPE_INVALID: 'A Content-Type that is not of the form type/subtype, or with broken parameters.',
  MIME_ENCODING_MANY: 'Several Content-Transfer-Encoding fields in one part.',
  MIME_ENCODING_UNKNOWN: 'A Content-Transfer-Encoding that nobody defined.',
  MIME_DISPOSITION_MANY: 'Several Content-Disposition fields in one part.',
  MIME_BOUNDARY_MANY: 'Several boundaries for one multipart.',
  MIME_BOUNDARY_MISSING: 'A multipart without a boundary.',
  MIME_BOUNDARY_EMPTY: 'A multipart with an empty boundary.',
  MIME_BOUNDARY_INVALID: 'A boundary with characters or a length that RFC 2046 5.1.1 does not allow.',
  MIME_BOUNDARY_PADDED: 'A boundary, or a line that begins with one, with blanks or other bytes around it.',
  MIME_BOUNDARY_COMMENT: 'A boundary inside a comment of Content-Type.',
  MIME_BOUNDARY_REUSED: 'A multipart has the boundary of one around it.',
  MIME_MULTIPART_EMPTY: 'A multipart without parts.',
  MIME_UNCLOSED: 'A multipart without its closing boundary.',
  MIME_AFTER_CLOSE: 'Parts after the closing boundary.',
  MIME_ENCODED_MULTIPART: 'A multipart whose body is encoded (RFC 2045 6.4 forbids it).',
  MIME_ENCODED_MESSAGE: 'A message/rfc822 whose body is encoded.',
  MIME_BASE64_AFTER_PADDING: 'Base64 goes on after its padding.',
  MIME_BASE64_INVALID: 'Bytes in base64 that do not belong there.',
  MIME_QP_INVALID: 'Quoted-printable that is not well formed.',
  MIME_BARE_CR: 'A CR without LF.',
  MIME_BARE_LF: 'A LF without CR.',
  MIME_NUL: 'A NUL byte.',
  MIME_HEADER_NO_COLON: 'A line in the header of a part that is no field.',
  MIME_HEADER_LONG:
    'The header of a part goes past `headerbytes` or `headerfields`; the rest was not looked at.',
  MIME_LINE_LONG: 'A line longer than 998 bytes (RFC 5322 2.1.1).',
  MIME_8BIT_HEADER: 'Raw 8-bit bytes in a header field that describes a part.',
  MIME_PARTIAL: 'message/partial: a piece of a message that only the reader puts together.',
  MIME_EXTERNAL: 'message/external-body: the contents are elsewhere.',
  MIME_DEPTH: 'Nested deeper than `mimedepth`; what is below was not taken apart.',
  MIME_PARTS: 'More parts than `mimeparts`; the rest was not taken apart.',
  MIME_NAME_DIFFERS: 'The name of a part is not the same everywhere it stands.',
  MIME_NAME_BIDI: 'A file name with characters that turn the direction of writing.',
  MIME_NAME_INVISIBLE: 'A file name with zero-width or control characters.',
  MIME_NAME_TRAILING: 'A file name that ends with dots or blanks.',
  MIME_NAME_DOUBLE_EXTENSION: 'A file name with an executable extension behind a harmless one.',
  MIME_NAME_CLSID: 'A file name that ends with a CLSID in braces.',
  MIME_NAME_LONG: 'A file name longer than 255 characters.',
  MIME_NAME_PATH: 'A file name with a folder in it.',
  MIME_MAGIC_DIFFERS: 'A program by its leading bytes, under the name or type of something harmless.',
  MIME_TNEF_UNREADABLE: 'TNEF (winmail.dat) that cannot be read to its end.',
  MIME_UUENCODE_UNREADABLE: 'Uuencoded text that breaks off or is damaged.',
} as const;

export type AnomalyName = keyof typeof ANOMALIES;

/** Budgets for reading one message; every one a setting. */
export interface MimeLimits {
  /** Nested entities, archives not counted. */
  readonly depth: number;
  readonly parts: number;
  /** Header of one entity. */
  readonly headerBytes: number;
  readonly headerFields: number;
  readonly archiveDepth: number;
  /** Entries of all archives of the message together. */
  readonly archiveEntries: number;
  /** Bytes unpacked from all archives of the message together. */
  readonly archiveBytes: number;
  /** Unpacked to packed, of one entry. */
  readonly archiveRatio: number;
  /** Folder for unlinked files: archives that are too large for memory. */
  readonly spoolFolder: string;
}
