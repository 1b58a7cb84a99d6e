import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ProxyResult } from '../../src/smtp/proxy-header.ts';
import { parseProxyHeader } from '../../src/smtp/proxy-header.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';

/** A version 2 header: command and family as hex, addresses and ports as hex, TLVs. */
const v2 = (commandAndFamily: string, payload: string, length = payload.length / 2) =>
  Buffer.from(`${SIGNATURE}${commandAndFamily}${length.toString(16).padStart(4, '0')}${payload}`, 'hex');

const TCP4 = 'c0000201c6336402d4310019';
const TCP6 = '20010db800000000000000000000000120010db8000000000000000000000025d4310019';

function shown(result: ProxyResult): string {
  if (result.kind === 'client') {
    const { ip, port, localIp, localPort, rest } = result;
    return `${ip} ${port} ${localIp} ${localPort} + ${rest.toString('latin1')}`;
  }
  if (result.kind === 'local') return `local + ${result.rest.toString('latin1')}`;
  return result.kind;
}

const CASES: readonly [name: string, header: string | Buffer, result: string][] = [
  ['v1 TCP4', 'PROXY TCP4 192.0.2.1 198.51.100.2 54321 25\r\n', '192.0.2.1 54321 198.51.100.2 25 + '],
  ['v1 TCP6', 'PROXY TCP6 2001:db8::1 2001:db8::25 1 65535\r\n', '2001:db8::1 1 2001:db8::25 65535 + '],
  ['v1 UNKNOWN', 'PROXY UNKNOWN\r\n', 'local + '],
  ['v1 UNKNOWN with addresses', 'PROXY UNKNOWN ffff:f ffff 1 2\r\n', 'local + '],
  ['v1: what follows is kept', 'PROXY UNKNOWN\r\nEHLO a\r\n', 'local + EHLO a\r\n'],
  ['v1: no CR', 'PROXY UNKNOWN\n', 'more'],
  ['v1: two blanks', 'PROXY TCP4  192.0.2.1 198.51.100.2 54321 25\r\n', 'bad'],
  ['v1: one word more', 'PROXY TCP4 192.0.2.1 198.51.100.2 54321 25 x\r\n', 'bad'],
  ['v1: families do not agree', 'PROXY TCP4 2001:db8::1 198.51.100.2 54321 25\r\n', 'bad'],
  ['v1: a name is no address', 'PROXY TCP4 localhost 198.51.100.2 54321 25\r\n', 'bad'],
  ['v1: port too large', 'PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n', 'bad'],
  ['v1: no port', 'PROXY TCP4 192.0.2.1 198.51.100.2\r\n', 'bad'],
  ['v1: negative port', 'PROXY TCP4 192.0.2.1 198.51.100.2 -1 25\r\n', 'bad'],
  ['v1: unknown family', 'PROXY UDP4 192.0.2.1 198.51.100.2 1 25\r\n', 'bad'],
  ['v1: the longest line there can be', `PROXY UNKNOWN ${'x'.repeat(91)}\r\n`, 'local + '],
  ['v1: one byte more', `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`, 'bad'],
  ['no header at all', 'EHLO a\r\n', 'bad'],
  ['lower case', 'proxy UNKNOWN\r\n', 'bad'],
  ['v2 TCP4', v2('2111', TCP4), '192.0.2.1 54321 198.51.100.2 25 + '],
  ['v2 TCP6', v2('2121', TCP6), '2001:db8:0:0:0:0:0:1 54321 2001:db8:0:0:0:0:0:25 25 + '],
  [
    'v2 with TLVs and more',
    Buffer.concat([v2('2111', `${TCP4}03000411223344`), Buffer.from('QUIT')]),
    '192.0.2.1 54321 198.51.100.2 25 + QUIT',
  ],
  ['v2 LOCAL', v2('2000', ''), 'local + '],
  ['v2 LOCAL with addresses, which do not count', v2('2011', TCP4), 'local + '],
  ['v2 AF_UNSPEC', v2('2100', ''), 'local + '],
  ['v2 UDP', v2('2112', TCP4), 'bad'],
  ['v2 Unix socket', v2('2131', '00'.repeat(216)), 'bad'],
  ['v2: addresses cut short', v2('2111', TCP4.slice(0, -2)), 'bad'],
  ['v2: TCP6 with the length of TCP4', v2('2121', TCP4), 'bad'],
  ['v2: version 3', v2('3111', TCP4), 'bad'],
  ['v2: unknown command', v2('2211', TCP4), 'bad'],
  ['v2: longer than anybody needs', v2('2111', TCP4, 4097), 'bad'],
];

for (const [name, header, result] of CASES) {
  const bytes = typeof header === 'string' ? Buffer.from(header, 'latin1') : header;
  test(name, () => assert.equal(shown(parseProxyHeader(bytes)), result));
}

describe('one byte after the other', () => {
  for (const [name, header, result] of CASES) {
    if (result === 'bad' || result === 'more') continue;
    test(name, () => {
      const bytes = typeof header === 'string' ? Buffer.from(header, 'latin1') : header;
      const rest = result.slice(result.indexOf(' + ') + 3);
      for (let end = 0; end < bytes.length - rest.length; end++) {
        assert.equal(parseProxyHeader(bytes.subarray(0, end)).kind, 'more', `${end} bytes`);
      }
    });
  }
});

test('any bytes: never throws, never wants more than it takes', () => {
  const starts = [
    'PROXY ',
    'PROXY TCP4 ',
    '',
    ...['', '21', '2111', '21210024'].map(hex => Buffer.from(SIGNATURE + hex, 'hex').toString('latin1')),
  ];
  fc.assert(
    fc.property(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 60 }), (start, tail) => {
      const bytes = Buffer.concat([Buffer.from(start, 'latin1'), tail]);
      const result = parseProxyHeader(bytes);
      if (result.kind === 'client' || result.kind === 'local') assert.ok(result.rest.length <= bytes.length);
      const long = Buffer.concat([bytes, Buffer.alloc(5000)]);
      assert.notEqual(parseProxyHeader(long).kind, 'more');
    }),
    { numRuns: 2000 },
  );
});
