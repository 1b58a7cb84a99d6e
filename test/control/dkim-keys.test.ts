import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Complaints } from '../../src/control/complaints.ts';
import { parseDkimKeys, parseKeyPath } from '../../src/control/dkim-keys.ts';
import { DKIM_SIGN_DEFAULTS } from '../../src/model/dkim-signing.ts';

function read(text: string) {
  const complaints = new Complaints();
  const keys = parseDkimKeys(text, 'dkimkeys', complaints);
  return { keys, errors: complaints.errors, said: complaints.list.map(c => `${c.line}: ${c.text}`) };
}

test('lines with and without variables', () => {
  const { keys, said } = read(
    [
      '# keys',
      'Example.com:/etc/domainkeys/example.com/default',
      '',
      '.below.example:/k/mail:DKIMSIGNOPTIONS=-z 4 -t, DKIMEXPIRE=60,DKIMIDENTITY=a@b.example',
      '*.wild.example:domainkeys/%/s2026.mail:',
      'two.example:/k/a:DKIMSIGNEXTRA=/k/b,DKIMSIGNOPTIONSEXTRA=-z 4,',
    ].join('\n'),
  );
  assert.deepEqual(said, []);
  assert.equal(keys.size, 4);
  const plain = {
    domains: 'example.com',
    path: '/etc/domainkeys/example.com/default',
    signsAs: null,
    words: {},
  };
  assert.deepEqual(keys.find('example.com'), { ...plain, place: 'dkimkeys:2' });
  assert.deepEqual(keys.find('a.b.below.example'), {
    domains: '.below.example',
    path: '/k/mail',
    signsAs: 'below.example',
    words: {
      options: { ...DKIM_SIGN_DEFAULTS, algorithm: 'ed25519-sha256', timestamp: true },
      expireSeconds: 60,
      identity: 'a@b.example',
    },
    place: 'dkimkeys:4',
  });
  assert.equal(keys.find('a.wild.example')?.signsAs, null);
  assert.equal(keys.find('a.wild.example')?.path, 'domainkeys/%/s2026.mail');
  assert.deepEqual(keys.find('two.example')?.words, {
    extraKey: '/k/b',
    extraOptions: { ...DKIM_SIGN_DEFAULTS, algorithm: 'ed25519-sha256' },
  });
  for (const other of ['www.example.com', 'below.example', 'wild.example', 'com', ''])
    assert.equal(keys.find(other), null, other);
});

test('the first line that covers a domain counts; one that never does is warned of', () => {
  const { keys, said } = read(
    [
      'a.example:/k/1',
      '.a.example:/k/2',
      'A.example:/k/3',
      '*.a.example:/k/4',
      'x.a.example:/k/5',
      '.b.a.example:/k/6',
      '*:/k/7',
      'c.example:/k/8',
      '*:/k/9',
    ].join('\n'),
  );
  assert.deepEqual(said, [
    '3: a.example never counts: dkimkeys:1 comes first',
    '4: *.a.example never counts: dkimkeys:2 comes first',
    '5: x.a.example never counts: dkimkeys:2 comes first',
    '6: .b.a.example never counts: dkimkeys:2 comes first',
    '8: c.example never counts: dkimkeys:7 comes first',
    '9: * never counts: dkimkeys:7 comes first',
  ]);
  const paths = ['a.example', 'x.a.example', 'c.example', 'com'].map(domain => keys.find(domain)?.path);
  assert.deepEqual(paths, ['/k/1', '/k/2', '/k/7', '/k/7']);
  const narrow = read('x.a.example:/k/1\n.a.example:/k/2\n*:/k/3\n');
  assert.deepEqual(narrow.said, []);
  assert.deepEqual(
    ['x.a.example', 'y.a.example', 'a.example'].map(domain => narrow.keys.find(domain)?.path),
    ['/k/1', '/k/2', '/k/3'],
  );
});

test('everything that is wrong is said at once', () => {
  const { keys, errors, said } = read(
    [
      'example.com',
      ':/k/s',
      '../x:/k/s',
      'e?.example:/k/s',
      'a.example:',
      'a.example:/k/',
      'a.example:/k/%',
      'a.example:/k/s:DKIMEXPIRE=soon,DKIMSIGNOPTIONS=-z 9,DKIMIDENTITY,DKIMEXPIR=5,constructor=1',
      'b.example:/k/s:DKIMSIGNOPTIONS=-l',
    ].join('\n'),
  );
  const wanted = 'wanted DOMAIN:/PATH/SELECTOR, or with :VARIABLE=VALUE,… behind it';
  const noDomain = (text: string) =>
    `"${text}" is no domain: example.com, .example.com, *.example.com or *; ${wanted}`;
  const variables = 'DKIMSIGNOPTIONS, DKIMIDENTITY, DKIMEXPIRE, DKIMSIGNEXTRA, DKIMSIGNOPTIONSEXTRA';
  assert.deepEqual(said, [
    `1: ${noDomain('')}`,
    `2: ${noDomain('')}`,
    `3: ${noDomain('../x')}`,
    `4: ${noDomain('e?.example')}`,
    `5: there is no path of a key; ${wanted}`,
    `6: "/k/": the name of the file is the selector, and "" cannot be one; ${wanted}`,
    `7: "/k/%": the name of the file is the selector, and "%" cannot be one; ${wanted}`,
    '8: DKIMEXPIRE: "soon" is not a number of seconds from 1 to 315360000, counted from signing, or -',
    '8: DKIMSIGNOPTIONS: -z 9: wanted 1, 2, 3 or 4',
    '8: DKIMIDENTITY has no value; wanted VARIABLE=VALUE',
    `8: DKIMEXPIR means nothing here (did you mean DKIMEXPIRE?); wanted ${variables}`,
    `8: constructor means nothing here; wanted ${variables}`,
    '9: DKIMSIGNOPTIONS: -l: there is no l= tag, which lets anybody add to a message; the whole body is signed',
  ]);
  assert.equal(errors, 10);
  assert.deepEqual(
    keys.lines.map(line => line.domains),
    ['a.example', 'b.example'],
  );
});

test('paths of keys', () => {
  for (const path of ['/etc/domainkeys/%/default', 'default', 'a/../b', '/k/2026.mail_x'])
    assert.deepEqual(parseKeyPath(path), { value: path });
  for (const path of ['', '/', '/k/..', '/k/a b', '/k/%', '/k/-x', `/k/${'a'.repeat(64)}`, '/a\0/k'])
    assert.ok('wanted' in parseKeyPath(path), path);
});

test('any text is read without an exception, and what is found covers what was asked', () => {
  const label = fc.constantFrom('a', 'b', 'com', 'x-y');
  const name = fc.array(label, { minLength: 1, maxLength: 4 }).map(labels => labels.join('.'));
  const line = fc.oneof(
    fc.string(),
    fc
      .tuple(fc.constantFrom('', '.', '*.'), name, fc.string())
      .map(([dot, domain, rest]) => `${dot}${domain}:/k/s:${rest}`),
    fc.constant('*:/k/s'),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), name, (lines, domain) => {
      const { keys } = read(lines.join('\n'));
      const covers = (domains: string) =>
        domains === '*' ||
        domains === domain ||
        (/^\*?\./.test(domains) && domain.endsWith(domains.replace('*', '')));
      assert.equal(keys.find(domain), keys.lines.find(one => covers(one.domains)) ?? null);
    }),
  );
});
