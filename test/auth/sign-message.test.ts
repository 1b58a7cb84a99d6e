import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import type { KeyObject } from 'node:crypto';
import { generateKeyPairSync } from 'node:crypto';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { signMessage } from '../../src/auth/sign-message.ts';
import type { SigningPlace } from '../../src/auth/sign-message.ts';
import { parseDkimKeys } from '../../src/control/dkim-keys.ts';
import { Complaints } from '../../src/control/complaints.ts';
import type { SigningOrder, SigningResult } from '../../src/model/dkim-signing.ts';
import { DKIM_SIGN_DEFAULTS } from '../../src/model/dkim-signing.ts';
import { temporaryFolder } from '../support/processes.ts';
import type { Names } from './asking.ts';
import { verify as verifyDomainKeys } from './domainkeys-mail.ts';
import { ED25519, messageOf, recordOf, RSA, verify } from './dkim-mail.ts';

const NOW = 1_800_000_000;
const BODY = 'Hello,  world \r\n';
const MAIL = `From: Jane <jane@example.com>\r\nTo: joe@example.net\r\nSubject: x\r\n\r\n${BODY}`;
const SECOND = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;

const folder = await temporaryFolder();
test.after(() => folder[Symbol.asyncDispose]());

const place: SigningPlace = { folder: folder.path, now: NOW * 1000, headerFields: 1000 };

/** Writes a key where a test wants it. */
async function keyFile(path: string, key: KeyObject = RSA, mode = 0o600): Promise<string> {
  const file = join(folder.path, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, key.export({ type: 'pkcs8', format: 'pem' }));
  await chmod(file, mode);
  return path;
}

await keyFile('keys/example.com/sel');
await keyFile('keys/example.com/ed', ED25519);
await keyFile('keys/default/sel', SECOND);
await keyFile('keys/fallback', SECOND);
await keyFile('keys/open', RSA, 0o644);

/** What the domains publish. */
const NAMES: Names = Object.fromEntries(
  ['example.com', 'mail.example.com', 'sub.example.com', 'example.org', 'xn--voil-3na.example'].flatMap(
    domain => [
      [`TXT sel._domainkey.${domain}`, [recordOf(RSA)]],
      [`TXT ed._domainkey.${domain}`, [recordOf(ED25519)]],
      [`TXT open._domainkey.${domain}`, [recordOf(RSA)]],
      [`TXT fallback._domainkey.${domain}`, [recordOf(SECOND)]],
    ],
  ),
);

const NOTHING: SigningOrder = {
  dkimSign: null,
  dkimKeys: null,
  words: {},
  excluded: new Set(),
  dkSign: null,
  dkComment: false,
};

const keys = (text: string) => parseDkimKeys(text, 'dkimkeys', new Complaints());

async function sign(order: Partial<SigningOrder>, text = MAIL, at: SigningPlace = place) {
  const { fields, results } = await signMessage(await messageOf(text), { ...NOTHING, ...order }, at);
  return { fields, results, told: results.map(tell) };
}

function tell(result: SigningResult): string {
  return result.kind === 'signed'
    ? `${result.protocol} ${result.domain} ${result.selector}`
    : `${result.protocol} ${result.kind}: ${result.why}`;
}

/** The signatures that hold, from the top down. */
async function holding(mail: string): Promise<string[]> {
  const { signatures } = await verify(mail, NAMES, { at: NOW });
  return signatures.map(one => `${one.result} ${one.domain} ${one.selector} ${one.algorithm}`);
}

type Case = readonly [
  order: Partial<SigningOrder>,
  told: readonly (string | RegExp)[],
  holds?: readonly string[],
  text?: string,
];

const from = (value: string) => `From: ${value}\r\nSubject: x\r\n\r\n${BODY}`;
const rsa = (domain: string, selector = 'sel') => `pass ${domain} ${selector} rsa-sha256`;

