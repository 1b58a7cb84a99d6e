import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Complaints } from '../../src/control/complaints.ts';
import { parseRoutes } from '../../src/control/routes.ts';

function read(text: string) {
  const complaints = new Complaints();
  const routes = parseRoutes(text, 'f', complaints);
  return { routes, errors: complaints.errors, said: complaints.list.map(c => `${c.line}: ${c.text}`) };
}

test('one line, one route', () => {
  const place = 'f:1';
  const smtp = { kind: 'smtp', port: 25, tls: 'opportunistic', place };
  const lmtp = { kind: 'lmtp', port: 24, tls: 'off', place };
  const table: readonly [string, object][] = [
    ['mail.example', { ...smtp, host: 'mail.example' }],
    ['mail.example:2525', { ...smtp, host: 'mail.example', port: 2525 }],
    ['192.0.2.1', { ...smtp, host: '192.0.2.1' }],
    ['192.0.2.1:26', { ...smtp, host: '192.0.2.1', port: 26 }],
    ['[192.0.2.1]', { ...smtp, host: '192.0.2.1' }],
    ['[192.0.2.1]:26', { ...smtp, host: '192.0.2.1', port: 26 }],
    ['[2001:db8::1]', { ...smtp, host: '2001:db8::1' }],
    ['[2001:db8::1]:65535', { ...smtp, host: '2001:db8::1', port: 65_535 }],
    ['mail.example tls=required', { ...smtp, host: 'mail.example', tls: 'required' }],
    ['mail.example smtp \t tls=off', { ...smtp, host: 'mail.example', tls: 'off' }],
    ['', { kind: 'mx', port: 25, tls: 'opportunistic', place }],
    [' tls=required', { kind: 'mx', port: 25, tls: 'required', place }],
    [' smtp', { kind: 'mx', port: 25, tls: 'opportunistic', place }],
    ['127.0.0.1 lmtp', { ...lmtp, host: '127.0.0.1' }],
    ['[::1]:2424 tls=required lmtp', { ...lmtp, host: '::1', port: 2424, tls: 'required' }],
    ['/run/lmtp lmtp', { kind: 'lmtp', path: '/run/lmtp', place }],
    ['./lmtp:1 lmtp', { kind: 'lmtp', path: './lmtp:1', place }],
    ['run/lmtp lmtp', { kind: 'lmtp', path: 'run/lmtp', place }],
    ['/var/mail/box/ maildir', { kind: 'maildir', path: '/var/mail/box/', place }],
    ['var/Maildir maildir', { kind: 'maildir', path: 'var/Maildir', place }],
    ['Maildir maildir', { kind: 'maildir', path: 'Maildir', place }],
    ['/var/qmail/bin/qmail-queue queue', { kind: 'queue', path: '/var/qmail/bin/qmail-queue', place }],
    ['bin/qmail-queue queue', { kind: 'queue', path: 'bin/qmail-queue', place }],
  ];
  for (const [target, route] of table) {
    const { routes, said } = read(`d.example:${target}\n`);
    assert.deepEqual(said, [], target);
    assert.deepEqual(routes.find('d.example'), route, target);
  }
});

test('what is wrong with a line, and what was wanted', () => {
  const table: readonly [string, RegExp][] = [
    ['relay:2s5', /^1: port "2s5" is not a number between 1 and 65535$/],
    ['relay:0', /port "0" is not/],
    ['relay:65536', /port "65536" is not/],
    ['relay:', /port "" is not/],
    ['[::1]:x', /port "x" is not/],
    ['2001:db8::1', /needs brackets: \[2001:db8::1\]/],
    ['[2001:db8::1', /wanted an IP address between/],
    ['[mail.example]', /wanted an IP address between/],
    ['[::1]25', /wanted :PORT or nothing after \]/],
    [':25', /a port needs a relay/],
    ['re/lay', /neither a host name nor an IP/],
    ['relay:25|user|password', /does not authenticate/],
    ['relay starttls', /"starttls" is none of smtp, lmtp, maildir, queue, tls=off/],
    ['relay tls=yes', /"tls=yes" is none of/],
    ['relay smtp lmtp', /"smtp" and "lmtp": wanted one/],
    ['relay tls=off tls=required', /tls= stands twice/],
    ['/var/mail', /is a path; wanted the word maildir, lmtp or queue/],
    ['/var/mail smtp', /is a path; wanted the word maildir, lmtp or queue/],
    ['/var/mail maildir tls=off', /tls= goes with a network address/],
    [' lmtp', /lmtp needs a relay/],
    [' maildir', /maildir needs the path of a folder/],
    [' queue', /queue needs the path of a program/],
  ];
  for (const [target, wanted] of table) {
    const { routes, errors, said } = read(`d.example:${target}\n`);
    assert.equal(errors, 1, target);
    assert.match(said.join(), wanted);
    assert.equal(routes.find('d.example'), null);
  }
});

test('search: the host, its tails, then the empty key; the last of equal lines wins', () => {
  const { routes, errors, said } = read(
    '# note\nExample.com:a\n.example.com:b\n.com:c\n:d\nmx.example.org:\nexample.com:e\nno colon\n',
  );
  const table: readonly [string, string][] = [
    ['example.com', 'f:7'],
    ['EXAMPLE.COM', 'f:7'],
    ['x.example.com', 'f:3'],
    ['x.y.example.com', 'f:3'],
    ['other.com', 'f:4'],
    ['com', 'f:5'],
    ['mx.example.org', 'f:6'],
    ['a.mx.example.org', 'f:5'],
    ['', 'f:5'],
  ];
  for (const [domain, place] of table) assert.equal(routes.find(domain)?.place, place, domain);
  assert.equal(errors, 0);
  assert.deepEqual(said, [
    '7: replaces the route of example.com at f:2',
    '8: no colon, so the line is ignored: no colon; wanted DOMAIN:RELAY',
  ]);
  assert.deepEqual(
    Array.from(routes.all(), route => route.place),
    ['f:3', 'f:4', 'f:5', 'f:6', 'f:7'],
  );
});

test('no route', () => {
  assert.equal(read('').routes.find('example.com'), null);
  assert.equal(read('a.example:b\n').routes.find('example.com'), null);
});

test('property: never throws, and a route has a port that exists', () => {
  const piece = fc.constantFrom(
    'a',
    '.',
    ':',
    '[',
    ']',
    '::1',
    '25',
    '99999',
    ' ',
    'lmtp',
    'smtp',
    'maildir',
    'tls=off',
    '/',
    '|',
    '\n',
    '#',
    '\r',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), pieces => {
      for (const route of read(pieces.join('')).routes.all()) {
        if ('port' in route) assert.ok(route.port >= 1 && route.port <= 65_535);
        else assert.notEqual(route.path, '');
        if ('host' in route) assert.notEqual(route.host, '');
      }
    }),
    { numRuns: 1000 },
  );
});

test('100,000 routes', () => {
  const { routes } = read(
    Array.from({ length: 100_000 }, (_, i) => `.host${i}.example:relay${i}\n`).join(''),
  );
  assert.equal(Array.from(routes.all()).length, 100_000);
  assert.equal(routes.find('x.host99999.example')?.place, 'f:100000');
});
