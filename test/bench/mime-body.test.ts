import assert from 'node:assert/strict';
import { test } from 'node:test';
import { text } from 'node:stream/consumers';
import { simpleParser } from 'mailparser';
import PostalMime from 'postal-mime';
import { fromBufferPromise } from 'yauzl';
import { LEAST_SIZE, messageTemplate } from '../../bench/message.ts';

function wholeMessage(size: number, kind: 'mime' | 'mime-zip'): Buffer {
  const { head, body } = messageTemplate(size, kind, 'mime');
  return Buffer.concat([head(1), body.subarray(0, -3)]);
}

for (const size of [LEAST_SIZE.mime, 50 * 1024]) {
  test(`${size} bytes: two readers see text, HTML and the PDF`, async () => {
    const bytes = wholeMessage(size, 'mime');
    const mail = await simpleParser(bytes);
    const again = await PostalMime.parse(bytes);
    const [pdf, ...more] = mail.attachments;
    assert.deepEqual(more, []);
    assert.equal(pdf?.filename, 'Quarterly figures.pdf');
    assert.equal(pdf.contentType, 'application/pdf');
    assert.ok(pdf.content.subarray(0, 5).equals(Buffer.from('%PDF-')));
    assert.ok(pdf.content.length > (size - LEAST_SIZE.mime) / 3, 'the attachment grows with the message');
    assert.match(mail.text ?? '', /the gate stands open/);
    assert.match(mail.html || '', /Café at <a href="https:/);
    assert.deepEqual(
      again.attachments.map(each => each.filename),
      ['Quarterly figures.pdf'],
    );
  });
}

test('the zip file is one: what was packed comes out', async () => {
  const { attachments } = await simpleParser(wholeMessage(4096, 'mime-zip'));
  const zip = await fromBufferPromise(attachments[0]?.content ?? Buffer.alloc(0));
  const files = new Map<string, string>();
  // yauzl checks the CRC of what it unpacks.
  for await (const entry of zip.eachEntry())
    files.set(entry.fileName, await text(await zip.openReadStreamPromise(entry)));
  assert.deepEqual([...files.keys()], ['minutes.txt', 'figures/2026.csv']);
  assert.match(files.get('figures/2026.csv') ?? '', /^month,amount\r\n/);
});
