import { isIP } from 'node:net';

/** An address to listen on. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `IP:PORT` or `[IPv6]:PORT`; throws an Error that says what was wanted. Port 0 asks for any free one. */
export function parseListen(entry: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(entry);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3] ?? Number.NaN);
  if (isIP(host) === 0 || !(port <= 65_535)) {
    throw new Error(`"${entry}" is not IP:PORT or [IPv6]:PORT`);
  }
  return { host, port };
}