const CASES: Readonly<Record<string, Case>> = {
  'nothing is asked for': [{}, [], []],
  'DKIMSIGN with %': [{ dkimSign: 'keys/%/sel' }, ['DKIM example.com sel'], [rsa('example.com')]],
  'From in capitals': [
    { dkimSign: 'keys/%/sel' },
    ['DKIM example.com sel'],
    [rsa('example.com')],
    from('JANE@EXAMPLE.COM'),
  ],
  'no file for the domain, one without %': [
    { dkimSign: 'keys/%/fallback' },
    ['DKIM example.com fallback'],
    [rsa('example.com', 'fallback')],
  ],
  'no file at all': [{ dkimSign: 'keys/%/other' }, [/^DKIM unsigned: there is no key for example\.com/], []],
  'a path without %, missing': [
    { dkimSign: 'keys/none' },
    [/^DKIM trouble: the key keys\/none does not exist/],
    [],
  ],
  'a path without %, of a folder with a domain\u2019s name': [
    { dkimSign: 'keys/example.com/sel' },
    ['DKIM example.com sel'],
    [rsa('example.com')],
    from('jane@sub.example.com'),
  ],
  '... and mail of another domain': [
    { dkimSign: 'keys/example.com/sel' },
    [/^DKIM unsigned: the key .*keys\/example\.com\/sel is not for example\.org/],
    [],
    from('jane@example.org'),
  ],
  '... and a domain that only ends alike': [
    { dkimSign: 'keys/example.com/sel' },
    [/^DKIM unsigned/],
    [],
    from('jane@badexample.com'),
  ],
  'a path without %, of any folder': [
    { dkimSign: 'keys/open' },
    ['DKIM sub.example.com open'],
    [rsa('sub.example.com', 'open')],
    from('jane@sub.example.com'),
  ],
  'a key that is no key': [
    { dkimSign: 'keys/rubbish' },
    [/^DKIM trouble: the key .*keys\/rubbish cannot be used: it holds no private key/],
    [],
  ],
  'a folder in place of a key': [
    { dkimSign: 'keys/example.com' },
    [/^DKIM trouble: the key .* cannot be used: it is no file/],
    [],
  ],
  'no From': [
    { dkimSign: 'keys/%/sel' },
    ['DKIM malformed: it has no From with an address'],
    [],
    `To: a@example.com\r\n\r\n${BODY}`,
  ],
  'From without an address': [
    { dkimSign: 'keys/%/sel' },
    ['DKIM malformed: it has no From with an address'],
    [],
    from('Jane'),
  ],
  'several domains in From': [
    { dkimSign: 'keys/%/sel' },
    ['DKIM malformed: its From has several domains'],
    [],
    from('jane@example.com, joe@example.org'),
  ],
  'several From of several domains': [
    { dkimSign: 'keys/%/sel' },
    ['DKIM malformed: its From has several domains'],
    [],
    `From: jane@example.org\r\n${MAIL}`,
  ],
  'several addresses of one domain': [
    { dkimSign: 'keys/%/sel' },
    ['DKIM example.com sel'],
    [rsa('example.com')],
    from('jane@example.com, joe@example.com'),
  ],
  'From in UTF-8': [
    { dkimSign: 'keys/open' },
    ['DKIM xn--voil-3na.example open'],
    [rsa('xn--voil-3na.example', 'open')],
    from('jane@voil\xc3\xa0.example'),
  ],
  'From of a domain that is a path': [
    { dkimSign: 'keys/%/sel' },
    [/^DKIM (?:unsigned|malformed)/],
    [],
    from('jane@../../etc'),
  ],
  'a line of dkimkeys': [
    { dkimKeys: keys('example.com:keys/%/sel') },
    ['DKIM example.com sel'],
    [rsa('example.com')],
  ],
  '... before DKIMSIGN': [
    { dkimKeys: keys('example.com:keys/example.com/ed'), dkimSign: 'keys/none' },
    ['DKIM example.com ed'],
    ['pass example.com ed ed25519-sha256'],
  ],
  '... for another domain': [
    { dkimKeys: keys('example.org:keys/none'), dkimSign: 'keys/%/sel' },
    ['DKIM example.com sel'],
    [rsa('example.com')],
  ],
  '... and nothing else': [
    { dkimKeys: keys('example.org:keys/none') },
    ['DKIM unsigned: no key is set for example.com'],
    [],
  ],
  '... for all below, which signs as the domain': [
    { dkimKeys: keys('.example.com:keys/example.com/sel') },
    ['DKIM example.com sel'],
    [rsa('example.com')],
    from('jane@a.b.example.com'),
  ],
  '... for all below, each as itself': [
    { dkimKeys: keys('*.example.com:keys/open') },
    ['DKIM sub.example.com open'],
    [rsa('sub.example.com', 'open')],
    from('jane@sub.example.com'),
  ],
  '... that is missing': [
    { dkimKeys: keys('example.com:keys/none'), dkimSign: 'keys/%/sel' },
    ['DKIM trouble: the key keys/none (dkimkeys:1) does not exist'],
    [],
  ],
  'a second signature': [
    { dkimSign: 'keys/%/sel', words: { extraKey: 'keys/%/ed' } },
    ['DKIM example.com sel', 'DKIM example.com ed'],
    [rsa('example.com'), 'pass example.com ed ed25519-sha256'],
  ],
  '... by a line that signs as the domain above': [
    {
      dkimKeys: keys(
        '.example.com:keys/example.com/sel:DKIMSIGNEXTRA=keys/example.com/ed,DKIMSIGNOPTIONSEXTRA=-c s',
      ),
    },
    ['DKIM example.com sel', 'DKIM example.com ed'],
    [rsa('example.com'), 'pass example.com ed ed25519-sha256'],
    from('jane@sub.example.com'),
  ],
  '... that is not for this domain': [
    { dkimSign: 'keys/%/open', words: { extraKey: 'keys/example.com/ed' } },
    ['DKIM example.org open', /^DKIM unsigned: the key .*ed is not for example\.org/],
    [rsa('example.org', 'open')],
    from('jane@example.org'),
  ],
  '... whose key is missing': [
    { dkimSign: 'keys/%/sel', words: { extraKey: 'keys/none' } },
    ['DKIM example.com sel', /^DKIM trouble: the key keys\/none does not exist/],
    [rsa('example.com')],
  ],
  'DomainKeys alone': [{ dkSign: 'keys/%/sel' }, ['DomainKeys example.com sel'], []],
  'DomainKeys beside DKIM': [
    { dkimSign: 'keys/%/sel', dkSign: 'keys/example.com/sel' },
    ['DKIM example.com sel', 'DomainKeys example.com sel'],
    [rsa('example.com')],
  ],
  'DomainKeys by the domain of a folder': [
    { dkSign: 'keys/example.com/sel' },
    ['DomainKeys example.com sel'],
    [],
    from('jane@sub.example.com'),
  ],
  'DomainKeys of another domain': [
    { dkSign: 'keys/example.com/sel' },
    [/^DomainKeys unsigned: the key .* is not for example\.org/],
    [],
    from('jane@example.org'),
  ],
  'DomainKeys with Ed25519': [{ dkSign: 'keys/%/ed' }, [/^DomainKeys trouble/], []],
};

