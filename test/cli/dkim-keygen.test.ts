import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { chmod, chown, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { publishedKey } from '../../src/auth/key-record.ts';
import { loadPrivateKey } from '../../src/auth/private-key.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { postern } from '../support/gateway.ts';
import { ROOT, run, temporaryFolder } from '../support/processes.ts';

async function keygen(...args: readonly string[]) {
  const done = await postern(['dkim', 'keygen', ...args]);
  return { code: done.code, out: done.stdout.toString(), err: done.stderr.toString() };
}

/** The text of the record, from the plain form. */
const recordOf = (out: string) => /^plain:\n\S+ TXT (.*)$/m.exec(out)?.[1] ?? assert.fail(out);

test('a key, 0600, and its record', async () => {
  await using folder = await temporaryFolder();
  const out = join(folder.path, 'new', 'keys');
  for (const [args, line] of [
    [['Example.COM'], 'example.com/default: rsa, 2048 bits, mode 0600'],
    [['example.com', 's1', '--ed25519'], 'example.com/s1: ed25519, mode 0600'],
    [['example.com', 's.2', '--rsa', '1536'], 'example.com/s.2: rsa, 1536 bits, mode 0600'],
  ] as const) {
    const made = await keygen(...args, '--out', out);
    assert.equal(made.code, 0, made.err);
    assert.ok(made.out.startsWith(`${out}/${line}\n\nBIND:\n`), made.out);
    assert.equal(
      made.err,
      args.includes('1536' as never) ? 'warning: 1536 bits are few: 2048 are what signers should have\n' : '',
    );
    const path = join(out, line.slice(0, line.indexOf(':')));
    assert.equal((await stat(path)).mode & 0o7777, 0o600);
    const key = await loadPrivateKey(path);
    const published = publishedKey(recordOf(made.out));
    assert.ok(key.kind === 'found' && 'key' in published);
    assert.ok(createPublicKey(key.key).equals(published.key));
  }
  assert.deepEqual((await readdir(join(out, 'example.com'))).toSorted(), ['default', 's.2', 's1']);
});

test('RSA keys are PKCS#1, which Mail::DKIM insists on', async () => {
  await using folder = await temporaryFolder();
  assert.equal((await keygen('example.com', '--rsa', '1024', '--out', folder.path)).code, 0);
  const path = join(folder.path, 'example.com/default');
  assert.match(await readFile(path, 'latin1'), /^-----BEGIN RSA PRIVATE KEY-----\n/);
  const script = 'my $k = Mail::DKIM::PrivateKey->load(File => $ARGV[0]); print $k->cork->size';
  const perl = await run('perl', ['-MMail::DKIM::PrivateKey', '-e', script, path]);
  assert.equal(perl.stdout.toString(), '128', perl.stderr.toString());
});

test('opendkim-testkey finds key and record in agreement', async () => {
  await using folder = await temporaryFolder();
  const made = await keygen('example.com', 'mail', '--out', folder.path);
  const strings = [...made.out.matchAll(/"([^"]*)"/g)].map(([, string]) => string);
  assert.ok(strings.length > 1, 'as BIND would have it, in several strings');
  const dns = await startDnsServer({ 'mail._domainkey.example.com': [{ TXT: strings }] });
  try {
    const unbound = `server:\n do-not-query-localhost: no\n module-config: "iterator"\nforward-zone:\n name: "."\n forward-addr: 127.0.0.1@${dns.port}\n`;
    await writeFile(join(folder.path, 'unbound.conf'), unbound);
    const config = join(folder.path, 'opendkim.conf');
    await writeFile(config, `ResolverConfiguration ${folder.path}/unbound.conf\n`);
    const key = join(folder.path, 'example.com/mail');
    const done = await run('opendkim-testkey', [
      '-x',
      config,
      '-d',
      'example.com',
      '-s',
      'mail',
      '-k',
      key,
      '-vvv',
    ]);
    assert.equal(done.code, 0, done.stderr.toString());
    assert.match(done.stdout.toString() + done.stderr.toString(), /key OK/);
    assert.equal(dns.queries('mail._domainkey.example.com'), 1);
  } finally {
    await dns.close();
  }
});

test('an existing key stays, unless it is to be replaced; owner, and the group’s right to read, stay then', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'example.com/default');
  await keygen('example.com', '--rsa', '1024', '--out', folder.path);
  const before = await readFile(path, 'latin1');
  const refused = await keygen('example.com', '--out', folder.path);
  assert.deepEqual(refused, {
    code: 1,
    out: '',
    err: `postern: ${path} was not written: it exists; --force replaces it\n`,
  });
  assert.equal(await readFile(path, 'latin1'), before);

  const [uid, gid] =
    process.getuid?.() === 0 ? [65_534, 12] : [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  await chown(path, uid, gid);
  await chmod(path, 0o644);
  const replaced = await keygen('example.com', '--out', folder.path, '--force');
  assert.equal(replaced.code, 0, replaced.err);
  assert.match(replaced.out, /, mode 0640\n/);
  assert.match(replaced.err, /^warning: the key it replaces is gone/);
  const now = await stat(path);
  assert.deepEqual([now.uid, now.gid, now.mode & 0o7777], [uid, gid, 0o640]);
  assert.notEqual(await readFile(path, 'latin1'), before);
  assert.deepEqual(await readdir(join(folder.path, 'example.com')), ['default']);

  const fresh = await keygen('example.com', 'new', '--ed25519', '--out', folder.path, '--force');
  assert.deepEqual([fresh.code, fresh.err], [0, '']);
});

