import net from 'node:net';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';

/**
 * What the server does at a command: say this (lines without the final CRLF), or
 * `hang` (nothing, ever), `close` (without a word), `reset` (TCP reset), or say something and then close.
 */
export type Act =
  | string
  | { readonly do: 'hang' | 'close' | 'reset' }
  | { readonly say: string; readonly next: 'close' | 'hang' }
  /** Bytes as they are, no CRLF added, and then nothing ever. */
  | { readonly raw: string };

export const HANG: Act = { do: 'hang' };
export const CLOSE: Act = { do: 'close' };
export const RESET: Act = { do: 'reset' };

/** What happens at each verb: one act for ever, or a list used up one by one (over all connections), its last for ever. */
export type Script = Readonly<Record<string, Act | readonly Act[]>>;

export interface ScriptedServer {
  readonly port: number;
  readonly path: string | null;
  /** Command lines as they came, all connections in order of arrival. */
  readonly commands: string[];
  /** What each read from the socket brought; shows which commands came in one write. */
  readonly reads: string[];
  /** Messages as they came, stuffed, up to and without the final `.` line. */
  readonly messages: Buffer[];
  connections: number;
  /** Connections open now. */
  open: number;
  /** Writes to every open connection, out of turn. */
  shout(text: string): void;
  hangUp(): void;
  /** Stops and starts reading. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

export interface ScriptOptions {
  readonly protocol?: 'smtp' | 'lmtp';
  /** Keywords of the EHLO reply. */
  readonly offers?: readonly string[];
  /** Replies leave one byte at a time. */
  readonly byteWise?: boolean;
  /** Serve on this Unix socket. */
  readonly path?: string;
  /** Stop reading once the data begin. */
  readonly pauseAtData?: boolean;
  readonly tls?: { readonly key: string; readonly cert: string };
}

const OFFERS = ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'SIZE 0', 'ENHANCEDSTATUSCODES'];
const END = Buffer.from('\r\n.\r\n');

