import type { AnomalyName, MimeFacts, MimePart } from '../../model/mime.ts';
import type { FileHead } from './consumer.ts';

/** Which files of a message somebody wants to have. */
export type FileChoice = (file: FileHead) => boolean;

/**
 * Where one of these is, readers of mail see different things, and a scanner that takes mail apart itself is one of them.
 * clamd 1.4 misses files behind padded delimiters, in encoded multiparts, in base64 that goes on after padding, in
 * quoted-printable with blanks behind `=`, in message/partial (test/support/hidden-mail.ts); of the others it is not
 * known for how long it will see all readings.
 */
const DOUBTFUL: ReadonlySet<AnomalyName> = new Set<AnomalyName>([
  'MIME_TYPE_MANY',
  'MIME_TYPE_INVALID',
  'MIME_ENCODING_MANY',
  'MIME_ENCODING_UNKNOWN',
  'MIME_BOUNDARY_MANY',
  'MIME_BOUNDARY_MISSING',
  'MIME_BOUNDARY_EMPTY',
  'MIME_BOUNDARY_INVALID',
  'MIME_BOUNDARY_PADDED',
  'MIME_BOUNDARY_COMMENT',
  'MIME_BOUNDARY_REUSED',
  'MIME_AFTER_CLOSE',
  'MIME_ENCODED_MULTIPART',
  'MIME_ENCODED_MESSAGE',
  'MIME_BASE64_AFTER_PADDING',
  'MIME_BASE64_INVALID',
  'MIME_QP_INVALID',
  'MIME_NUL',
  'MIME_HEADER_NO_COLON',
  'MIME_HEADER_LONG',
  'MIME_PARTIAL',
  'MIME_EXTERNAL',
  'MIME_DEPTH',
  'MIME_PARTS',
]);

/** What was not taken apart, and so is no file either. */
const CUT_SHORT: ReadonlySet<AnomalyName> = new Set<AnomalyName>([
  'MIME_HEADER_LONG',
  'MIME_DEPTH',
  'MIME_PARTS',
]);

/** Entities within each other; clamd gives up at 17, archives included (MaxRecursion). */
const DEEP = 10;

/** clamd looks into the text among the parts of these, and into nothing else. */
const TEXT_ONLY = /^multipart\/(?:signed|parallel)$/;

const AS_IT_STANDS = /^(?:|7bit|8bit|binary)$/;

/** A file to somebody who reads the mail: everything but plain text without a name. */
export function isFile({ names, types, magic }: FileHead): boolean {
  return names.length > 0 || magic !== null || types.some(type => type !== 'text/plain');
}

/**
 * The files of a message that a scanner which was shown the whole of it may have missed; null when there are none. All files
 * of a message that readers understand differently; else those in uuencoded text and TNEF, deep ones, and those in
 * parts that clamd does not look into.
 */
export function unseenFiles({ parts, members, anomalies }: MimeFacts): FileChoice | null {
  if (anomalies.some(({ rule }) => DOUBTFUL.has(rule))) return isEveryFile;
  const places = passedOver(parts);
  if (places.size === 0 && members.every(({ container }) => container === 'archive')) return null;
  return file => file.place === null || (isFile(file) && places.has(file.place));
}

/** Every file, and whatever lies in one. */
export function isEveryFile(file: FileHead): boolean {
  return file.place === null || isFile(file);
}

/** Why the files of a message are not all there is; null when they are. */
export function cutShort({ anomalies }: MimeFacts): string | null {
  const found = anomalies.find(({ rule }) => CUT_SHORT.has(rule));
  return found === undefined ? null : `not all of the message was taken apart (${found.rule})`;
}

/** Places of the parts that clamd does not look into. */
function passedOver(parts: readonly MimePart[]): Set<string> {
  const roots = new Set<number>();
  for (const { number, parent, place, kind, type, encoding } of parts) {
    const around = parent === null ? undefined : parts[parent];
    const isText = type.startsWith('text/');
    if (around !== undefined && isText && TEXT_ONLY.test(around.type)) roots.add(around.number);
    const message = type.startsWith('message/') && type !== 'message/rfc822';
    if (message && (kind === 'message' || !AS_IT_STANDS.test(encoding))) roots.add(number);
    if (place.split('.').length > DEEP) roots.add(number);
  }
  const places = new Set<string>();
  if (roots.size === 0) return places;
  for (const { number, parent, place } of parts) {
    if (parent !== null && roots.has(parent)) roots.add(number);
    if (roots.has(number)) places.add(place);
  }
  return places;
}
