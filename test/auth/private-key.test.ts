import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { chmod, mkdir, readFile, rename, stat, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { loadPrivateKey, PrivateKeyFiles, readPrivateKey } from '../../src/auth/private-key.ts';
import { run, temporaryFolder } from '../support/processes.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const at = (name: string) => join(folder.path, name);

const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
const ed25519 = generateKeyPairSync('ed25519').privateKey;
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const pss = generateKeyPairSync('rsa-pss', { modulusLength: 1024 }).privateKey;
const pem = (key: KeyObject, type: 'pkcs1' | 'pkcs8' = 'pkcs8') =>
  key.export({ format: 'pem', type }).toString();
const encrypted = rsa
  .export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' })
  .toString();
const oldEncrypted = rsa
  .export({ format: 'pem', type: 'pkcs1', cipher: 'aes-256-cbc', passphrase: 'x' })
  .toString();
const seed = ed25519.export({ format: 'der', type: 'pkcs8' }).subarray(-32).toString('base64');

function same(text: string, key: KeyObject, what: string): void {
  const read = readPrivateKey(text);
  assert.ok('key' in read, `${what}: ${JSON.stringify(read)}`);
  assert.ok(read.key.equals(key), what);
}

test('the forms of a key', () => {
  const pkcs1 = pem(rsa, 'pkcs1');
  const table: readonly [string, string, KeyObject][] = [
    ['PKCS#1', pkcs1, rsa],
    ['PKCS#8', pem(rsa), rsa],
    ['Ed25519', pem(ed25519), ed25519],
    ['CRLF', pkcs1.replaceAll('\n', '\r\n'), rsa],
    ['no last line end', pkcs1.trimEnd(), rsa],
    ['blanks at line ends', pkcs1.replaceAll('\n', ' \t\n'), rsa],
    ['comments and blank lines between', pkcs1.replaceAll('\n', '\n# key of example.com\n\n'), rsa],
    [
      'text in front',
      `Bag Attributes\n    localKeyID: 01\nKey Attributes: <No Attributes>\n${pem(rsa)}`,
      rsa,
    ],
    ['the first of two keys', pkcs1 + pem(otherRsa), rsa],
    ['behind a certificate', `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n${pkcs1}`, rsa],
    ['dkimpy’s base64', seed, ed25519],
    ['dkimpy’s base64 with a comment', `# dkimpy\n${seed}\n`, ed25519],
  ];
  for (const [what, text, key] of table) same(text, key, what);
  assert.deepEqual({ ...readPrivateKey(pkcs1), key: null }, { key: null, type: 'rsa', bits: 1024 });
  assert.deepEqual({ ...readPrivateKey(pem(ed25519)), key: null }, { key: null, type: 'ed25519', bits: 256 });
});

test('what is no key, and why', () => {
  const body = pem(rsa).split('\n').slice(1, -2).join('\n');
  const table: readonly [string, RegExp][] = [
    ['', /^it is empty; wanted a PEM file/],
    ['# only a comment\n\n', /^it is empty/],
    ['hello', /^it holds no private key; wanted/],
    [body, /^it holds no private key/],
    [
      '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n',
      /^it holds a public key and no private key/,
    ],
    [encrypted, /^its key is encrypted/],
    [oldEncrypted, /^its key is encrypted/],
    [pem(rsa).split('\n').slice(0, 5).join('\n'), /^its private key is cut off/],
    [pem(rsa, 'pkcs1').replace('END RSA ', 'END '), /^its private key is cut off/],
    [pem(rsa).replace(/\n.{8}/, '\n'), /^its private key is damaged; wanted/],
    [pem(ec), /^it holds a key of type ec; wanted rsa or ed25519$/],
    [ec.export({ format: 'pem', type: 'sec1' }).toString(), /^it holds a key of type ec;/],
    [pem(pss), /^it holds a key of type rsa-pss;/],
    [
      '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----',
      /in the form of OpenSSH/,
    ],
  ];
  for (const [text, why] of table) {
    const read = readPrivateKey(text);
    assert.ok('why' in read, text);
    assert.match(read.why, why, text);
  }
});

test('no error tells anything of a key', () => {
  const text = pem(rsa);
  const secret = text.split('\n').slice(1, -2).join('');
  const edit = fc.tuple(fc.nat(text.length), fc.nat(40), fc.string({ maxLength: 10 }));
  fc.assert(
    fc.property(edit, ([begin, length, put]) => {
      const read = readPrivateKey(text.slice(0, begin) + put + text.slice(begin + length));
      if (!('why' in read)) return;
      for (let i = 0; i + 12 <= secret.length; i += 4)
        assert.ok(!read.why.includes(secret.slice(i, i + 12)), read.why);
    }),
  );
  fc.assert(fc.property(fc.string({ maxLength: 300 }), any => assert.ok('why' in readPrivateKey(any))));
});

test('files that the usual tools write', async () => {
  const rsaTools: readonly [string, string, string[]][] = [
    ['genrsa', 'openssl', ['genrsa', '-out', at('genrsa'), '1024']],
    ['traditional', 'openssl', ['genrsa', '-traditional', '-out', at('traditional'), '1024']],
    ['pkey', 'openssl', ['genpkey', '-algorithm', 'ed25519', '-out', at('pkey')]],
    ['s.private', 'opendkim-genkey', ['-b', '1024', '-d', 'example.com', '-s', 's', '-D', folder.path]],
    ['dk.key', 'dknewkey', [at('dk')]],
  ];
  for (const [name, tool, args] of rsaTools) {
    const done = await run(tool, args);
    assert.equal(done.code, 0, `${tool}: ${done.stderr.toString()}`);
    const answer = await loadPrivateKey(at(name));
    assert.ok(answer.kind === 'found', `${tool}: ${JSON.stringify(answer)}`);
    assert.ok(answer.key.equals(createPrivateKey(await readFile(at(name)))), tool);
    assert.equal(answer.worldReadable, false, tool);
  }
});

test('what a path can come to', async () => {
  const key = at('mode');
  await writeFile(key, pem(rsa), { mode: 0o644 });
  await mkdir(at('folder'));
  assert.equal((await run('mkfifo', [at('fifo')])).code, 0);
  await writeFile(at('large'), pem(rsa) + ' '.repeat(64 * 1024));
  await symlink(at('mode'), at('link'));
  await symlink(at('loop'), at('loop'));
  await symlink(at('nowhere'), at('dangling'));
  const unreadable = (path: string, why: string) => ({ kind: 'unreadable', path, why });
  const found = await loadPrivateKey(at('link'));
  assert.ok(found.kind === 'found' && found.worldReadable && found.path === at('link'));
  for (const path of [at('nowhere'), at('mode/x'), at('dangling'), at('x'.repeat(300)), '/nowhere/default'])
    assert.deepEqual(await loadPrivateKey(path), { kind: 'missing', path });
  assert.deepEqual(await loadPrivateKey(at('folder')), unreadable(at('folder'), 'it is no file'));
  assert.deepEqual(await loadPrivateKey(at('fifo')), unreadable(at('fifo'), 'it is no file'));
  assert.deepEqual(await loadPrivateKey('/dev/zero'), unreadable('/dev/zero', 'it is no file'));
  assert.deepEqual(await loadPrivateKey(at('loop')), unreadable(at('loop'), 'it cannot be read (ELOOP)'));
  const large = await loadPrivateKey(at('large'));
  assert.ok(large.kind === 'unreadable' && large.why.startsWith('it has more than 65536 bytes'));
  const nul = await loadPrivateKey(at('a\0b'));
  assert.deepEqual(nul, unreadable(at('a\0b'), 'it cannot be read (ERR_INVALID_ARG_VALUE)'));
});

test('a key that we may not read', async () => {
  const key = at('secret');
  await writeFile(key, pem(rsa), { mode: 0o600 });
  await chmod(folder.path, 0o755);
  await chmod(key, 0o000);
  const script = `import { loadPrivateKey } from '${new URL('../../src/auth/private-key.ts', import.meta.url).pathname}';
process.setuid?.(65534);
console.log(JSON.stringify(await loadPrivateKey(process.argv[1])));`;
  const done =
    process.getuid?.() === 0
      ? await run('node', ['--input-type=module-typescript', '-e', script, key])
      : await run('node', ['--input-type=module-typescript', '-e', script.replace(/^process.*\n/m, ''), key]);
  assert.deepEqual(
    done.stdout.toString(),
    `${JSON.stringify({ kind: 'unreadable', path: key, why: 'permission denied' })}\n`,
    done.stderr.toString(),
  );
});

/** Files with a clock that the test sets, in milliseconds. */
function filesAt(max?: number) {
  let time = 0;
  const files = new PrivateKeyFiles({ now: () => time, ...(max === undefined ? {} : { max }) });
  return {
    later: (milliseconds: number) => {
      time += milliseconds;
    },
    load: (name: string) => files.load(at(name)),
  };
}

test('a file is looked at once a second, and read again when it has changed', async () => {
  const files = filesAt();
  await writeFile(at('rotated'), pem(rsa));
  const first = await files.load('rotated');
  assert.ok(first.kind === 'found' && first.key.equals(rsa));
  await writeFile(at('rotated.new'), pem(otherRsa));
  await rename(at('rotated.new'), at('rotated'));
  files.later(999);
  assert.equal(await files.load('rotated'), first);
  files.later(1);
  const second = await files.load('rotated');
  assert.ok(second.kind === 'found' && second.key.equals(otherRsa));
  files.later(5000);
  assert.equal(await files.load('rotated'), second, 'the same key object as long as the file stays');

  // Written in place, with the time of the change put back.
  const { atime, mtime } = await stat(at('rotated'));
  await writeFile(at('rotated'), pem(rsa));
  await utimes(at('rotated'), atime, mtime);
  files.later(1000);
  const third = await files.load('rotated');
  assert.ok(third.kind === 'found' && third.key.equals(rsa));

  await unlink(at('rotated'));
  files.later(1000);
  assert.equal((await files.load('rotated')).kind, 'missing');
  await writeFile(at('rotated'), pem(ed25519));
  assert.equal((await files.load('rotated')).kind, 'missing');
  files.later(1000);
  const back = await files.load('rotated');
  assert.ok(back.kind === 'found' && back.type === 'ed25519' && back.bits === 256);
});

test('a half-written key is an error for a second', async () => {
  const files = filesAt();
  await writeFile(at('half'), pem(rsa).slice(0, 300));
  assert.equal((await files.load('half')).kind, 'unreadable');
  await writeFile(at('half'), pem(rsa));
  files.later(1000);
  assert.equal((await files.load('half')).kind, 'found');
});

test('who asks at the same time shares one look; only the last ones used are remembered', async () => {
  const files = filesAt(2);
  await writeFile(at('shared'), pem(rsa));
  const [one, two] = await Promise.all([files.load('shared'), files.load('shared')]);
  assert.equal(one, two);
  await files.load('m1');
  assert.equal(await files.load('shared'), one);
  await files.load('m2');
  assert.equal(await files.load('shared'), one, 'm1 has gone, not the one that is in use');
  await files.load('m3');
  await files.load('m4');
  const again = await files.load('shared');
  assert.notEqual(again, one);
  assert.equal(again.kind, 'found');
});
