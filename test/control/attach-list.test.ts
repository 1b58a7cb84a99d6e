import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attachList, parseAttachValue, parseSsattach } from '../../src/control/attach-list.ts';
import { Complaints } from '../../src/control/complaints.ts';

function read(text: string) {
  const complaints = new Complaints();
  const { patterns } = parseSsattach(text, 'ssattach', complaints);
  return { patterns, errors: complaints.errors, said: complaints.list.map(c => `${c.line}: ${c.text}`) };
}

test('ssattach: the first word of each line, in lower case', () => {
  const table: readonly [text: string, patterns: readonly string[], said: readonly RegExp[]][] = [
    ['.exe\n.com\n', ['.exe', '.com'], []],
    ['.EXE\nTrojan.Exe', ['.exe', 'trojan.exe'], []],
    ['  .exe\n\t.com\n', ['.exe', '.com'], []],
    ['.exe\r\n.com\r\n', ['.exe', '.com'], []],
    ['\n \n.exe\n\n', ['.exe'], []],
    ['', [], []],
    // The example file of the distribution, of which only .exe takes effect.
    [
      '.exe:.com:.pif:.scr\n',
      ['.exe'],
      [/^1: only "\.exe" counts, and "\.com \.pif \.scr" is lost: simscan takes one pattern a line$/],
    ],
    ['.exe .com\n.pif\n', ['.exe', '.pif'], [/^1: only "\.exe" counts, and "\.com" is lost/]],
    ['.exe\t# programs\n', ['.exe'], [/^1: only "\.exe" counts, and "# programs" is lost/]],
    [':.exe\n', ['.exe'], []],
    [
      '# programs\n.exe\n',
      ['#', '.exe'],
      [/^1: # is no comment sign here: "#" is a pattern/, /^1: only "#" counts/],
    ],
    ['*.exe\n', ['*.exe'], [/^1: "\*\.exe" is compared as it stands, so that it matches no file/]],
    ['a/b.exe\n', ['a/b.exe'], [/^1: "a\/b\.exe" matches no file: a name has no folder/]],
    [
      `${'a'.repeat(120)}.exe\n`,
      [`${'a'.repeat(120)}.exe`],
      [/^1: longer than 99 bytes, where simscan cuts a line in two$/],
    ],
  ];
  for (const [text, patterns, said] of table) {
    const got = read(text);
    assert.deepEqual(got.patterns, patterns, text);
    assert.equal(got.errors, 0);
    assert.equal(got.said.length, said.length, `${text}: ${got.said.join(' / ')}`);
    for (const [i, wanted] of said.entries()) assert.match(got.said[i] ?? '', wanted);
  }
});

test('lines that simscan would not read count, with one warning', () => {
  const { patterns, said } = read(Array.from({ length: 130 }, (_, i) => `.e${i}\n`).join(''));
  assert.equal(patterns.length, 130);
  assert.deepEqual(said, ['101: simscan reads 100 lines; here the other 30 count too']);
});

test('a pattern matches the end of a name, and the longest one is named', () => {
  const list = attachList(['.exe', 'trojan.exe', 'pif', '.gz', '.tar.gz']);
  const table: readonly [string, string | null][] = [
    ['a.exe', '.exe'],
    ['.exe', '.exe'],
    ['aexe', null],
    ['exe', null],
    ['a.exe.txt', null],
    ['trojan.exe', 'trojan.exe'],
    ['my trojan.exe', 'trojan.exe'],
    ['apif', 'pif'],
    ['x.tar.gz', '.tar.gz'],
    ['', null],
  ];
  for (const [name, pattern] of table) assert.equal(list.find(name), pattern, name);
});

test('simcontrol: joined by colons; capitals stay, and match nothing', () => {
  const parsed = parseAttachValue('.exe:.COM::.pif');
  assert.ok('value' in parsed);
  assert.deepEqual(parsed.value.patterns, ['.exe', '.COM', '.pif']);
  assert.equal(parsed.value.find('a.com'), null);
});

test('patterns in UTF-8', () => {
  const { patterns } = read(`${Buffer.from('.żip').toString('latin1')}\n`);
  assert.equal(attachList(patterns).find('a.żip'), '.żip');
});
