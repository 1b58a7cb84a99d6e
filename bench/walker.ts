// The MIME walker side by side with @zone-eu/mailsplit: CPU per message, interleaved in one process. The walker also
// decodes, hashes every part and takes the DKIM body hash of the same chunks; mailsplit only splits.
// node bench/walker.ts
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { Splitter } from '@zone-eu/mailsplit';
import { BUILT_IN } from '../src/control/settings.ts';
import { BodyHash } from '../src/mail/body-hash.ts';
import { readMime } from '../src/mail/mime/read-mime.ts';
import type { Message } from '../src/model/message.ts';
import { mimeLimits } from '../src/pipeline/mime-limits.ts';

const LIMITS = mimeLimits(BUILT_IN, '/tmp');

/** As a message comes out of its spool file. */
const CHUNK = 256 * 1024;

/** Bytes of all messages of one turn together, and turns for each size: short turns, so that both meet the same noise. */
const TURN_BYTES = 4 * 1024 * 1024;
const TURNS = 15;

/** A typical mail of about `size` bytes: two hops, text, HTML and a base64 attachment. */
function typicalMail(size: number): Buffer {
  const words =
    'the gate stands open for what should come in and keeps a record of every answer it gave'.split(' ');
  const lines = (count: number, before: string, after: string) => {
    let text = '';
    for (let line = 0, word = 0; line < count; line++) {
      let row = before;
      while (row.length < 62) row += `${words[word++ % words.length]} `;
      text += `${row.trimEnd()}${after}\r\n`;
    }
    return text;
  };
  const rows = Math.max(8, Math.min(200, Math.floor(size / 800)));
  const head = [
    'Received: from mx.client.example (mx.client.example [192.0.2.25])',
    '\tby out.client.example with ESMTPS id 4Zx1Bench; Sat, 21 Nov 2026 12:00:00 +0000',
    'Received: from desk.client.example (desk.client.example [192.0.2.26])',
    '\tby mx.client.example with ESMTPSA id 4Zx0Bench; Sat, 21 Nov 2026 11:59:58 +0000',
    'Date: Sat, 21 Nov 2026 11:59:57 +0000',
    'From: "A Sender" <sender@client.example>',
    'To: <recipient@sink.example>',
    'Subject: A typical mail',
    'Message-ID: <1@client.example>',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="----=_NextPart_000_0001"',
    '',
    'This is a multi-part message in MIME format.',
    '',
    '------=_NextPart_000_0001',
    'Content-Type: multipart/alternative; boundary="----=_NextPart_000_0002"',
    '',
    '------=_NextPart_000_0002',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 7bit',
    '',
    lines(rows, '', ''),
    '------=_NextPart_000_0002',
    'Content-Type: text/html; charset=utf-8',
    'Content-Transfer-Encoding: 7bit',
    '',
    `<html><body>\r\n${lines(rows, '<p>', '</p>')}</body></html>`,
    '------=_NextPart_000_0002--',
    '',
    '------=_NextPart_000_0001',
    'Content-Type: application/octet-stream; name="report.bin"',
    'Content-Transfer-Encoding: base64',
    'Content-Disposition: attachment; filename="report.bin"',
    '',
    '',
  ].join('\r\n');
  const tail = '\r\n------=_NextPart_000_0001--\r\n';
  const room = Math.max(800, size - head.length - tail.length);
  const file = Buffer.alloc(Math.floor((room / 78) * 57));
  for (let i = 0; i < file.length; i++) file[i] = (i * 7919 + (i >> 8) * 31) & 0xff;
  const encoded = file.toString('base64').replaceAll(/.{76}/g, '$&\r\n');
  return Buffer.from(`${head}${encoded}${tail}`, 'latin1');
}

function chunksOf(bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK) chunks.push(bytes.subarray(at, at + CHUNK));
  return chunks;
}

async function walk(chunks: readonly Buffer[], size: number): Promise<number> {
  const message: Message = {
    size,
    lines: 0,
    crc32: 0,
    eightBit: false,
    dotLines: false,
    header: Buffer.alloc(0),
    headerCut: false,
    chunks: () => chunks,
    release: () => undefined,
  };
  const read = readMime(message, LIMITS, new AbortController().signal);
  const { parts } = read instanceof Promise ? await read : read;
  return parts.length;
}

function bodyHash(chunks: readonly Buffer[]): void {
  const hash = new BodyHash('relaxed');
  let inBody = false;
  for (const chunk of chunks) {
    const start = inBody ? 0 : chunk.indexOf('\r\n\r\n') + 4;
    inBody = true;
    hash.write(start === 0 ? chunk : chunk.subarray(start));
  }
  hash.digest();
}

async function split(chunks: readonly Buffer[]): Promise<number> {
  const splitter = new Splitter();
  let nodes = 0;
  splitter.on('data', (data: { type: string }) => {
    if (data.type === 'node') nodes++;
  });
  Readable.from(chunks, { objectMode: false }).pipe(splitter);
  await finished(splitter);
  return nodes;
}

/** Milliseconds of CPU that one of `count` calls takes. */
async function cpuOf(count: number, run: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  for (let i = 0; i < count; i++) await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / count;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

console.log('milliseconds of CPU a message, median of turns');
console.log('     size    walker  + body hash   mailsplit   mailsplit : walker + body hash');
for (const size of [4 * 1024, 100 * 1024, 10 * 1024 * 1024]) {
  const bytes = typicalMail(size);
  const chunks = chunksOf(bytes);
  const count = Math.max(1, Math.floor(TURN_BYTES / size));
  const rows: Record<'walker' | 'both' | 'mailsplit', number[]> = { walker: [], both: [], mailsplit: [] };
  const parts = await walk(chunks, bytes.length);
  const nodes = await split(chunks);
  if (parts !== nodes) throw new Error(`the walker found ${parts} parts, mailsplit ${nodes}`);
  for (let turn = -2; turn < TURNS; turn++) {
    const walker = await cpuOf(count, () => walk(chunks, bytes.length));
    const both = await cpuOf(count, async () => {
      await walk(chunks, bytes.length);
      bodyHash(chunks);
    });
    const mailsplit = await cpuOf(count, () => split(chunks));
    if (turn < 0) continue;
    rows.walker.push(walker);
    rows.both.push(both);
    rows.mailsplit.push(mailsplit);
  }
  const [walker, both, mailsplit] = [median(rows.walker), median(rows.both), median(rows.mailsplit)];
  const cells = [walker, both, mailsplit].map(value => value.toFixed(3).padStart(11));
  console.log(`${String(bytes.length).padStart(9)}${cells.join(' ')}   ${(mailsplit / both).toFixed(2)}`);
}
