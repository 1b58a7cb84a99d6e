import { textOf } from './lines.ts';
import { zipFile } from './zip-file.ts';

/** What hangs on a message: a PDF that grows with it, a small zip file with two documents, or what passes for a program. */
export type AttachmentKind = 'pdf' | 'zip' | 'exe';

const ATTACHMENTS: Readonly<Record<AttachmentKind, { readonly type: string; readonly name: string }>> = {
  pdf: { type: 'application/pdf', name: 'Quarterly figures.pdf' },
  zip: { type: 'application/zip', name: 'documents.zip' },
  exe: { type: 'application/octet-stream', name: 'invoice.exe' },
};

const MIXED = '=_bench_mixed_5f1c9a';
const ALTERNATIVE = '=_bench_alternative_8e02d7';

/** The header fields that {@link mimeBody} goes with. */
export const MIME_FIELDS: readonly string[] = [
  'MIME-Version: 1.0',
  `Content-Type: multipart/mixed; boundary="${MIXED}"`,
];

/** Characters of base64 on a line, and bytes they stand for (RFC 2045 6.8). */
const LINE_CHARACTERS = 76;
const LINE_BYTES = 57;

/** HTML and attachment of these shares of what the parts may hold; plain text takes the rest, to the byte. */
const HTML_SHARE = 1 / 6;
const PDF_SHARE = 2 / 3;

/**
 * A body of exactly `bytes` bytes (at least 2,048) as mail programs write them: multipart/mixed of multipart/alternative (plain text,
 * HTML as quoted-printable) and an attachment with a name, in base64. Apart from the name of `exe`, there is nothing
 * in it that a rule could find.
 */
export function mimeBody(bytes: number, kind: AttachmentKind): Buffer {
  const { type, name } = ATTACHMENTS[kind];
  const around = skeleton(type, name);
  const room = bytes - around.reduce((sum, text) => sum + text.length, 0);
  const html = htmlOf(Math.floor(room * HTML_SHARE));
  const attachment = base64Lines(kind === 'zip' ? ZIP : pdfOf(Math.floor(room * PDF_SHARE)));
  const plain = textOf(room - html.length - attachment.length);
  const [first, second, third, last] = around.map(text => Buffer.from(text, 'latin1'));
  if (!first || !second || !third || !last) throw new Error('the skeleton has four pieces');
  return Buffer.concat([first, plain, second, html, third, attachment, last]);
}

/** What stands before, between and behind the bodies of the three parts. */
function skeleton(type: string, name: string): readonly string[] {
  const lines = (...all: string[]) => `${all.join('\r\n')}\r\n`;
  return [
    lines(
      'This is a message in several parts.',
      '',
      `--${MIXED}`,
      `Content-Type: multipart/alternative; boundary="${ALTERNATIVE}"`,
      '',
      `--${ALTERNATIVE}`,
      'Content-Type: text/plain; charset=us-ascii',
      'Content-Transfer-Encoding: 7bit',
      '',
    ),
    lines(
      '',
      `--${ALTERNATIVE}`,
      'Content-Type: text/html; charset=utf-8',
      'Content-Transfer-Encoding: quoted-printable',
      '',
    ),
    lines(
      '',
      `--${ALTERNATIVE}--`,
      '',
      `--${MIXED}`,
      `Content-Type: ${type}; name="${name}"`,
      `Content-Disposition: attachment; filename="${name}"`,
      'Content-Transfer-Encoding: base64',
      '',
    ),
    lines('', `--${MIXED}--`),
  ];
}

/** At most `bytes` bytes of paragraphs, in quoted-printable. */
function htmlOf(bytes: number): Buffer {
  const line = '<p class=3D"note">Caf=C3=A9 at <a href=3D"https://a.example/">ten</a></p>\r\n';
  return Buffer.from(line.repeat(Math.floor(bytes / line.length)), 'latin1');
}

/** A file that fills at most `characters` bytes as lines of base64. Looks like a PDF from the front and like noise after that. */
function pdfOf(characters: number): Buffer {
  const file = Buffer.alloc(Math.floor(characters / (LINE_CHARACTERS + 2)) * LINE_BYTES);
  // Numerical Recipes' generator: the same bytes in every run.
  let state = 1;
  for (let at = 0; at < file.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    file[at] = state >>> 24;
  }
  file.write('%PDF-1.7\n', 'latin1');
  return file;
}

const ZIP = zipFile([
  { name: 'minutes.txt', bytes: textOf(1500) },
  { name: 'figures/2026.csv', bytes: Buffer.from('month,amount\r\n'.repeat(40)) },
]);

function base64Lines(file: Buffer): Buffer {
  const text = file.toString('base64');
  let lines = '';
  for (let at = 0; at < text.length; at += LINE_CHARACTERS)
    lines += `${text.slice(at, at + LINE_CHARACTERS)}\r\n`;
  return Buffer.from(lines, 'latin1');
}
