import { isIP } from 'node:net';

/** The client that a proxy speaks for. `local`: the proxy speaks for itself (health checks). */
export type ProxyResult =
  | {
      readonly kind: 'client';
      readonly ip: string;
      readonly port: number;
      readonly localIp: string;
      readonly localPort: number;
      readonly rest: Buffer;
    }
  | { readonly kind: 'local'; readonly rest: Buffer }
  | { readonly kind: 'more' }
  | { readonly kind: 'bad'; readonly text: string };

const V2_SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
/** The longest v1 line, CRLF included (proxy-protocol.txt 2.1). */
const V1_MAX = 107;
/** Room for addresses and TLVs; HAProxy itself sends less than 600 bytes. */
const V2_MAX = 4096;

/**
 * Reads a PROXY protocol header, version 1 or 2 (HAProxy, proxy-protocol.txt), from the beginning of a connection.
 * `more` while it is incomplete.
 */
export function parseProxyHeader(bytes: Buffer): ProxyResult {
  const common = Math.min(bytes.length, V2_SIGNATURE.length);
  if (bytes.subarray(0, common).equals(V2_SIGNATURE.subarray(0, common))) {
    return bytes.length < 16 ? { kind: 'more' } : version2(bytes);
  }
  return version1(bytes);
}

function version1(bytes: Buffer): ProxyResult {
  const start = Buffer.from('PROXY ');
  const common = Math.min(bytes.length, start.length);
  if (!bytes.subarray(0, common).equals(start.subarray(0, common)))
    return { kind: 'bad', text: 'no PROXY header' };
  const end = bytes.subarray(0, V1_MAX).indexOf('\r\n');
  if (end < 0)
    return bytes.length >= V1_MAX ? { kind: 'bad', text: 'PROXY line too long' } : { kind: 'more' };
  const rest = bytes.subarray(end + 2);
  const [, family, ip, localIp, port, localPort, ...extra] = bytes.toString('latin1', 0, end).split(' ');
  if (family === 'UNKNOWN') return { kind: 'local', rest };
  const version = family === 'TCP4' ? 4 : family === 'TCP6' ? 6 : 0;
  if (version === 0 || extra.length > 0 || isIP(ip ?? '') !== version || isIP(localIp ?? '') !== version) {
    return { kind: 'bad', text: 'malformed PROXY line' };
  }
  const ports = [port, localPort].map(text => (/^[0-9]{1,5}$/.test(text ?? '') ? Number(text) : 65_536));
  if (ports.some(n => n > 65_535)) return { kind: 'bad', text: 'malformed port in PROXY line' };
  return {
    kind: 'client',
    ip: ip as string,
    port: ports[0] as number,
    localIp: localIp as string,
    localPort: ports[1] as number,
    rest,
  };
}

function version2(bytes: Buffer): ProxyResult {
  const versionAndCommand = bytes.readUInt8(12);
  const length = bytes.readUInt16BE(14);
  if (versionAndCommand >> 4 !== 2) return { kind: 'bad', text: 'unknown PROXY version' };
  if (length > V2_MAX) return { kind: 'bad', text: 'PROXY header too long' };
  if (bytes.length < 16 + length) return { kind: 'more' };
  const rest = bytes.subarray(16 + length);
  const command = versionAndCommand & 15;
  if (command === 0) return { kind: 'local', rest };
  if (command !== 1) return { kind: 'bad', text: 'unknown PROXY command' };
  const family = bytes.readUInt8(13);
  const at = bytes.subarray(16, 16 + length);
  if (family === 0x11 && length >= 12) {
    const v4 = (from: number) => at.subarray(from, from + 4).join('.');
    return {
      kind: 'client',
      ip: v4(0),
      localIp: v4(4),
      port: at.readUInt16BE(8),
      localPort: at.readUInt16BE(10),
      rest,
    };
  }
  if (family === 0x21 && length >= 36) {
    const v6 = (from: number) =>
      Array.from({ length: 8 }, (_, i) => at.readUInt16BE(from + i * 2).toString(16)).join(':');
    return {
      kind: 'client',
      ip: v6(0),
      localIp: v6(16),
      port: at.readUInt16BE(32),
      localPort: at.readUInt16BE(34),
      rest,
    };
  }
  if (family === 0x00) return { kind: 'local', rest };
  return { kind: 'bad', text: 'PROXY header for something other than TCP' };
}
