import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseCommand, VERBS } from '../../src/smtp/command.ts';

const CASES: readonly [line: string, verb: string | null, argument: string][] = [
  ['NOOP', 'NOOP', ''],
  ['noop', 'NOOP', ''],
  ['EHLO client.example', 'EHLO', 'client.example'],
  ['EHLO \t client.example \t', 'EHLO', 'client.example'],
  ['MAIL FROM:<a b>', 'MAIL', 'FROM:<a b>'],
  ['RSET ', 'RSET', ''],
  ['QUIT now', 'QUIT', 'now'],
  ['BDAT 10 LAST', null, '10 LAST'],
  ['MAILFROM:<a>', null, ''],
  [' NOOP', null, 'NOOP'],
  ['NOOP\0', null, ''],
  ['', null, ''],
  ['constructor', null, ''],
  ['__proto__ x', null, 'x'],
];

for (const [line, verb, argument] of CASES) {
  test(JSON.stringify(line), () => assert.deepEqual(parseCommand(line), { verb, argument }));
}

test('any line: never throws, knows its verbs and no others', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii' }), line => {
      const { verb } = parseCommand(line);
      assert.ok(verb === null || verb in VERBS);
    }),
  );
});
