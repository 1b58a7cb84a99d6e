import net from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { ScannerAddress } from '../../src/model/scanner-address.ts';
import { freePort, temporaryFolder } from './processes.ts';

/** What a fake scanner does with one connection. */
export interface Act {
  /** It acts as soon as this says yes to all that came so far; without it at once, before anything has come. */
  readonly when?: (heard: Buffer) => boolean;
  /** What it says then; a string is latin1. */
  readonly say?: string | Buffer;
  /** Each byte in a write of its own. */
  readonly byteWise?: boolean;
  /**
   * And then. `slam`: closes before anybody has had time to read what it said; `hang`: nothing, ever; `drip`: a space every
   * few milliseconds, for ever.
   */
  readonly next: 'end' | 'slam' | 'reset' | 'hang' | 'drip';
  /** It stops reading when it acts. */
  readonly deaf?: boolean;
}

export interface FakeScanner extends AsyncDisposable {
  readonly address: ScannerAddress;
  /** What each connection has brought so far, in order. */
  readonly heard: Buffer[];
  /** Connections open now. */
  open(): number;
  /** Cuts every connection. One that has gone deaf does not see for itself that the other side has gone. */
  hangUp(): void;
}

/** Milliseconds between two bytes of a drip: much less than any deadline of a test. */
const DRIP_MS = 10;

/**
 * A scanner that does as it is told: the first act for the first connection, and so on, the last for all that follow. TCP on
 * a free loopback port, or a Unix socket.
 */
export async function fakeScanner(
  acts: Act | readonly Act[],
  kind: ScannerAddress['kind'] = 'tcp',
): Promise<FakeScanner> {
  const script = Array.isArray(acts) ? (acts as readonly Act[]) : [acts as Act];
  const folder = await temporaryFolder();
  const sockets = new Set<net.Socket>();
  const heard: Buffer[] = [];
  const server = net.createServer({ noDelay: true, allowHalfOpen: true }, socket => {
    const index = heard.push(Buffer.alloc(0)) - 1;
    const act = script[Math.min(index, script.length - 1)] as Act;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    // A half-open connection would stay for ever when the client is gone.
    socket.on('end', () => {
      if (act.deaf !== true && (act.next === 'hang' || act.next === 'drip')) socket.end();
    });
    let acted = false;
    const look = (): void => {
      if (acted || act.when?.(heard[index] as Buffer) === false) return;
      acted = true;
      if (act.deaf === true) socket.pause();
      void perform(socket, act);
    };
    socket.on('data', bytes => {
      heard[index] = Buffer.concat([heard[index] as Buffer, bytes]);
      look();
    });
    look();
  });
  const hangUp = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const path = join(folder.path, 'scanner');
  await new Promise<void>(resolve => {
    if (kind === 'unix') server.listen(path, resolve);
    else server.listen(0, '127.0.0.1', resolve);
  });
  const bound = server.address();
  const port = bound === null || typeof bound === 'string' ? 0 : bound.port;
  return {
    address: kind === 'unix' ? { kind, path } : { kind, host: '127.0.0.1', port },
    heard,
    open: () => sockets.size,
    hangUp,
    [Symbol.asyncDispose]: async () => {
      hangUp();
      await new Promise(resolve => server.close(resolve));
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** An address where nobody listens. */
export async function deadAddress(kind: ScannerAddress['kind'] = 'tcp'): Promise<ScannerAddress> {
  if (kind === 'unix') return { kind, path: '/nonexistent/scanner' };
  return { kind, host: '127.0.0.1', port: await freePort() };
}

async function perform(socket: net.Socket, act: Act): Promise<void> {
  const words = typeof act.say === 'string' ? Buffer.from(act.say, 'latin1') : (act.say ?? Buffer.alloc(0));
  if (act.next === 'slam') {
    socket.write(words);
    socket.destroy();
    return;
  }
  if (act.byteWise === true) {
    for (const byte of words) {
      await new Promise<void>(resolve => void socket.write(Buffer.of(byte), () => resolve()));
      await turn();
    }
  } else if (words.length > 0) {
    await new Promise<void>(resolve => void socket.write(words, () => resolve()));
  }
  switch (act.next) {
    case 'hang':
      return;
    case 'end':
      return void socket.end(() => {
        // clamd closes; with unread bytes that is a reset.
        if (act.deaf === true) socket.destroy();
      });
    case 'reset':
      if (socket.remoteAddress === undefined) socket.destroy();
      else socket.resetAndDestroy();
      return;
    case 'drip': {
      const timer = setInterval(() => socket.write(' '), DRIP_MS);
      socket.once('close', () => clearInterval(timer));
    }
  }
}
