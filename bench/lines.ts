/** Bytes of a line of ordinary text, CRLF included. */
const TEXT_LINE = 72;

/** Exactly `bytes` bytes (0, or 2 and more) of whole lines of 72 bytes; a shorter one at the end takes up the rest. */
export function textOf(bytes: number): Buffer {
  return wholeLines(bytes, TEXT_LINES, TEXT_LINE);
}

/** Exactly `bytes` bytes of lines that hold a single dot, which is not stuffed yet. */
export function dotsOf(bytes: number): Buffer {
  return wholeLines(bytes, Buffer.from('.\r\n'), 3);
}

function wholeLines(bytes: number, lines: Buffer, lineLength: number): Buffer {
  const left = bytes % lineLength;
  // One byte cannot be a line: the last full line is given up for it.
  const last = left === 1 ? left + lineLength : left;
  const body = Buffer.alloc(bytes, lines);
  if (last > 0) body.write(`${'-'.repeat(last - 2)}\r\n`, bytes - last, 'latin1');
  return body;
}

/** 60 different lines; none begins with a dot. */
const TEXT_LINES = textLines();

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
