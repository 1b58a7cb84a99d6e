import net from 'node:net';

/** One frame of the protocol between postern-queue and the daemon. */
export interface Frame {
  readonly type: string;
  readonly payload: Buffer;
}

/** What one client sent. */
export interface Call {
  readonly frames: Frame[];
  /** Whether the client has closed. */
  closed: boolean;
}

/**
 * What the daemon does when the frame `at` comes (`connect`: at once): sends `bytes`, one by one when `byteWise`, and then
 * closes, unless it should `stay`. `deaf` reads nothing from then on; `reset` closes without reading what has come.
 */
export interface Act {
  readonly at?: string;
  readonly bytes?: Buffer;
  readonly byteWise?: boolean;
  readonly stay?: boolean;
  readonly deaf?: boolean;
  readonly reset?: boolean;
  /** Runs before anything is sent. */
  readonly first?: () => Promise<void> | void;
}

export interface StubDaemon extends AsyncDisposable {
  readonly path: string;
  readonly calls: Call[];
  act: Act;
}

/** Bytes of a frame; `size` lies about the payload's length. */
export function frame(type: string, payload: Buffer | string = '', size?: number): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeUInt32BE(size ?? bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** An answer that lets `envelope` pass to `path`, behind `header`. */
export function yes(path: string, envelope: Buffer | string, header: Buffer | string = ''): Buffer {
  const bytes = typeof envelope === 'string' ? Buffer.from(envelope, 'latin1') : envelope;
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 65536) pieces.push(frame('R', bytes.subarray(at, at + 65536)));
  return Buffer.concat([frame('H', header), frame('N', path), ...pieces, frame('Y')]);
}

/** A refusal; `code` is for callers who read no text. */
export function no(code: number, text: string): Buffer {
  return frame('X', Buffer.concat([Buffer.from([code]), Buffer.from(text, 'latin1')]));
}

/** All bytes that a client sent in frames of `type`. */
export function sent(call: Call | undefined, type: string): Buffer {
  return Buffer.concat((call?.frames ?? []).filter(f => f.type === type).map(f => f.payload));
}

/** A daemon on the Unix socket `path` that does what `act` says, the same for every client until it is changed. */
export async function stubDaemon(path: string, act: Act): Promise<StubDaemon> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, socket => {
    sockets.add(socket);
    const call: Call = { frames: [], closed: false };
    self.calls.push(call);
    serve(socket, call, self.act);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  const self: StubDaemon = {
    path,
    act,
    calls: [],
    [Symbol.asyncDispose]: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise(resolve => server.close(() => resolve()));
    },
  };
  return self;
}

function serve(socket: net.Socket, call: Call, act: Act): void {
  const at = act.at ?? 'r';
  let pending = Buffer.alloc(0);
  let acted = false;
  const perform = async (): Promise<void> => {
    if (acted) return;
    acted = true;
    if (act.deaf) socket.pause();
    await act.first?.();
    if (act.byteWise) {
      for (const byte of act.bytes ?? []) {
        if (socket.destroyed) return;
        await new Promise<void>(resolve => socket.write(Buffer.from([byte]), () => setImmediate(resolve)));
      }
    } else if (act.bytes !== undefined) {
      socket.write(act.bytes);
    }
    if (act.reset) socket.destroy();
    else if (act.stay !== true) socket.end();
  };
  socket.on('error', () => {});
  socket.on('end', () => {
    call.closed = true;
    socket.end();
  });
  socket.on('close', () => {
    call.closed = true;
  });
  socket.on('data', piece => {
    pending = pending.length === 0 ? piece : Buffer.concat([pending, piece]);
    while (pending.length >= 5) {
      const size = pending.readUInt32BE(1);
      if (pending.length < 5 + size) break;
      const type = pending.toString('latin1', 0, 1);
      call.frames.push({ type, payload: pending.subarray(5, 5 + size) });
      pending = pending.subarray(5 + size);
      if (type === at) void perform();
    }
  });
  if (at === 'connect') {
    if (act.deaf !== true) socket.resume();
    void perform();
  } else socket.resume();
}
