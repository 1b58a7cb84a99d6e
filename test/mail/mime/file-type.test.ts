import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { fileType, magicAnomaly } from '../../../src/mail/mime/file-type.ts';
import { FILE_TYPES, isProgramType, typeDescription } from '../../../src/mail/mime/file-types.ts';
import type { FileName } from '../../../src/model/mime.ts';
import { tnef } from '../../support/tnef-writer.ts';

const latin1 = (text: string) => Buffer.from(text, 'latin1');

/** A Windows program: DOS header with the offset of the PE header. */
function windowsProgram(peOffset: number): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.write('MZ');
  bytes.writeUInt16LE(0x90, 2);
  bytes.writeUInt32LE(peOffset, 0x3c);
  bytes.write('PE\0\0', peOffset);
  return bytes;
}

function at(offset: number, text: string): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.write(text, offset, 'latin1');
  return bytes;
}

const CASES: readonly [name: string, bytes: Buffer, type: string | null][] = [
  ['a Windows program', windowsProgram(0x80), 'application/x-dosexec'],
  [
    'a Windows program whose PE header lies further on',
    windowsProgram(0x80).subarray(0, 0x60),
    'application/x-dosexec',
  ],
  [
    'a small DOS program',
    Buffer.concat([latin1('MZ\x20\0\x01\0'), Buffer.alloc(26)]),
    'application/x-dosexec',
  ],
  [
    'text that begins with MZ',
    latin1('MZ is a text of two letters and more, and it goes on and on for a while.\n'.repeat(9)),
    null,
  ],
  ['MZ alone', latin1('MZ'), null],
  ['this Node', readFileSync(process.execPath).subarray(0, 512), 'application/x-executable'],
  ['Mach-O', latin1('\xcf\xfa\xed\xfe\x07\0\0\x01'), 'application/x-mach-binary'],
  ['Mach-O for two processors', latin1('\xca\xfe\xba\xbe\0\0\0\x02'), 'application/x-mach-binary'],
  ['a Java class', latin1('\xca\xfe\xba\xbe\0\0\0\x34'), 'application/java-vm'],
  ['a shortcut', latin1('L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F'), 'application/x-ms-shortcut'],
  ['CHM', latin1('ITSF\x03\0\0\0\x60\0\0\0'), 'application/vnd.ms-htmlhelp'],
  ['a script', latin1('#!/bin/sh\n'), 'application/x-shellscript'],
  ['zip', latin1('PK\x03\x04\x14\0'), 'application/zip'],
  ['an empty zip', latin1(`PK\x05\x06${'\0'.repeat(18)}`), 'application/zip'],
  ['RAR 4', latin1('Rar!\x1a\x07\0'), 'application/x-rar'],
  ['RAR 5', latin1('Rar!\x1a\x07\x01\0'), 'application/x-rar'],
  ['7-Zip', latin1("7z\xbc\xaf'\x1c\0\x04"), 'application/x-7z-compressed'],
  ['gzip', gzipSync('x'), 'application/gzip'],
  ['bzip2', latin1('BZh91AY&SY'), 'application/x-bzip2'],
  ['an empty bzip2', latin1('BZh9\x17rE8P\x90\0\0\0\0'), 'application/x-bzip2'],
  ['text that begins with BZh', latin1('BZh9 is no archive'), null],
  ['xz', latin1('\xfd7zXZ\0\0\x04'), 'application/x-xz'],
  ['Zstandard', zstdCompressSync('x'), 'application/zstd'],
  ['LHA', latin1('\x20\xf5-lh5-\0\0'), 'application/x-lzh'],
  ['ARJ', latin1('\x60\xea\x29\0\x22\x0b\x01\x0b\x10\0\x02'), 'application/x-arj'],
  ['ACE', at(7, '**ACE**'), 'application/x-ace'],
  ['cabinet', latin1('MSCF\0\0\0\0\x2c'), 'application/vnd.ms-cab-compressed'],
  ['Windows image', latin1('MSWIM\0\0\0\xd0'), 'application/x-ms-wim'],
  ['virtual disk', latin1('conectix\0\0\0\x02'), 'application/x-vhd'],
  ['ar', latin1('!<arch>\ndebian-binary'), 'application/x-archive'],
  ['cpio', latin1('070701000'), 'application/x-cpio'],
  ['tar', at(257, 'ustar\x0000'), 'application/x-tar'],
  ['OLE2', latin1('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0'), 'application/x-ole-storage'],
  ['OneNote', Buffer.from('e4525c7b8cd8a74daeb15378d02996d3', 'hex'), 'application/onenote'],
  ['TNEF', tnef([]), 'application/ms-tnef'],
  ['RTF', latin1('{\\rtf1\\ansi'), 'application/rtf'],
  ['PDF', latin1('%PDF-1.7\n'), 'application/pdf'],
  ['PDF behind junk', latin1('junk\r\n%PDF-1.7\n'), 'application/pdf'],
  ['PNG', latin1('\x89PNG\r\n\x1a\n\0'), 'image/png'],
  ['JPEG', latin1('\xff\xd8\xff\xe0\0'), 'image/jpeg'],
  ['GIF', latin1('GIF89a\x01\0'), 'image/gif'],
  ['HTML', latin1('\r\n<!DOCTYPE html>\n'), 'text/html'],
  ['HTML behind a byte order mark', latin1('\xef\xbb\xbf<HTML>'), 'text/html'],
  ['XML', latin1('<?xml version="1.0"?>'), 'application/xml'],
  ['text', latin1('Hello,\n\nthis is text.\n'), null],
  ['zlib without a wrapper', deflateSync('x'), null],
  ['nothing', Buffer.alloc(0), null],
];

