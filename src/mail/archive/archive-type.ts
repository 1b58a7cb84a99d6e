import type { FileName } from '../../model/mime.ts';

/** The types that are archives, and the extensions that promise them. */
const EXTENSIONS: Readonly<Record<string, string>> = {
  'application/zip':
    'zip zipx jar war ear aar apk ipa xpi crx epub kmz whl nupkg vsix appx msix cbz idml 3mf ' +
    'docx docm dotx dotm xlsx xlsm xlsb xltx xltm xlam pptx pptm potx potm ppsx ppsm ppam sldx sldm thmx vsdx vsdm ' +
    'xps oxps odt ods odp odg odf odb odc ott ots otp otg sxw sxc sxi sxd',
  'application/x-rar': 'rar cbr',
  'application/x-7z-compressed': '7z cb7',
  'application/gzip': 'gz tgz svgz',
  'application/x-bzip2': 'bz2 tbz tbz2',
  'application/x-xz': 'xz txz',
  'application/zstd': 'zst tzst',
  'application/x-lzip': 'lz tlz',
  'application/x-compress': 'z taz',
  'application/x-tar': 'tar',
  'application/vnd.ms-cab-compressed': 'cab',
  'application/x-arj': 'arj',
  'application/x-lzh': 'lzh lha',
  'application/x-ace': 'ace',
  'application/x-ms-wim': 'wim',
  'application/x-vhd': 'vhd',
  'application/x-vhdx': 'vhdx',
  'application/x-xar': 'xar',
  'application/x-archive': 'deb',
  'application/x-rpm': 'rpm',
  'application/x-cpio': 'cpio',
  'application/x-iso9660-image': 'iso img udf',
};

const TYPE_OF_EXTENSION: ReadonlyMap<string, string> = new Map(
  Object.entries(EXTENSIONS).flatMap(([type, list]) => list.split(' ').map(extension => [extension, type])),
);

/** What a program is, which may have an archive behind it. */
const PROGRAM = 'application/x-dosexec';

/** What Office encrypts under the names of its zip formats is OLE2 (MS-OFFCRYPTO 2.3), and no zip. */
const OLE2 = 'application/x-ole-storage';

/** The first of several disks may begin with this (APPNOTE 8.5.4). */
const SPANNED = Buffer.from('PK00PK\x03\x04', 'latin1');

/** What a file is taken for. */
export interface ArchiveType {
  /** Media type. */
  readonly type: string;
  /** The leading bytes say so, not the name alone. */
  readonly certain: boolean;
  /** A program stands in front, and an archive may be behind it. */
  readonly program: boolean;
}

/**
 * What archive a file is, by its leading bytes, of which `magic` is what `fileType` says, and else by its names; null
 * when nothing says that it is one.
 */
export function archiveType(
  names: readonly FileName[],
  leading: Buffer,
  magic: string | null,
): ArchiveType | null {
  if (magic !== null && Object.hasOwn(EXTENSIONS, magic))
    return { type: magic, certain: true, program: false };
  if (magic === PROGRAM) return { type: 'application/zip', certain: false, program: true };
  if (leading.subarray(0, SPANNED.length).equals(SPANNED)) {
    return { type: 'application/zip', certain: true, program: false };
  }
  const type = archiveNameType(names);
  if (type === null || (type === 'application/zip' && magic === OLE2)) return null;
  return { type, certain: false, program: false };
}

/** What archive one of the names promises; null when none does. Trailing dots and blanks are nothing to Windows. */
export function archiveNameType(names: readonly FileName[]): string | null {
  for (const { text } of names) {
    const extension = /\.([a-z0-9]{1,5})[\s.]*$/i.exec(text.slice(-64))?.[1];
    const type = extension === undefined ? undefined : TYPE_OF_EXTENSION.get(extension.toLowerCase());
    if (type !== undefined) return type;
  }
  return null;
}
