import { createHash } from 'node:crypto';

/** Ordinary text is lines of 70 characters and CRLF; dots is lines that hold a single dot. */
export type BodyKind = 'text' | 'dots';

/** The field that carries the marker, in the case the generator writes it. */
export const MARKER_FIELD = 'X-Bench-Marker';

/** Digits of a message's number, so that every message of a template has the same length. */
const NUMBER_DIGITS = 9;

/** Bytes of a line of ordinary text, CRLF included. */
const TEXT_LINE = 72;

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
 * Prepares a message of `size` bytes (header block included; at least 1,024) whose lines are of `kind`. `series` begins every marker,
 * so that the messages of several runs can be told apart. The header block is that of a message with two hops behind
 * it, dated now, so that header checks find nothing wrong.
 */
export function messageTemplate(size: number, kind: BodyKind, series: string): MessageTemplate {
  if (size < 1024) throw new RangeError('a message has at least 1024 bytes');
  const marker = (number: number) => `${series}-${String(number).padStart(NUMBER_DIGITS, '0')}`;
  const before = headBeforeMarker(new Date());
  const head = (number: number) => {
    const mark = marker(number);
    return Buffer.from(
      `${before}Message-ID: <${mark}@client.example>\r\n${MARKER_FIELD}: ${mark}\r\n\r\n`,
      'latin1',
    );
  };
  const plain = plainBody(size - head(0).length, kind);
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

function headBeforeMarker(now: Date): string {
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
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=us-ascii',
    'Content-Transfer-Encoding: 7bit',
    '',
  ].join('\r\n');
}

/** Exactly `bytes` bytes of whole lines; a last line of its own takes up what does not fill one. */
function plainBody(bytes: number, kind: BodyKind): Buffer {
  const lines = kind === 'dots' ? Buffer.from('.\r\n') : textLines();
  const lineLength = kind === 'dots' ? 3 : TEXT_LINE;
  const left = bytes % lineLength;
  // One byte cannot be a line: the last full line is given up for it.
  const last = left === 1 ? left + lineLength : left;
  const body = Buffer.alloc(bytes, lines);
  if (last > 0) body.write(`${'-'.repeat(last - 2)}\r\n`, bytes - last, 'latin1');
  return body;
}

/** 60 different lines; none begins with a dot. */
function textLines(): Buffer {
  const words =
    'the gate stands open for what should come in and keeps a record of every answer it gave'.split(' ');
  let text = '';
  for (let line = 0, word = 0; line < 60; line++) {
    let row = String(line);
    while (row.length < TEXT_LINE) row += ` ${words[word++ % words.length]}`;
    text += `${row.slice(0, TEXT_LINE - 2)}\r\n`;
  }
  return Buffer.from(text, 'latin1');
}

function stuffed(plain: Buffer, kind: BodyKind): Buffer {
  if (kind === 'text') return plain;
  const text = plain.toString('latin1');
  return Buffer.from(text.replace(/(?<=^|\r\n)\./g, '..'), 'latin1');
}
