import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { run } from '../../support/processes.ts';
import { zip } from '../../support/zip-writer.ts';
import { consumed, seen, spoolFolder } from './reading.ts';
import { pax, tar } from './tar-writer.ts';

const LONG = `${'d/'.repeat(60)}e.exe`;
const EXE = { name: 'e.exe', data: 'MZ' };
const END = Buffer.alloc(1024);

const tars: readonly [what: string, file: Buffer, names: readonly string[], states: readonly string[]][] = [
  ['files and folders', tar([EXE, { name: 'd/', kind: '5' }]), ['e.exe', 'd/'], ['read']],
  ['v7', tar([{ ...EXE, old: true }]), ['e.exe'], ['read']],
  ['a prefix', tar([{ ...EXE, prefix: 'a/b' }]), ['a/b/e.exe'], ['read']],
  ['GNU’s long name', tar([{ name: LONG }]), [`${LONG}|${LONG.slice(0, 100)}`], ['read']],
  ['a path of pax', tar([pax('20 path=d/other.exe\n11 a=1234\n'), EXE]), ['d/other.exe|e.exe'], ['read']],
  ['a broken path of pax', tar([pax('9999 path=x.exe'), EXE]), ['x.exe|e.exe'], ['read']],
  ['a size in binary', tar([{ ...EXE, binarySize: true }, EXE]), ['e.exe', 'e.exe'], ['read']],
  ['a signed checksum', tar([{ ...EXE, name: '\xe4.exe', checksum: 'signed' }]), ['Σ.exe'], ['read']],
  [
    'a zip inside',
    tar([{ name: 'b', data: zip([EXE]).toString('latin1') }]),
    ['b', 'b > e.exe'],
    ['read', 'b: read'],
  ],
  [
    'behind the end mark',
    Buffer.concat([tar([EXE]), tar([{ name: 'f.exe' }])]),
    ['e.exe', 'f.exe'],
    ['read'],
  ],
  ['without end mark', tar([EXE]).subarray(0, 1024), ['e.exe'], ['read']],
  ['a link with a size', tar([{ name: 'l', kind: '2', size: 512 }, EXE]), ['l', 'e.exe'], ['read']],
  ['zeros', Buffer.alloc(10240), [], ['read']],
  [
    'a damaged header between others',
    tar([EXE, { name: 'x', checksum: 'wrong' }, { name: 'f.exe' }]),
    ['e.exe', 'f.exe'],
    ['unreadable (a damaged header)'],
  ],
  [
    'an entry beyond the end',
    tar([EXE, { name: 'f.exe', size: 99_999 }]),
    ['e.exe', 'f.exe'],
    ['unreadable (an entry is cut off, an entry is damaged)'],
  ],
  ['no tar', Buffer.from('text '.repeat(200)), [], ['unreadable (no archive of this type)']],
];

for (const [what, file, names, states] of tars) {
  test(`tar: ${what}`, async () => assert.deepEqual(await seen(file, { name: 'a.tar' }), { names, states }));
}

/** A gzip file with a name, a comment and an extra field in its header. */
function named(name: string, data: Buffer): Buffer {
  const file = gzipSync(data);
  file.writeUInt8(4 + 8 + 16 + 2, 3);
  const fields = Buffer.from(`\x03\0abc${name}\0a comment\0\x12\x34`, 'latin1');
  return Buffer.concat([file.subarray(0, 10), fields, file.subarray(10)]);
}

const gzips: readonly [
  what: string,
  name: string,
  file: Buffer,
  names: readonly string[],
  states: readonly string[],
][] = [
  ['a file', 'e.exe.gz', gzipSync('MZ'), ['e.exe'], ['read']],
  ['another name in the header', 'a.gz', named('e.exe', Buffer.from('MZ')), ['e.exe|a'], ['read']],
  ['a Latin-1 name', 'a', named('\xe4.exe', Buffer.from('MZ')), ['ä.exe'], ['read']],
  ['no name at all', '', gzipSync('text'), [''], ['read']],
  ['a tar', 'a.tgz', gzipSync(tar([EXE])), ['a.tar', 'a.tar > e.exe'], ['read', 'a.tar: read']],
  [
    'in pieces, one behind the other',
    'a.tar.gz',
    Buffer.concat([gzipSync(tar([EXE]).subarray(0, 700)), gzipSync(tar([EXE]).subarray(700))]),
    ['a.tar', 'a.tar > e.exe'],
    ['read', 'a.tar: read'],
  ],
  [
    'cut off',
    'a.tar.gz',
    gzipSync(Buffer.concat([tar([{ ...EXE, data: randomBytes(90_000).toString('latin1') }]), END])).subarray(
      0,
      80_000,
    ),
    ['a.tar', 'a.tar > e.exe'],
    ['unreadable (an entry is damaged)', 'a.tar: unreadable (an entry is cut off, an entry is damaged)'],
  ],
  ['no gzip', 'a.gz', Buffer.from('text'), [], ['unreadable (no archive of this type)']],
  [
    'no deflated data',
    'a.gz',
    Buffer.concat([gzipSync('').subarray(0, 10), Buffer.alloc(30, 0xff)]),
    ['a'],
    ['unreadable (an entry is damaged)'],
  ],
];