for (const [name, [order, told, holds = [], text = MAIL]] of Object.entries(CASES)) {
  test(`signing: ${name}`, async () => {
    await writeFile(join(folder.path, 'keys/rubbish'), 'hello\n');
    const signed = await sign(order, text);
    assert.equal(signed.told.length, told.length, signed.told.join('\n'));
    for (const [i, want] of told.entries())
      if (typeof want === 'string') assert.equal(signed.told[i], want);
      else assert.match(signed.told[i] ?? '', want);
    assert.deepEqual(await holding(signed.fields + text), holds);
  });
}

test('a DomainKeys signature beside it verifies, too', async () => {
  const { fields } = await sign({ dkimSign: 'keys/%/sel', dkSign: 'keys/%/sel', dkComment: true });
  const { only } = await verifyDomainKeys(fields + MAIL, NAMES);
  assert.equal(only.result, 'pass', only.detail);
  assert.match(fields, /^DKIM-Signature: [^]*^Comment: [^]*^DomainKey-Signature: /m);
});

test('a key that everybody can read is told', async () => {
  const { results } = await sign({ dkimSign: 'keys/open', dkSign: 'keys/open' });
  for (const result of results)
    assert.equal(
      result.kind === 'signed' && result.note,
      `everybody can read ${join(folder.path, 'keys/open')}`,
    );
  const [quiet] = (await sign({ dkimSign: 'keys/%/sel' })).results;
  assert.equal(quiet?.kind === 'signed' && quiet.note, '');
});

