import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { commands } from '../../src/cli/commands.ts';
import { CHECK_EXIT } from '../../src/cli/dkim-check.ts';
import { dkimRecord } from '../../src/cli/dkim-record.ts';
import { startDnsServer } from '../support/dns-server.ts';
import type { DnsServer, Zone } from '../support/dns-server.ts';
import { controlFolder, postern } from '../support/gateway.ts';
import { run, temporaryFolder } from '../support/processes.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
const tiny = generateKeyPairSync('rsa', { modulusLength: 768 }).privateKey;
const ed25519 = generateKeyPairSync('ed25519').privateKey;

const textOf = (key: KeyObject) =>
  dkimRecord('example.com', 's', key.asymmetricKeyType === 'rsa' ? 'rsa' : 'ed25519', key).text;
const p = (key: KeyObject) => textOf(key).slice(textOf(key).indexOf('p='));
const strings = (text: string) => text.match(/.{1,250}/gs) ?? [];

let dns: DnsServer;
let site: Awaited<ReturnType<typeof controlFolder>>;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;

before(async () => {
  dns = await startDnsServer();
  site = await controlFolder({ dnsservers: `${dns.address}\n`, dnstimeout: '150\n' });
  folder = await temporaryFolder();
});

after(async () => {
  await folder[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await dns.close();
});

async function put(name: string, key: KeyObject | string, mode = 0o600): Promise<string> {
  const path = join(folder.path, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, typeof key === 'string' ? key : key.export({ format: 'pem', type: 'pkcs8' }));
  await chmod(path, mode);
  return path;
}

async function check(...args: readonly string[]) {
  const done = await postern(['dkim', 'check', '--control', site.control, ...args]);
  return { code: done.code, out: done.stdout.toString(), err: done.stderr.toString() };
}

/** `s._domainkey.example.com` with these TXT records. */
const zone = (...texts: readonly string[]): Zone => ({
  's._domainkey.example.com': texts.map(text => ({ TXT: strings(text) })),
});

test('each finding with its code', async () => {
  const key = await put('keys/s', rsa);
  const at = 's._domainkey.example.com';
  const publish = `to publish: ${at} TXT ${textOf(rsa)}\n`;
  const same = `${at}: agree: DNS and ${key} have the same key (rsa, 2048 bits)\n`;
  const unreadable = (why: string) => `${at}: record not readable: ${why}\n${publish}`;
  const table: readonly [Zone, number, string][] = [
    [zone(textOf(rsa)), 0, same],
    [zone(p(rsa)), 0, same],
    [zone(`k=rsa; t=n; o=-; ${p(rsa)}`), 0, same],
    [{ [at]: [{ CNAME: 'keys.example.net' }], 'keys.example.net': [{ TXT: strings(textOf(rsa)) }] }, 0, same],
    [
      zone(textOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)),
      2,
      `${at}: differs: DNS has another key than ${key} (both rsa, 2048 bits)\n${publish}`,
    ],
    [
      zone(textOf(ed25519)),
      2,
      `${at}: differs: DNS has another key (ed25519) than ${key} (rsa, 2048 bits)\n${publish}`,
    ],
    [zone('v=DKIM1; p='), 3, `${at}: revoked: the key is revoked (p= is empty)\n${publish}`],
    [{}, 4, `${at}: no record: there is no such name (NXDOMAIN)\n${publish}`],
    [{ [at]: [{ A: '192.0.2.1' }] }, 4, `${at}: no record: the name has no TXT record\n${publish}`],
    [zone('v=spf1 -all'), 5, unreadable('it does not begin with v=DKIM1: v=spf1 -all')],
    [zone('v=DKIM1; k=rsa'), 5, unreadable('the record has no p=: v=DKIM1; k=rsa')],
    [zone('v=DKIM1; p=\x1b[2J'), 5, unreadable('the record is no tag list: v=DKIM1; p=\\x1b[2J')],
    [{ [at]: ['SERVFAIL'] }, 8, `${at}: no answer from DNS: SERVFAIL; whether it agrees is not known\n`],
    [{ [at]: ['REFUSED'] }, 8, `${at}: no answer from DNS: REFUSED; whether it agrees is not known\n`],
    [{ [at]: ['TIMEOUT'] }, 8, `${at}: no answer from DNS: TIMEOUT; whether it agrees is not known\n`],
  ];
  for (const [names, code, out] of table) {
    dns.serve(names);
    assert.deepEqual(await check('example.com', 's', '--key', key), { code, out, err: '' }, out);
  }
});

