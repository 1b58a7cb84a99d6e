import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { rspamdHeaders } from '../../src/scanners/rspamd-request.ts';

test('what is known is said, under the names that rspamd reads', () => {
  const headers = rspamdHeaders({
    size: 12,
    user: 'joe@example.com',
    password: 'open sesame',
    envelope: {
      clientIp: '2001:db8::1',
      helo: 'mail.example.org',
      sender: '',
      recipients: ['a@example.com', 'b@example.com'],
      authenticated: 'ann',
      id: '4711',
    },
  });
  assert.deepEqual(headers, {
    'Content-Length': '12',
    Password: 'open sesame',
    // Not User: that is whoever has authenticated.
    'Deliver-To': 'joe@example.com',
    IP: '2001:db8::1',
    Helo: 'mail.example.org',
    User: 'ann',
    'Queue-Id': '4711',
    From: '<>',
    Rcpt: ['<a@example.com>', '<b@example.com>'],
  });
  assert.deepEqual(rspamdHeaders({ size: 0, user: null, password: null }), { 'Content-Length': '0' });
});

test('of very many recipients the first are sent', () => {
  const recipients = Array.from({ length: 2000 }, (_, n) => `${'x'.repeat(60)}${n}@example.com`);
  const { Rcpt = [] } = rspamdHeaders({ size: 1, user: null, password: null, envelope: { recipients } });
  assert.ok(Array.isArray(Rcpt) && Rcpt.length > 300 && Rcpt.join('').length <= 32 * 1024);
  assert.equal(Rcpt[0], `<${recipients[0]}>`);
});

test('no value ends its line', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('\r', '\n', ':', ' ', 'a', '\0', '\u20ac') }),
    fc.constant('x'.repeat(2000)),
  );
  fc.assert(
    fc.property(text, value => {
      const headers = rspamdHeaders({
        size: 1,
        user: value,
        password: value,
        envelope: {
          clientIp: value,
          helo: value,
          sender: value,
          recipients: [value, value],
          authenticated: value,
          id: value,
        },
      });
      for (const one of Object.values(headers).flat()) {
        assert.match(one, /^[\x20-\x7e\x80-\xff]+$/);
        assert.ok(one.length <= 1000);
      }
    }),
  );
});
