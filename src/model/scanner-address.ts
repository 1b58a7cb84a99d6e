/** Where a scanner listens. */
export type ScannerAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** `sun_path` of Linux holds 108 bytes, the final NUL among them (unix(7)). */
const MAX_PATH = 107;
const MAX_HOST = 253;

const FORMS = '/PATH, unix:/PATH, HOST:PORT or [IPv6]:PORT';

/**
 * Reads one address of a setting: `/path/of/socket`, `unix:/path/of/socket`, `host:port` (a name or an IPv4 address) or
 * `[IPv6]:port`. Anything else is told what was wanted; a missing port is not made up, because each scanner has another.
 */
export function parseScannerAddress(
  text: string,
): { readonly value: ScannerAddress } | { readonly wanted: string } {
  const path = text.startsWith('unix:') ? text.slice('unix:'.length) : text;
  if (path.startsWith('/')) {
    if (!/^[!-~]+$/.test(path))
      return { wanted: `"${text}" is not a path of printable ASCII without blanks` };
    if (path.length > MAX_PATH)
      return { wanted: `"${text}" is longer than a socket's path may be (${MAX_PATH} bytes)` };
    return { value: { kind: 'unix', path } };
  }
  const parts = /^(?:\[([^\]]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text);
  const [, six, name, digits] = parts ?? [];
  const host = six ?? name ?? '';
  const port = Number(digits);
  if (!(six === undefined ? isNameOrIpv4(host) : isIpv6(host)))
    return { wanted: `"${text}" is not ${FORMS}` };
  if (port < 1 || port > 65_535) return { wanted: `"${text}": the port is not from 1 to 65535` };
  return { value: { kind: 'tcp', host, port } };
}

/** An address as `parseScannerAddress` reads it, in its shortest form. */
export function showScannerAddress(address: ScannerAddress): string {
  if (address.kind === 'unix') return address.path;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function isNameOrIpv4(host: string): boolean {
  if (host.length > MAX_HOST) return false;
  const labels = host.split('.');
  if (labels.every(label => /^[0-9]+$/.test(label)))
    return labels.length === 4 && labels.every(label => label.length <= 3 && Number(label) <= 255);
  return labels.every(label => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label));
}

/** RFC 4291 section 2.2, with the zone of RFC 4007 (`fe80::1%eth0`). */
function isIpv6(host: string): boolean {
  const [address = '', zone, ...more] = host.split('%');
  if (more.length > 0 || (zone !== undefined && !/^[\w.-]+$/.test(zone))) return false;
  const halves = address.split('::');
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [index, half] of halves.entries()) {
    if (half === '') continue;
    const words = half.split(':');
    const last = words.at(-1) ?? '';
    if (last.includes('.') && index === halves.length - 1) {
      if (!/^[0-9.]+$/.test(last) || !isNameOrIpv4(last)) return false;
      words.pop();
      groups += 2;
    }
    if (!words.every(word => /^[0-9a-f]{1,4}$/i.test(word))) return false;
    groups += words.length;
  }
  return halves.length === 2 ? groups <= 7 : groups === 8;
}
