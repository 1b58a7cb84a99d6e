import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { builtFolder } from './build.ts';
import { deliver } from './rig.ts';
import type { Outcome } from './rig.ts';
import { no, stubDaemon } from './stub-daemon.ts';

let built: Awaited<ReturnType<typeof builtFolder>>;
let serial = 0;
before(async () => {
  built = await builtFolder();
});
after(() => built[Symbol.asyncDispose]());

const TEXT = 'Dyour mail is not wanted here (#5.7.1)';

async function refused(
  text: string,
  channels: readonly string[],
  env: Readonly<Record<string, string>> = {},
  code = 31,
): Promise<Outcome> {
  await using daemon = await stubDaemon(join(built.path, `socket-${++serial}`), { bytes: no(code, text) });
  const outcome = await deliver(built.programs, built.path, daemon.path, { channels, env });
  assert.equal(outcome.runs, 0);
  return outcome;
}

test('the text goes to each pipe that is open for writing on 6, 4 and $ERROR_FD', async () => {
  const table: readonly (readonly [
    readonly string[],
    Record<string, string>,
    number,
    Record<number, string>,
  ])[] = [
    [['w:6'], {}, 82, { 6: TEXT }],
    [['w:4'], {}, 82, { 4: TEXT }],
    [['w:4', 'w:6'], {}, 82, { 4: TEXT, 6: TEXT }],
    [['w:9'], { ERROR_FD: '9' }, 82, { 9: TEXT }],
    [['w:2'], { ERROR_FD: '2' }, 82, { 2: TEXT }],
    [['w:6', 'w:12'], { ERROR_FD: '12' }, 82, { 6: TEXT, 12: TEXT }],
    [['w:6'], { ERROR_FD: '6' }, 82, { 6: TEXT }],
    [['w:6', '=:4'], {}, 82, { 6: TEXT }],
    [['w:6', '=:4', '=:8'], { ERROR_FD: '8' }, 82, { 6: TEXT }],
    [['d:6', 'w:4'], {}, 82, { 4: TEXT }],
    [['f:6', 'w:4'], {}, 82, { 4: TEXT }],
    [['w:2'], {}, 31, { 2: '' }],
    [['w:9'], {}, 31, { 9: '' }],
    [['w:9'], { ERROR_FD: '9x' }, 31, { 9: '' }],
    [['w:9'], { ERROR_FD: '' }, 31, { 9: '' }],
    [['w:9'], { ERROR_FD: '-9' }, 31, { 9: '' }],
    [['w:9'], { ERROR_FD: '99999999999999999999' }, 31, { 9: '' }],
    [[], { ERROR_FD: '1' }, 31, {}],
    [[], { ERROR_FD: '8' }, 31, {}],
    [['b:6'], {}, 31, { 6: '' }],
    [['r:6'], {}, 31, {}],
    [['s:6'], {}, 31, {}],
    [['o:6'], {}, 31, {}],
    [['c:6', 'c:4'], {}, 31, {}],
    [['d:6'], {}, 31, {}],
    [['f:6'], {}, 31, {}],
    [[], {}, 31, {}],
  ];
  for (const [channels, env, code, texts] of table) {
    const outcome = await refused(TEXT, channels, env);
    assert.deepEqual([channels, env, outcome.code, outcome.texts], [channels, env, code, texts]);
  }
});

test('the code is the one that the daemon names where nobody reads the text', async () => {
  for (let code = 1; code < 256; code += 6) {
    assert.equal((await refused(TEXT, [], {}, code)).code, code);
    assert.equal((await refused('Zlater', ['w:6'], {}, code)).code, 82);
  }
});

test('the text cannot break out of a reply, and is short enough for every caller', async () => {
  const controls = Array.from({ length: 32 }, (_, i) => String.fromCharCode(i)).join('');
  const table = [
    [`D${controls}\x7f\xe9\xff`, `D${'?'.repeat(33)}\xe9\xff`],
    ['Dno\r\n250 ok\r\n', 'Dno??250 ok??'],
    [`Z${'x'.repeat(5000)}`, `Z${'x'.repeat(240)}`],
    [`Z${'x'.repeat(65_534)}`, `Z${'x'.repeat(240)}`],
    ['Dab', 'Dab'],
  ] as const;
  for (const [text, told] of table) {
    const outcome = await refused(text, ['w:6']);
    assert.deepEqual([outcome.code, outcome.texts[6]], [82, told]);
  }
});

test('a text that callers would take for none is not sent', async () => {
  for (const text of ['D', 'Z', 'Dx']) {
    const outcome = await refused(text, ['w:6', 'w:4']);
    assert.deepEqual([outcome.code, outcome.texts], [31, { 4: '', 6: '' }]);
  }
});
