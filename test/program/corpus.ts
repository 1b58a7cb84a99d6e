import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { ROOT, run, temporaryFolder } from '../support/processes.ts';

/** A message as it is sent: CRLF line ends apart from odd ones that belong to it, dots not doubled; empty, or ended by CRLF. */
export interface Sample {
  /** Its envelope sender's local part: unique among all. */
  readonly name: string;
  /** The archive that it comes from, `easy-ham-1`, and its file there; null for made-up ones. */
  readonly origin: { readonly archive: string; readonly file: string } | null;
  readonly bytes: Buffer;
}

/** The corpus beside the checkout. */
export const CORPUS = join(ROOT, '../shared/suites/corpora/spamassassin-public');
/** What tar(1) unpacks without being told how. */
const ARCHIVE = /\.tar\.(?:xz|bz2|gz)$/;

/** The messages of the archives in a folder without their mbox line, LF made CRLF; null when there is no such folder. */
export async function corpusMessages(folder = CORPUS): Promise<readonly Sample[] | null> {
  if (!existsSync(folder)) return null;
  const samples: Sample[] = [];
  const archives = (await readdir(folder)).filter(name => ARCHIVE.test(name)).toSorted();
  for (const name of archives) {
    const archive = name.replace(ARCHIVE, '');
    for (const { file, text } of await unpacked(join(folder, name))) {
      const message = text.replace(/^From .*\n/, '').replaceAll('\n', '\r\n');
      samples.push(sample(`corpus-${samples.length}`, message, { archive, file }));
    }
  }
  return samples;
}

async function unpacked(archive: string): Promise<{ file: string; text: string }[]> {
  await using folder = await temporaryFolder();
  const done = await run('tar', ['-xf', archive, '-C', folder.path]);
  if (done.code !== 0) throw new Error(done.stderr.toString());
  const entries = await readdir(folder.path, { recursive: true, withFileTypes: true });
  return Promise.all(
    entries
      .filter(one => one.isFile())
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(async one => ({
        file: one.name,
        text: await readFile(join(one.parentPath, one.name), 'latin1'),
      })),
  );
}

const FIELDS = [
  'From: a@example.net',
  'Date: Sat, 21 Nov 2026 10:00:00 +0000',
  'Subject: =?utf-8?q?=C3=BC?=',
  'X-Raw: \xfc\xff\x80',
];
/** Lines that are short and tricky, raw bytes, or longer than RFC 5321 allows. */
const line = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      '',
      'Hello,',
      '.',
      '..',
      '.x',
      '. ',
      '\t',
      ' ',
      'From: in the body',
      '.\t.',
      '-- ',
    ),
  },
  {
    weight: 3,
    arbitrary: fc.uint8Array({ maxLength: 90 }).map(bytes =>
      Buffer.from(bytes)
        .toString('latin1')
        .replace(/[\r\n\0]/g, '?'),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 900, max: 40_000 }).map(length => `.${'long '.repeat(length / 5)}`),
  },
);
const oddEnd = fc.constantFrom(
  '\r',
  '\n',
  '\0',
  '\n.\n',
  '\r.\r',
  '\r\r\n',
  '\n.\r\n',
  '\r\n.\r',
  '\r\n\0.\r\n',
  '\r\n.\n',
);
const header = fc
  .shuffledSubarray(FIELDS, { minLength: 0 })
  .chain(fields =>
    fc.constantFrom(...Array.from({ length: 9 }, () => fields), [...fields, 'From: second@example.net']),
  );
const message = fc
  .record({
    header,
    /** null: nothing but a header, and no empty line. */
    body: fc.option(fc.array(line, { maxLength: 30 }), { freq: 8 }),
    odd: fc.oneof({ weight: 7, arbitrary: fc.constant('') }, { weight: 1, arbitrary: oddEnd }),
    end: fc.constantFrom('\r\n', '\r\n', ''),
    /** How often the body is repeated: now and then more than is kept in memory. */
    times: fc.oneof(
      { weight: 20, arbitrary: fc.constant(1) },
      { weight: 1, arbitrary: fc.constantFrom(50, 2000) },
    ),
  })
  .map(({ header, body, odd, end, times }) => {
    if (body === null) return header.join('\r\n') + end;
    const head = header.map(field => `${field}\r\n`).join('');
    const text = body.map(one => `${one}\r\n`).join('');
    // Two megabytes are as good as more.
    return `${head}\r\n${text.repeat(Math.max(1, Math.min(times, 2_000_000 / (text.length + 1))))}${odd}${body[0] ?? ''}${end}`;
  });

/**
 * `count` messages that a program might stumble over: 8-bit, dots, long lines, no final line end, nothing but a header,
 * nothing at all, two From fields, and every odd line end. The same ones each time.
 */
export function awkwardMessages(count: number): readonly Sample[] {
  const texts = [
    '',
    '\r\n',
    '.\r\n',
    'no header at all\r\n',
    '\r\n.\r\n\r\n',
    ...fc.sample(message, { numRuns: count, seed: 20261121 }),
  ];
  return texts.slice(0, count).map((text, number) => sample(`awkward-${number}`, text, null));
}

function sample(name: string, text: string, origin: Sample['origin']): Sample {
  // A message without a final line end gets one from whoever sends it: the dot must stand on a line of its own.
  const whole = text === '' || text.endsWith('\r\n') ? text : `${text}\r\n`;
  return { name, origin, bytes: Buffer.from(whole, 'latin1') };
}
