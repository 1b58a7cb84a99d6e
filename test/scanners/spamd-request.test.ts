import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { spamdRequestHead, spamdUser, USER_LIMIT } from '../../src/scanners/spamd-request.ts';
import type { SpamdRequest } from '../../src/scanners/spamd-request.ts';

const HEADS: readonly [SpamdRequest, string][] = [
  [{ verb: 'PING' }, 'PING SPAMC/1.5\r\n\r\n'],
  [{ verb: 'CHECK', size: 0, user: null }, 'CHECK SPAMC/1.5\r\nContent-length: 0\r\n\r\n'],
  [
    { verb: 'SYMBOLS', size: 12, user: 'joe' },
    'SYMBOLS SPAMC/1.5\r\nContent-length: 12\r\nUser: joe\r\n\r\n',
  ],
  [{ verb: 'HEADERS', size: 1, user: '' }, 'HEADERS SPAMC/1.5\r\nContent-length: 1\r\n\r\n'],
  [{ verb: 'PROCESS', size: 1, user: 'a\r\nb' }, 'PROCESS SPAMC/1.5\r\nContent-length: 1\r\n\r\n'],
  [
    { verb: 'REPORT', size: 50_000_000, user: 'j\xf6e@example.com' },
    'REPORT SPAMC/1.5\r\nContent-length: 50000000\r\nUser: j\xf6e@example.com\r\n\r\n',
  ],
  [
    { verb: 'TELL', size: 3, user: 'joe', as: 'spam' },
    'TELL SPAMC/1.5\r\nContent-length: 3\r\nUser: joe\r\nMessage-class: spam\r\nSet: local\r\n\r\n',
  ],
  [
    { verb: 'TELL', size: 3, user: null, as: 'ham' },
    'TELL SPAMC/1.5\r\nContent-length: 3\r\nMessage-class: ham\r\nSet: local\r\n\r\n',
  ],
];

test('the head of each request, byte for byte', () => {
  for (const [request, head] of HEADS) assert.equal(spamdRequestHead(request).toString('latin1'), head);
});

test('a size that is none is a bug of the caller', () => {
  for (const size of [-1, 0.5, Number.NaN, 2 ** 60])
    assert.throws(() => spamdRequestHead({ verb: 'CHECK', size, user: null }), RangeError);
});

test('a user is sent as it is, or not at all', () => {
  for (const user of ['joe', 'joe@example.com', '"a b"@example.com', '\x80\xff', 'x'.repeat(USER_LIMIT)])
    assert.equal(spamdUser(user), user);
  assert.equal(spamdUser(' joe '), 'joe');
  for (const user of [
    null,
    '',
    ' ',
    'a\nb',
    'a\rb',
    'a\0',
    'joe\n',
    '\tjoe',
    'a\x7f',
    '\u20ac',
    'x'.repeat(USER_LIMIT + 1),
  ])
    assert.equal(spamdUser(user), null);
});

test('no user adds a line or a byte outside its own', () => {
  const anyUser = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('\r', '\n', ':', ' ', 'a', '\0') }),
  );
  fc.assert(
    fc.property(anyUser, user => {
      const head = spamdRequestHead({ verb: 'CHECK', size: 7, user }).toString('latin1');
      assert.match(head, /^CHECK SPAMC\/1\.5\r\nContent-length: 7\r\n(?:User: [^\r\n\0]+\r\n)?\r\n$/);
    }),
  );
});