for (const [name, bytes, type] of CASES) {
  test(`${name}: ${type}`, () => {
    assert.equal(fileType(bytes), type);
  });
}

test('every type is listed once and can be named', () => {
  const types = FILE_TYPES.map(it => it.type);
  assert.equal(new Set(types).size, types.length);
  for (const type of types) assert.notEqual(typeDescription(type), type);
  assert.equal(typeDescription('x/y'), 'x/y');
  assert.equal(isProgramType('application/x-dosexec'), true);
  assert.equal(isProgramType('application/zip'), false);
  assert.equal(isProgramType('constructor'), false);
});

const PROGRAM = 'application/x-dosexec';
const ANOMALIES: readonly [magic: string | null, name: string, type: string, odd: boolean][] = [
  [PROGRAM, 'photo.jpg', 'image/jpeg', true],
  [PROGRAM, 'photo.jpg', 'application/octet-stream', true],
  [PROGRAM, 'photo.jpg. ', 'application/octet-stream', true],
  [PROGRAM, '', 'image/png', true],
  [PROGRAM, 'e.exe', 'image/png', true],
  [PROGRAM, 'e.exe', 'application/octet-stream', false],
  [PROGRAM, 'e.exe', 'application/x-msdownload', false],
  [PROGRAM, 'driver.bin', 'application/octet-stream', false],
  [PROGRAM, '', 'application/octet-stream', false],
  ['application/x-ms-shortcut', 'invoice.pdf', 'application/pdf', true],
  ['application/x-executable', 'notes.txt', 'text/plain', true],
  ['application/x-shellscript', 'build.txt', 'text/plain', false],
  ['application/x-shellscript', 'photo.jpg', 'image/jpeg', true],
  ['application/zip', 'photo.jpg', 'image/jpeg', false],
  [null, 'photo.jpg', 'image/jpeg', false],
];

for (const [magic, name, type, odd] of ANOMALIES) {
  test(`${magic} as ${type} '${name}' is ${odd ? 'odd' : 'fine'}`, () => {
    const names: FileName[] = name === '' ? [] : [{ text: name, raw: name, source: 'filename' }];
    assert.equal(magicAnomaly(magic, names, type)?.rule, odd ? 'MIME_MAGIC_DIFFERS' : undefined);
  });
}

test('any leading bytes: an answer of the table, or none', () => {
  const known = new Set<string | null>([null, ...FILE_TYPES.map(it => it.type)]);
  const start = fc.constantFrom(...CASES.map(it => it[1].subarray(0, 80)));
  fc.assert(
    fc.property(start, fc.nat(80), fc.uint8Array({ maxLength: 80 }), (bytes, cut, tail) => {
      assert.ok(known.has(fileType(Buffer.concat([bytes.subarray(0, cut), tail]))));
    }),
    { numRuns: 1000 },
  );
});