test('a link is followed when the key behind it is replaced', async () => {
  await using folder = await temporaryFolder();
  await keygen('example.com', '--ed25519', '--out', folder.path);
  const path = join(folder.path, 'example.com/default');
  const before = await readFile(path, 'latin1');
  await mkdir(join(folder.path, 'example.org'));
  await symlink(path, join(folder.path, 'example.org/default'));
  assert.equal((await keygen('example.org', '--ed25519', '--out', folder.path)).code, 1);
  assert.equal((await keygen('example.org', '--ed25519', '--out', folder.path, '--force')).code, 0);
  const after = await readFile(path, 'latin1');
  assert.notEqual(after, before);
  assert.equal(createPrivateKey(after).asymmetricKeyType, 'ed25519');
});

test('wrong calls', async () => {
  await using folder = await temporaryFolder();
  for (const [args, said] of [
    [['exa_mple.com'], /^postern: "exa_mple\.com" is no domain; wanted example\.com/],
    [['münchen.example'], /is no domain; wanted .*xn--/],
    [['../../etc'], /is no domain/],
    [['example.com', '../x'], /^postern: "\.\.\/x" is no selector/],
    [['example.com', 'x', '--rsa', '1023'], /^postern: --rsa 1023: wanted 1024 to 8192 bits\n$/],
    [['example.com', 'x', '--rsa', '8193'], /^postern: --rsa 8193: /],
    [['example.com', 'x', '--rsa', '2e3'], /^postern: --rsa 2e3: /],
    [['example.com', 'x', '--rsa', '2048', '--ed25519'], /cannot be used with/],
    [[], /missing required argument/],
    [[`${'a.'.repeat(120)}example`, 'selector'], /is longer than a DNS name may be/],
  ] as const) {
    const done = await keygen(...args, '--out', folder.path);
    assert.equal(done.code, 1, args.join(' '));
    assert.equal(done.out, '');
    assert.match(done.err, said);
  }
  assert.deepEqual(await readdir(folder.path), []);
});

test('places that cannot be written', async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, 'file'), '');
  await mkdir(join(folder.path, 'example.com/default'), { recursive: true });
  const failing: readonly [string[], RegExp][] = [
    [['--out', join(folder.path, 'file')], /was not written: ENOTDIR: /],
    [['--out', folder.path, '--force'], /was not written: what stands there is no file/],
  ];
  for (const [args, said] of failing) {
    const done = await keygen('example.com', '--ed25519', ...args);
    assert.deepEqual([done.code, done.out], [1, ''], done.err);
    assert.match(done.err, said);
  }
  assert.deepEqual(await readdir(join(folder.path, 'example.com')), ['default']);
});

test('without the right to write, and with a full disk: nothing is left', async () => {
  await using folder = await temporaryFolder();
  const closed = join(folder.path, 'closed');
  await mkdir(closed, { mode: 0o555 });
  await chmod(folder.path, 0o755);
  const open = join(folder.path, 'open');
  await mkdir(open);
  await chmod(open, 0o777);
  const script = `import { dkimKeygen } from '${ROOT}/src/cli/dkim-keygen.ts';
if (process.getuid() === 0) process.setuid(65534);
const say = line => console.log(line);
process.exitCode = await dkimKeygen('example.com', 'default', { ed25519: true, out: process.argv[1], force: false }, { print: say, complain: say });`;
  const as = (before: string, out: string) =>
    run('sh', ['-c', `${before}; exec "$0" --input-type=module -e "$1" "$2"`, process.execPath, script, out]);
  const denied = await as(':', closed);
  assert.equal(denied.code, 1);
  assert.match(denied.stdout.toString(), /^postern: .* was not written: EACCES: permission denied/);
  assert.deepEqual(await readdir(closed), []);

  // No file may grow, as on a full disk; SIGXFSZ is not for us.
  const full = await as('ulimit -f 0; trap "" XFSZ', open);
  assert.equal(full.code, 1, full.stderr.toString());
  assert.match(full.stdout.toString(), /^postern: .*default was not written: EFBIG/);
  assert.deepEqual(await readdir(join(open, 'example.com')), []);
});