test('an oversigned From: with a second one, the signature breaks', async () => {
  const { fields } = await sign({ dkimSign: 'keys/%/sel' });
  assert.match(fields, /h=from:from:/);
  const [result] = await holding(`From: evil@example.org\r\n${fields}${MAIL}`);
  assert.equal(result, 'fail example.com sel rsa-sha256');
});

const OPTIONS: Readonly<Record<string, readonly [order: Partial<SigningOrder>, shape: RegExp]>> = {
  'a week, and no t=': [{}, new RegExp(`s=sel;\\s+x=${NOW + 604_800};\\s+h=`)],
  'no expiry': [{ words: { expireSeconds: null } }, /s=sel;\r\n\th=/],
  'an hour': [{ words: { expireSeconds: 3600 } }, new RegExp(`x=${NOW + 3600};`)],
  't= and q=': [
    { words: { options: { ...DKIM_SIGN_DEFAULTS, timestamp: true, queryMethod: true } } },
    new RegExp(`q=dns/txt; t=${NOW};`),
  ],
  simple: [
    { words: { options: { ...DKIM_SIGN_DEFAULTS, header: 'simple', body: 'simple' } } },
    /c=simple\/simple/,
  ],
  'an identity': [{ words: { identity: 'postmaster@example.com' } }, /i=postmaster@example\.com/],
  'an identity below': [{ words: { identity: '@Mail.example.com' } }, /i=@Mail\.example\.com/],
  'an identity that does not belong': [{ words: { identity: '@example.org' } }, /^(?![^]*\bi=)/],
  'an identity that only ends alike': [{ words: { identity: '@badexample.com' } }, /^(?![^]*\bi=)/],
  'the identity of a line': [
    {
      dkimKeys: keys('example.com:keys/%/sel:DKIMIDENTITY=a@example.com'),
      words: { identity: 'b@example.com' },
    },
    /i=a@example\.com/,
  ],
  'an algorithm that the key is not for': [
    { words: { options: { ...DKIM_SIGN_DEFAULTS, algorithm: 'ed25519-sha256' } } },
    /a=rsa-sha256/,
  ],
  EXCLUDE_DKIMSIGN: [{ excluded: new Set(['to', 'from', 'received']) }, /h=from:from:subject;/],
};

for (const [name, [order, shape]] of Object.entries(OPTIONS)) {
  test(`options: ${name}`, async () => {
    const { fields, told } = await sign({ dkimSign: 'keys/%/sel', ...order });
    assert.match(fields, shape, told.join());
    assert.deepEqual(await holding(fields + MAIL), [rsa('example.com')]);
  });
}

test('a message whose header is cut is not signed', async () => {
  const order = { ...NOTHING, dkimSign: 'keys/%/sel', dkSign: 'keys/%/sel' };
  const fields = await sign(order, MAIL, { ...place, headerFields: 2 });
  const header = await signMessage(await messageOf(MAIL, 40), order, place);
  for (const results of [fields.results, header.results])
    assert.ok(
      results.every(({ kind }) => kind === 'malformed'),
      results.map(tell).join('\n'),
    );
});

test('a message that cannot be read rejects', async () => {
  const message = await messageOf(MAIL);
  const chunks = () => {
    throw new Error('EIO');
  };
  for (const order of [{ dkimSign: 'keys/%/sel' }, { dkSign: 'keys/%/sel' }])
    await assert.rejects(signMessage({ ...message, chunks }, { ...NOTHING, ...order }, place), /EIO/);
});

test('bodies that are odd', async () => {
  for (const header of ['From: a@example.com\r\n', 'From: a@example.com\r\nTo : b\r\n\tc\r\n'])
    for (const body of ['', '\r\n', '\r\n\r\n\r\n', '\r\nx', '\r\n \t\r\n \r\n', '\r\n\0\xff\r\r\n'])
      for (const c of ['relaxed', 'simple'] as const) {
        const words = { options: { ...DKIM_SIGN_DEFAULTS, header: c, body: c } };
        const { fields } = await sign({ dkimSign: 'keys/%/sel', words }, header + body);
        assert.deepEqual(await holding(fields + header + body), [rsa('example.com')], JSON.stringify(body));
      }
});