test('a private key that is missing or broken: what DNS has is told all the same', async () => {
  dns.serve(zone(textOf(rsa)));
  const at = 's._domainkey.example.com';
  const inDns = `${at}: agree: DNS has a key (rsa, 2048 bits)\n`;
  const missing = join(folder.path, 'none/s');
  assert.deepEqual(await check('example.com', 's', '--key', missing), {
    code: 6,
    out: `${at}: no private key: not at ${missing}\n${inDns}`,
    err: '',
  });
  const broken = await put('broken/s', 'nonsense\n');
  const said = await check('example.com', 's', '--key', broken);
  assert.equal(said.code, 7);
  assert.ok(
    said.out.startsWith(`${at}: private key not readable: ${broken}: it holds no private key; `),
    said.out,
  );
  assert.ok(said.out.endsWith(inDns));
  dns.serve({});
  const neither = await check('example.com', 's', '--key', missing);
  assert.equal(neither.code, 6);
  assert.match(neither.out, /: no private key: .*\n.*: no record: there is no such name \(NXDOMAIN\)\n$/);
});

test('warnings', async () => {
  const open = await put('open/s', rsa, 0o644);
  const keys = {
    rsa: await put('keys/s', rsa),
    small: await put('small/s', small),
    tiny: await put('tiny/s', tiny),
  };
  const few = 'there are 2 TXT records: verifiers may take any of them, or none (RFC 6376 3.6.2.2)';
  const table: readonly [Zone, string, number, readonly string[]][] = [
    [
      zone(`v=DKIM1; t=y:s; ${p(rsa)}`),
      keys.rsa,
      0,
      ['t=y: the key is marked as a test, and a failing signature counts as none'],
    ],
    [zone(textOf(small)), keys.small, 0, ['1024 bits are few: 2048 are what signers should have']],
    [zone(textOf(tiny)), keys.tiny, 0, ['768 bits: verifiers refuse keys of less than 1024 bits']],
    [zone(textOf(rsa), textOf(rsa)), keys.rsa, 0, [few]],
    [zone(textOf(rsa), 'v=spf1 -all'), keys.rsa, 5, [few]],
    [zone(textOf(rsa), textOf(ed25519)), keys.rsa, 2, [few]],
    [
      zone(`v=DKIM1; h=sha1; s=tlsrpt; g=joe; ${p(rsa)}`),
      keys.rsa,
      0,
      [
        'h=sha1: verifiers refuse signatures with sha256, which are all we make',
        's=tlsrpt: the key is not for mail',
        'g=joe: old verifiers (RFC 4870, RFC 4871) take the key for these senders only',
      ],
    ],
    [zone(`v=DKIM1; h=sha1:sha256; s=email; g=*; t=s; ${p(rsa)}`), keys.rsa, 0, []],
    [zone(textOf(rsa)), open, 0, [`${open} can be read by every account: chmod o-r`]],
  ];
  for (const [names, key, code, warnings] of table) {
    dns.serve(names);
    const said = await check('example.com', 's', '--key', key);
    assert.equal(said.code, code, said.out + said.err);
    const told = said.out.split('\n').filter(line => line.startsWith('warning: '));
    assert.deepEqual(
      told,
      warnings.map(warning => `warning: ${warning}`),
    );
  }
});

