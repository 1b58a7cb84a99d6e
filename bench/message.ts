import { createHash } from 'node:crypto';
import { eicar, gtube } from '../src/cli/telling-messages.ts';
import { dotsOf, textOf } from './lines.ts';
import { MIME_FIELDS, mimeBody } from './mime-body.ts';
import { dkimSignature } from './sender-domain.ts';

/**
 * Ordinary text is lines of 70 characters and CRLF; dots is lines that hold a single dot; mime is text, HTML and a PDF,
 * mime-zip the same with a zip file in the place of the PDF, and mime-exe with an attachment that is to be refused; signed is
 * text with a DKIM-Signature, and forged with that of another body. The key is one that only `senderRecords` of the same process
 * publishes. eicar and gtube are text behind a line with the string that every virus scanner, or SpamAssassin, knows.
 */
export const BODY_KINDS = [
  'text',
  'dots',
  'mime',
  'mime-zip',
  'mime-exe',
  'signed',
  'forged',
  'eicar',
  'gtube',
] as const;
export type BodyKind = (typeof BODY_KINDS)[number];

/** Bytes of the smallest message of a kind. */
export const LEAST_SIZE: Readonly<Record<BodyKind, number>> = {
  text: 1024,
  dots: 1024,
  mime: 3072,
  'mime-zip': 3072,
  'mime-exe': 3072,
  signed: 2048,
  forged: 2048,
  eicar: 1024,
  gtube: 1024,
};

/** The field that carries the marker, in the case the generator writes it. */
export const MARKER_FIELD = 'X-Bench-Marker';

/** Digits of a message's number, so that every message of a template has the same length. */
const NUMBER_DIGITS = 9;

/** A message that is ready to go out, apart from its marker. */
export interface MessageTemplate {
  /** Bytes of the message before dot-stuffing, the final CRLF included, the lone dot not. */
  readonly size: number;
  /** SHA-256 (hex) of the body: what follows the empty line, before dot-stuffing. */
  readonly bodyHash: string;
  /** Dot-stuffed body and the `.` CRLF that ends DATA; shared by all messages, never to be written to. */
  readonly body: Buffer;
  /** Marker of message `number`. */
  readonly marker: (number: number) => string;
  /** Header block of message `number`, the empty line included. */
  readonly head: (number: number) => Buffer;
}

/**
 * Prepares a message of `size` bytes (header block included; at least `LEAST_SIZE`) whose body is of `kind`. `series` begins every
 * marker, so that the messages of several runs can be told apart. The header block is that of a message with two hops behind
 * it, dated now, so that header checks find nothing wrong.
 */
export function messageTemplate(size: number, kind: BodyKind, series: string): MessageTemplate {
  if (size < LEAST_SIZE[kind]) throw new RangeError(`a message has at least ${LEAST_SIZE[kind]} bytes`);
  const marker = (number: number) => `${series}-${String(number).padStart(NUMBER_DIGITS, '0')}`;
  const before = headBeforeMarker(new Date(), kind);
  const behind = (number: number) => {
    const mark = marker(number);
    return `Message-ID: <${mark}@client.example>\r\n${MARKER_FIELD}: ${mark}\r\n\r\n`;
  };
  const unsigned = before.length + behind(0).length;
  const { plain, signature } = signedBody(size - unsigned, kind, before);
  const head = (number: number) => Buffer.from(signature + before + behind(number), 'latin1');
  return {
    size,
    bodyHash: hashOf(plain),
    body: Buffer.concat([stuffed(plain, kind), Buffer.from('.\r\n')]),
    marker,
    head,
  };
}

/** SHA-256 of `bytes`, in hex. */
export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const TEXT_FIELDS: readonly string[] = [
  'MIME-Version: 1.0',
  'Content-Type: text/plain; charset=us-ascii',
  'Content-Transfer-Encoding: 7bit',
];

function headBeforeMarker(now: Date, kind: BodyKind): string {
  const date = now.toUTCString().replace('GMT', '+0000');
  return [
    'Received: from mx.client.example (mx.client.example [192.0.2.25])',
    `\tby out.client.example with ESMTPS id 4Zx1Bench; ${date}`,
    'Received: from desk.client.example (desk.client.example [192.0.2.26])',
    `\tby mx.client.example with ESMTPSA id 4Zx0Bench; ${date}`,
    `Date: ${date}`,
    'From: "Load Generator" <sender@client.example>',
    'To: <recipient@sink.example>',
    'Subject: A message of the load generator',
    'User-Agent: postern-bench',
    ...(kind.startsWith('mime') ? MIME_FIELDS : TEXT_FIELDS),
    '',
  ].join('\r\n');
}

/** `bytes` bytes of body and, where the kind has one, signature of `header` and body. */
function signedBody(
  bytes: number,
  kind: BodyKind,
  header: string,
): { readonly plain: Buffer; readonly signature: string } {
  if (kind !== 'signed' && kind !== 'forged') return { plain: plainBody(bytes, kind), signature: '' };
  const ofNothing = dkimSignature(header, Buffer.alloc(0));
  const plain = plainBody(bytes - ofNothing.length, kind);
  return { plain, signature: kind === 'forged' ? ofNothing : dkimSignature(header, plain) };
}

function plainBody(bytes: number, kind: BodyKind): Buffer {
  switch (kind) {
    case 'text':
    case 'signed':
    case 'forged':
      return textOf(bytes);
    case 'eicar':
      return textBehind(eicar(), bytes);
    case 'gtube':
      return textBehind(gtube(), bytes);
    case 'dots':
      return dotsOf(bytes);
    case 'mime':
      return mimeBody(bytes, 'pdf');
    case 'mime-zip':
      return mimeBody(bytes, 'zip');
    case 'mime-exe':
      return mimeBody(bytes, 'exe');
  }
}

function textBehind(text: string, bytes: number): Buffer {
  const line = Buffer.from(`${text}\r\n`, 'latin1');
  return Buffer.concat([line, textOf(bytes - line.length)]);
}

function stuffed(plain: Buffer, kind: BodyKind): Buffer {
  if (kind !== 'dots') return plain;
  const text = plain.toString('latin1');
  return Buffer.from(text.replace(/(?<=^|\r\n)\./g, '..'), 'latin1');
}
