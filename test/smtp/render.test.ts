import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { reply } from '../../src/model/reply.ts';
import { renderReply } from '../../src/smtp/render.ts';

const OK = reply(250, '2.0.0', 'ok');

test('enhanced: status in front, event id behind', () => {
  assert.equal(renderReply(OK, 'enhanced', null), '250 2.0.0 ok\r\n');
  assert.equal(renderReply(OK, 'enhanced', 'e1'), '250 2.0.0 ok [e1]\r\n');
  assert.equal(renderReply(reply(220, '', 'mx ESMTP'), 'enhanced', null), '220 mx ESMTP\r\n');
});

test('classic: as qmail-smtpd said it', () => {
  assert.equal(renderReply(OK, 'classic', 'e1'), '250 ok\r\n');
});

test('several lines: status on each, id on the last', () => {
  const lines = { code: 550, enhanced: '5.7.1', lines: ['a', 'b'] };
  assert.equal(renderReply(lines, 'enhanced', 'e1'), '550-5.7.1 a\r\n550 5.7.1 b [e1]\r\n');
  assert.equal(renderReply(lines, 'classic', 'e1'), '550-a\r\n550 b\r\n');
});

test('a reply without lines is a reply all the same', () => {
  assert.equal(
    renderReply({ code: 550, enhanced: '5.7.1', lines: [] }, 'enhanced', 'e1'),
    '550 5.7.1  [e1]\r\n',
  );
});

test('any text: one line of at most 512 bytes each, printable, the id never cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary', maxLength: 700 }), { minLength: 1, maxLength: 4 }),
      lines => {
        const out = renderReply({ code: 553, enhanced: '5.7.1', lines }, 'enhanced', 'event1');
        const rendered = out.split('\r\n');
        assert.equal(rendered.pop(), '');
        assert.equal(rendered.length, lines.length);
        for (const [i, line] of rendered.entries()) {
          assert.ok(line.length + 2 <= 512);
          assert.match(
            line,
            i === lines.length - 1 ? /^553 5\.7\.1 [\x20-\x7e]* \[event1\]$/ : /^553-5\.7\.1 [\x20-\x7e]*$/,
          );
        }
      },
    ),
  );
});