test('the private key is found by what the control files say', async () => {
  const at = (selector: string, domain: string) => `${selector}._domainkey.${domain}`;
  const rsaRecord = [{ TXT: strings(textOf(rsa)) }];
  const edRecord = [{ TXT: textOf(ed25519) }];
  dns.serve({
    [at('own', 'a.example')]: rsaRecord,
    [at('ed', 'a.example')]: edRecord,
    [at('all', 'b.example')]: rsaRecord,
    [at('pattern', 'c.example')]: rsaRecord,
    [at('shared', 'c.example')]: edRecord,
    [at('dk', 'c.example')]: rsaRecord,
  });
  const places = {
    own: await put('t/own', rsa),
    ed: await put('t/ed', ed25519),
    all: await put('t/all', rsa),
    pattern: await put('t/c.example/pattern', rsa),
    shared: await put('t/shared', ed25519),
    dk: await put('t/dk', rsa),
  };
  const t = join(folder.path, 't');
  await site.write('dkimkeys', `a.example:${t}/own:DKIMSIGNEXTRA=${t}/ed\n.b.example:${t}/all\n`);
  await site.write('dkimsign', `${t}/%/pattern\n`);
  await site.write('dkimsignextra', `${t}/%/shared\n`);
  await site.write('dksign', `${t}/dk\n`);
  try {
    for (const [domain, selector, path] of [
      ['a.example', 'own', places.own],
      ['a.example', 'ed', places.ed],
      ['b.example', 'all', places.all],
      ['c.example', 'pattern', places.pattern],
      ['c.example', 'shared', places.shared],
      ['C.Example', 'dk', places.dk],
    ] as const) {
      const said = await check(domain, selector);
      assert.equal(said.code, 0, said.out + said.err);
      assert.ok(said.out.includes(` ${path} have the same key`), said.out);
    }
    const none = await check('nowhere.example', 'x');
    assert.equal(none.code, 6);
    assert.match(
      none.out,
      /: no private key: not at \/etc\/domainkeys\/nowhere\.example\/x, \/etc\/domainkeys\/x\n/,
    );
  } finally {
    for (const name of ['dkimkeys', 'dkimsign', 'dkimsignextra', 'dksign']) await site.remove(name);
  }
});

test('keys of keygen and of opendkim-genkey agree with the records that these tools print', async () => {
  const made = await postern(['dkim', 'keygen', 'example.com', 'ours', '--out', join(folder.path, 'made')]);
  assert.equal(made.code, 0);
  const genkey = ['-b', '2048', '-d', 'example.com', '-s', 'theirs', '-D', folder.path];
  assert.equal((await run('opendkim-genkey', genkey)).code, 0);
  const theirs = await readFile(join(folder.path, 'theirs.txt'), 'latin1');
  const quoted = (text: string) => [...text.matchAll(/"([^"]*)"/g)].map(([, string]) => string);
  dns.serve({
    'ours._domainkey.example.com': [{ TXT: quoted(made.stdout.toString()) }],
    'theirs._domainkey.example.com': [{ TXT: quoted(theirs) }],
  });
  const ours = await check('example.com', 'ours', '--key', join(folder.path, 'made/%/ours'));
  assert.equal(ours.code, 0, ours.out);
  const opendkim = await check('example.com', 'theirs', '--key', join(folder.path, 'theirs.private'));
  assert.equal(opendkim.code, 0, opendkim.out);
  assert.equal(opendkim.out.split('\n').length, 2, 'no warning');
  assert.ok(createPublicKey(await readFile(join(folder.path, 'theirs.private'))));
});

test('wrong calls, and a configuration with errors', async () => {
  for (const [args, said] of [
    [['exa_mple.com', 's'], /^postern: "exa_mple\.com" is no domain/],
    [['example.com', '..'], /^postern: "\.\." is no selector/],
    [['example.com'], /missing required argument/],
  ] as const) {
    const done = await check(...args);
    assert.deepEqual([done.code, done.out], [1, '']);
    assert.match(done.err, said);
  }
  await using other = await controlFolder({ dnsservers: 'nonsense\n' });
  const done = await postern(['dkim', 'check', '--control', other.control, 'example.com', 's']);
  assert.equal(done.code, 1);
  assert.match(done.stderr.toString(), /dnsservers:1: /);
});

test('the help tells every code', () => {
  const check = commands()
    .commands.find(command => command.name() === 'dkim')
    ?.commands.find(command => command.name() === 'check');
  for (const code of Object.values(CHECK_EXIT))
    assert.match(check?.description() ?? '', new RegExp(`\\b${code}: `), String(code));
});
