/** What the first bytes of a file say about it. */
export interface MagicType {
  /** Media type; the one in widest use where none is registered. */
  readonly type: string;
  /** For the operator. */
  readonly description: string;
  /** Runs by itself, or makes the system run something, when it is opened. */
  readonly program: boolean;
  /** Bytes that stand at `offset`; several alternatives. Empty where `fileType` needs more than that. */
  readonly magic: readonly { readonly offset: number; readonly bytes: Buffer }[];
}

const at = (offset: number, bytes: string) => ({ offset, bytes: Buffer.from(bytes, 'latin1') });

const type = (name: string, description: string, ...magic: MagicType['magic']): MagicType => ({
  type: name,
  description,
  program: false,
  magic,
});

const program = (name: string, description: string, ...magic: MagicType['magic']): MagicType => ({
  ...type(name, description, ...magic),
  program: true,
});

/**
 * Every type that `fileType` can answer, in the order in which they are tried. Sources: the magic database of file(1)
 * 5.46, and the formats' own documents (PE/COFF, APPNOTE.TXT 4.3.7, RFC 1952, RFC 8878, RFC 7763, MS-SHLLINK 2.1,
 * MS-OXTNEF 2.1.3.1, MS-ONESTORE 2.3.1, ECMA-119).
 */
export const FILE_TYPES: readonly MagicType[] = [
  program('application/x-dosexec', 'Windows or DOS program'),
  program('application/x-executable', 'ELF program', at(0, '\x7fELF')),
  program(
    'application/x-mach-binary',
    'Mach-O program',
    at(0, '\xfe\xed\xfa\xce'),
    at(0, '\xfe\xed\xfa\xcf'),
    at(0, '\xce\xfa\xed\xfe'),
    at(0, '\xcf\xfa\xed\xfe'),
  ),
  program('application/java-vm', 'Java class'),
  program('application/x-ms-shortcut', 'Windows shortcut', at(0, 'L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0')),
  program('application/vnd.ms-htmlhelp', 'Windows help (CHM)', at(0, 'ITSF\x03\0\0\0')),
  program('application/x-shellscript', 'script', at(0, '#!/'), at(0, '#! /'), at(0, '\xef\xbb\xbf#!/')),
  type('application/zip', 'ZIP', at(0, 'PK\x03\x04'), at(0, 'PK\x05\x06'), at(0, 'PK\x07\x08')),
  type('application/x-rar', 'RAR', at(0, 'Rar!\x1a\x07\0'), at(0, 'Rar!\x1a\x07\x01\0'), at(0, 'RE~^')),
  type('application/x-7z-compressed', '7-Zip', at(0, "7z\xbc\xaf'\x1c")),
  type('application/gzip', 'gzip', at(0, '\x1f\x8b\x08')),
  type('application/x-bzip2', 'bzip2'),
  type('application/x-xz', 'xz', at(0, '\xfd7zXZ\0')),
  type('application/zstd', 'Zstandard', at(0, '\x28\xb5\x2f\xfd')),
  type('application/x-lzip', 'lzip', at(0, 'LZIP\x01')),
  type('application/x-compress', 'compress (.Z)', at(0, '\x1f\x9d')),
  type('application/x-lzh', 'LHA'),
  type('application/x-arj', 'ARJ'),
  type('application/x-ace', 'ACE', at(7, '**ACE**')),
  type('application/vnd.ms-cab-compressed', 'Microsoft cabinet', at(0, 'MSCF\0\0\0\0'), at(0, 'ISc(')),
  type('application/x-ms-wim', 'Windows image', at(0, 'MSWIM\0\0\0')),
  type('application/x-vhd', 'virtual disk (VHD)', at(0, 'conectix')),
  type('application/x-vhdx', 'virtual disk (VHDX)', at(0, 'vhdxfile')),
  type('application/x-xar', 'XAR', at(0, 'xar!\0\x1c')),
  type('application/x-archive', 'ar, or Debian package', at(0, '!<arch>\n')),
  type('application/x-rpm', 'RPM package', at(0, '\xed\xab\xee\xdb')),
  type(
    'application/x-cpio',
    'cpio',
    at(0, '070701'),
    at(0, '070702'),
    at(0, '070707'),
    at(0, '\xc7\x71'),
    at(0, '\x71\xc7'),
  ),
  type('application/x-tar', 'tar', at(257, 'ustar')),
  type('application/x-ole-storage', 'OLE2: old Office, MSI, MSG', at(0, '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1')),
  type(
    'application/onenote',
    'OneNote',
    at(0, '\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3'),
  ),
  type('application/ms-tnef', 'TNEF (winmail.dat)', at(0, '\x78\x9f\x3e\x22')),
  type('application/rtf', 'RTF', at(0, '{\\rt')),
  type('application/pdf', 'PDF'),
  type('application/postscript', 'PostScript', at(0, '%!PS'), at(0, '\x04%!PS')),
  type('image/png', 'PNG', at(0, '\x89PNG\r\n\x1a\n')),
  type('image/jpeg', 'JPEG', at(0, '\xff\xd8\xff')),
  type('image/gif', 'GIF', at(0, 'GIF87a'), at(0, 'GIF89a')),
  type('image/bmp', 'Windows bitmap'),
  type('image/tiff', 'TIFF', at(0, 'II*\0'), at(0, 'MM\0*')),
  type('image/webp', 'WebP', at(8, 'WEBP')),
  type('audio/mpeg', 'MP3', at(0, 'ID3')),
  type('application/ogg', 'Ogg', at(0, 'OggS')),
  type('video/mp4', 'MP4, MOV', at(4, 'ftyp')),
  type('application/xml', 'XML', at(0, '<?xml ')),
  type('text/html', 'HTML'),
];

const BY_NAME = new Map(FILE_TYPES.map(it => [it.type, it]));

/** True for types of `FILE_TYPES` that are programs. */
export function isProgramType(name: string): boolean {
  return BY_NAME.get(name)?.program === true;
}

/** What an operator calls a type of `FILE_TYPES`; other types as they are. */
export function typeDescription(name: string): string {
  return BY_NAME.get(name)?.description ?? name;
}