/** A mail server that behaves well except where the script says otherwise. */
export async function scriptedServer(
  script: Script = {},
  options: ScriptOptions = {},
): Promise<ScriptedServer> {
  const used = new Map<string, number>();
  const sockets = new Set<net.Socket>();
  const lmtp = options.protocol === 'lmtp';

  const actFor = (verb: string, usual: Act): Act => {
    const acts = script[verb];
    if (acts === undefined) return usual;
    if (!Array.isArray(acts)) return acts as Act;
    const n = used.get(verb) ?? 0;
    used.set(verb, n + 1);
    return (acts as readonly Act[])[Math.min(n, acts.length - 1)] ?? usual;
  };

  const server = net.createServer({ noDelay: true }, raw => {
    self.connections++;
    self.open++;
    sockets.add(raw);
    raw.on('close', () => {
      self.open--;
      sockets.delete(raw);
    });
    serve(raw);
  });

  function serve(first: net.Socket): void {
    let socket = first;
    let pending: Buffer = Buffer.alloc(0);
    let data: Buffer[] = [];
    let inData = false;
    let accepted = 0;
    let hung = false;
    let queue = Promise.resolve();

    const say = (text: string): void => {
      const target = socket;
      if (!options.byteWise) {
        queue = queue.then(() => void target.write(text, 'latin1'));
        return;
      }
      for (const char of text) {
        queue = queue.then(
          () =>
            new Promise<void>(resolve => {
              if (target.destroyed) resolve();
              else target.write(char, 'latin1', () => setImmediate(resolve));
            }),
        );
      }
    };
    const closeSoon = (): void => {
      hung = true;
      const target = socket;
      queue = queue.then(() => void target.end());
    };
    const act = (what: Act): void => {
      if (typeof what === 'string') say(`${what.replaceAll('\n', '\r\n')}\r\n`);
      else if ('raw' in what) {
        say(what.raw);
        hung = true;
      } else if ('say' in what) {
        say(`${what.say.replaceAll('\n', '\r\n')}\r\n`);
        hung = true;
        if (what.next === 'close') closeSoon();
      } else if (what.do === 'hang') hung = true;
      else if (what.do === 'close') closeSoon();
      else if (socket instanceof net.Socket) socket.resetAndDestroy();
    };
    const command = (line: string): void => {
      self.commands.push(line);
      const verb =
        line.slice(0, 4).trim().toUpperCase() === 'STAR' ? 'STARTTLS' : line.slice(0, 4).trim().toUpperCase();
      switch (verb) {
        case 'EHLO':
        case 'LHLO': {
          const offers = options.offers ?? OFFERS;
          const lines = ['scripted', ...offers];
          act(actFor(verb, lines.map((l, i) => `250${i === lines.length - 1 ? ' ' : '-'}${l}`).join('\n')));
          return;
        }
        case 'RCPT': {
          const what = actFor('RCPT', '250 2.1.5 ok');
          if (typeof what === 'string' && what.startsWith('2')) accepted++;
          act(what);
          return;
        }
        case 'DATA': {
          const what = actFor('DATA', '354 go ahead');
          if (typeof what === 'string' && what.startsWith('354')) {
            inData = true;
            if (options.pauseAtData) socket.pause();
          }
          act(what);
          return;
        }
        case 'STARTTLS': {
          const what = actFor('STARTTLS', '220 go');
          act(what);
          const { tls: keys } = options;
          if (typeof what !== 'string' || !what.startsWith('220') || keys === undefined) return;
          queue = queue.then(() => {
            const plain = socket;
            plain.removeAllListeners('data');
            socket = new tls.TLSSocket(plain, { isServer: true, ...keys });
            listen();
          });
          return;
        }
        case 'QUIT':
          act(actFor('QUIT', { say: '221 2.0.0 bye', next: 'close' }));
          return;
        case 'RSET':
        case 'MAIL':
          accepted = 0;
          act(actFor(verb, '250 2.0.0 ok'));
          return;
        default:
          act(actFor(verb, verb === 'HELO' ? '250 scripted' : '502 5.5.2 what?'));
      }
    };
    const take = (bytes: Buffer): void => {
      if (!inData) self.reads.push(bytes.toString('latin1'));
      if (hung) return;
      pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
      for (;;) {
        if (inData) {
          // What was looked through before needs no second look, but the end may straddle the seam.
          const tail = data.at(-1)?.subarray(-4) ?? Buffer.alloc(0);
          // The CRLF of the DATA command is the one before the first line.
          const seam = Buffer.concat([...(tail.length < 4 ? [Buffer.from('\r\n')] : []), tail, pending]);
          const end = seam.indexOf(END);
          if (end < 0) {
            // Pieces shorter than the end would hide it.
            if (pending.length < END.length) data = [Buffer.concat([...data, pending])];
            else data.push(pending);
            pending = Buffer.alloc(0);
            return;
          }
          const rest = seam.subarray(end + END.length);
          const whole = Buffer.concat([...data, pending]);
          self.messages.push(whole.subarray(0, whole.length - rest.length - 3));
          pending = rest;
          data = [];
          inData = false;
          const replies = lmtp ? accepted : 1;
          accepted = 0;
          for (let i = 0; i < replies; i++) act(actFor('.', '250 2.0.0 taken'));
          continue;
        }
        const lf = pending.indexOf('\n');
        if (lf < 0) return;
        const line = pending.subarray(0, lf).toString('latin1').replace(/\r$/, '');
        pending = pending.subarray(lf + 1);
        command(line);
        if (hung) return;
      }
    };
    const listen = (): void => {
      socket.on('error', () => undefined);
      socket.on('data', take);
    };
    listen();
    act(actFor('CONNECT', '220 scripted ESMTP'));
  }

  await new Promise<void>(resolve => {
    if (options.path === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(options.path, resolve);
  });
  const self: ScriptedServer = {
    port: options.path === undefined ? (server.address() as AddressInfo).port : 0,
    path: options.path ?? null,
    commands: [],
    reads: [],
    messages: [],
    connections: 0,
    open: 0,
    shout: text => {
      for (const socket of sockets) socket.write(text, 'latin1');
    },
    hangUp: () => {
      for (const socket of sockets) socket.destroy();
    },
    pause: () => {
      for (const socket of sockets) socket.pause();
    },
    resume: () => {
      for (const socket of sockets) socket.resume();
    },
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise(resolve => {
        server.close(() => resolve());
      });
    },
  };
  return self;
}
