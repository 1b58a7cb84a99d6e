import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { PrivateKey, PrivateKeyAnswer } from '../../src/auth/private-key.ts';
import type { SigningKeyQuestion } from '../../src/auth/signing-keys.ts';
import type { SigningKeyLine } from '../../src/model/dkim-signing.ts';
import { findSigningKey, keyPath, selectorOf } from '../../src/auth/signing-keys.ts';
import { Complaints } from '../../src/control/complaints.ts';
import { parseDkimKeys } from '../../src/control/dkim-keys.ts';

const { privateKey } = generateKeyPairSync('ed25519');

/** A disk with keys at these paths, and a damaged one at the paths that end in `bad`. */
function disk(...paths: readonly string[]) {
  const asked: string[] = [];
  const load = (path: string): Promise<PrivateKeyAnswer> => {
    asked.push(path);
    if (path.endsWith('bad')) return Promise.resolve({ kind: 'unreadable', path, why: 'it is empty' });
    const key: PrivateKey = {
      kind: 'found',
      path,
      key: privateKey,
      type: 'ed25519',
      bits: 256,
      worldReadable: false,
    };
    return Promise.resolve(paths.includes(path) ? key : { kind: 'missing', path });
  };
  return { asked, load };
}

type Question = SigningKeyQuestion<SigningKeyLine>;

async function find(question: Partial<Question>): Promise<string> {
  const usual: Question = {
    pattern: null,
    keys: null,
    domain: 'example.com',
    withoutPercent: true,
    folder: '/control',
  };
  const found = await findSigningKey({ ...usual, ...question });
  if (found.kind === 'key') return `${found.key.path} s=${found.selector} d=${found.domain}`;
  return found.kind === 'unsigned' ? `unsigned: ${found.why}` : `${found.fault}: ${found.why}`;
}

const keys = (text: string) => {
  const complaints = new Complaints();
  const parsed = parseDkimKeys(text, 'dkimkeys', complaints);
  assert.deepEqual(complaints.list, []);
  return parsed;
};

test('the path of a key', () => {
  assert.equal(keyPath('/etc/domainkeys/%/default', 'Example.COM'), '/etc/domainkeys/example.com/default');
  assert.equal(keyPath('/k/%/%', 'a.example'), '/k/a.example/%');
  assert.equal(keyPath('/k/default', 'a.example'), '/k/default');
  const long = `${'a'.repeat(63)}.`.repeat(4);
  for (const domain of [
    '',
    '.',
    '..',
    '../../etc',
    'a..b',
    'a.',
    '.a',
    'a/b',
    'a\0b',
    'a b',
    'a%b',
    '$&',
    '-a.example',
    'a-.example',
    'a_b.example',
    'm\xfcnchen.example',
    '[192.0.2.1]',
    'a.example\n',
    'a'.repeat(64),
    long,
  ])
    assert.equal(keyPath('/k/%/default', domain), null, domain);
  assert.equal(selectorOf('/etc/domainkeys/%/2026.mail'), '2026.mail');
  for (const pattern of ['/k/%', '/k/', '', '/k/..', '/k/.', '/k/a b'])
    assert.equal(selectorOf(pattern), null, pattern);
});

test('no domain leads out of the folder', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), domain => {
      const path = keyPath('/k/%/default', domain);
      assert.ok(path === null || /^\/k\/[a-z0-9-]+(\.[a-z0-9-]+)*\/default$/.test(path), path ?? '');
    }),
  );
});

test('DKSIGN and DKIMSIGN', async () => {
  const own = '/etc/domainkeys/example.com/default';
  const shared = '/etc/domainkeys//default';
  const table: readonly [Partial<Question> & { on?: readonly string[] }, string][] = [
    [{ pattern: '/etc/domainkeys/%/default', on: [own] }, `${own} s=default d=example.com`],
    [{ pattern: '/etc/domainkeys/%/default', on: [own, shared] }, `${own} s=default d=example.com`],
    [{ pattern: '/etc/domainkeys/%/default', on: [shared] }, `${shared} s=default d=example.com`],
    [
      { pattern: '/etc/domainkeys/%/default', on: [shared], withoutPercent: false },
      `unsigned: there is no key for example.com (${own})`,
    ],
    [
      { pattern: '/etc/domainkeys/%/default' },
      `unsigned: there is no key for example.com (${own}, ${shared})`,
    ],
    [{ pattern: own, on: [own], domain: 'Mail.Example.com' }, `${own} s=default d=mail.example.com`],
    [{ pattern: own }, `missing: the key ${own} does not exist`],
    [{ pattern: '/k/%/bad' }, 'unreadable: the key /k/example.com/bad cannot be used: it is empty'],
    [{ pattern: '/k/bad' }, 'unreadable: the key /k/bad cannot be used: it is empty'],
    [{ pattern: '/k/%' }, 'unreadable: /k/%: the name of the file is no selector'],
    [{ pattern: 'domainkeys/%/s', on: ['/control/domainkeys/s'] }, '/control/domainkeys/s s=s d=example.com'],
    [{ pattern: '%/s', on: ['/control/s'] }, '/control/s s=s d=example.com'],
    [{ pattern: null }, 'unsigned: no key is set for example.com'],
    [{ pattern: own, on: [own], domain: '' }, 'unsigned: the domain cannot stand in a signature'],
    [{ pattern: own, on: [own], domain: '../x' }, 'unsigned: the domain cannot stand in a signature'],
  ];
  for (const [{ on = [], ...question }, wanted] of table) {
    const { load } = disk(...on);
    assert.equal(await find({ ...question, load }), wanted);
  }
});

test('dkimkeys before the pattern', async () => {
  const table = keys(
    'example.com:/k/own\n.example.com:/k/below:DKIMEXPIRE=5\n*.example.org:/k/%/any\ngone.example:gone\n',
  );
  const { load } = disk('/k/own', '/k/below', '/k/mail.example.org/any', '/p/other.example/default');
  const pattern = '/p/%/default';
  const of = (domain: string) => find({ pattern, keys: table, domain, load });
  assert.equal(await of('EXAMPLE.com'), '/k/own s=own d=example.com');
  assert.equal(await of('mail.example.com'), '/k/below s=below d=example.com');
  assert.equal(await of('mail.example.org'), '/k/mail.example.org/any s=any d=mail.example.org');
  assert.match(await of('www.example.org'), /^unsigned: there is no key for www\.example\.org/);
  assert.equal(await of('other.example'), '/p/other.example/default s=default d=other.example');
  assert.equal(await of('gone.example'), 'missing: the key gone (dkimkeys:4) does not exist');
  const question = { pattern, keys: table, domain: 'a.example.com', withoutPercent: true, folder: '/', load };
  const found = await findSigningKey(question);
  assert.ok(found.kind === 'key');
  assert.equal(found.line?.words.expireSeconds, 5);
});

test('a domain that cannot be signed for costs no look at the disk', async () => {
  const { asked, load } = disk();
  await find({ pattern: '/k/%/default', domain: '../../etc/passwd', load });
  assert.deepEqual(asked, []);
});