for (const [what, name, file, names, states] of gzips) {
  test(`gzip: ${what}`, async () => assert.deepEqual(await seen(file, { name }), { names, states }));
}

const others: readonly [name: string, leading: string, state: string][] = [
  ['a.7z', "7z\xbc\xaf'\x1c", 'application/x-7z-compressed unsupported'],
  ['a.dat', "7z\xbc\xaf'\x1c", 'application/x-7z-compressed unsupported'],
  ['a.zip', '\xfd7zXZ\0', 'application/x-xz unsupported'],
  ['a.cab', 'MSCF\0\0\0\0', 'application/vnd.ms-cab-compressed unsupported'],
  ['a.xz', '\xfd7zXZ\0', 'application/x-xz unsupported'],
  ['a.iso', '', 'application/x-iso9660-image unsupported'],
  ['a.ISO. ', '', 'application/x-iso9660-image unsupported'],
];

for (const [name, leading, state] of others) {
  test(`recognised: ${JSON.stringify(leading)} as ${name}`, async () => {
    const found = await consumed(Buffer.concat([Buffer.from(leading, 'latin1'), END]), { name });
    assert.deepEqual(
      found?.archives.map(archive => `${archive.type} ${archive.state}`),
      [state],
    );
    assert.deepEqual(found?.members, []);
  });
}

test('what real programs pack', async t => {
  const folder = await spoolFolder(t);
  await mkdir(join(folder, LONG.slice(0, -6)), { recursive: true });
  await writeFile(join(folder, LONG), 'MZ');
  await writeFile(join(folder, 'a.txt'), 'text '.repeat(1000));
  const pack = async (file: string, command: string, ...args: string[]) => {
    const done = await run(command, args, { cwd: folder });
    assert.equal(done.code, 0, `${command} ${args.join(' ')}: ${done.stderr.toString()}`);
    return { name: file, bytes: await readFile(join(folder, file)) };
  };
  const files = [
    await pack('gnu.tar', 'tar', '--format=gnu', '-cf', 'gnu.tar', 'a.txt', LONG),
    await pack('pax.tar', 'tar', '--format=pax', '-cf', 'pax.tar', 'a.txt', LONG),
    await pack('ustar.tgz', 'tar', '--format=ustar', '-czf', 'ustar.tgz', 'a.txt', LONG),
    await pack('a.zip', 'zip', '-q', 'a.zip', 'a.txt', LONG),
    await pack('stored.zip', 'zip', '-q', '-0', 'stored.zip', 'a.txt', LONG),
    await pack('streamed.zip', 'sh', '-c', 'zip -q - "$@" | cat > streamed.zip', 'sh', 'a.txt', LONG),
    await pack('large.zip', 'zip', '-q', '-fz', 'large.zip', 'a.txt', LONG),
    await pack('secret.zip', 'zip', '-q', '-P', 'secret', 'secret.zip', 'a.txt', LONG),
    await pack('in.zip', 'zip', '-q', 'in.zip', 'a.zip', 'ustar.tgz', 'secret.zip'),
  ];
  for (const { name, bytes } of files) {
    const found = await seen(bytes, { name });
    const names = found?.names.map(one => one.replace(/\|.*$/, '').replace(/^.* > /, '')) ?? [];
    assert.ok(names.includes(LONG) && names.includes('a.txt'), `${name}: ${names.join(' ')}`);
    const states = found?.states.map(state => state.replace(/^.*: /, '')) ?? [];
    assert.ok(
      states.every(state => state === 'read' || state === 'encrypted'),
      `${name}: ${states.join(' ')}`,
    );
    assert.equal(states.includes('encrypted'), /secret|in\.zip/.test(name), name);
  }
});
