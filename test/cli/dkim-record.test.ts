import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { publishedKey } from '../../src/auth/key-record.ts';
import { bindForm, dkimRecord, plainForm, tinydnsForm } from '../../src/cli/dkim-record.ts';

test('a record holds the public half of the key', () => {
  for (const [type, privateKey] of [
    ['rsa', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
    ['ed25519', generateKeyPairSync('ed25519').privateKey],
  ] as const) {
    const { name, text } = dkimRecord('example.com', 's1', type, privateKey);
    assert.equal(name, 's1._domainkey.example.com');
    const published = publishedKey(text);
    assert.ok('key' in published, text);
    assert.equal(published.type, type);
    assert.ok(published.key.equals(createPublicKey(privateKey)));
  }
});

test('the three forms', () => {
  const record = { name: 's._domainkey.example.com', text: 'v=DKIM1; k=ed25519; p=AA/+=' };
  assert.equal(bindForm(record), 's._domainkey.example.com. 3600 IN TXT "v=DKIM1; k=ed25519; p=AA/+="');
  assert.equal(tinydnsForm(record), "'s._domainkey.example.com:v=DKIM1; k=ed25519; p=AA/+=:3600");
  assert.equal(plainForm(record), 's._domainkey.example.com TXT v=DKIM1; k=ed25519; p=AA/+=');
  const long = { name: 'x', text: `${'a'.repeat(255)}${'b'.repeat(255)}c` };
  assert.equal(bindForm(long), `x. 3600 IN TXT ( "${'a'.repeat(255)}"\n  "${'b'.repeat(255)}"\n  "c" )`);
  assert.equal(bindForm({ name: 'x', text: 'a"b\\c' }), 'x. 3600 IN TXT "a\\"b\\\\c"');
  assert.equal(tinydnsForm({ name: 'x', text: 'a:b\\c\n\xfc' }), "'x:a\\072b\\134c\\012\\374:3600");
});

/** As the manual of tinydns-data has it: fields parted by colons, `\NNN` a byte. */
function readTinydns(line: string): string {
  const [, text = ''] = line.slice(1).split(':');
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Strings in quotes, RFC 1035 5.1. */
function readBind(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map(([, quoted = '']) =>
    quoted.replace(/\\(.)/gs, '$1'),
  );
}

test('any text is read back from the forms, in strings of no more than 255 bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii', maxLength: 600 }), text => {
      assert.equal(readTinydns(tinydnsForm({ name: 'x', text })), text);
      const strings = readBind(bindForm({ name: 'x', text }));
      assert.equal(strings.join(''), text);
      assert.ok(strings.every(one => one.length <= 255));
    }),
  );
});
